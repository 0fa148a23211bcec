"""The errors of this project. Each knows its exit code and says in one or two lines what happened, where, and the cure."""

from __future__ import annotations

from meshkeys import errors
from meshkeys.errors import first_line

__all__ = ["CheckFailed", "DatabaseUnavailable", "LockHeld", "RevopsError", "UsageError", "first_line", "ours"]


class RevopsError(Exception):
    """An error that a user can act on: the command line prints it in one or two lines and exits with `exit_code`."""

    exit_code = 1


class CheckFailed(RevopsError):
    """The data does not reconcile, or an audit failed."""


class UsageError(RevopsError):
    """The command, an option or the configuration is wrong."""

    exit_code = 2


class DatabaseUnavailable(RevopsError):
    """The database cannot be reached, or was lost on the way."""

    exit_code = 4


class LockHeld(RevopsError):
    """Another run holds the warehouse's lock."""

    exit_code = 5


# Our errors that correspond to those of `meshkeys`.
_OURS: dict[type[errors.MeshkeysError], type[RevopsError]] = {
    errors.DatabaseUnavailable: DatabaseUnavailable,
    errors.DeclarationError: UsageError,
    errors.LockHeld: LockHeld,
    errors.Refused: CheckFailed,
}


def ours(error: errors.MeshkeysError) -> RevopsError:
    """The same as an error of this project, with its exit code."""
    return _OURS.get(type(error), RevopsError)(str(error))
