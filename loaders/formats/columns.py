"""Owns looking at one field of many lines at once, eight bytes to a machine word. Knows no relation and no rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_TOP_BITS = np.uint64(0x8080808080808080)
_HIGH_HALVES = np.uint64(0xF0F0F0F0F0F0F0F0)
_ZEROS = np.uint64(0x3030303030303030)
_SIXES = np.uint64(0x0606060606060606)
_WORD = 8
# By the number of characters in use, which are the last of a word: these alone, and zeros in place of the others.
_USED = np.array([(1 << 64) - (1 << 8 * (_WORD - used)) for used in range(_WORD + 1)], np.uint64)
_UNUSED = np.array([0x3030303030303030 & ((1 << 8 * (_WORD - used)) - 1) for used in range(_WORD + 1)], np.uint64)


def words_before(codes: Codes, ends: Places) -> Words:
    """Return the eight bytes before each place as little-endian words; bytes before the first one are 0."""
    every: Words = np.ndarray((len(codes) - _WORD + 1,), "<u8", codes.data, 0, (1,))
    starts = ends - _WORD
    words: Words
    if len(starts) and starts.min() < 0:  # those of a few of the first lines
        words = every[np.maximum(starts, 0)]
        for line in np.flatnonzero(starts < 0).tolist():
            words[line] = int(words[line]) << 8 * min(int(-starts[line]), _WORD) & 0xFFFFFFFFFFFFFFFF
        return words
    words = every[starts]
    return words


def word(text: bytes) -> np.uint64:
    """Return eight bytes as `words_before` does."""
    value: np.uint64 = np.uint64(int.from_bytes(text, "little"))
    return value


def all_between(words: Words, lowest: bytes, highest: bytes) -> Flags:
    """Tell in which words each byte lies between the bytes at its place in two texts of ASCII."""
    over = words + word(bytes(0x7F - code for code in highest))
    under = (words | _TOP_BITS) - word(lowest)
    inside: Flags = ((words | over) & _TOP_BITS == 0) & (under & _TOP_BITS == _TOP_BITS)
    return inside


def are_digits(words: Words) -> Flags:
    """Tell which words are eight digits."""
    digits: Flags = (words & _HIGH_HALVES == _ZEROS) & ((words + _SIXES) & _HIGH_HALVES == _ZEROS)
    return digits


def numbers_of(words: Words) -> Words:
    """Return the number that eight digits make."""
    pairs = (words & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(2561) >> np.uint64(8)
    fours = (pairs & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601) >> np.uint64(16)
    numbers: Words = (fours & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001) >> np.uint64(32)
    return numbers


def are_whole_numbers(codes: Codes, starts: Places, ends: Places, widest: int) -> Flags:
    """Tell which fields are nothing but one to `widest` digits, 24 at most."""
    widths = ends - starts
    good: Flags = (widths > 0) & (widths <= widest)
    good &= are_digits(_last_digits(codes, ends, widths))
    for before in range(_WORD, widest, _WORD):
        lines = np.flatnonzero(good & (widths > before))  # seldom any
        if len(lines):
            good[lines] = are_digits(_last_digits(codes, ends[lines] - before, widths[lines] - before))
    return good


def whole_numbers(codes: Codes, starts: Places, ends: Places) -> Words:
    """Return the numbers that fields of one to 18 digits make; for other fields, any number."""
    widths = ends - starts
    numbers = numbers_of(_last_digits(codes, ends, widths))
    for before in (_WORD, 2 * _WORD):
        lines = np.flatnonzero(widths > before)
        if len(lines):
            words = _last_digits(codes, ends[lines] - before, widths[lines] - before)
            numbers[lines] += numbers_of(words) * np.uint64(10**before)
    return numbers


def _last_digits(codes: Codes, ends: Places, widths: Places) -> Words:
    """Return the last eight characters of fields, with zeros before those of narrower ones."""
    used = np.clip(widths, 0, _WORD)
    words: Words = words_before(codes, ends)
    words &= _USED[used]
    words |= _UNUSED[used]
    return words
