"""The warehouse's one lock: load, plan, run and refresh take it, so that no two of them run at once.

It is a session-level advisory lock of PostgreSQL: the server frees it when its holder dies, however it dies. A process
that holds it names the holding session in `REVOPS_LOCK_HOLDER`; whatever runs inside it (a nested `hold`, SQLMesh in
this process or in a child) finds that session really holding the lock, and goes on without taking it again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from loaders.errors import DatabaseUnavailable, LockHeld
from revops import database, suitable

KEY = 0x7265766F_70730001  # "revops", lock 1
HOLDER = "REVOPS_LOCK_HOLDER"
POLL_SECONDS = 0.25

_HOLDER = """
SELECT l.pid, coalesce(a.application_name, ''), a.backend_start, extract(epoch FROM a.backend_start)::text
FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = %s AND l.objid = %s
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""

_log = logging.getLogger(__name__)


class Cursor(Protocol):
    """What is used of a database cursor."""

    connection: Any

    def execute(self, query: str, vars: Any = None, /) -> object:
        """Runs a statement."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""


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
    cursor.execute(_HOLDER, (KEY >> 32, KEY & 0xFFFFFFFF))
    row = cursor.fetchone()
    return Holder(row[0], row[1], row[2], f"{row[0]}@{row[3]}") if row is not None else None


def acquire(cursor: Cursor, environ: MutableMapping[str, str] | None = None) -> bool:
    """Takes the lock for the cursor's session, without waiting; for SQLMesh's `before_all` and whoever owns a session.

    Returns:
        True where it was taken now (the session's end or `release` frees it), False where the process that we run in
        or under holds it already.

    Raises:
        LockHeld: another run holds it; the message says which.
        DatabaseUnavailable: this is no database to work in; the message says why.
    """
    token = (os.environ if environ is None else environ).get(HOLDER)
    if token:
        found = holder(cursor)
        if found is not None and found.token == token:
            return False
    suitable.check(cursor.connection)  # a pooler would leave the lock with a session that nobody has
    for _ in range(3):  # the holder may end between the two questions
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (KEY,))
        row = cursor.fetchone()
        if row is not None and row[0]:
            return True
        found = holder(cursor)
        if found is not None:
            raise LockHeld(
                f"Another run holds the warehouse's lock: {found}.\n"
                f"  Wait for it (--wait SECONDS), or end it:  SELECT pg_terminate_backend({found.pid});"
            )
    raise LockHeld(
        "Other runs are taking the warehouse's lock in turn.\n  Try again, or wait for it with --wait SECONDS."
    )


def release(cursor: Cursor) -> None:
    """Frees the lock, if the cursor's session has it."""
    cursor.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def hold(dsn: str, purpose: str, wait: float = 0, environ: MutableMapping[str, str] | None = None) -> Iterator[bool]:
    """Holds the lock, on a connection of its own, for as long as the block runs.

    Args:
        dsn: the warehouse.
        purpose: the command, to tell others who holds the lock ("load", "build").
        wait: for how many seconds to wait while another run holds it.
        environ: where the token for children goes; the process's environment by default.

    Yields:
        True where it was taken here, False where it was held around us already.

    Raises:
        LockHeld: another run holds it, still after `wait` seconds.
        DatabaseUnavailable: the connection was lost during the block, so that another run may have started.
    """
    import psycopg2

    environ = os.environ if environ is None else environ
    connection = database.connect(dsn, f"revops {purpose} [{os.getpid()}]", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('idle_session_timeout', '0', false)")
            if not _acquire_within(cursor, wait, environ):
                connection.close()
                yield False
                return
            own = holder(cursor)
            before = environ.get(HOLDER)
            environ[HOLDER] = own.token if own is not None else ""
            try:
                yield True
            finally:
                if before is None:
                    environ.pop(HOLDER, None)
                else:
                    environ[HOLDER] = before
            try:
                release(cursor)
            except psycopg2.Error as error:
                _log.debug("lock connection: %s", error)
                raise DatabaseUnavailable(
                    "The connection that held the warehouse's lock was lost: another run may have worked meanwhile.\n"
                    "  Check the warehouse:  revops verify"
                ) from None
    finally:
        with suppress(psycopg2.Error):
            connection.close()


def _acquire_within(cursor: Cursor, seconds: float, environ: MutableMapping[str, str]) -> bool:
    deadline = time.monotonic() + seconds
    told = False
    while True:
        try:
            return acquire(cursor, environ)
        except LockHeld as held:
            if time.monotonic() >= deadline:
                raise
            if not told:
                _log.info("waiting up to %g s: %s", seconds, str(held).splitlines()[0])
                told = True
        time.sleep(POLL_SECONDS)
