"""Finds what is out of date: tables, and days of tables, that were evaluated before something they read changed.

As `make` does it, with one sequence of numbers for changes (ops.changes) and evaluations (ops.evaluations) instead of times. An
evaluation is noted in its own transaction and for one physical table, so the answer is correct after any kill, for each
version of a table, and for any command that evaluated it. Nothing is ever marked as done.

    a landed relation       changes on days (transactions), or as a whole
    a table of days         is out of date on a day on which a parent changed or was evaluated later than the table itself;
                            with a look-back window, also on so many days after; with a look-ahead window, before
    a table made whole      is out of date if anything it reads changed or was evaluated later
    a whole table's rows    change where they differ from what they were (dimensions_and_labels.py): only tables of days that
                            read those columns, on those days
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from revops.ledger.graph import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from psycopg2.extensions import cursor as Cursor

FIRST_DAY = date(2000, 1, 1)
"""The first day of history; also the day of rows without a usable one: see models/quality/quarantined_transactions.sql."""
LANDED = "raw."
_NEVER_DONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Change:
    """A change or evaluation of a relation: its number, its days from the first to before the last, and columns, if not all."""

    number: int
    relation: str
    starts_on: date | None = None
    ends_before: date | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class OutOfDate:
    """What an environment has to evaluate.

    Attributes:
        days: for each table of days that is out of date, on which days.
        whole: the tables made whole that are out of date.
    """

    days: dict[str, list[date]]
    whole: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.days or self.whole)


def read(
    cursor: Cursor,
    nodes: Sequence[Node],
    today: date,
    of_others: frozenset[str] = frozenset(),
    widen: Callable[[list[date]], list[date]] | None = None,
) -> OutOfDate:
    """Finds what is out of date in the tables of these nodes; arguments as for `find`."""
    relations = [node.relation for node in nodes if node.relation]
    noted = changes(cursor)
    cursor.execute(
        "SELECT evaluation_id, relation, starts_on, ends_on FROM ops.evaluations WHERE relation = ANY (%s)"
        " ORDER BY evaluation_id",
        (relations,),
    )
    evaluations = [
        Change(number, relation, start, end and end + timedelta(days=1))
        for number, relation, start, end in cursor.fetchall()
    ]
    return find(nodes, noted, evaluations, today, of_others, widen)


def changes(cursor: Cursor) -> list[Change]:
    """All changes that are noted, in the order of their numbers."""
    cursor.execute("SELECT change_id, relation, starts_on, ends_before, columns FROM ops.changes ORDER BY change_id")
    return [
        Change(number, relation, start, end, None if columns is None else tuple(columns))
        for number, relation, start, end, columns in cursor.fetchall()
    ]


def find(
    nodes: Iterable[Node],
    changes: Iterable[Change],
    evaluations: Iterable[Change],
    today: date,
    of_others: frozenset[str] = frozenset(),
    widen: Callable[[list[date]], list[date]] | None = None,
) -> OutOfDate:
    """Finds what is out of date.

    Args:
        nodes: the models of an environment, parents first.
        changes: of landed relations and of whole models, by name, in the order of their numbers.
        evaluations: of physical tables, likewise.
        today: the day that is not over; rows of it or later count under `FIRST_DAY` until then.
        of_others: physical tables that another environment keeps up to date; they are taken as they are.
        widen: for which days a table is going to be evaluated, from those that are out of date: what reads it follows it on all.
    """
    nodes, changes = list(nodes), list(changes)
    # No row is of a day after the last one of which rows landed: that such a day ends makes nothing out of date.
    ends = [change.ends_before for change in changes if change.ends_before and change.relation.startswith(LANDED)]
    history = _History(today, max(ends, default=today), {node.model for node in nodes})
    for change in (*changes, *evaluations):
        history.add(change)
    days: dict[str, list[date]] = {}
    whole = set()
    for node in nodes:
        if node.relation is None:
            history.pass_through(node)
        elif node.by_days:
            stale = history.latest_above(node) > history.of(node.relation).days
            stale &= node.relation not in of_others
            if stale.any():
                days[node.model] = [FIRST_DAY + timedelta(days=int(i)) for i in np.flatnonzero(stale)]
                if widen is not None:
                    days[node.model] = widen(days[node.model])
                    stale[[(day - FIRST_DAY).days for day in days[node.model]]] = True
            history.put(node, stale)
        else:
            is_stale = node.relation not in of_others and history.last_above(node) > history.of(node.relation).last
            if is_stale:
                whole.add(node.model)
            history.put(node, is_stale)
    return OutOfDate(days, frozenset(whole))


class _Numbers:
    """The last number of a relation, and of each of its days."""

    def __init__(self, count: int) -> None:
        self.last = 0
        self.days: NDArray[np.int64] = np.zeros(count, dtype=np.int64)


class _History:
    def __init__(self, today: date, ends_before: date, models: set[str]) -> None:
        self._models = models
        self._today = max(today, FIRST_DAY + timedelta(days=1))
        self._count = max((min(ends_before, self._today) - FIRST_DAY).days, 1)
        self._numbers: dict[str, _Numbers] = {}
        self._attributes: dict[str, list[Change]] = {}

    def of(self, name: str) -> _Numbers:
        if name not in self._numbers:
            self._numbers[name] = _Numbers(self._count)
        return self._numbers[name]

    def add(self, change: Change) -> None:
        """Takes in a change or evaluation; they come in the order of their numbers, changes first."""
        if change.relation in self._models:
            self._attributes.setdefault(change.relation, []).append(change)
            return
        numbers = self.of(change.relation)
        numbers.last = max(numbers.last, change.number)
        if change.starts_on is not None:
            numbers.days[self._slice(change)] = change.number

    def latest_above(self, node: Node) -> NDArray[np.int64]:
        """The last number above a table of days, for each day of it."""
        latest = np.zeros(self._count, dtype=np.int64)
        for parent in node.parents:
            np.maximum(latest, _looked_at(self.of(parent).days, node), out=latest)
            for change in self._attributes.get(parent, ()):
                if change.columns is None or set(change.columns) & set(node.columns.get(parent, change.columns)):
                    span = self._slice(change)
                    latest[span] = np.maximum(latest[span], change.number)
        return latest

    def last_above(self, node: Node) -> int:
        """The last number above a table made whole."""
        return max((self.of(parent).last for parent in node.parents), default=0)

    def pass_through(self, view: Node) -> None:
        """A view is as new as what it reads."""
        numbers = self.of(view.model)
        numbers.last = self.last_above(view)
        numbers.days = self.latest_above(view)

    def put(self, node: Node, stale: Any) -> None:
        """To its readers a node is as new as its table, and newer than anything on days on which it is out of date."""
        assert node.relation is not None
        table, numbers = self.of(node.relation), self.of(node.model)
        numbers.last = _NEVER_DONE if np.any(stale) else table.last
        if node.by_days:
            numbers.days = np.where(stale, _NEVER_DONE, table.days)

    def _slice(self, change: Change) -> slice:
        """The days of a change as places in an array; days before history or not over yet count as its first day."""
        assert change.starts_on is not None
        assert change.ends_before is not None
        if change.starts_on >= self._today or change.ends_before <= FIRST_DAY:
            return slice(0, 1)
        first = max((change.starts_on - FIRST_DAY).days, 0)  # beyond all days, for an evaluation of days without rows
        return slice(first, min((change.ends_before - FIRST_DAY).days, self._count))


def _looked_at(numbers: NDArray[np.int64], node: Node) -> NDArray[np.int64]:
    """For each day the largest number of all days that a row of it reads."""
    if not (node.look_back or node.look_ahead):
        return numbers
    padded = np.pad(numbers, (node.look_back, node.look_ahead))
    span = node.look_back + 1 + node.look_ahead
    largest: NDArray[np.int64] = np.lib.stride_tricks.sliding_window_view(padded, span).max(axis=1)
    return largest
