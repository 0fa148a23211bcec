"""Owns reading JSON records: one object per row, in a list or one after the other, with the columns as keys."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from loaders.errors import InputRefused
from loaders.header import Columns, check_names, unread_note
from loaders.inputs import BLOCK, ByteStream
from loaders.json_rows import MOST_AT_ONCE
from loaders.rows import LONGEST_FIELD, Chunk, RowEncoder

_LONGEST_RECORD = 1 << 18
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class RecordsReader:
    """Streams `[{"transaction_id": 1, "is_fraud": "Yes"}, ...]`, or one such object per line, in constant memory.

    Rows are numbered by record, from 1.
    """

    def __init__(self, stream: ByteStream, name: str, encoder: RowEncoder) -> None:
        self._stream = stream
        self._name = name
        self._encoder = encoder
        self._record = 1
        self._columns: tuple[tuple[str, ...], Columns] | None = None

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows.

        Raises:
            InputRefused: the file is truncated or no such JSON.
        """
        decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
        rest = ""
        opened = False
        is_list = False
        while block := self._stream.read(BLOCK):
            rest += decode(block)
            if not opened and rest.lstrip("\ufeff \t\r\n"):
                rest = rest.lstrip("\ufeff \t\r\n")
                is_list = rest.startswith("[")
                rest = rest[is_list:]
                opened = True
            chunk, used = self._records(rest)
            yield chunk
            while chunk.rows + len(chunk.rejects) == MOST_AT_ONCE:
                chunk, used = self._records(rest, used)
                yield chunk
            rest = rest[used:]
            if len(rest) > BLOCK + _LONGEST_RECORD:
                raise self._broken()
        end = rest.strip(" \t\r\n")
        if end != ("]" if is_list else ""):
            raise self._broken()
        if self._record == 1:
            raise InputRefused(self._name, "it holds no record", self._cure)

    def _records(self, text: str, place: int = 0) -> tuple[Chunk, int]:
        """Read some whole records from a place in a text on; return the rows, and where they end."""
        chunk = Chunk()
        lines: list[str] = []
        last = text.rfind("}")  # nothing after it is a whole record: no need to try
        end_of_some = self._record + MOST_AT_ONCE
        while self._record < end_of_some:
            start = _match_end(text, place)
            if start > last or not text.startswith("{", start):
                break
            try:
                record, end = _DECODER.raw_decode(text, start)
            except (json.JSONDecodeError, RecursionError):
                break
            self._add(chunk, lines, record, text[start : min(end, start + 4 * LONGEST_FIELD)])
            self._record += 1
            place = end
        if lines:
            chunk.copy = ("\n".join(lines) + "\n").encode()
        return chunk, place

    def _add(self, chunk: Chunk, lines: list[str], record: dict[str, object], raw: str) -> None:
        names = tuple(record)
        if self._columns is None or self._columns[0] != names:
            try:
                columns = check_names(self._encoder.source, names, self._name, self._record)
            except InputRefused as error:
                if self._columns is None:
                    raise
                chunk.rejects.append(self._encoder.reject(self._record, f"no key {error.column}", raw))
                return
            if self._columns is None and (note := unread_note(columns)):
                chunk.notes.append(note)
            self._columns = names, columns
        fields = self._columns[1].fields([_text(value) for value in record.values()])
        try:
            "".join(fields).encode()
        except UnicodeEncodeError:
            chunk.rejects.append(self._encoder.reject(self._record, "not valid Unicode", ascii(raw)))
        else:
            self._encoder.add(chunk, lines, fields, self._record, raw)

    @property
    def _cure(self) -> str:
        keys = ", ".join(f'"{column}": ...' for column in self._encoder.source.columns)
        return f"It must be [{{{keys}}}, ...], or one such object per line; get the file again."

    def _broken(self) -> InputRefused:
        return InputRefused(self._name, f"no record can be read after {self._record - 1:,} of them", self._cure)


def _match_end(text: str, place: int) -> int:
    found = _BETWEEN.match(text, place)
    return found.end() if found else place


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else json.dumps(value)
