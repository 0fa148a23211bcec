"""Turns an exception into one or two plain lines and an exit code. Owns the wording of errors that are not ours."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence

from foundation import database
from foundation.errors import CheckFailed, DatabaseUnavailable, RevopsError, first_line, ours
from loaders.protect import mask_card_numbers
from meshkeys.errors import MeshkeysError
from revops.terminal import logs

LOST = ("08", "57P")  # connection exceptions; the server is shutting down, crashed or starting

_MOST_TOLD = 3
ROWS_LEFT = "Tables of {environment} may hold new rows of the restated days already."
VIEWS_LEFT = "Some views of {environment} may show new versions already."
NOTHING_LEFT = "The views of {environment} are unchanged."

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r"\.? Line (\d+), Col: \d+\.?")  # sqlglot's

_log = logging.getLogger(__name__)


def report(error: Exception, debug: bool) -> int:
    """Prints an error for people, keeps the traceback in the log file, and returns the exit code."""
    known = _as_ours(error)
    text = mask_card_numbers("".join(traceback.format_exception(error)))
    _log.debug("%s", text)
    if debug:
        _print(text)
    _print(str(known))
    return known.exit_code


def reason(error: BaseException) -> str:
    """What went wrong, in one line, without the errors wrapped around it: `models/x.sql:35: Expecting )`; card numbers masked.

    SQLMesh's wrapping errors are skipped: the error inside says more. A file is named where one is known.
    """
    location, cause = _behind_wrappers(error)
    text = _first_line(cause)
    line = _PLACE.search(text)
    if line is not None:
        text = _PLACE.sub("", text)
    if location:
        text = text.removesuffix(f" at '{location}'")
        place = f"{_relative(location)}:{line.group(1)}" if line is not None else _relative(location)
        text = f"{place}: {text}"
    return mask_card_numbers(text)


def of_build(environment: str, details: Sequence[str], left: str = ROWS_LEFT) -> CheckFailed:
    """What ends a build: which models failed and why, and how that leaves what is read."""
    more = f" (and {len(details) - _MOST_TOLD} more)" if len(details) > _MOST_TOLD else ""
    return CheckFailed(
        f"Building {environment} failed: {'; '.join(details[:_MOST_TOLD])}{more}\n"
        f"  {left.format(environment=environment)} Correct it, then: revops build"
    )


def _behind_wrappers(error: BaseException) -> tuple[str, BaseException]:
    """The file at fault, if it is known, and the first cause that is not SQLMesh's, else the innermost one."""
    location, cause = "", error
    for each in _causes(error):
        if type(each).__name__ == "_RemoteTraceback":  # from a process that read models: text, with the error before it
            break
        cause = each
        location = str(getattr(cause, "location", None) or location)
        if not type(cause).__module__.startswith("sqlmesh") or hasattr(cause, "errors"):
            break
    return location, cause


def _first_line(cause: BaseException) -> str:
    audits = getattr(cause, "errors", None)
    if audits and all(hasattr(audit, "audit_name") for audit in audits):
        return "; ".join(f"audit {audit.audit_name} failed on {audit.count} rows" for audit in audits)
    said = str(getattr(cause, "problem", None) or cause)  # YAML's text begins with what it was doing
    lines = [line.strip() for line in _ANSI.sub("", said).splitlines() if line.strip()]
    while len(lines) > 1 and lines[0].startswith("Failed to load model"):
        del lines[0]
    if lines and lines[0].startswith("Failed to resolve macros"):  # then the query, and last what is wrong
        lines = [line for line in lines if not line.startswith("at '")][-1:]
    text = lines[0] if lines else ""
    if type(cause).__module__ == "builtins":
        if isinstance(cause, SyntaxError) and cause.filename:
            return f"{_relative(cause.filename)}:{cause.lineno}: {cause.msg}"
        text = f"{type(cause).__name__}: {text}".removesuffix(": ")
        frames = [f for f in traceback.extract_tb(cause.__traceback__) if "site-packages" not in f.filename]
        if frames and os.path.isfile(frames[-1].filename):
            text = f"{_relative(frames[-1].filename)}:{frames[-1].lineno}: {text}"
    return text or type(cause).__name__


def _relative(path: str) -> str:
    """The path as one would type it here."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _print(text: str) -> None:
    sys.stderr.write(database.redact(mask_card_numbers(text.rstrip("\n")), *logs.secrets()) + "\n")


def known(error: BaseException) -> RevopsError | None:
    """Our error inside another, however deeply wrapped, or one that says the same as `meshkeys` or the driver."""
    for cause in _causes(error):
        if isinstance(cause, RevopsError):
            return cause
        if isinstance(cause, MeshkeysError):
            return ours(cause)
    psycopg2 = sys.modules.get("psycopg2")
    if psycopg2 is None:
        return None
    # Later calls on a lost connection fail with an InterfaceError; the error that lost it says more.
    causes = [cause for cause in _causes(error) if isinstance(cause, psycopg2.OperationalError)]
    for cause in causes or [cause for cause in _causes(error) if isinstance(cause, psycopg2.InterfaceError)]:
        code = getattr(cause, "pgcode", None)
        if code is None or code.startswith(LOST):
            return database.unavailable(cause)
        return DatabaseUnavailable(
            f"The database could not go on: {mask_card_numbers(first_line(cause))}\n"
            "  Correct that, and run the same command again."
        )
    return None


def _as_ours(error: Exception) -> RevopsError:
    found = known(error)
    if found is not None:
        return found
    cause = _behind_wrappers(error)[1]
    name = "" if type(cause).__module__ == "builtins" else f"{type(cause).__name__}: "
    return RevopsError(f"{name}{reason(error)}\n  The log has the details; --debug shows them here.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
