"""Checks the warehouse's invariants in the database itself, each by other means than those that established it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from queue import SimpleQueue
from typing import TYPE_CHECKING

import psycopg2

from revops import access, database, server
from revops.verify import card_data, landed, models, rows, structure
from revops.verify.result import Result
from revops.verify.rows import FULL, Compared, Scope

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

__all__ = ["FULL", "Result", "Scope", "verify"]

SESSIONS = 2


def verify(settings: Settings, scope: Scope = FULL) -> list[Result]:
    """Checks every invariant; needs no lock and changes nothing.

    Args:
        settings: which warehouse.
        scope: the days whose rows are compared; sums, counts, keys and views are always checked as a whole.
    """
    dsn = server.up(settings)
    results: list[Result] = []
    with ExitStack() as opened:
        connection = opened.enter_context(closing(database.connect(dsn, "revops verify")))
        connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
        cursor = opened.enter_context(connection.cursor())
        if not _is_built(cursor):
            return [Result("built", False, "nothing is built yet: revops run")]
        sessions = [connection, *_beside(cursor, dsn, opened)]
        noted = models.noted(cursor)
        structural = list(structure.check(cursor, noted))
        cursor.execute("SAVEPOINT reading")
        try:
            seen = landed.read(cursor)
            results += landed.check(cursor, seen)
        except (
            psycopg2.ProgrammingError
        ) as error:  # a view that is gone, or may not be read: the rest is named all the same
            cursor.execute("ROLLBACK TO SAVEPOINT reading")
            return [Result("facts = served", False, f"cannot be read: {str(error).splitlines()[0]}"), *structural]
        results.append(_pending(cursor))
        results += structural
        compared = _side_by_side(sessions, rows.plan(cursor, noted, scope, seen))
        results.append(rows.summed_up(noted, compared))
        results.append(card_data.check(cursor, rows.proven(cursor, noted, compared, seen)))
        results.append(_access(cursor))
        connection.rollback()
    return results


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
    cursor.execute(
        """
        SELECT (SELECT count(*) FROM ops.touched_days WHERE built_at IS NULL),
               (SELECT count(*) FROM ops.load_files AS f FULL JOIN ops.built_files AS b USING (file_id, relation, sha256)
                WHERE f.name IS NULL OR b.built_at IS NULL)
        """
    )
    days, files = cursor.fetchone() or (0, 0)
    return Result(
        "all that landed is built", days == 0 and files == 0, f"{days} days and {files} files wait for revops build"
    )


def _access(cursor: Cursor) -> Result:
    found = access.of_analyst(cursor)
    return Result("analysts read serving only", not found.faults, str(found))


def _is_built(cursor: Cursor) -> bool:
    cursor.execute(
        "SELECT to_regclass('ops.declarations') IS NOT NULL AND to_regclass('ops.built_files') IS NOT NULL"
        " AND to_regclass('serving.enriched_transactions') IS NOT NULL"
    )
    row = cursor.fetchone()
    return bool(row and row[0])
