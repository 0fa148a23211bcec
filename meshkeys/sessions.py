"""Connections beside SQLMesh's, and independent work done on several of them at once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2
from psycopg2.extensions import make_dsn

from meshkeys.errors import first_line
from meshkeys.queries import scalar
from meshkeys.settings import current

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

T = TypeVar("T")

_log = logging.getLogger(__name__)


def beside(connection: Connection, autocommit: bool = True) -> Connection:
    """Another connection to the same database, as the same user."""
    return connect(dsn_of(connection), autocommit)


def dsn_of(connection: Connection) -> str:
    """What another connection to the same database, as the same user, is made with; has the password in it."""
    parameters = {
        **connection.get_dsn_parameters(),
        "password": connection.info.password,
        "application_name": f"sqlmesh [{os.getpid()}]",
    }
    return str(make_dsn(**parameters))


def connect(dsn: str, autocommit: bool = True) -> Connection:
    """A connection of ours beside SQLMesh's."""
    ours: Connection = psycopg2.connect(dsn)
    ours.autocommit = autocommit
    return ours


@contextmanager
def aside(cursor: Cursor) -> Iterator[Cursor]:
    """A cursor on another connection, which commits by itself, while the given one's transaction waits."""
    _bear_waiting(cursor)
    with closing(beside(cursor.connection)) as session, session.cursor() as own:
        yield own


def side_by_side(cursor: Cursor, tasks: Sequence[Callable[[Cursor], T]]) -> list[T]:
    """Does each task in a separate transaction, as many at once as the server has workers; returns what each returned.

    Tasks see what is committed, not what the cursor's transaction did, and must not wait for a lock that it holds. When one
    fails, those that run are cancelled and the others are not begun; what was committed stays. Where there is one task, or
    one worker, all is done in the cursor's own transaction.
    """
    workers = workers_of(cursor)
    count = min(len(tasks), workers)
    if count < 2:
        return [task(cursor) for task in tasks]
    with ExitStack() as opened:
        sessions = list(_opened(cursor.connection, count, opened))
        if len(sessions) < 2:
            return [task(cursor) for task in tasks]
        _bear_waiting(cursor)
        share_workers(sessions, workers)
        return share_out(sessions, [partial(_in_a_transaction, task) for task in tasks])


def share_out(sessions: Sequence[Connection], tasks: Sequence[Callable[[Cursor], T]]) -> list[T]:
    """Does tasks on these connections, one at a time on each, in the transaction that it is in; returns what each returned.

    When one fails, those that run are cancelled and the others are not begun.
    """
    free: SimpleQueue[Connection] = SimpleQueue()
    for session in sessions:
        free.put(session)
    errors: list[BaseException] = []

    def run(task: Callable[[Cursor], T]) -> T | None:
        session = free.get()
        try:
            if errors:
                return None
            with session.cursor() as own:
                return task(own)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            free.put(session)

    with ThreadPoolExecutor(len(sessions)) as pool:
        running = [pool.submit(run, task) for task in tasks]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        except BaseException as interrupt:
            errors.append(interrupt)
            raise
        finally:
            cancel(sessions, running)
    if errors:
        raise errors[0]
    return [each.result() for each in running]  # type: ignore[misc]  # None only beside an error


def cancel(sessions: Iterable[Connection], running: Collection[Future[Any]]) -> None:
    """Cancels statements on these connections until none of these tasks runs any more."""
    while wait(running, timeout=0.1).not_done:
        for session in sessions:
            if not session.closed:
                with suppress(psycopg2.Error):  # lost meanwhile: the first error says more
                    session.cancel()  # the statement that runs; none where it is between two


def workers_of(cursor: Cursor) -> int:
    """How many tasks the server is to do at once: its parallel workers, and no more than the settings allow."""
    query = "SELECT least(%s, current_setting('max_parallel_workers_per_gather')::int)"
    return int(scalar(cursor, query, (current().most_sessions,)))


def _in_a_transaction(task: Callable[[Cursor], T], cursor: Cursor) -> T:
    with cursor.connection:
        return task(cursor)


def _bear_waiting(cursor: Cursor) -> None:
    """Turns off idle_in_transaction_session_timeout while this transaction waits for the others."""
    cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")


def _opened(connection: Connection, count: int, opened: ExitStack) -> Iterator[Connection]:
    """As many connections as there may be, up to a count."""
    for _ in range(count):
        try:
            yield opened.enter_context(closing(beside(connection, autocommit=False)))
        except psycopg2.OperationalError as error:
            _log.info("one connection fewer: %s", first_line(error))
            return


def share_workers(sessions: Sequence[Connection], workers: int) -> None:
    """Limits sessions to their share of the server's workers: parallel plans cost more in all than tasks side by side."""
    share = max(workers // len(sessions), 1)
    for session in sessions:
        with session, session.cursor() as cursor:
            for setting in ("max_parallel_workers_per_gather", "max_parallel_maintenance_workers"):
                cursor.execute("SELECT set_config(%s, %s, false)", (setting, str(share - 1)))
