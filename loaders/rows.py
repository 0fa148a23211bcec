"""Owns one row on its way: its checks, its protection, its form for COPY, and the tally of a block. Does no I/O."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from loaders.keys_seen import KeysSeen
from loaders.protect import (
    Tokenizer,
    holds_card_number,
    is_card_shaped,
    mask_card_numbers,
    mask_sensitive_line,
    plain_digits,
)
from loaders.sources import AMOUNT_PATTERN, DAY_PATTERN, SHAPES, Source

LONGEST_FIELD = 4096
"""Bytes of one field beyond which a row is rejected."""
LONGEST_RAW_LINE = 8192
"""Characters of a rejected line that are kept."""

_AMOUNT = re.compile(AMOUNT_PATTERN)
_DAY = re.compile(DAY_PATTERN)
# As spreadsheets and pandas write it.
_SCIENTIFIC = re.compile(r"\s*-?[0-9]+(?:[.,][0-9]*)?[eE]\+[0-9]+\s*")
_MAYBE_CARD = re.compile(r"[0-9](?:[ \-\u00a0]?[0-9]){12}")
# COPY in text format with a comma between fields: these characters must be escaped, an empty field is NULL.
_MANY = 100_000
_LOW_DIGITS = [b"%05d," % number for number in range(_MANY)]
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", ",": "\\,", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True)
class Reject:
    """A row that cannot be landed.

    Attributes:
        line_number: where it begins in the file.
        reason: why.
        raw_line: the line, masked.
    """

    line_number: int
    reason: str
    raw_line: str


@dataclass
class Chunk:
    """Some rows ready for COPY, and what to count of them.

    Attributes:
        copy: rows in COPY's text format, fields separated by commas, empty = NULL; first _file_id, unless the
            table knows it, _line_number and, where the relation has it, _is_regular.
        rows: how many rows `copy` holds.
        rejects: the rows beside them that cannot be landed.
        cents: the sum of their amounts, in cents.
        uncounted_amounts: rows whose amount does not match AMOUNT_PATTERN and counts as nothing.
        days: the days of their dates, as text.
        undated: rows without a day.
    """

    copy: bytes = b""
    rows: int = 0
    rejects: list[Reject] = field(default_factory=list)
    cents: int = 0
    uncounted_amounts: int = 0
    days: set[str] = field(default_factory=set)
    undated: int = 0


@dataclass
class Tally:
    """What was counted of a file, independently of the database."""

    rows_loaded: int = 0
    rows_rejected: int = 0
    cents: int = 0
    uncounted_amounts: int = 0
    days: set[str] = field(default_factory=set)
    undated: int = 0
    first_reject: Reject | None = None

    def add(self, chunk: Chunk) -> None:
        """Count a chunk."""
        self.rows_loaded += chunk.rows
        self.rows_rejected += len(chunk.rejects)
        self.cents += chunk.cents
        self.uncounted_amounts += chunk.uncounted_amounts
        self.days |= chunk.days
        self.undated += chunk.undated
        if self.first_reject is None and chunk.rejects:
            self.first_reject = chunk.rejects[0]

    @property
    def rows_read(self) -> int:
        """Rows in the file."""
        return self.rows_loaded + self.rows_rejected

    @property
    def dollars(self) -> Decimal:
        """The sum of the amounts."""
        return Decimal(self.cents).scaleb(-2)

    @property
    def dates(self) -> list[datetime.date]:
        """The days, in order."""
        return sorted(map(datetime.date.fromisoformat, self.days))


class RowReader(Protocol):
    """Reads one file in its format."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield the file's rows, each once, loaded or rejected.

        Raises:
            InputRefused: the file is not as declared.
        """
        ...


def cents_of(amount: str) -> int | None:
    """Return an amount in cents, None where it does not match AMOUNT_PATTERN."""
    if _AMOUNT.fullmatch(amount) is None:
        return None
    return int(amount[1:].replace(".", ""))


def day_of(date: str) -> str | None:
    """Return the day that a date's text begins with, None where there is no such day."""
    text = date.strip(" ")
    if _DAY.match(text) is None:
        return None
    try:
        datetime.date.fromisoformat(text[:10])
    except ValueError:
        return None
    return text[:10]


def numbered(prefix: bytes, lines: bytes, numbers: range | list[int], flags: list[bool] | None = None) -> bytes:
    """Return rows for COPY: each line with a prefix, its number and perhaps a flag before it.

    One bytes formatting for all lines: several times as fast as to split, number and join them.

    Args:
        prefix: what comes before the number.
        lines: the fields of the rows in COPY's form, each row with its line end.
        numbers: the number of each line.
        flags: the flag of each line, None for no flags.
    """
    if not lines:
        return b""
    high, low = divmod(numbers[0], _MANY)
    values: tuple[bytes, ...] | tuple[int, ...]
    same = b"" if flags is None else b"t," if all(flags) else None
    if same is None:
        assert flags is not None
        start, values = (
            prefix + b"%b",
            tuple(
                b"%d,t," % number if flag else b"%d,f," % number for number, flag in zip(numbers, flags, strict=True)
            ),
        )
    elif isinstance(numbers, range) and low + len(numbers) <= _MANY:
        start, values = b"%s%d%%b%s" % (prefix, high, same), tuple(_LOW_DIGITS[low : low + len(numbers)])
    else:
        start, values = b"%s%%d,%s" % (prefix, same), tuple(numbers)
    if b"%" in lines:
        lines = lines.replace(b"%", b"%%")
    return (start + lines[:-1].replace(b"\n", b"\n" + start) + b"\n") % values


class RowEncoder:
    """Checks rows of one file field by field and writes them for COPY: the careful way, for rows that look odd.

    Attributes:
        source: the relation.
        prefix: what each row for COPY begins with: the file's id, nothing where all rows of the table are of the file.
        keys: what is known of the keys of all rows of the file, those included that went the quick way.
    """

    def __init__(self, source: Source, file_id: int | None, tokenizer: Tokenizer | None) -> None:
        self.source = source
        self.prefix = "" if file_id is None else f"{file_id},"
        self._tokenizer = tokenizer
        columns = source.columns
        self._keys = [(columns.index(name), name) for name in source.key_columns]
        self._pan = columns.index(source.pan_column) if source.pan_column else None
        self._dropped = {columns.index(name) for name in source.dropped_columns}
        self._date = columns.index(source.date_column) if source.date_column else None
        self._amount = columns.index(source.amount_column) if source.amount_column else None
        self._days: dict[str, str | None] = {}
        shapes = [f"(?:{SHAPES[shape]})" for shape in source.shapes]
        self._regular = re.compile("\0".join(shapes)) if shapes else None
        self._key = source.shapes.index("id") if "id" in source.shapes else None
        self.keys = KeysSeen()

    def add(self, chunk: Chunk, lines: list[str], fields: Sequence[str], line_number: int, raw: str) -> None:
        """Check one row and put it into `lines` and the chunk's counts, or into the chunk's rejects.

        Args:
            chunk: what to count in.
            lines: rows in COPY's form, without line ends.
            fields: the values; there may be too few or too many.
            line_number: where the row begins.
            raw: the row as it stands in the file, for a reject.
        """
        landed = self.landed(chunk, fields, line_number, raw)
        if landed is not None:
            chunk.rows += 1
            lines.append(f"{self.prefix}{line_number},{landed}")

    def landed(self, chunk: Chunk, fields: Sequence[str], line_number: int, raw: str) -> str | None:
        """Check one row and count it; return its fields in COPY's form, None when it went into the rejects.

        Where the relation has _is_regular, that comes first. The row itself is not counted in `chunk.rows`.
        """
        reason = self.fault(fields)
        if reason is not None:
            chunk.rejects.append(self.reject(line_number, reason, raw))
            return None
        if self._amount is not None:
            cents = cents_of(fields[self._amount])
            chunk.uncounted_amounts += cents is None
            chunk.cents += cents or 0
        has_day = True
        if self._date is not None:
            day = self._day(fields[self._date])
            has_day = day is not None
            if day is None:
                chunk.undated += 1
            else:
                chunk.days.add(day)
        if self._key is not None:
            self.keys.see_text(fields[self._key])
        else:
            self.keys.see_unknown()
        text = ",".join(self._landed(fields))
        if self._regular is None:
            return text
        is_regular = has_day and self._regular.fullmatch("\0".join(fields)) is not None
        return f"{'t' if is_regular else 'f'},{text}"

    def fault(self, fields: Sequence[str]) -> str | None:
        """Return why a row with these fields cannot be landed, None if it can."""
        columns = self.source.columns
        if len(fields) != len(columns):
            return f"{len(fields)} fields instead of {len(columns)}"
        if any("\0" in value for value in fields):
            return "a NUL byte in the row"
        for place, value in enumerate(fields):
            if len(value) > LONGEST_FIELD or len(value.encode()) > LONGEST_FIELD:
                return f"column {columns[place]} is longer than {LONGEST_FIELD} bytes"
        for place, name in self._keys:
            if _SCIENTIFIC.fullmatch(fields[place]):
                return f"column {name} is in scientific notation: digits are lost"
        for place, value in enumerate(fields):
            if place == self._pan:
                fault = _fault_of_card_number(value, columns[place])
                if fault is not None:
                    return fault
            elif _MAYBE_CARD.search(value) and holds_card_number(value):
                return f"column {columns[place]} holds a card number"
        return None

    def reject(self, line_number: int, reason: str, raw: str) -> Reject:
        """Return a reject with its line masked and cut to a bearable length."""
        masked = mask_sensitive_line(raw) if self.source.is_sensitive else mask_card_numbers(raw)
        masked = masked.replace("\0", "\\x00")
        if len(masked) > LONGEST_RAW_LINE:
            masked = masked[:LONGEST_RAW_LINE] + "..."
        return Reject(line_number, reason, masked)

    def _landed(self, fields: Sequence[str]) -> Iterator[str]:
        for place, value in enumerate(fields):
            if place == self._pan:
                assert self._tokenizer is not None
                digits = plain_digits(value.strip())
                yield self._tokenizer.token(digits)
                yield digits[-4:]
            elif place not in self._dropped:
                yield value.translate(_COPY_ESCAPES)

    def _day(self, date: str) -> str | None:
        start = date[:12]
        if start not in self._days:
            if len(self._days) > 100_000:
                self._days.clear()
            self._days[start] = day_of(start)
        return self._days[start]


def _fault_of_card_number(value: str, column: str) -> str | None:
    if _SCIENTIFIC.fullmatch(value):
        return f"column {column} is in scientific notation: digits are lost"
    if not is_card_shaped(plain_digits(value.strip())):
        return f"column {column} is not 13 to 19 digits"
    return None
