"""From an exception to one or two plain lines and an exit code. Owns the wording of errors that are not ours."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator

from loaders.errors import DatabaseUnavailable, RevopsError
from revops import database, logs

LOST = ("08", "57P")  # connection exceptions; the server is shutting down, crashed or starting

_log = logging.getLogger(__name__)


def report(error: Exception, debug: bool) -> int:
    """Prints an error for people, keeps the traceback in the log file, and returns the exit code."""
    known = _as_ours(error)
    text = "".join(traceback.format_exception(error))
    _log.debug("%s", text)
    if debug:
        _print(text)
    _print(str(known))
    return known.exit_code


def _print(text: str) -> None:
    sys.stderr.write(database.redact(text.rstrip("\n"), *logs.secrets()) + "\n")


def known(error: BaseException) -> RevopsError | None:
    """The error of ours behind another, whatever was wrapped around it, or one that says the same as the driver's."""
    for cause in _causes(error):
        if isinstance(cause, RevopsError):
            return cause
    psycopg2 = sys.modules.get("psycopg2")
    for cause in _causes(error):
        if psycopg2 is None or not isinstance(cause, (psycopg2.OperationalError, psycopg2.InterfaceError)):
            continue
        code = getattr(cause, "pgcode", None)
        if code is None or code.startswith(LOST):
            return database.unavailable(cause)
        first = str(cause).strip().splitlines()[0]
        return DatabaseUnavailable(
            f"The database could not go on: {first}\n  Correct that, and run the same command again."
        )
    return None


def _as_ours(error: Exception) -> RevopsError:
    found = known(error)
    if found is not None:
        return found
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = lines[0] if lines else ""
    return RevopsError(f"{type(error).__name__}: {message}\n  The log has the details; --debug shows them here.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
