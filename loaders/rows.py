"""Owns one row on its way: its checks, its protection, its form for COPY, and the tally of a block. Does no I/O."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Protocol

from loaders import card_forms, forms
from loaders.errors import InputRefused
from loaders.keys_seen import KeysSeen
from loaders.protect import Tokenizer, holds_card_number, mask_card_numbers, mask_sensitive_line
from loaders.sources import AMOUNT_PATTERN, DAY_PATTERN, SHAPES, Source

LONGEST_FIELD = 4096
"""Bytes of one field beyond which a row is rejected."""
LONGEST_RAW_LINE = 8192
"""Characters of a rejected line that are kept."""
NOT_UTF8 = "not valid UTF-8"
FEW_ROWS = 5
"""Rows that cannot be used and do not cause a file to be refused, however many they are, as long as others can be used."""

MOST_REJECTS = 100_000
"""The number of rejects, each of them kept, beyond which a file is refused even if they are a small share of it."""

MOST_IN_DOUBT = 0.5
"""The share of a file's rows that may have a value in doubt: beyond it, the column means something else."""

_AMOUNT = re.compile(AMOUNT_PATTERN)
_DAY = re.compile(DAY_PATTERN)
# As spreadsheets and pandas write it.
_SCIENTIFIC = re.compile(r"\s*-?[0-9]+(?:[.,][0-9]*)?[eE]\+[0-9]+\s*")
_MAYBE_CARD = re.compile(r"[0-9](?:[ \-\u00a0]?[0-9]){12}")
# COPY in text format with a comma between fields: these characters must be escaped, an empty field is NULL.
_MANY = 100_000
_MOST_VALUES_KNOWN = 20_000
_LONGEST_VALUE_SHOWN = 40
_DIGIT = re.compile("[0-9]")
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


@dataclass(frozen=True)
class Unusable:
    """A row that lands, but is certain to be quarantined.

    Attributes:
        line_number: where it begins in the file.
        column: the first column whose value cannot be read.
        reason: why, with the value, masked.
    """

    line_number: int
    column: str
    reason: str


@dataclass
class Conversion:
    """Values of one column that were read from another form: how many, and the first one, masked."""

    values: int
    example: str


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
        unusable: rows in `copy` that the transforms are bound to quarantine.
        first_unusable: the first of them.
        earlier: rows beside them that are quarantined for nothing but a time before 2000, in a file that may have such.
        doubtful: rows with a value that can be used but may be wrong.
        first_doubtful: the first of them.
        conversions: by column, what was read from another form than the published one.
        notes: further remarks on the file.
    """

    copy: bytes = b""
    rows: int = 0
    rejects: list[Reject] = field(default_factory=list)
    cents: int = 0
    uncounted_amounts: int = 0
    days: set[str] = field(default_factory=set)
    undated: int = 0
    unusable: int = 0
    first_unusable: Unusable | None = None
    earlier: int = 0
    doubtful: int = 0
    first_doubtful: Unusable | None = None
    conversions: dict[str, Conversion] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Tally:
    """What was counted of a file, independently of the database."""

    rows_loaded: int = 0
    rows_rejected: int = 0
    cents: int = 0
    uncounted_amounts: int = 0
    days: set[str] = field(default_factory=set)
    undated: int = 0
    unusable: int = 0
    first_reject: Reject | None = None
    first_unusable: Unusable | None = None
    earlier: int = 0
    doubtful: int = 0
    first_doubtful: Unusable | None = None
    conversions: dict[str, Conversion] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

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
        self.unusable += chunk.unusable
        self.first_unusable = self.first_unusable or chunk.first_unusable
        self.earlier += chunk.earlier
        self.doubtful += chunk.doubtful
        self.first_doubtful = self.first_doubtful or chunk.first_doubtful
        for column, more in chunk.conversions.items():
            known = self.conversions.setdefault(column, Conversion(0, more.example))
            known.values += more.values
        self.notes += chunk.notes

    @property
    def rows_read(self) -> int:
        """Rows in the file."""
        return self.rows_loaded + self.rows_rejected

    @property
    def dollars(self) -> Decimal:
        """The sum of the amounts."""
        return Decimal(self.cents).scaleb(-2)

    @property
    def note(self) -> str:
        """What people should know about how the file was read, empty for a published one."""
        read = [
            f"{column}: {found.values:,} {'value' if found.values == 1 else 'values'} read from another form,"
            f" such as {found.example}"
            for column, found in self.conversions.items()
        ]
        few = f"{self.unusable:,} of {self.rows_loaded:,} rows cannot be used" if self.unusable else ""
        early = (
            f"{self.earlier:,} of {self.rows_loaded:,} rows are of before 2000 and quarantined" if self.earlier else ""
        )
        doubt = ""
        if (first := self.first_doubtful) is not None:
            doubt = (
                f"{first.column}: {self.doubtful:,} of {self.rows_loaded:,} values in doubt, the first: {first.reason}"
            )
        return "; ".join(filter(None, [*self.notes, *read, few, early, doubt]))

    def check(self, name: str, max_rejects: float, rows: int | None = None) -> None:
        """Refuse a file of which too little can be used.

        Args:
            name: the file.
            max_rejects: the share of its rows that may be rejected, and that may be unusable.
            rows: how many rows the file has at most; those counted so far if not given.

        Raises:
            InputRefused: it is more than that.
        """
        rows = self.rows_read if rows is None else rows
        cure = f"Nothing of the file has landed. Correct it, or allow more than {max_rejects:.2%} by --max-rejects."
        if self.first_reject is not None and self.rows_rejected > max_rejects * rows:
            first = self.first_reject
            if first.reason == NOT_UTF8:
                cure = "Nothing of the file has landed. Save it as UTF-8: perhaps it is in Latin-1 or Windows-1252."
            told = f"{self.rows_rejected:,} of {self.rows_read:,} rows cannot be landed, the first: {first.reason}"
            raise InputRefused(name, told, cure, first.line_number)
        if self.first_reject is not None and self.rows_rejected > MOST_REJECTS:
            first = self.first_reject
            told = f"more than {MOST_REJECTS:,} rows cannot be landed, the first: {first.reason}"
            cure = "Nothing of the file has landed. Correct it, or leave out such lines: so many are not kept."
            raise InputRefused(name, told, cure, first.line_number)
        if self.first_unusable is not None and self.unusable > max_rejects * rows:
            none_is_usable = self.unusable + self.earlier + self.rows_rejected >= rows
            if self.unusable > FEW_ROWS or none_is_usable:
                bad = self.first_unusable
                told = f"{self.unusable:,} of {self.rows_read:,} rows cannot be used, the first: {bad.reason}"
                raise InputRefused(name, told, cure, bad.line_number, bad.column)
        first_doubt = self.first_doubtful
        if first_doubt is not None and self.doubtful > max(FEW_ROWS, max(MOST_IN_DOUBT, max_rejects) * rows):
            told = f"{self.doubtful:,} of {self.rows_read:,} values are in doubt, the first: {first_doubt.reason}"
            cure = "Nothing of the file has landed. Correct it, or allow them all by --max-rejects 1."
            raise InputRefused(name, told, cure, first_doubt.line_number, first_doubt.column)

    def check_any(self, name: str) -> None:
        """Refuse a file without any row that can be landed, or of which none is of a day that the warehouse serves.

        Raises:
            InputRefused: it is one.
        """
        cure = "Get the file again, or take it out of the data. Nothing of it has landed."
        if not self.rows_read:
            raise InputRefused(name, "it holds no row", cure)
        if self.first_reject is not None and not self.rows_loaded:
            told = f"none of its {self.rows_read:,} rows can be landed, the first: {self.first_reject.reason}"
            raise InputRefused(name, told, cure, self.first_reject.line_number)
        if self.earlier and self.earlier + self.unusable >= self.rows_loaded:
            raise InputRefused(name, "all its rows are of before 2000", cure)

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
        start, values = b"%s%d%%b%s" % (prefix, high, same), tuple(_low_digits()[low : low + len(numbers)])
    else:
        start, values = b"%s%%d,%s" % (prefix, same), tuple(numbers)
    if b"%" in lines:
        lines = lines.replace(b"%", b"%%")
    return (start + lines[:-1].replace(b"\n", b"\n" + start) + b"\n") % values


@cache
def _low_digits() -> list[bytes]:
    """The last digits of each number, made once a process that lands rows."""
    return [b"%05d," % number for number in range(_MANY)]


class RowEncoder:
    """Checks rows of one file field by field and writes them for COPY: the slow path, for rows that look odd.

    Attributes:
        source: the relation.
        prefix: what each row for COPY begins with: the file's id, nothing where all rows of the table are of the file.
        keys: what is known of the keys of all rows of the file, those of the fast path included.
        keeps_earlier: whether rows of before 2000 are as expected, and no reason to refuse the file.
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
        self._forms: list[tuple[int, Callable[[str], forms.Read], dict[str, forms.Read]]] = [
            (place, forms.READERS[form], {}) for place, form in enumerate(source.forms) if form in forms.READERS
        ]
        self._months = [columns.index(name) for name in source.ordered_months or ()]
        self.keys = KeysSeen()
        self.keeps_earlier = False

    def add(
        self,
        chunk: Chunk,
        lines: list[str],
        fields: Sequence[str],
        line_number: int,
        raw: str,
        delivered: tuple[str, str] = ("", ""),
    ) -> None:
        """Check one row and put it into `lines` and the chunk's counts, or into the chunk's rejects.

        Args:
            chunk: what to count in.
            lines: rows in COPY's form, without line ends.
            fields: the values; there may be too few or too many.
            line_number: where the row begins.
            raw: the row as it is in the file, for a reject.
            delivered: the token and the last four digits of a card, where the file has columns of them.
        """
        landed = self.landed(chunk, fields, line_number, raw, delivered)
        if landed is not None:
            chunk.rows += 1
            lines.append(f"{self.prefix}{line_number},{landed}")

    def landed(
        self, chunk: Chunk, fields: Sequence[str], line_number: int, raw: str, delivered: tuple[str, str] = ("", "")
    ) -> str | None:
        """Check one row and count it; return its fields in COPY's form, None when it went into the rejects.

        Values in another form than the published one are brought into it. Where the relation has _is_regular, that comes
        first. The row itself is not counted in `chunk.rows`.
        """
        reason = self.fault(fields)
        if reason is not None:
            chunk.rejects.append(self.reject(line_number, reason, raw))
            return None
        is_regular = self._is_regular(fields)
        if not is_regular:
            fields = self._read(chunk, fields, line_number)
            is_regular = self._is_regular(fields)
        if self._amount is not None:
            cents = cents_of(fields[self._amount])
            chunk.uncounted_amounts += cents is None
            chunk.cents += cents or 0
        if self._date is not None:
            day = self._day(fields[self._date])
            if day is None:
                chunk.undated += 1
            else:
                chunk.days.add(day)
        if self._key is not None:
            self.keys.see_text(fields[self._key])
        else:
            self.keys.see_unknown()
        text = ",".join(self._landed(fields, delivered))
        return text if self._regular is None else f"{'t' if is_regular else 'f'},{text}"

    def _is_regular(self, fields: Sequence[str]) -> bool:
        if self._regular is None or self._regular.fullmatch("\0".join(fields)) is None:
            return False
        return self._date is None or self._day(fields[self._date]) is not None

    def _read(self, chunk: Chunk, fields: Sequence[str], line_number: int) -> list[str]:
        """Return the values of a row in their published forms, those that have none as they are, and count both."""
        read = list(fields)
        is_usable = True
        is_earlier = False
        for place, form, known in self._forms:
            value = fields[place]
            answer = known.get(value)
            if answer is None:
                if len(known) >= _MOST_VALUES_KNOWN:
                    known.clear()
                answer = known[value] = form(value)
            text, fault, doubt = answer
            if text != value:
                self._note(chunk, place, value, text)
                read[place] = text
            if fault and is_usable and not (self.keeps_earlier and fault == forms.BEFORE_2000):
                is_usable = False
                self._note_unusable(chunk, line_number, place, value, fault)
            is_earlier |= fault == forms.BEFORE_2000
            if doubt:
                chunk.doubtful += 1
                if chunk.first_doubtful is None:
                    reason = f"{self._shown(value)} {doubt}"
                    chunk.first_doubtful = Unusable(line_number, self.source.columns[place], reason)
        chunk.earlier += is_usable and is_earlier
        if is_usable and self._months:
            first, second = self._months
            if _sorted_as_month(read[first]) > _sorted_as_month(read[second]):
                fault = f"is after {self.source.columns[second]}, {self._shown(read[second])}"
                self._note_unusable(chunk, line_number, first, read[first], fault)
        return read

    def _note_unusable(self, chunk: Chunk, line_number: int, place: int, value: str, fault: str) -> None:
        chunk.unusable += 1
        if chunk.first_unusable is None:
            chunk.first_unusable = Unusable(line_number, self.source.columns[place], f"{self._shown(value)} {fault}")

    def _note(self, chunk: Chunk, place: int, value: str, text: str) -> None:
        column = self.source.columns[place]
        conversion = chunk.conversions.get(column)
        if conversion is None:
            example = f"{self._shown(value)} as {self._shown(text)}"
            chunk.conversions[column] = Conversion(1, example)
        else:
            conversion.values += 1

    def _shown(self, value: str) -> str:
        """Return a value as it may be shown: of people and their cards, its form alone."""
        shown = mask_card_numbers(value[: 2 * _LONGEST_VALUE_SHOWN])
        if self.source.is_personal:
            shown = _DIGIT.sub("#", shown)
        return repr(shown if len(shown) <= _LONGEST_VALUE_SHOWN else shown[:_LONGEST_VALUE_SHOWN] + "...")

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

    def can_use(self, fields: Sequence[str]) -> bool:
        """Tell whether a row with these fields can be landed and used. Counts nothing."""
        probe = Chunk()
        if self.fault(fields) is None:
            self._read(probe, fields, 0)
            return not probe.unusable
        return False

    def reject(self, line_number: int, reason: str, raw: str) -> Reject:
        """Return a reject with its line masked and cut to a bearable length."""
        is_cut = len(raw) > LONGEST_RAW_LINE
        if is_cut:  # before it is masked, for that takes long; not inside a number, which would not be recognised
            raw = raw[:LONGEST_RAW_LINE].rstrip("0123456789 -\u00a0")
        masked = mask_sensitive_line(raw) if self.source.is_sensitive else mask_card_numbers(raw)
        return Reject(line_number, reason, masked.replace("\0", "\\x00") + ("..." if is_cut else ""))

    def _landed(self, fields: Sequence[str], delivered: tuple[str, str]) -> Iterator[str]:
        for place, value in enumerate(fields):
            if place == self._pan:
                assert self._tokenizer is not None
                for part in card_forms.identity(value, *delivered, self._tokenizer):
                    yield part.translate(_COPY_ESCAPES)
            elif place not in self._dropped:
                yield value.translate(_COPY_ESCAPES)

    def _day(self, date: str) -> str | None:
        start = date[:12]
        if start not in self._days:
            if len(self._days) > 100_000:
                self._days.clear()
            self._days[start] = day_of(start)
        return self._days[start]


def _sorted_as_month(text: str) -> str:
    return text[3:] + text[:2]


def _fault_of_card_number(value: str, column: str) -> str | None:
    if _SCIENTIFIC.fullmatch(value):
        return f"column {column} is in scientific notation: digits are lost"
    if card_forms.kind_of(value) is None:
        return f"column {column} is neither 13 to 19 digits nor a masked number, a hash or a token"
    return None
