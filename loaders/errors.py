"""The error of the loaders: a file that is not as declared."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.errors import RevopsError


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
