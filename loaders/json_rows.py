"""Owns reading the two JSON layouts: labels (one huge object, streamed) and codes (one small object)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np

from loaders.columns import whole_numbers
from loaders.errors import InputRefused
from loaders.inputs import BLOCK, ByteStream
from loaders.protect import mask_card_numbers
from loaders.rows import LONGEST_FIELD, Chunk, RowEncoder, numbered

_BOM = b"\xef\xbb\xbf"
_LF, _COMMA = b"\n,"
_SHORTEST_QUICK_BLOCK = 64
_LONGEST_QUICK_LINE = 15  # an id of at most 12 digits: no card number
_LARGEST_CODES = 8 << 20
MOST_AT_ONCE = 20_000
"""Entries that are looked at one by one before they are passed on: a file of bad ones is given up after some of them."""
_OPENING = re.compile(rb'\s*\{\s*"(?:target|labels?|is_?fraud|fraud|class)"\s*:\s*\{', re.IGNORECASE)
_OPENING_WITHOUT_NAME = re.compile(rb'\s*\{(?=\s*(?:"[^"\\]*"\s*:\s*["\w.+-]|\}))')
_CLOSING = re.compile(rb"\s*\}\s*\}\s*\Z")
_CLOSING_WITHOUT_NAME = re.compile(rb"\s*\}\s*\Z")
_STRING = rb'"((?:[^"\\\x00-\x1f]|\\.)*)"'
_ENTRY = re.compile(rb"\s*" + _STRING + rb"\s*:\s*(?:" + _STRING + rb"|([-+.\w]+))\s*(,|(?=\}))")
_LABELS_CURE = (
    'It must be {"target": {"<transaction id>": "Yes" or "No", ...}}, or the inner object alone; get the file again.'
)
_CODES_CURE = 'It must be {"<code>": "<description>", ...}; get the file again.'


class LabelsReader:
    """Streams `{"target": {"<id>": "Yes", ...}}`, or the inner object alone, in constant memory.

    Rows are numbered by entry, from 1.
    """

    def __init__(self, stream: ByteStream, name: str, encoder: RowEncoder) -> None:
        self._stream = stream
        self._name = name
        self._encoder = encoder
        self._prefix = encoder.prefix.encode("ascii")
        self._entry = 1

    def chunks(self) -> Iterator[Chunk]:
        """Yield the labels.

        Raises:
            InputRefused: the file is truncated or no such JSON.
        """
        rest = self._after_opening()
        while True:
            block = self._stream.read(BLOCK)
            if not block:
                break
            rest += block
            cut = rest.rfind(b",") + 1
            if cut:
                block = rest[:cut]
                used, chunk = self._quick(block) or self._entries(block)
                yield chunk
                while chunk.rows + len(chunk.rejects) == MOST_AT_ONCE:
                    used, chunk = self._entries(block, used)
                    yield chunk
                rest = rest[used:]
            if len(rest) > 2 * BLOCK:
                raise self._broken()
        used, chunk = self._entries(rest)
        yield chunk
        while chunk.rows + len(chunk.rejects) == MOST_AT_ONCE:
            used, chunk = self._entries(rest, used)
            yield chunk
        end = rest[used:]
        if not self._closing.match(end) or (self._comma_before_end and self._entry > 1):
            if _ENTRY.match(end) or not end.strip() or b"}" not in end:
                raise InputRefused(
                    self._name, f"it ends too early, after {self._entry - 1:,} labels", _LABELS_CURE, None, None
                )
            raise self._broken()

    def _after_opening(self) -> bytes:
        head = b""
        while len(head) < 4096:
            block = self._stream.read(4096)
            head += block
            for opening, closing in ((_OPENING, _CLOSING), (_OPENING_WITHOUT_NAME, _CLOSING_WITHOUT_NAME)):
                found = opening.match(head.removeprefix(_BOM))
                if found:
                    self._comma_before_end = False
                    self._closing = closing
                    return head.removeprefix(_BOM)[found.end() :]
            if not block:
                break
        if not head.strip():
            raise InputRefused(self._name, "the file is empty", _LABELS_CURE)
        raise InputRefused(self._name, 'it does not begin with {"target": {', _LABELS_CURE, 1)

    def _quick(self, block: bytes) -> tuple[int, Chunk] | None:
        """Read a block in the published layout at once; return None where it is laid out otherwise or looks odd."""
        inner = block.strip()
        if not (inner.startswith(b'"') and inner.endswith(b'",')):
            return None
        rows = inner[1:-2].replace(b'": "', b",").replace(b'", "', b"\n") + b"\n"
        no, yes = rows.count(b",No\n"), rows.count(b",Yes\n")
        count = rows.count(b"\n")
        others = rows.translate(None, b"0123456789")
        if no + yes != count or len(others) != 4 * no + 5 * yes or rows.startswith(b",") or b"\n," in rows:
            return None
        codes = np.frombuffer(rows, np.uint8)
        ends = np.flatnonzero(codes == _LF)
        if len(rows) < _SHORTEST_QUICK_BLOCK or np.diff(ends, prepend=-1).max() > _LONGEST_QUICK_LINE + 1:
            return None
        commas = np.flatnonzero(codes == _COMMA)
        starts = np.concatenate([np.zeros(1, ends.dtype), ends[:-1] + 1])
        self._encoder.keys.see(whole_numbers(codes, starts, commas))
        # An id of that many digits and Yes or No: such a row is regular.
        chunk = Chunk(numbered(self._prefix, rows, range(self._entry, self._entry + count), [True] * count), count)
        self._entry += count
        self._comma_before_end = True
        return len(block), chunk

    def _entries(self, block: bytes, place: int = 0) -> tuple[int, Chunk]:
        """Read some whole entries from a place in a block on; return where they end, and the rows."""
        chunk = Chunk()
        lines: list[str] = []
        last = self._entry + MOST_AT_ONCE
        while self._entry < last and (found := _ENTRY.match(block, place)):
            key, text, bare, separator = found.groups()
            raw = found.group().decode("utf-8", "backslashreplace").strip()
            try:
                fields = [_unescaped(key), _unescaped(text) if bare is None else bare.decode()]
            except ValueError as error:
                reason = "not valid UTF-8" if isinstance(error, UnicodeDecodeError) else "a broken escape"
                chunk.rejects.append(self._encoder.reject(self._entry, reason, raw))
            else:
                self._encoder.add(chunk, lines, fields, self._entry, raw)
            self._entry += 1
            self._comma_before_end = separator == b","
            place = found.end()
        if lines:
            chunk.copy = ("\n".join(lines) + "\n").encode()
        return place, chunk

    def _broken(self) -> InputRefused:
        return InputRefused(self._name, f"no label can be read after {self._entry - 1:,} of them", _LABELS_CURE)


def _unescaped(text: bytes) -> str:
    decoded = text.decode()
    if "\\" not in decoded:
        return decoded
    value = json.loads(f'"{decoded}"')
    value.encode()  # a lone surrogate raises
    return str(value)


class _Pairs(list[tuple[str, object]]):
    """The entries of a JSON object, in order, the same key more than once too."""


class _Number(str):
    """A number in JSON, as it is written."""


class CodesReader:
    """Reads `{"<code>": "<description>", ...}` whole: it is small. Rows are numbered by entry, from 1."""

    def __init__(self, stream: ByteStream, name: str, encoder: RowEncoder) -> None:
        self._stream = stream
        self._name = name
        self._encoder = encoder

    def chunks(self) -> Iterator[Chunk]:
        """Yield the codes.

        Raises:
            InputRefused: the file is no such JSON.
        """
        data = b""
        while block := self._stream.read(BLOCK):
            data += block
            if len(data) > _LARGEST_CODES:
                raise InputRefused(self._name, f"it is larger than {_LARGEST_CODES:,} bytes", _CODES_CURE)
        if not data.strip():
            raise InputRefused(self._name, "the file is empty", _CODES_CURE)
        try:
            # Numbers stay text: Python refuses to read very long ones.
            pairs = json.loads(
                data.decode("utf-8-sig"), object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number
            )
        except UnicodeDecodeError as error:
            raise InputRefused(self._name, "it is not valid UTF-8", "Save it as UTF-8.") from error
        except json.JSONDecodeError as error:
            raise InputRefused(self._name, f"it is no JSON ({error.msg})", _CODES_CURE, error.lineno) from error
        except RecursionError as error:
            raise InputRefused(self._name, "it is nested too deep", _CODES_CURE) from error
        if not isinstance(pairs, _Pairs):
            raise InputRefused(self._name, "it is not one JSON object", _CODES_CURE, 1)
        chunk = Chunk()
        lines: list[str] = []
        for number, (key, value) in enumerate(pairs, 1):
            if not isinstance(value, str) or isinstance(value, _Number):
                shown = mask_card_numbers(key[:60])
                raise InputRefused(self._name, f"the description of code {shown!r} is no text", _CODES_CURE)
            raw = json.dumps({key: value}, ensure_ascii=False)
            if len(raw) > 4 * LONGEST_FIELD or not _encodable(raw):
                chunk.rejects.append(self._encoder.reject(number, "too long or not valid Unicode", ascii(raw)))
            else:
                self._encoder.add(chunk, lines, [key, value], number, raw)
        if lines:
            chunk.copy = ("\n".join(lines) + "\n").encode()
        yield chunk


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
