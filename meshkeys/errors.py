"""The errors of this package. Each says in one or two lines what happened and the cure."""

from __future__ import annotations


class MeshkeysError(Exception):
    """An error that a user can act on; `exit_code` is for command lines that want to tell one kind from another."""

    exit_code = 1


def first_line(error: BaseException) -> str:
    """The first line of what an error says, the kind of error where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class Refused(MeshkeysError):
    """A plan would take something from its readers, or a row contradicts what is declared. Nothing was changed."""


class DeclarationError(MeshkeysError):
    """A declaration is not written as its macro says, or cannot be applied to its model."""

    exit_code = 2


class DatabaseUnavailable(MeshkeysError):
    """The database cannot be used, or a reader kept its lock for too long."""

    exit_code = 4


class LockHeld(MeshkeysError):
    """Another plan, run or command holds the lock."""

    exit_code = 5
