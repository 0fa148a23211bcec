"""The one lock of a database: plans, runs and commands take it, so that no two of them run at once.

It is a session-level advisory lock of PostgreSQL: the server frees it when its holder dies, however it dies. A process that
holds it names the holding session in an environment variable (`Settings.lock_holder`); what runs inside of it, in this
process or in a child, checks that the session holds the lock, and does not take it again.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime

from meshkeys import suitable
from meshkeys.errors import LockHeld
from meshkeys.queries import Cursor, first_row, scalar
from meshkeys.settings import current

_HOLDER = """
SELECT l.pid, coalesce(a.application_name, ''), a.backend_start, extract(epoch FROM a.backend_start)::text
FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = %s AND l.objid = %s
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Holder:
    """The session that holds the lock: server process, what it calls itself, since when, and its token."""

    pid: int
    name: str
    since: datetime | None
    token: str

    def __str__(self) -> str:
        since = f", since {self.since:%Y-%m-%d %H:%M:%S %Z}" if self.since else ""
        return f"{self.name or 'a session without a name'} (server process {self.pid}{since})"


def holder(cursor: Cursor) -> Holder | None:
    """Who holds the lock of the database that the cursor is connected to, or None."""
    key = current().lock_key
    row = first_row(cursor, _HOLDER, (key >> 32, key & 0xFFFFFFFF))
    return Holder(row[0], row[1], row[2], f"{row[0]}@{row[3]}") if row is not None else None


def acquire(cursor: Cursor, environ: MutableMapping[str, str] | None = None) -> bool:
    """Takes the lock for the cursor's session, without waiting; for SQLMesh's `before_all` and for any code with its own session.

    Returns:
        True where it was taken now (the session's end or `release` frees it), False where this process or a parent process
        holds it already.

    Raises:
        LockHeld: another run holds it; the message says which.
        DatabaseUnavailable: this database cannot be used; the message says why.
    """
    token = (os.environ if environ is None else environ).get(current().lock_holder)
    if token:
        found = holder(cursor)
        if found is not None and found.token == token:
            return False
    suitable.check(cursor.connection)  # a pooler would leave the lock with a session that no client has
    for _ in range(3):  # the holder may end between the two questions
        if scalar(cursor, "SELECT pg_try_advisory_lock(%s)", (current().lock_key,)):
            return True
        found = holder(cursor)
        if found is not None:
            raise LockHeld(
                f"Another run holds the warehouse's lock: {found}.\n"
                f"  Wait for it, or end it:  SELECT pg_terminate_backend({found.pid});"
            )
    raise LockHeld("Other runs are taking the warehouse's lock in turn.\n  Try again in a moment.")


def release(cursor: Cursor) -> None:
    """Frees the lock, if the cursor's session has it."""
    cursor.execute("SELECT pg_advisory_unlock_all()")
