"""Statements that need an exclusive lock for a moment, while others read."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2.errors
from psycopg2.extensions import TRANSACTION_STATUS_INTRANS

from meshkeys.errors import DatabaseUnavailable
from meshkeys.queries import one_row
from meshkeys.settings import current

if TYPE_CHECKING:
    from psycopg2 import sql
    from psycopg2.extensions import cursor as Cursor

# Both say that another session has the lock; the same statement may succeed a moment later.
GAVE_WAY = (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected)
# Autovacuum cancels itself for a session that has waited deadlock_timeout (default 1 s), which is longer than we wait.
VACUUM_GIVES_WAY = "50ms"
_SET = """
SELECT set_config('lock_timeout', %(wait)s, %(local)s),
       CASE WHEN has_parameter_privilege('deadlock_timeout', 'SET')
            THEN set_config('deadlock_timeout', %(deadlock)s, %(local)s) END
"""


@contextmanager
def briefly(cursor: Cursor) -> Iterator[None]:
    """Statements inside wait for a lock for `lock_timeout_ms` at most; autovacuum gives way sooner if the account may set that.

    In a transaction the settings hold until its end, so that no statement comes between a lock and the commit.
    """
    wait, deadlock = one_row(cursor, "SELECT current_setting('lock_timeout'), current_setting('deadlock_timeout')")
    in_transaction = cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS
    cursor.execute(
        _SET, {"wait": f"{current().lock_timeout_ms}ms", "deadlock": VACUUM_GIVES_WAY, "local": in_transaction}
    )
    try:
        yield
    finally:
        if not in_transaction and not cursor.connection.closed:
            cursor.execute(_SET, {"wait": wait, "deadlock": deadlock, "local": False})


def patiently(cursor: Cursor, statement: sql.Composable, attempts: int | None = None) -> float:
    """Runs a statement that needs a short exclusive lock: see `attempting`."""
    return attempting(cursor, lambda: cursor.execute(statement), attempts)


def attempting(cursor: Cursor, action: Callable[[], object], attempts: int | None = None) -> float:
    """Tries an action that needs short exclusive locks: waits `lock_timeout_ms`, lets readers pass, tries again.

    A deadlock is treated like a timeout: the session that holds the lock we want may be waiting for one of ours. In a
    transaction, an attempt that fails is rolled back to a savepoint, which releases the locks that it took; outside of one, the
    action is one statement.

    Args:
        cursor: in a transaction or committing by itself.
        action: what is tried.
        attempts: how many, else as the settings say.

    Returns:
        The longest time in seconds that an attempt, which holds up new readers, took.

    Raises:
        DatabaseUnavailable: in all attempts a reader held the lock.
    """
    longest = 0.0
    with briefly(cursor):
        in_transaction = cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS
        for _ in range(attempts or current().lock_attempts):
            if in_transaction:
                cursor.execute("SAVEPOINT attempt")
            began = time.monotonic()
            try:
                action()
            except GAVE_WAY:
                longest = max(longest, time.monotonic() - began)
                if in_transaction:
                    cursor.execute("ROLLBACK TO SAVEPOINT attempt")
                time.sleep(random.uniform(*current().lock_pause))  # out of step with a reader that polls
                continue
            return max(longest, time.monotonic() - began)
    raise DatabaseUnavailable(
        "A reader kept its lock for too long, so the new version could not be put in place; readers see the previous one.\n"
        "  End the long query (pg_stat_activity), and run the same command again."
    )
