"""The errors of this project. Each knows its exit code and says in one or two lines what happened, where, and the cure."""

from __future__ import annotations

from dataclasses import dataclass


class RevopsError(Exception):
    """An error that a user can act on: the command line prints it in one or two lines and exits with `exit_code`."""

    exit_code = 1


class CheckFailed(RevopsError):
    """Data reconciles not, or an audit failed."""


class UsageError(RevopsError):
    """The command, an option or the configuration is wrong."""

    exit_code = 2


@dataclass
class InputRefused(RevopsError):
    """A file is not as declared.

    Attributes:
        file: the file, as the user named it.
        reason: what is wrong with it, any value masked.
        cure: what to do about it.
        line: the line in the file, counted from 1, where one is known.
        column: the column's name, where one is known.
        others: further files that were refused in the same run.
    """

    file: str
    reason: str
    cure: str
    line: int | None = None
    column: str | None = None
    others: tuple[InputRefused, ...] = ()
    exit_code = 3

    def __str__(self) -> str:
        place = f", line {self.line}" if self.line is not None else ""
        place += f", column {self.column}" if self.column is not None else ""
        return "\n".join([f"{self.file!r}{place}: {self.reason}\n  {self.cure}", *map(str, self.others)])


class DatabaseUnavailable(RevopsError):
    """The database cannot be reached, or was lost on the way."""

    exit_code = 4


class LockHeld(RevopsError):
    """Another run holds the warehouse's lock."""

    exit_code = 5
