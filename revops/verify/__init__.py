"""Checks the warehouse's invariants in the database itself, each by other means than those that established it."""

from __future__ import annotations

import logging
import random
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import psycopg2
import psycopg2.errors

from foundation import database, ops
from foundation.errors import first_line
from foundation.queries import one_row, relations_exist, scalar
from meshkeys import catalog, sessions
from meshkeys.catalog import Relation
from revops import access
from revops.embedded import server
from revops.ledger import landings, ledger
from revops.ledger.days import Days, days_in, ranges_of
from revops.ledger.models import noted_nodes
from revops.result import Result
from revops.verify import card_data, landed, models, rows, structure, written
from revops.verify.rows import FULL, Scope
from revops.verify.written import Written

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

__all__ = ["FULL", "Result", "Scope", "verify", "verify_and_note"]

T = TypeVar("T")

SESSIONS = 2
SINCE_LAST = "since-last"
WHOLE = "full"

# More stretches, or days, than these are not told apart.
MOST_SCOPES = 5
MOST_DAYS = 400
LATEST_DAYS = 31

_TOUCHED = """
SELECT e.starts_on, e.ends_on, coalesce(m.definition ->> 'unit', 'day') = 'day'
FROM ops.evaluations AS e
LEFT JOIN ops.declarations AS d ON d.relation = e.relation LEFT JOIN ops.models AS m ON m.model = d.model
WHERE e.starts_on IS NOT NULL AND e.evaluation_id > (SELECT change_id FROM ops.compared WHERE relation = 'verified')
"""
_SHARE_WORKERS = """
SELECT set_config(name, greatest(reset_val::int / %s - 1, 0)::text, true) FROM pg_settings
WHERE name = 'max_parallel_workers_per_gather'
"""
_TOUCHED_WHOLE = """
SELECT coalesce(array_agg(DISTINCT e.relation) FILTER (WHERE e.starts_on IS NULL AND e.evaluation_id > k.change_id), '{}'),
       count(k.change_id) > 0
FROM ops.evaluations AS e LEFT JOIN ops.compared AS k ON k.relation = 'verified'
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Turn:
    """What is looked at this time although no evaluation was noted.

    Attributes:
        number: how many verifications of the mode since-last have found all right before; None for a full one.
        days: whose turn it is; None for all.
        touched: the relations that were evaluated as a whole since all was found right.
        is_known: whether a verification has ever found all right.
        large: of a large warehouse, the models and landed relations of more rows than are computed at once.
    """

    number: int | None = None
    days: Sequence[written.Span] | None = None
    touched: frozenset[str] = frozenset()
    is_known: bool = False
    large: frozenset[str] = frozenset()

    @classmethod
    def of(cls, cursor: Cursor) -> _Turn:
        """That of the next verification since the last one."""
        number = 0
        if relations_exist(cursor, "ops.verifications"):
            query = "SELECT count(*) FROM ops.verifications WHERE mode = %s AND failed = '{}'"
            number = scalar(cursor, query, (SINCE_LAST,))
        relations, is_known = one_row(cursor, _TOUCHED_WHOLE)
        days = written.share(number, ledger.FIRST_DAY, landings.today())
        return cls(number, days, frozenset(relations), is_known)

    def has_come(self, name: str) -> bool:
        """Whether it is the turn of a relation without days to be computed again."""
        if self.number is None:
            return random.randrange(rows.TURNS) == 0
        return (zlib.crc32(name.encode()) + self.number) % written.RUNS == 0

    def looks_at(self, name: str, physical: str) -> bool:
        """Whether to look for what was written to a relation without days: to a small one always, which is quickly done."""
        return name not in self.large or self._is_due(name, physical)

    def computes(self, model: models.Model) -> bool:
        """Whether to compute a model without days again, to which nothing was written. Of a view nobody can know that."""
        if model.name in self.large:
            return self.has_come(model.name)
        is_view = model.definition is not None and model.definition.is_view
        return is_view or not self.is_known or self._is_due(model.name, str(model.physical))

    def _is_due(self, name: str, physical: str) -> bool:
        return self.number is None or physical in self.touched or self.has_come(name)


@dataclass(frozen=True)
class _Found:
    """What a verification found, and which relations were written to but are right."""

    results: list[Result]
    models: Mapping[str, models.Model] = field(default_factory=dict)
    written: Mapping[str, Written] = field(default_factory=dict)


def verify(settings: Settings, since_last: bool = False) -> list[Result]:
    """Checks every invariant; needs no lock and changes nothing.

    Args:
        settings: which warehouse.
        since_last: compare the rows of the days alone that were evaluated since everything was last found right, and of the
            days whose turn it is (`verify_and_note`). Keys and views are always checked as a whole.
    """
    return _verify(server.up(settings), since_last).results


def verify_and_note(settings: Settings, since_last: bool = False) -> list[Result]:
    """Verifies, and notes when that was done and what was found.

    What is evaluated after everything was found right is what `since_last` looks at next time.
    """
    dsn = server.up(settings)
    began = time.monotonic()
    found = _verify(dsn, since_last)
    try:
        _note(dsn, found, SINCE_LAST if since_last else WHOLE, time.monotonic() - began)
    except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction) as error:
        _log.warning("What was found cannot be noted: %s", first_line(error))
    return found.results


def _note(dsn: str, found: _Found, mode: str, seconds: float) -> None:
    with closing(database.connect(dsn, "revops verify", autocommit=True)) as connection, connection.cursor() as cursor:
        failed = [result.name for result in found.results if not result.passed]
        if not found.models:
            return  # nothing is built
        if not catalog.is_table(cursor, Relation("ops", "verifications")):  # built by an earlier version
            ops.create_for_builds(cursor)
        cursor.execute(
            "INSERT INTO ops.verifications (mode, checks, failed, seconds) VALUES (%s, %s, %s, %s)",
            (mode, len(found.results), failed, seconds),
        )
        if not failed:
            landings.mark_compared(cursor, "verified")
            written.seal_again(cursor, found.models, found.written)


def _verify(dsn: str, since_last: bool) -> _Found:
    results: list[Result] = []
    with ExitStack() as opened:
        connection = opened.enter_context(closing(database.connect(dsn, "revops verify")))
        connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
        cursor = opened.enter_context(connection.cursor())
        if not _is_built(cursor):
            return _Found([Result("built", False, "nothing is built yet, or by an earlier version: revops run")])
        connections = [connection, *_beside(cursor, dsn, opened)]
        noted = models.noted(cursor)
        structural = _side_by_side(connections, structure.plan(noted))
        cursor.execute("SAVEPOINT reading")
        try:
            is_large = _is_large(cursor)
            turn = _Turn.of(cursor) if since_last else _Turn()
            scopes = _touched(cursor) if since_last else [FULL]
            if since_last and not is_large and FULL not in scopes:
                scopes += [Scope(*span) for span in turn.days or ()]
            if since_last and is_large and turn.is_known:
                seen = landed.as_sealed(cursor, noted)
                results += landed.check_sealed(cursor, noted, seen)
            else:
                seen = landed.read(cursor, with_rows=FULL in scopes and not is_large, with_keys=not is_large)
                results += landed.check(cursor, seen, with_keys=not is_large)
        except (
            psycopg2.ProgrammingError
        ) as error:  # a view that is gone, or may not be read: the rest is named all the same
            cursor.execute("ROLLBACK TO SAVEPOINT reading")
            return _Found([Result("facts = served", False, f"cannot be read: {first_line(error)}"), *structural])
        results.append(_pending(cursor))
        results += structural
        broken: dict[str, Written] = {}
        if is_large:
            days = None
            if turn.days is not None:
                days = [*turn.days, *((scope.first, scope.last) for scope in scopes if scope.first and scope.last)]
            turn = replace(turn, large=frozenset(rows.large(cursor, noted)))
            planned = written.plan(cursor, noted, days, turn.looks_at, None if since_last else seen)
            broken = written.joined(_side_by_side(connections, planned))
        suspected = written.felt(cursor, noted, broken) if is_large else None
        compared = _side_by_side(connections, rows.plan(cursor, noted, scopes, seen, suspected, turn.computes))
        results.append(rows.summed_up(noted, compared))
        proven = rows.proven(cursor, noted, compared, seen) if scopes == [FULL] else set()
        # What was not looked at this time is searched in part too, and in full when its turn comes.
        in_turn = is_large and since_last
        unknown = {name: Written() for name in (*noted, *written.LANDED)} if in_turn else {}
        in_part = written.intact(cursor, noted, {**unknown, **broken})
        in_part |= written.superseded(cursor, noted) if in_turn else set()
        found = _side_by_side(connections, card_data.plan(cursor, proven, in_part, turn.number))
        results.append(card_data.summed_up(cursor, found))
        results.append(_access(cursor))
        connection.rollback()
    return _Found(results, noted, broken)


def _touched(cursor: Cursor) -> list[Scope]:
    """The stretches of days evaluated since the last time, none where there are none.

    All days where that is not known, or where there are too many to tell apart; of a large warehouse the latest of them.
    """
    if scalar(cursor, "SELECT EXISTS (SELECT FROM ops.compared WHERE relation = 'verified')"):
        cursor.execute(_TOUCHED)
        found = [(Days(first, last), by_day) for first, last, by_day in cursor.fetchall()]
        days = {span for span, by_day in found if by_day}
        # Months and years are evaluated whole for some of their days: those are told by the tables of days.
        days |= {
            span for span, _ in found if not any(span.first <= day.last and day.first <= span.last for day in days)
        }
        ranges = ranges_of(days_in(days))
        if len(ranges) <= MOST_SCOPES and sum((span.last - span.first).days for span in ranges) <= MOST_DAYS:
            return [Scope(span.first, span.last) for span in ranges]
    query = "SELECT sum(rows_loaded), max(max_date) FROM ops.load_files WHERE relation = 'transactions'"
    count, latest = one_row(cursor, query)
    if latest is None or (count or 0) <= rows.ROWS_AT_ONCE:
        return [FULL]
    return [Scope(latest - timedelta(days=LATEST_DAYS - 1), latest)]


def _beside(cursor: Cursor, dsn: str, opened: ExitStack) -> Iterator[Connection]:
    """Further connections that see the same snapshot; none where the server has none to spare."""
    snapshot = one_row(cursor, "SELECT pg_export_snapshot()")
    for _ in range(SESSIONS - 1):
        try:
            other = opened.enter_context(closing(psycopg2.connect(dsn, application_name="revops verify")))
        except psycopg2.OperationalError:
            return
        other.set_session(readonly=True, isolation_level="REPEATABLE READ")
        with other.cursor() as own:
            own.execute("SET TRANSACTION SNAPSHOT %s", snapshot)
        yield other


def _side_by_side(connections: list[Connection], tasks: list[Callable[[Cursor], T]]) -> list[T]:
    """Runs tasks on several connections, which share the server's workers: many tasks use one core only."""
    _on_each(connections, _SHARE_WORKERS, (len(connections),))
    found = sessions.share_out(connections, tasks)
    _on_each(connections, "SET LOCAL max_parallel_workers_per_gather TO DEFAULT")
    return found


def _on_each(connections: list[Connection], statement: str, values: tuple[int, ...] | None = None) -> None:
    for connection in connections:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


def _is_large(cursor: Cursor) -> bool:
    """Whether there are more transactions than are computed at once, with seals that say who wrote them."""
    query = (
        "SELECT coalesce(sum(rows_loaded), 0) > %s AND EXISTS (SELECT FROM ops.sealed)"
        " FROM ops.load_files WHERE relation = 'transactions'"
    )
    return relations_exist(cursor, "ops.sealed") and scalar(cursor, query, (rows.ROWS_AT_ONCE,)) is True


def _pending(cursor: Cursor) -> Result:
    found = ledger.read(cursor, noted_nodes(cursor), landings.today())
    days = {day for days in found.days.values() for day in days}
    models_waiting = sorted([*found.whole, *found.days])
    return Result(
        "all that landed is built",
        not found,
        f"{len(days)} days and {len(found.whole)} whole tables wait for revops build"
        + (f": {', '.join(models_waiting[:5])}" if models_waiting else ""),
    )


def _access(cursor: Cursor) -> Result:
    found = access.of_readers(cursor)
    return Result("analysts read serving only", not found.faults, str(found))


def _is_built(cursor: Cursor) -> bool:
    return relations_exist(cursor, "ops.declarations", "ops.models", "ops.changes", "serving.enriched_transactions")
