"""Checks the warehouse's invariants in the database itself, each by other means than those that established it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from queue import SimpleQueue
from typing import TYPE_CHECKING

import psycopg2

from revops import access, database, server
from revops.ledger import landings, ledger
from revops.ledger.days import Days, days_in, ranges_of
from revops.ledger.models import noted_nodes
from revops.verify import card_data, landed, models, rows, structure
from revops.verify.result import Result
from revops.verify.rows import FULL, Compared, Scope

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

__all__ = ["FULL", "Result", "Scope", "verify"]

SESSIONS = 2


# More stretches, or days, than these are not told apart.
MOST_SCOPES = 5
MOST_DAYS = 400
LATEST_DAYS = 31

_TOUCHED = """
SELECT starts_on, ends_on FROM ops.evaluations
WHERE starts_on IS NOT NULL AND evaluation_id > (SELECT change_id FROM ops.compared WHERE relation = 'verified')
"""


def verify(settings: Settings, since_last: bool = False) -> list[Result]:
    """Checks every invariant; needs no lock and changes nothing.

    Args:
        settings: which warehouse.
        since_last: compare the rows of the days alone that were evaluated since everything was last found right (`note`). Sums,
            counts, labels, keys and views are always checked as a whole.
    """
    dsn = server.up(settings)
    results: list[Result] = []
    with ExitStack() as opened:
        connection = opened.enter_context(closing(database.connect(dsn, "revops verify")))
        connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
        cursor = opened.enter_context(connection.cursor())
        if not _is_built(cursor):
            return [Result("built", False, "nothing is built yet, or by an earlier version: revops run")]
        sessions = [connection, *_beside(cursor, dsn, opened)]
        noted = models.noted(cursor)
        structural = list(structure.check(cursor, noted))
        cursor.execute("SAVEPOINT reading")
        try:
            scopes = _touched(cursor) if since_last else [FULL]
            seen = landed.read(cursor, with_rows=scopes == [FULL])
            results += landed.check(cursor, seen)
        except (
            psycopg2.ProgrammingError
        ) as error:  # a view that is gone, or may not be read: the rest is named all the same
            cursor.execute("ROLLBACK TO SAVEPOINT reading")
            return [Result("facts = served", False, f"cannot be read: {str(error).splitlines()[0]}"), *structural]
        results.append(_pending(cursor))
        results += structural
        compared = _side_by_side(sessions, rows.plan(cursor, noted, scopes, seen))
        results.append(rows.summed_up(noted, compared))
        proven = rows.proven(cursor, noted, compared, seen) if scopes == [FULL] else set()
        results.append(card_data.check(cursor, proven))
        results.append(_access(cursor))
        connection.rollback()
    return results


def note(settings: Settings) -> None:
    """Notes that everything was found right now: what is evaluated later is what `since_last` looks at."""
    with closing(database.connect(server.up(settings), "revops verify")) as connection:
        with connection.cursor() as cursor:
            landings.mark_compared(cursor, "verified")
        connection.commit()


def _touched(cursor: Cursor) -> list[Scope]:
    """The stretches of days evaluated since the last time, none where there are none.

    All days where that is not known, or where there are too many to tell apart; of a large warehouse the latest of them.
    """
    cursor.execute("SELECT EXISTS (SELECT FROM ops.compared WHERE relation = 'verified')")
    if cursor.fetchone() == (True,):
        cursor.execute(_TOUCHED)
        ranges = ranges_of(day for first, last in cursor.fetchall() for day in days_in([Days(first, last)]))
        if len(ranges) <= MOST_SCOPES and sum((span.last - span.first).days for span in ranges) <= MOST_DAYS:
            return [Scope(span.first, span.last) for span in ranges]
    cursor.execute("SELECT sum(rows_loaded), max(max_date) FROM ops.load_files WHERE relation = 'transactions'")
    count, latest = cursor.fetchone() or (0, None)
    if latest is None or (count or 0) <= rows.ROWS_AT_ONCE:
        return [FULL]
    return [Scope(latest - timedelta(days=LATEST_DAYS - 1), latest)]


def _beside(cursor: Cursor, dsn: str, opened: ExitStack) -> Iterator[Connection]:
    """Further connections that see the same snapshot; none where the server has none to spare."""
    cursor.execute("SELECT pg_export_snapshot()")
    snapshot = cursor.fetchone()
    for _ in range(SESSIONS - 1):
        try:
            other = opened.enter_context(closing(psycopg2.connect(dsn, application_name="revops verify")))
        except psycopg2.OperationalError:
            return
        other.set_session(readonly=True, isolation_level="REPEATABLE READ")
        with other.cursor() as own:
            own.execute("SET TRANSACTION SNAPSHOT %s", snapshot)
        yield other


def _side_by_side(sessions: list[Connection], tasks: list[Callable[[Cursor], Compared]]) -> list[Compared]:
    """Runs the comparisons on several connections: many of them use one core only."""
    free: SimpleQueue[Connection] = SimpleQueue()
    for session in sessions:
        free.put(session)

    def run(task: Callable[[Cursor], Compared]) -> Compared:
        session = free.get()
        try:
            with session.cursor() as cursor:
                return task(cursor)
        finally:
            free.put(session)

    with ThreadPoolExecutor(len(sessions)) as pool:
        return list(pool.map(run, tasks))


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
    found = access.of_analyst(cursor)
    return Result("analysts read serving only", not found.faults, str(found))


def _is_built(cursor: Cursor) -> bool:
    cursor.execute(
        "SELECT to_regclass('ops.declarations') IS NOT NULL AND to_regclass('ops.models') IS NOT NULL"
        " AND to_regclass('ops.changes') IS NOT NULL"
        " AND to_regclass('serving.enriched_transactions') IS NOT NULL"
    )
    row = cursor.fetchone()
    return bool(row and row[0])
