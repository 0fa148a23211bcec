"""Statements that need an exclusive lock for a moment, while others read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

from loaders.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

TIMEOUT = "200ms"
ATTEMPTS = 300
# A vacuum of the server's own gives way to whoever has waited for this long, a second unless told: longer than we may wait.
VACUUM_GIVES_WAY = "50ms"
_SET = """
SELECT set_config('lock_timeout', %s, false),
       CASE WHEN has_parameter_privilege('deadlock_timeout', 'SET') THEN set_config('deadlock_timeout', %s, false) END
"""


@contextmanager
def briefly(cursor: Cursor) -> Iterator[None]:
    """Statements inside wait for a lock for `TIMEOUT` at most; where the account may say so, a vacuum gives way before."""
    cursor.execute("SELECT current_setting('lock_timeout'), current_setting('deadlock_timeout')")
    before = cursor.fetchone()
    cursor.execute(_SET, (TIMEOUT, VACUUM_GIVES_WAY))
    try:
        yield
    finally:
        lost = cursor.connection.closed
        if (
            not lost and cursor.connection.info.transaction_status != TRANSACTION_STATUS_INERROR
        ):  # its end takes them back
            cursor.execute(_SET, before)


def patiently(cursor: Cursor, statement: sql.Composable, attempts: int = ATTEMPTS) -> float:
    """Runs a statement that needs a short exclusive lock: tries for `TIMEOUT`, lets readers pass, tries again.

    Returns:
        For how many seconds the attempts, each holding up new readers, waited at the most.

    Raises:
        DatabaseUnavailable: a reader did not let go for all attempts.
    """
    in_transaction = not cursor.connection.autocommit
    longest = 0.0
    with briefly(cursor):
        for _ in range(attempts):
            if in_transaction:
                cursor.execute("SAVEPOINT patiently")
            began = time.monotonic()
            try:
                cursor.execute(statement)
            except psycopg2.errors.LockNotAvailable:
                longest = max(longest, time.monotonic() - began)
                if in_transaction:
                    cursor.execute("ROLLBACK TO SAVEPOINT patiently")
                time.sleep(0.1)
                continue
            return max(longest, time.monotonic() - began)
    raise DatabaseUnavailable(
        "A reader kept its lock for too long, so what is new could not be put in place; what was served is served still.\n"
        "  End the long query (pg_stat_activity), and do it again."
    )
