"""Owns choosing how a file is read: by how its text begins, in any encoding. Reads no row itself."""

from __future__ import annotations

import codecs
import re

from loaders import tabformer
from loaders.errors import InputRefused
from loaders.formats.csv_rows import CsvReader
from loaders.formats.header import Columns, find_columns, header_of, plain_name
from loaders.formats.json_rows import CodesReader, LabelsReader
from loaders.formats.records import RecordsReader
from loaders.inputs import BLOCK, ByteStream
from loaders.rows import RowEncoder, RowReader
from loaders.sources import Source

_BEGINNING = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SHOWS_AN_ENCODING = 64
_FIRST_KEY = re.compile(r'\s*\{\s*"([^"\\]{0,64})"\s*:\s*')


def reader_of(name: str, encoder: RowEncoder, stream: ByteStream) -> RowReader:
    """Return the reader of a file.

    Args:
        name: the file.
        encoder: of its relation.
        stream: its bytes.
    """
    source = encoder.source
    text = Utf8Stream(stream, name)
    names = header_of(text.beginning)
    if source.relation in tabformer.relations(names):
        return tabformer.TabformerReader(text, name, encoder)
    if source.format == "csv":
        return CsvReader(text, name, encoder)
    beginning = text.beginning.lstrip()
    if not beginning.startswith(("{", "[")) and isinstance(find_columns(source, header_of(beginning)), Columns):
        return CsvReader(text, name, encoder)
    if beginning.startswith("[") or _is_record(source, beginning):
        return RecordsReader(text, name, encoder)
    return LabelsReader(text, name, encoder) if source.format == "labels_json" else CodesReader(text, name, encoder)


def text_of(beginning: bytes) -> str:
    """Return the text that a file begins with, in any encoding; what cannot be read is replaced."""
    encoding, mark = encoding_of(beginning)
    return beginning[mark:].decode(encoding, "replace")


def encoding_of(beginning: bytes) -> tuple[str, int]:
    """Return the encoding that a file's first bytes show, UTF-8 by default, and the length of its byte order mark."""
    for mark, encoding in _BOMS:
        if beginning.startswith(mark):
            return encoding, len(mark)
    start = beginning[:_SHOWS_AN_ENCODING]
    if len(start) > 2:
        if not any(start[1::2]) and all(start[::2]):
            return "utf-16-le", 0
        if not any(start[::2]) and all(start[1::2]):
            return "utf-16-be", 0
    return "utf-8", 0


class Utf8Stream(ByteStream):
    """The bytes of a text in UTF-8 without a byte order mark, from any encoding of the file.

    Attributes:
        beginning: the text it begins with.
    """

    def __init__(self, stream: ByteStream, name: str) -> None:
        self._stream = stream
        self._name = name
        head = b""
        while len(head) < _BEGINNING and (block := stream.read(BLOCK)):
            head += block
        self._encoding, mark = encoding_of(head)
        self._head: bytes | None = head[mark:]
        self._decoder = None if self._encoding == "utf-8" else codecs.getincrementaldecoder(self._encoding)()
        self.beginning = head[mark : mark + _BEGINNING].decode(self._encoding, "replace")

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes; empty at the end.

        Raises:
            InputRefused: the text is not valid in its encoding.
        """
        while True:
            block, self._head = self._stream.read(size) if self._head is None else self._head, None
            if self._decoder is None:
                return block
            try:
                text = self._decoder.decode(block, final=not block).encode()
            except UnicodeError as error:
                shown = self._encoding.upper()
                raise InputRefused(self._name, f"it is not valid {shown}", "Save it as UTF-8.") from error
            if text or not block:
                return text

    @property
    def bytes_done(self) -> int:
        """Bytes of the file read so far."""
        return self._stream.bytes_done

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file's bytes read so far."""
        return self._stream.sha256

    def check_unchanged(self) -> None:
        """Refuse the file if it was written to since it was opened."""
        self._stream.check_unchanged()


def _is_record(source: Source, beginning: str) -> bool:
    """Tell whether a JSON text begins with an object that has the columns as keys."""
    found = _FIRST_KEY.match(beginning)
    if found is None or beginning.startswith("{", found.end()):
        return False
    names = {name for column in source.columns for name in (column, *source.aliases.get(column, ()))}
    return plain_name(found[1]) in names - {"", "0"}
