"""Owns the quick check of a whole block of CSV lines at once. Leaves every line that looks odd to the slow path (`csv_rows`)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loaders.formats.columns import (
    Codes,
    Flags,
    Places,
    all_between,
    are_whole_numbers,
    whole_numbers,
    word,
    words_before,
)
from loaders.keys_seen import KeysSeen
from loaders.rows import LONGEST_FIELD, Chunk, day_of, numbered
from loaders.sources import CHANNELS, ERRORS, Shape, Source

Odd = Callable[[Chunk, bytes, int], "bytes | None"]
"""Checks an odd line on the slow path: (chunk to count in, line, line number) -> fields for COPY, None if no row."""

_LF, _CR, _QUOTE, _DOLLAR, _COMMA, _MINUS, _DOT, _ZERO, _COLON, _SPACE = b'\n\r"$,-.0: '
_SHORTEST_BLOCK = 256  # so that places a little before a field are always inside
_SHORTEST_CARD_NUMBER = 13
_WIDEST_CENTRED = 25  # in a field up to this wide, 13 digits cover the middle
_WIDEST_WHOLE_DOLLARS = 6
_MOST_DAYS_KNOWN = 100_000
_KNOWN_ERRORS = frozenset(error.encode() for error in ERRORS)
_MAYBE_NONE = np.isin(np.arange(256), np.frombuffer(b"nN<#", np.uint8))  # how the words for a missing value begin
_LONGEST_NONE = 4


class BlockChecker:
    """Turns blocks of plain lines into chunks; the same result as the slow path, an order of magnitude faster.

    For relations that note which rows are regular: an irregular line takes the slow path.
    """

    def __init__(self, source: Source, prefix: str, odd: Odd, keys: KeysSeen) -> None:
        self._width = len(source.columns)
        self._prefix = prefix.encode("ascii")
        self._odd = odd
        self._date = source.columns.index(source.date_column) if source.date_column else None
        self._amount = source.columns.index(source.amount_column) if source.amount_column else None
        self._shapes = source.shapes
        self._keys = keys
        self._days: dict[bytes, str | None] = {}

    def chunk(self, block: bytes, first_line: int) -> tuple[Chunk, int] | None:
        """Return the rows of a block and how many lines it has, None where only the slow path can tell.

        Args:
            block: whole lines, each with its line end.
            first_line: the number of the first of them.
        """
        if len(block) < _SHORTEST_BLOCK:
            return None
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if b"\r" in block or b"\0" in block or b"\\" in block or not block.endswith(b"\n"):
            return None
        if not block.isascii() and (b"\xc2\xa0" in block or not _is_utf8(block)):
            return None
        codes = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(codes == _LF)
        starts = np.empty_like(ends)
        starts[0] = 0
        starts[1:] = ends[:-1] + 1
        chunk = Chunk()
        is_odd, fields = self._fields(block, codes, starts, ends)
        if fields is None:
            return None
        if self._amount is not None:
            cents, strange = _cents(codes, fields[self._amount] + 1, fields[self._amount + 1])
            is_odd |= strange
        for place, shape in enumerate(self._shapes):
            is_odd |= ~_has_shape(shape, codes, fields[place] + 1, fields[place + 1])
        if self._date is not None:
            is_odd |= self._note_days(chunk, codes, fields[self._date] + 1, fields[self._date + 1], is_odd)
        if self._amount is not None:
            chunk.cents = int(cents[~is_odd].sum())
        key = self._shapes.index("id")
        self._keys.see(whole_numbers(codes, fields[key] + 1, fields[key + 1])[~is_odd])
        regular = ~is_odd
        all_numbers = range(first_line, first_line + len(ends))
        numbers: range | list[int] = all_numbers
        if is_odd.any():
            block, kept = self._with_odd_lines(chunk, block, all_numbers, is_odd, regular, starts, ends)
            if not kept.all():
                numbers = (np.flatnonzero(kept) + first_line).tolist()
                regular = regular[kept]
        chunk.rows = len(numbers)
        chunk.copy = numbered(self._prefix, block, numbers, regular.tolist())
        return chunk, len(ends)

    def _fields(self, block: bytes, codes: Codes, starts: Places, ends: Places) -> tuple[Flags, list[Places] | None]:
        """Find where the fields of each line begin and end, and which lines are odd.

        Returns:
            Which lines are odd; and for each border between fields its place in each line (before the first, each
            comma, the line end), meaningless for odd lines. None where a quoted field may go on in the next line.
        """
        commas = np.flatnonzero(codes == _COMMA)
        between = self._width - 1
        is_odd = ends - starts > LONGEST_FIELD
        if b'"' in block:
            quotes = np.flatnonzero(codes == _QUOTE)
            lines, counts = np.unique(np.searchsorted(ends, quotes), return_counts=True)
            if (counts % 2).any():
                return is_odd, None
            is_odd[lines] = True
        if b"+" in block:  # perhaps scientific notation
            is_odd[np.searchsorted(ends, np.flatnonzero(codes == ord("+")))] = True
        if len(commas) == between * len(ends) and len(ends):
            grid = commas.reshape(len(ends), between)
            if (grid[:, 0] >= starts).all() and (grid[:, -1] < ends).all():
                inner = [np.ascontiguousarray(grid[:, place]) for place in range(between)]
                borders = [starts - 1, *inner, ends]
                return is_odd | _maybe_card(codes, borders, self._date), borders
        first = np.searchsorted(commas, starts)
        count = np.diff(first, append=len(commas))
        is_odd |= count != between
        first = np.where(is_odd, 0, first)
        padded = np.concatenate([commas, np.zeros(between, commas.dtype)])
        borders = [starts - 1, *(np.where(is_odd, starts - 1, padded[first + place]) for place in range(between))]
        borders.append(np.where(is_odd, starts, ends))
        return is_odd | _maybe_card(codes, borders, self._date), borders

    def _note_days(self, chunk: Chunk, codes: Codes, starts: Places, ends: Places, is_odd: Flags) -> Flags:
        """Note the days of the lines that are not odd; return which lines have a date of another shape."""
        last = len(codes) - 1
        strange: Flags = (ends - starts != 19) | (codes[np.minimum(starts + 13, last)] != _COLON)
        good = starts[~(strange | is_odd)]
        if not len(good):
            return strange
        texts = np.lib.stride_tricks.sliding_window_view(codes, 10)[good].view("S10").ravel()
        first_of_run = np.concatenate([[True], texts[1:] != texts[:-1]])
        bad: list[bytes] = []
        for text in set(texts[first_of_run].tolist()):
            day = self._day(text)
            if day is None:
                bad.append(text)
            else:
                chunk.days.add(day)
        if bad:
            strange[np.flatnonzero(~(strange | is_odd))[np.isin(texts, np.array(bad))]] = True
        return strange

    def _day(self, text: bytes) -> str | None:
        if text not in self._days:
            if len(self._days) > _MOST_DAYS_KNOWN:
                self._days.clear()
            self._days[text] = day_of(text.decode("utf-8", "replace"))
        return self._days[text]

    def _with_odd_lines(
        self,
        chunk: Chunk,
        block: bytes,
        numbers: range,
        is_odd: Flags,
        regular: Flags,
        starts: Places,
        ends: Places,
    ) -> tuple[bytes, Flags]:
        """Return the block with its odd lines as the slow path writes them, and which lines are left in it.

        Notes of each odd line whether it is regular.
        """
        parts: list[bytes] = []
        kept = np.ones(len(starts), np.bool_)
        done = 0
        for place in np.flatnonzero(is_odd).tolist():
            start, end = int(starts[place]), int(ends[place])
            fields = self._odd(chunk, block[start:end], numbers[place])
            parts.append(block[done:start])
            if fields is None:
                kept[place] = False
            else:
                regular[place] = fields.startswith(b"t")
                parts += (fields[2:], b"\n")
            done = end + 1
        parts.append(block[done:])
        return b"".join(parts), kept


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _maybe_card(codes: Codes, borders: list[Places], date: int | None) -> Flags:
    """Tell which lines have a field that may hold a card number: 13 digits, spaces or dashes between, over its middle.

    The date is looked at by its own shape.
    """
    maybe = np.zeros(len(borders[0]), np.bool_)
    for place in range(len(borders) - 1):
        if place == date:
            continue
        widths = borders[place + 1] - borders[place] - 1
        if widths.max() < _SHORTEST_CARD_NUMBER:
            continue
        long = np.flatnonzero(widths >= _SHORTEST_CARD_NUMBER)
        middle = borders[place][long] + 1 + widths[long] // 2
        digit = (codes[middle] - _ZERO < 10) | (codes[middle + 1] - _ZERO < 10) | (codes[middle - 1] - _ZERO < 10)
        maybe[long[digit | (widths[long] > _WIDEST_CENTRED)]] = True
    return maybe


def _cents(codes: Codes, starts: Places, ends: Places) -> tuple[Places, Flags]:
    """Read amounts of the published shape, such as $-77.00; return cents, and which lines have another shape."""
    last = len(codes) - 1
    is_negative = codes[np.minimum(starts + 1, last)] == _MINUS
    whole = starts + 1 + is_negative
    width = ends - 3 - whole
    strange = (codes[np.minimum(starts, last)] != _DOLLAR) | (width < 1) | (width > _WIDEST_WHOLE_DOLLARS)
    strange |= codes[ends - 3] != _DOT
    tens, ones = codes[ends - 2] - _ZERO, codes[ends - 1] - _ZERO
    strange |= (tens > 9) | (ones > 9)
    cents = tens.astype(np.int64) * 10 + ones
    scale = 100
    widest = int(width[~strange].max(initial=0))
    for place in range(widest):
        at = ends - 4 - place
        digit = codes[at] - _ZERO
        used = at >= whole
        strange |= used & (digit > 9)
        cents += np.where(used, digit, 0).astype(np.int64) * scale
        scale *= 10
    return np.where(is_negative, -cents, cents), strange


def _has_shape(shape: Shape, codes: Codes, starts: Places, ends: Places) -> Flags:
    """Tell which fields have a shape, by what `sources.SHAPES` says of it."""
    if shape == "id":
        return are_whole_numbers(codes, starts, ends, 18)
    if shape == "number":
        return are_whole_numbers(codes, starts, ends, 9)
    if shape == "zip":
        is_zip: Flags = (
            are_whole_numbers(codes, starts, ends - 2, 5) & (codes[ends - 2] == _DOT) & (codes[ends - 1] == _ZERO)
        )
        is_zip |= starts == ends
        return is_zip
    if shape == "moment":
        return _are_moments(codes, starts, ends)
    if shape == "channel":
        return _are_channels(codes, starts, ends)
    if shape in ("text", "state"):
        last = len(codes) - 1
        bare: Flags = (codes[np.minimum(starts, last)] != _SPACE) & (codes[ends - 1] != _SPACE)
        bare |= starts == ends
        return bare if shape == "text" else bare & ~_may_be_none(codes, starts, ends)
    if shape == "errors":
        return _are_errors(codes, starts, ends)
    if shape == "label":
        return _are_labels(codes, starts, ends)
    return np.ones(len(starts), np.bool_)  # dollars: the lines whose amount has another shape are odd


def _are_moments(codes: Codes, starts: Places, ends: Places) -> Flags:
    """Tell which fields have a time of day after their day, which is from 2000 on; the day itself is known to be one."""
    last = len(codes) - 1
    times = words_before(codes, ends)
    hours = (times & word(b"\xff\xff\0\0\0\0\0\0")).astype(np.uint16)  # little-endian: the second character counts more
    too_late = (hours & 0xFF == ord("2")) & (hours >> 8 > ord("3"))
    good: Flags = all_between(times, b"00:00:00", b"29:59:59") & ~too_late
    good &= (ends - starts == 19) & (codes[ends - 9] == _SPACE) & (codes[np.minimum(starts, last)] > ord("1"))
    return good


def _may_be_none(codes: Codes, starts: Places, ends: Places) -> Flags:
    """Tell which fields may be a word for a missing value; the slow path decides."""
    widths = ends - starts
    maybe: Flags = (widths > 2) & (widths <= _LONGEST_NONE)
    lines = np.flatnonzero(maybe)  # few
    maybe[lines] = _MAYBE_NONE[codes[starts[lines]]]
    return maybe


def _are_errors(codes: Codes, starts: Places, ends: Places) -> Flags:
    """Tell which fields are empty or one of the known errors; few are not empty."""
    good: Flags = starts == ends
    for line in np.flatnonzero(~good).tolist():
        good[line] = codes[starts[line] : ends[line]].tobytes() in _KNOWN_ERRORS
    return good


def _are_labels(codes: Codes, starts: Places, ends: Places) -> Flags:
    """Tell which fields are Yes or No."""
    words = words_before(codes, ends)
    widths = ends - starts
    good: Flags = (widths == 2) & (words >> np.uint64(48) == word(b"No") & np.uint64(0xFFFF))
    good |= (widths == 3) & (words >> np.uint64(40) == word(b"Yes") & np.uint64(0xFFFFFF))
    return good


def _are_channels(codes: Codes, starts: Places, ends: Places) -> Flags:
    """Tell which fields are one of the published texts, by their first and their last sixteen characters."""
    good = np.zeros(len(starts), np.bool_)
    widths = ends - starts
    at = np.minimum(starts + 8, len(codes))
    first, middle, last = words_before(codes, at), words_before(codes, ends - 8), words_before(codes, ends)
    for text in (channel.encode() for channel in CHANNELS):
        is_it = (last == word(text[-8:])) & (middle == word(text[-16:-8])) & (first == word(text[:8]))
        good |= is_it & (widths == len(text))
    return good
