"""Fits one scorecard: bins each feature, and weighs the bins by a logistic regression. Touches no database.

The form is the usual one of credit scoring (Siddiqi, Intelligent Credit Scoring, 2nd ed., 2017): each feature is cut into a few
bins, a bin is worth the logarithm of its odds by those of all (weight of evidence), and the regression is over these. A feature
that would count against its own evidence is left out. Points are rounded, so that adding them up needs whole numbers alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from revops.scoring.features import DOUBLES, EVEN, FEATURES, FLAGS, MOST_BINS, UNKNOWN
from revops.scoring.scorecards import Bin

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 20
_LEAST_IN_BIN = 30  # rows
_LEAST_SHARE = 0.1  # of all rows, both classes counting alike: a bin of a few frauds says nothing of the next month
_PRIOR_FRAUDS = 5.0  # so many more frauds, spread as all rows are, keep a bin of few rows near the others
_STRENGTH = 1.0  # of the penalty on coefficients, inverse, as scikit-learn has it
_ROUNDS = 200
_FACTOR = DOUBLES / math.log(2)
SETTINGS = {
    "form": 1,  # counts changes of how a scorecard is fitted that the others do not tell
    "seed": SEED,
    "least_in_bin": _LEAST_IN_BIN,
    "least_share": _LEAST_SHARE,
    "prior_frauds": _PRIOR_FRAUDS,
    "strength": _STRENGTH,
    "most_bins": MOST_BINS,
}
"""All that decides which scorecard rows give: part of every version."""


@dataclass(frozen=True)
class Rows:
    """Rows to train on.

    Attributes:
        values: by row and feature, in the order of FEATURES; NaN for unknown.
        is_fraud: by row.
        weights: for how many transactions a row counts.
    """

    values: NDArray[np.float64]
    is_fraud: NDArray[np.bool_]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """What was learned: where scores start, the bins, and the area under the ROC curve on the rows themselves."""

    base_points: int
    bins: tuple[Bin, ...]
    auc_bp: int


@dataclass(frozen=True)
class _Binned:
    name: str
    is_flag: bool
    bounds: Sequence[int]
    places: NDArray[np.int64]
    evidence: NDArray[np.float64]  # by bin, and last for unknown


def fit(rows: Rows) -> Fitted:
    """Fits a scorecard; the same rows give the same.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(
        limits=1
    ):  # sums in the same order wherever it runs; threads gain nothing on matrices so narrow
        return _fit(rows)


def _fit(rows: Rows) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    flags = {name for name, _ in FLAGS}
    binned = [_bin(name, rows.values[:, i], rows, name in flags) for i, (name, _) in enumerate(FEATURES)]
    used = [each for each in binned if len(set(each.evidence[np.unique(each.places)].tolist())) > 1]
    coefficients, intercept = np.zeros(0), _log_odds(rows)
    while used:
        matrix = np.column_stack([each.evidence[each.places] for each in used])
        model = LogisticRegression(C=_STRENGTH, solver="newton-cholesky", max_iter=_ROUNDS)
        model.fit(matrix, rows.is_fraud, sample_weight=rows.weights)
        coefficients, intercept = model.coef_[0], float(model.intercept_[0])
        if (coefficients > 0).all():
            break
        used = [each for each, weight in zip(used, coefficients, strict=True) if weight > 0]
        coefficients, intercept = np.zeros(0), _log_odds(rows)
    bins = tuple(each for of, weight in zip(used, coefficients, strict=True) for each in _points(of, float(weight)))
    base = round(EVEN + _FACTOR * intercept)
    return Fitted(base, bins, auc_bp(scores(base, bins, rows.values), rows))


def scores(base_points: int, bins: Sequence[Bin], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The sum of points of each row, not yet held within 0 and the highest score."""
    total = np.full(len(values), base_points, dtype=np.int64)
    for i, (name, _) in enumerate(FEATURES):
        of = [each for each in bins if each.feature == name]
        if of:
            known = sorted((each for each in of if each.number != UNKNOWN), key=lambda each: each.number)
            points = [each.points for each in known] + [each.points for each in of if each.number == UNKNOWN]
            total += np.array(points, dtype=np.int64)[_places(values[:, i], [int(b.at_least or 0) for b in known[1:]])]
    return total


def auc_bp(found: NDArray[np.int64], rows: Rows) -> int:
    """The area under the ROC curve, basis points: how often a fraud has a higher score than another transaction."""
    from sklearn.metrics import roc_auc_score

    return round(10_000 * float(roc_auc_score(rows.is_fraud, found, sample_weight=rows.weights)))


def _log_odds(rows: Rows) -> float:
    frauds = float(rows.weights[rows.is_fraud].sum())
    return math.log(frauds / float(rows.weights[~rows.is_fraud].sum()))


def _bin(name: str, values: NDArray[np.float64], rows: Rows, is_flag: bool) -> _Binned:
    bounds = [1] if is_flag else _bounds(values, rows)
    places = _places(values, bounds)
    count = len(bounds) + 2
    frauds = np.bincount(places[rows.is_fraud], rows.weights[rows.is_fraud], count)
    others = np.bincount(places[~rows.is_fraud], rows.weights[~rows.is_fraud], count)
    share = (others + 0.5) / (others.sum() + 0.5 * count)
    evidence = np.log((frauds + _PRIOR_FRAUDS * share) / (frauds.sum() + _PRIOR_FRAUDS) / share)
    evidence[(frauds + others) == 0] = 0.0  # nothing is known of values that never were
    return _Binned(name, is_flag, bounds, places, evidence)


def _bounds(values: NDArray[np.float64], rows: Rows) -> list[int]:
    """Where a tree over this feature alone cuts it, both classes counting alike."""
    from sklearn.tree import DecisionTreeClassifier

    known = ~np.isnan(values)
    is_fraud = rows.is_fraud[known]
    if is_fraud.all() or not is_fraud.any():
        return []
    weights = rows.weights[known].copy()
    weights[is_fraud] *= weights[~is_fraud].sum() / weights[is_fraud].sum()
    tree: Any = DecisionTreeClassifier(
        criterion="entropy",
        max_leaf_nodes=MOST_BINS,
        min_samples_leaf=_LEAST_IN_BIN,
        min_weight_fraction_leaf=_LEAST_SHARE,
        random_state=SEED,
    )
    tree.fit(values[known].reshape(-1, 1), is_fraud, sample_weight=weights)
    cuts = tree.tree_.threshold[tree.tree_.feature >= 0]
    return sorted({math.ceil(cut) for cut in cuts.tolist()})


def _places(values: NDArray[np.float64], bounds: Sequence[int]) -> NDArray[np.int64]:
    """The bin of each value; the one after the last for unknown."""
    places: NDArray[np.int64] = np.searchsorted(np.array(bounds, dtype=np.float64), values, side="right").astype(
        np.int64
    )
    places[np.isnan(values)] = len(bounds) + 1
    return places


def _points(of: _Binned, weight: float) -> list[Bin]:
    points = [round(_FACTOR * weight * float(evidence)) for evidence in of.evidence]
    bounds = [None, *of.bounds]
    known = [Bin(of.name, i, bound, points[i]) for i, bound in enumerate(bounds)]
    return known if of.is_flag else [*known, Bin(of.name, UNKNOWN, None, points[-1])]
