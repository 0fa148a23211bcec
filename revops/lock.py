"""Holds the warehouse's one lock for a command, with waiting: load, plan, run and refresh take it, so that no two run at once.

The lock itself, and how a process inside of a command knows that the command holds it, is in `meshkeys.lock`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress

import meshkeys.errors
from foundation import database
from foundation.errors import DatabaseUnavailable, LockHeld, first_line, ours
from meshkeys.lock import acquire, holder, release
from meshkeys.queries import Cursor
from meshkeys.settings import current

HOLDER = current().lock_holder
POLL_SECONDS = 0.25

_log = logging.getLogger(__name__)

__all__ = ["HOLDER", "acquire", "hold", "holder", "release"]


@contextmanager
def hold(dsn: str, purpose: str, wait: float = 0, environ: MutableMapping[str, str] | None = None) -> Iterator[bool]:
    """Holds the lock, on a separate connection, while the block runs.

    Args:
        dsn: the warehouse.
        purpose: the command, to tell others who holds the lock ("load", "build").
        wait: for how many seconds to wait while another run holds it.
        environ: where the token for children goes; the process's environment by default.

    Yields:
        True where it was taken here, False where this process or a parent process held it already.

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
        except meshkeys.errors.LockHeld as held:
            if time.monotonic() >= deadline:
                raise LockHeld(str(held).replace("Wait for it", "Wait for it (--wait SECONDS)")) from None
            if not told:
                _log.info("waiting up to %g s: %s", seconds, first_line(held))
                told = True
        except meshkeys.errors.DatabaseUnavailable as error:
            raise ours(error) from None
        time.sleep(POLL_SECONDS)
