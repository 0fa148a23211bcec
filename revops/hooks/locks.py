"""Statements that need an exclusive lock for a moment, while others read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg2.errors
from psycopg2 import sql

from loaders.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

TIMEOUT = "200ms"
ATTEMPTS = 300


def patiently(cursor: Cursor, statement: sql.Composable) -> float:
    """Runs a statement that needs a short exclusive lock: tries for `TIMEOUT`, lets readers pass, tries again.

    Returns:
        For how many seconds the attempts, each holding up new readers, waited at the most.

    Raises:
        DatabaseUnavailable: a reader did not let go for all attempts.
    """
    in_transaction = not cursor.connection.autocommit
    cursor.execute("SELECT set_config('lock_timeout', %s, false)", (TIMEOUT,))
    longest = 0.0
    try:
        for _ in range(ATTEMPTS):
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
    finally:
        cursor.execute("SELECT set_config('lock_timeout', '0', false)")
    raise DatabaseUnavailable(
        "A reader kept its lock for too long, so the new contents could not be put in place; the old ones are served.\n"
        "  End the long query (pg_stat_activity), then:  revops refresh"
    )
