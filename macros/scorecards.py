"""How the points of a scorecard are added up. A scorecard is data: bins and points of features, written by `revops train`.

`@scorecard_limits()` makes one wide row of a scorecard's bins; `@scorecard_points()` reads that row as `scorecards` and a row of
features.transaction_features as `features`; the others add up its columns. Points are whole numbers, so that every engine adds
up the same.
"""

from __future__ import annotations

from sqlmesh import macro

from revops.scoring.features import DOUBLES, FEATURES, FLAGS, HIGHEST, MOST_BINS, UNKNOWN


@macro()
def scorecard_limits(evaluator):
    """Of the bins of a scorecard, a group of rows: for each feature its lower bounds and its points, a column each."""
    columns = []
    for name, _ in FEATURES:
        if not _is_flag(name):
            columns.append(f"MAX(CASE WHEN feature = '{name}' AND bin = {UNKNOWN} THEN points END) AS {name}_unknown")
        for place in range(_bins(name)):
            of_bin = f"WHEN feature = '{name}' AND bin = {place}"
            columns.append(f"MAX(CASE {of_bin} THEN points END) AS {name}_points_{place}")
            if place > 0 and not _is_flag(name):
                columns.append(f"MAX(CASE {of_bin} THEN at_least END) AS {name}_from_{place}")
    return columns


@macro()
def scorecard_points(evaluator):
    """Of each feature of a transaction, its points: a column each."""
    return [f"{_points(name, value)} AS {name}" for name, value in FEATURES]


@macro()
def scorecard_score(evaluator):
    """The score: what all start with, and the points of each feature, within 0 and the highest."""
    total = " + ".join(["base_points", *(name for name, _ in FEATURES)])
    return f"LEAST({HIGHEST}, GREATEST(0, {total}))"


@macro()
def scorecard_reasons(evaluator):
    """The features that at least doubled the odds, each with its points, in the order of the list; NULL for none."""
    reasons = [
        f"CASE WHEN {name} >= {DOUBLES} THEN CONCAT(', {name} ', {name}::TEXT) ELSE '' END" for name, _ in FEATURES
    ]
    return f"NULLIF(SUBSTRING(CONCAT({', '.join(reasons)}), 3), '')"


def _is_flag(name):
    return name in {flag for flag, _ in FLAGS}


def _bins(name):
    return 2 if _is_flag(name) else MOST_BINS


def _points(name, value):
    """The points of one feature; 0 where the scorecard does not use it. A bound that a scorecard has not is never reached."""
    if _is_flag(name):
        return f"COALESCE(CASE WHEN {value} THEN scorecards.{name}_points_1 ELSE scorecards.{name}_points_0 END, 0)"
    bins = " ".join(
        f"WHEN {value} >= scorecards.{name}_from_{place} THEN scorecards.{name}_points_{place}"
        for place in range(_bins(name) - 1, 0, -1)
    )
    return f"COALESCE(CASE WHEN {value} IS NULL THEN scorecards.{name}_unknown {bins} ELSE scorecards.{name}_points_0 END, 0)"
