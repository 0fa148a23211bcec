"""Statements that need an exclusive lock for a moment, while others read."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2.errors
from psycopg2.extensions import TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS

from loaders.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from psycopg2 import sql
    from psycopg2.extensions import cursor as Cursor

TIMEOUT_MS = 200
ATTEMPTS = 300
# Both say that somebody else has the lock; what was tried may succeed a moment later.
GAVE_WAY = (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected)
# Autovacuum cancels itself for a session that has waited deadlock_timeout (default 1 s), which is longer than we wait.
VACUUM_GIVES_WAY = "50ms"
_SET = """
SELECT set_config('lock_timeout', %s, false),
       CASE WHEN has_parameter_privilege('deadlock_timeout', 'SET') THEN set_config('deadlock_timeout', %s, false) END
"""


@contextmanager
def briefly(cursor: Cursor) -> Iterator[None]:
    """Statements inside wait for a lock for `TIMEOUT_MS` at most; where the account may say so, a vacuum gives way before."""
    cursor.execute("SELECT current_setting('lock_timeout'), current_setting('deadlock_timeout')")
    before = cursor.fetchone()
    cursor.execute(_SET, (f"{TIMEOUT_MS}ms", VACUUM_GIVES_WAY))
    try:
        yield
    finally:
        lost = cursor.connection.closed
        if (
            not lost and cursor.connection.info.transaction_status != TRANSACTION_STATUS_INERROR
        ):  # its end takes them back
            cursor.execute(_SET, before)


def patiently(cursor: Cursor, statement: sql.Composable, attempts: int = ATTEMPTS) -> float:
    """Runs a statement that needs a short exclusive lock: see `attempting`."""
    return attempting(cursor, lambda _: cursor.execute(statement), attempts)


def attempting(cursor: Cursor, action: Callable[[float], object], attempts: int = ATTEMPTS) -> float:
    """Tries an action that needs short exclusive locks: for `TIMEOUT_MS` a lock, then lets readers pass and tries again.

    A deadlock is treated like a timeout: whoever holds what we want may want what we hold. In a transaction, an attempt that
    fails is rolled back to a savepoint, which releases the locks that it took; outside of one, the action is one statement.

    Args:
        cursor: in a transaction or committing by itself.
        action: called with the instant (of `time.monotonic`) by which it should hold all its locks.
        attempts: how many.

    Returns:
        The longest time in seconds that an attempt, which holds up new readers, took.

    Raises:
        DatabaseUnavailable: a reader did not let go for all attempts.
    """
    longest = 0.0
    with briefly(cursor):
        in_transaction = cursor.connection.info.transaction_status == TRANSACTION_STATUS_INTRANS
        for _ in range(attempts):
            if in_transaction:
                cursor.execute("SAVEPOINT attempt")
            began = time.monotonic()
            try:
                action(began + TIMEOUT_MS / 1000)
            except GAVE_WAY:
                longest = max(longest, time.monotonic() - began)
                if in_transaction:
                    cursor.execute("ROLLBACK TO SAVEPOINT attempt")
                time.sleep(random.uniform(0.05, 0.15))  # not in step with a reader that polls
                continue
            return max(longest, time.monotonic() - began)
    raise DatabaseUnavailable(
        "A reader kept its lock for too long, so the new version could not be put in place; readers see the previous one.\n"
        "  End the long query (pg_stat_activity), and run the same command again."
    )


def wait_until(cursor: Cursor, deadline: float) -> None:
    """Within `attempting`: lets the next statement wait for a lock until then, so that several locks share one time limit."""
    left = max(1, round((deadline - time.monotonic()) * 1000))
    cursor.execute("SELECT set_config('lock_timeout', %s, false)", (f"{min(left, TIMEOUT_MS)}ms",))
