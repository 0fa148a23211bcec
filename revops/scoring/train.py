"""Trains scorecards month by month, each on what was known before its month alone: the walk-forward test of the field.

A month's rows are those of the months before it, up to the last day whose labels were complete when it began. All frauds are
read, and of each day the same number of others at most, drawn by a hash of their ids: whatever happens on a day changes the
rows of that day alone, so a later row changes no earlier scorecard. Memory holds one window of months.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from foundation import database
from foundation.errors import RevopsError, UsageError
from foundation.queries import one_row, relations_exist
from meshkeys.names import in_letters
from revops.dashboard.labels import DELAY
from revops.scoring import fit, scorecards
from revops.scoring.features import FEATURES, FLAGS, NUMBERS
from revops.scoring.scorecards import Head, next_month

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from psycopg2.extensions import connection as Connection

LIBRARY = "scikit-learn"
WINDOW_MONTHS = 24
FEWEST_FRAUDS = 50
MOST_A_DAY = 100
_DIGITS = 12  # of a version, in letters: as digits, one of some could look like a card number
_BLOCK = 50_000

# The number of others of a day is that of the day, so that each of those drawn stands for as many. 2654435761 is the
# multiplier of Knuth's multiplicative hash: neighbouring ids are spread.
_ROWS = """
SELECT transaction_id, transacted_on - DATE '2000-01-01', is_fraud, others_of_day, {values}
FROM (
    SELECT features.*, outcomes.is_fraud,
           count(*) FILTER (WHERE NOT outcomes.is_fraud) OVER (PARTITION BY features.transacted_on) AS others_of_day,
           row_number() OVER (
               PARTITION BY features.transacted_on, outcomes.is_fraud
               ORDER BY mod(mod(features.transaction_id, 1073741824) * 2654435761, 4294967296), features.transaction_id
           ) AS place
    FROM features.transaction_features AS features
    JOIN facts.fct_outcomes AS outcomes ON outcomes.transaction_id = features.transaction_id
    WHERE features.transacted_on >= %(first)s AND features.transacted_on < %(until)s
      AND outcomes.transacted_on >= %(first)s AND outcomes.transacted_on < %(until)s
      AND outcomes.is_fraud IS NOT NULL
) AS features
WHERE is_fraud OR place <= %(most)s
ORDER BY transacted_on, transaction_id
"""
_HISTORY = "SELECT min(transacted_on), max(transacted_on) FROM facts.fct_outcomes"

_log = logging.getLogger(__name__)


class TooFewLabels(RevopsError):
    """There is nothing that a scorecard could be trained on."""

    exit_code = 3


@dataclass(frozen=True)
class Trained:
    """A month and its scorecard, None where frauds before it are too few; whether it is new, and how many frauds there are."""

    month_start: date
    head: Head | None
    is_new: bool
    fraud_count: int


@dataclass(frozen=True)
class Wanted:
    """What to train.

    Attributes:
        since: the first month, None for the first one that has enough frauds before it.
        until: the last month, None for the one after the last landed day.
        window_months: how many months before a month it is trained on.
        fewest_frauds: a month with fewer before it has no scorecard.
    """

    since: date | None = None
    until: date | None = None
    window_months: int = WINDOW_MONTHS
    fewest_frauds: int = FEWEST_FRAUDS


@dataclass(frozen=True)
class _Month:
    """Labelled rows of a calendar month: ids, days since 2000, label, others of the day, features."""

    ids: NDArray[np.int64]
    days: NDArray[np.int64]
    is_fraud: NDArray[np.bool_]
    others: NDArray[np.int64]
    values: NDArray[np.float64]


def check_installed() -> None:
    """Refuses to go on without the library.

    Raises:
        UsageError: it is not installed; says how it is.
    """
    try:
        importlib.metadata.version(LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(f"Training needs {LIBRARY}, which is not installed.\n  Install it: make .venv/score") from None


def train(dsn: str, wanted: Wanted) -> Iterator[Trained]:
    """Trains the scorecards that are missing or whose rows have changed, a transaction each; the oldest month first.

    The caller holds the warehouse's lock.

    Raises:
        TooFewLabels: nothing is built, or no month has enough labelled frauds before it.
        UsageError: the library is not installed.
    """
    check_installed()
    with closing(database.connect(dsn, "revops train")) as connection:
        first, last = _history(connection)
        since = max(next_month(first), wanted.since or first)
        until = min(next_month(last), wanted.until or next_month(last))
        months: dict[date, _Month] = {}
        most, month = 0, since
        is_any = False
        while month <= until:
            begins = max(next_month(month, -wanted.window_months), first)
            window = _months(begins, month)
            months = {each: months.get(each) or _read(connection, each) for each in window}
            trained = _train(connection, month, list(months.values()), begins, wanted)
            most, is_any = max(most, trained.fraud_count), is_any or trained.head is not None
            yield trained
            month = next_month(month)
        if not is_any:
            raise TooFewLabels(
                f"Of {since:%Y-%m} to {until:%Y-%m} no month has {wanted.fewest_frauds} labelled frauds in the"
                f" {wanted.window_months} months before it, but {most} at most: nothing was trained."
            )


def told(trained: Trained) -> str | None:
    """A line about a month; None where it has no scorecard."""
    if (head := trained.head) is None:
        return None
    return (
        f"{head.month_start:%Y-%m}  {'new ' if trained.is_new else 'kept'}  {head.version}"
        f"  {head.training_from} to {head.training_until - timedelta(days=1)}"
        f"  {head.fraud_count:,} frauds, {head.sampled_count:,} of {head.legitimate_count:,} others"
        f"  AUC {head.training_auc_bp / 10_000:.3f} on them"
    )


def _months(begins: date, before: date) -> list[date]:
    """The months from one to before another."""
    found = [begins]
    while next_month(found[-1]) < before:
        found.append(next_month(found[-1]))
    return found


def _history(connection: Connection) -> tuple[date, date]:
    """The first and the last month of all."""
    with connection.cursor() as cursor:
        is_built = relations_exist(cursor, "features.transaction_features", "facts.fct_outcomes", scorecards.TABLE)
        first, last = one_row(cursor, _HISTORY) if is_built else (None, None)
    connection.commit()
    if first is None or last is None:
        raise TooFewLabels("Nothing is built that a scorecard could be trained on: land files, then revops build.")
    return first.replace(day=1), last.replace(day=1)


def _read(connection: Connection, month: date) -> _Month:
    """The rows of a month, of which some days may yet be left out."""
    values = ", ".join([*(value for _, value in NUMBERS), *(f"CAST({value} AS INT)" for _, value in FLAGS)])
    blocks: list[NDArray[np.float64]] = []
    ids: list[int] = []
    with connection.cursor("training rows") as cursor:
        cursor.itersize = _BLOCK
        cursor.execute(
            _ROWS.replace("{values}", values),
            {"first": month, "until": next_month(month), "most": MOST_A_DAY},
        )
        while rows := cursor.fetchmany(_BLOCK):
            ids += [row[0] for row in rows]
            blocks.append(np.array([row[1:] for row in rows], dtype=np.float64))
    connection.commit()
    table = np.concatenate(blocks) if blocks else np.empty((0, 3 + len(FEATURES)))
    return _Month(
        np.array(ids, dtype=np.int64),
        table[:, 0].astype(np.int64),
        table[:, 1] > 0,
        table[:, 2].astype(np.int64),
        table[:, 3:],
    )


def _train(connection: Connection, month: date, before: Sequence[_Month], begins: date, wanted: Wanted) -> Trained:
    until = month - DELAY
    last = (until - date(2000, 1, 1)).days
    kept = [each.days < last for each in before]

    def of(name: str) -> Any:
        return np.concatenate([getattr(each, name)[keep] for each, keep in zip(before, kept, strict=True)])

    is_fraud, days, others = of("is_fraud"), of("days"), of("others")
    frauds, sampled = int(is_fraud.sum()), int((~is_fraud).sum())
    if frauds < wanted.fewest_frauds or not sampled:
        return Trained(month, None, False, frauds)
    _, first_rows, inverse = np.unique(days[~is_fraud], return_index=True, return_inverse=True)
    drawn = np.bincount(inverse)
    weights = np.ones(len(days))
    weights[~is_fraud] = others[~is_fraud] / drawn[inverse]
    values = of("values")
    version = _version(month, begins, [of("ids"), days, is_fraud, weights, values])
    with connection.cursor() as cursor:
        head = scorecards.current(cursor, month)
        is_new = head is None or head.version != version
        if is_new:
            fitted = fit.fit(fit.Rows(values, is_fraud, weights))
            legitimate = int(others[~is_fraud][first_rows].sum())
            head = Head(version, month, begins, until, frauds, legitimate, sampled, fitted.auc_bp)
            scorecards.add(cursor, head, fitted.base_points, fitted.bins)
    connection.commit()
    return Trained(month, head, is_new, frauds)


def _version(month: date, begins: date, arrays: Sequence[NDArray[Any]]) -> str:
    """A hash of the rows and of all that decides what is made of them."""
    settings = {
        **fit.SETTINGS,
        "library": importlib.metadata.version(LIBRARY),
        "features": FEATURES,
        "most_a_day": MOST_A_DAY,
        "delay": DELAY.days,
        "month": str(month),
        "begins": str(begins),
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return in_letters(digest.hexdigest()[:_DIGITS])
