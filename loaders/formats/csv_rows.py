"""Owns reading CSV: line ends, quotes, header, record by record. Leaves the checks of a row's fields to rows.py."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from loaders.errors import InputRefused
from loaders.formats.csv_fast import BlockChecker
from loaders.formats.header import Columns, check_names, separator_of, split_record, unread_note
from loaders.inputs import BLOCK, ByteStream
from loaders.rows import NOT_UTF8, Chunk, RowEncoder

_BOM = b"\xef\xbb\xbf"
LONGEST_LINE = 1 << 16
"""Bytes of one line beyond which the rest of it is not even read into memory."""
_MOST_LINES_OF_A_RECORD = 100
_MOST_LINES_AT_ONCE = 20_000  # twice as many as a block of transactions has
_BLANKS = b" \t\n\r\x0b\x0c"
_SEPARATOR_LINE = re.compile(rb'"?sep=([,;|\t])"?[ \t]*(?:\r\n|\n|\r)', re.IGNORECASE)
_ROWS_THAT_SHOW_A_TRAILING_SEPARATOR = 50


class CsvReader:
    """Reads a CSV file block by block.

    Line ends may be LF, CRLF or CR, also mixed. Lines are counted from 1, the header is line 1. Blank lines are no
    rows, nor are lines of nothing but separators. A quoted field may hold line ends; the row then has the number of its
    first line. Columns are found by their names; one of the usual characters separates them.
    """

    def __init__(self, stream: ByteStream, name: str, encoder: RowEncoder) -> None:
        self._stream = stream
        self._name = name
        self._encoder = encoder
        self._source = encoder.source
        self._line = 1
        self._separator = ","
        self._blanks = _BLANKS + b","
        self._columns = Columns(len(self._source.columns), tuple(range(len(self._source.columns))))
        self._trails = False
        self._checker = (
            BlockChecker(self._source, encoder.prefix, self._odd_line, encoder.keys) if self._source.shapes else None
        )

    def chunks(self) -> Iterator[Chunk]:
        """Yield the file's rows.

        Raises:
            InputRefused: the file is empty or its header lacks a column.
        """
        pending = b""
        headed = False
        for block, final in _with_first_rows(_in_pieces(whole_lines(self._stream))):
            block = pending + block
            if not headed:
                block = self._after_header(block)
                headed = True
                if note := unread_note(self._columns):
                    yield Chunk(notes=[note])
            if block[:1].isspace() and not block.strip():  # perhaps a great many line ends
                self._line += _line_ends(block)
                pending = b""
                continue
            checked = self._checker.chunk(block, self._line) if self._checker and block else None
            if checked is None:
                chunk, used = self._careful(block, final)
                pending = block[used:]
            else:
                chunk, lines = checked
                self._line += lines
                pending = b""
            yield chunk
        if pending:  # a quote was opened near the end, and the file ended with a line end
            yield self._careful(pending, final=True)[0]
        if not headed:
            raise InputRefused(
                self._name, "the file is empty", f"Its first line must be: {','.join(self._source.columns)}", 1
            )

    def _after_header(self, block: bytes) -> bytes:
        """Find the columns by the header and return what comes after it."""
        block = block.removeprefix(_BOM)
        separator = _SEPARATOR_LINE.match(block)
        if separator:  # a line for spreadsheet programs
            block = block[separator.end() :]
            self._line += 1
        end = _first_line_end(block)
        line = block if end < 0 else block[:end]
        rest = b"" if end < 0 else block[end:]
        if line.endswith(b"\r") and rest.startswith(b"\n"):
            rest = rest[1:]
        if b"\0" in line:
            raise InputRefused(self._name, "its header holds NUL bytes", "Save it as UTF-8.", self._line)
        try:
            text = line.rstrip(b"\r\n").decode()
        except UnicodeDecodeError as error:
            raise InputRefused(self._name, "its header is not valid UTF-8", "Save it as UTF-8.", self._line) from error
        self._separator = separator[1].decode() if separator else separator_of(text)
        self._blanks = _BLANKS + self._separator.encode()
        names = split_record(text, self._separator) or [text]
        self._columns = check_names(self._source, names, self._name, self._line)
        self._trails = self._each_row_ends_with_a_separator(rest)
        if self._separator != "," or self._trails or not self._columns.are_as_published:
            self._checker = None
        self._line += 1
        return rest

    def _each_row_ends_with_a_separator(self, block: bytes) -> bool:
        """Tell whether the first rows have one field more than the header, an empty one at the end."""
        seen = False
        for record in block[:LONGEST_LINE].splitlines(keepends=True)[:_ROWS_THAT_SHOW_A_TRAILING_SEPARATOR]:
            if not record.endswith((b"\n", b"\r")) or not record.strip():
                continue
            fields = split_record(_without_line_end(record).decode("utf-8", "replace"), self._separator) or []
            if len(fields) != self._columns.width + 1 or fields[-1].strip():
                return False
            seen = seen or self._encoder.can_use(self._columns.fields(fields))
        return seen

    def _careful(self, block: bytes, final: bool) -> tuple[Chunk, int]:
        """Read a block line by line; return its rows and how many bytes they are: a record may continue in the next one."""
        chunk = Chunk()
        out: list[str] = []
        lines = block.splitlines(keepends=True)
        used = 0
        place = 0
        while place < len(lines):
            span: int | None = 1
            if lines[place].count(b'"') % 2:
                span = _span_of_record(lines, place)
                if (
                    span is None
                    and not final
                    and len(lines) - place < _MOST_LINES_OF_A_RECORD
                    and len(block) - used < LONGEST_LINE
                ):
                    break
            if span is not None and span > 1 and not self._is_row(b"".join(lines[place : place + span])):
                span = 1
            record = b"".join(lines[place : place + (span or 1)])
            landed = self._landed(chunk, record, self._line)
            if landed is not None:
                chunk.rows += 1
                out.append(f"{self._encoder.prefix}{self._line},{landed}")
            used += len(record)
            place += span or 1
            self._line += span or 1
        if out:
            chunk.copy = ("\n".join(out) + "\n").encode()
        return chunk, used

    def _is_row(self, record: bytes) -> bool:
        try:
            fields = split_record(_without_line_end(record).decode(), self._separator)
        except UnicodeDecodeError:
            return False
        return fields is not None and len(fields) == self._columns.width + self._trails

    def _landed(self, chunk: Chunk, record: bytes, line_number: int) -> str | None:
        """Check one record; return its fields in COPY's form, None for a blank line and for a reject."""
        record = _without_line_end(record)
        if not record.strip(self._blanks):
            return None
        text = record[:LONGEST_LINE].decode("utf-8", "backslashreplace")
        reason = ""
        if len(record) > LONGEST_LINE:
            reason = f"the line is longer than {LONGEST_LINE} bytes"
        elif not _is_utf8(record):
            reason = NOT_UTF8
        elif b"\0" in record:
            reason = "a NUL byte in the row"
        else:
            fields = split_record(text, self._separator)
            if fields is not None:
                return self._checked(chunk, fields, line_number, text)
            reason = fault_of_quotes(text)
        chunk.rejects.append(self._encoder.reject(line_number, reason, text))
        return None

    def _checked(self, chunk: Chunk, fields: list[str], line_number: int, text: str) -> str | None:
        """Check the fields of one record; return it in COPY's form, None for a blank row and for a reject."""
        if not "".join(fields).strip(" \t"):
            return None
        if self._trails and len(fields) == self._columns.width + 1 and not fields[-1].strip():
            del fields[-1]
        if self._columns.are_as_published:
            return self._encoder.landed(chunk, fields, line_number, text)
        if len(fields) != self._columns.width:
            reason = f"{len(fields)} fields instead of {self._columns.width}"
            chunk.rejects.append(self._encoder.reject(line_number, reason, text))
            return None
        delivered = self._columns.delivered(fields)
        return self._encoder.landed(chunk, self._columns.fields(fields), line_number, text, delivered)

    def _odd_line(self, chunk: Chunk, line: bytes, line_number: int) -> bytes | None:
        landed = self._landed(chunk, line, line_number)
        return None if landed is None else landed.encode()


def whole_lines(stream: ByteStream) -> Iterator[tuple[bytes, bool]]:
    """Yield blocks that end at line ends, and whether each is the last; skip the rest of an absurdly long line."""
    rest = b""
    skipping = False
    while True:
        block = stream.read(BLOCK)
        if not block:
            if rest:
                yield rest, True
            return
        if skipping:
            end = _first_line_end(block)
            if end < 0:
                continue
            block = block[end - 1 :]
            skipping = False
        block = rest + block
        cut = _last_line_end(block)
        if cut == 0 and len(block) > 2 * LONGEST_LINE:
            rest, skipping = block[: LONGEST_LINE + 1], True
        elif len(block) - cut > 2 * LONGEST_LINE:
            yield block[:cut], False
            rest, skipping = block[cut : cut + LONGEST_LINE + 1], True
        elif cut:
            yield block[:cut], False
            rest = block[cut:]
        else:
            rest = block


def _in_pieces(blocks: Iterator[tuple[bytes, bool]]) -> Iterator[tuple[bytes, bool]]:
    """Cut blocks of a great many short lines, so that a file of bad lines is refused after some of them."""
    for block, final in blocks:
        end = b"\n" if b"\n" in block else b"\r"
        start = 0
        looked_at = min(len(block), LONGEST_LINE)  # to count all of a block would take as long as to check a part of it
        if block.count(end, 0, looked_at) * len(block) > _MOST_LINES_AT_ONCE * looked_at:
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == end[0]) + 1
            for cut in ends[_MOST_LINES_AT_ONCE - 1 : -1 : _MOST_LINES_AT_ONCE].tolist():
                yield block[start:cut], False
                start = cut
        yield block[start:], final


def _with_first_rows(blocks: Iterator[tuple[bytes, bool]]) -> Iterator[tuple[bytes, bool]]:
    """Join the first blocks: what the header's block tells of the first rows must not depend on how a stream is cut."""
    first: list[bytes] = []
    size = lines = 0
    last = False
    for block, last in blocks:  # noqa: B007 (told of the joined block)
        first.append(block)
        size += len(block)
        lines += _line_ends(block)
        if lines >= _ROWS_THAT_SHOW_A_TRAILING_SEPARATOR + 2 or size >= 2 * LONGEST_LINE:
            break  # two lines may come before the rows: the separator's and the header
    if first:
        yield b"".join(first), last
    yield from blocks


def _span_of_record(lines: list[bytes], start: int) -> int | None:
    """Return how many lines a record has that opens a quote on its first one, None where no line closes it."""
    size = 0
    for place in range(start, min(len(lines), start + _MOST_LINES_OF_A_RECORD)):
        size += len(lines[place])
        if size > LONGEST_LINE:
            return None
        if place > start and lines[place].count(b'"') % 2:
            return place - start + 1
    return None


def fault_of_quotes(text: str) -> str:
    """Say what is wrong with the quotes of a record that cannot be split."""
    return "a quote is not closed" if text.count('"') % 2 else "a quote inside an unquoted field"


def _without_line_end(record: bytes) -> bytes:
    if record.endswith(b"\r\n"):
        return record[:-2]
    return record[:-1] if record.endswith((b"\n", b"\r")) else record


def _is_utf8(record: bytes) -> bool:
    try:
        record.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line_ends(block: bytes) -> int:
    """Return how many lines end in a block."""
    return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")


def _first_line_end(block: bytes) -> int:
    """Return the place after the first LF or CR, -1 where there is none."""
    ends = [end for end in (block.find(b"\n"), block.find(b"\r")) if end >= 0]
    return min(ends) + 1 if ends else -1


def _last_line_end(block: bytes) -> int:
    """Return the place after the last LF, or the last CR that no LF can follow any more; 0 where there is none."""
    return max(block.rfind(b"\n"), block.rfind(b"\r", 0, len(block) - 1)) + 1
