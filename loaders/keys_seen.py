"""Owns what is noted of a file's keys while it is read: the smallest, the largest, and whether one repeats."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from loaders.formats.columns import Words

# Keys are marked by pages of as many keys: those of one file are near each other, wherever they begin.
_PAGE_BITS = 20
_MOST_PAGES = 256
_AT_ONCE = 10_000
_KEY = re.compile("[0-9]{1,18}")


class KeysSeen:
    """Sees every key of a file, in memory bounded by 32 MB of marks, one bit for each key."""

    def __init__(self) -> None:
        self._lowest: int | None = None
        self._highest: int | None = None
        self._repeats: bool | None = False
        self._marks: npt.NDArray[np.uint8] | None = None
        self._places: dict[int, int] = {}
        self._waiting: list[int] = []

    @property
    def lowest(self) -> int | None:
        """The smallest key, None where there is none."""
        self._see_waiting()
        return self._lowest

    @property
    def highest(self) -> int | None:
        """The largest key."""
        self._see_waiting()
        return self._highest

    @property
    def repeats(self) -> bool | None:
        """Whether a key was seen twice.

        None where that is not known: a key that is no plain whole number, or numbers too far from each other to be marked.
        """
        self._see_waiting()
        return self._repeats

    def see_text(self, key: str) -> None:
        """See one key as it is written."""
        if _KEY.fullmatch(key):
            self._waiting.append(int(key))
            if len(self._waiting) >= _AT_ONCE:
                self._see_waiting()
        else:
            self.see_unknown()

    def see_unknown(self) -> None:
        """See a key that is no plain whole number."""
        self._repeats = None

    def _see_waiting(self) -> None:
        if self._waiting:
            keys, self._waiting = np.array(self._waiting, np.uint64), []
            self.see(keys)

    def see(self, keys: Words) -> None:
        """See keys of up to 18 digits."""
        if not len(keys):
            return
        keys = np.sort(keys)
        lowest, highest = int(keys[0]), int(keys[-1])
        self._lowest = lowest if self._lowest is None else min(self._lowest, lowest)
        self._highest = highest if self._highest is None else max(self._highest, highest)
        if self._repeats is False:
            self._repeats = True if (keys[1:] == keys[:-1]).any() else self._mark(keys)

    def _mark(self, keys: Words) -> bool | None:
        """Mark keys, sorted and different; return whether one was marked before, None where there is no place for them."""
        if self._marks is None:
            self._marks = np.zeros(_MOST_PAGES << _PAGE_BITS >> 3, np.uint8)  # memory that stays zero is not used
        places = (keys >> np.uint64(3)).astype(np.int64)
        start = 0
        while start < len(keys):
            page = int(keys[start]) >> _PAGE_BITS
            end = int(np.searchsorted(keys, np.uint64((page + 1) << _PAGE_BITS)))
            place = self._places.setdefault(page, len(self._places))
            if place >= _MOST_PAGES:
                return None
            places[start:end] += (place - page) << _PAGE_BITS >> 3  # from where its marks would be to where they are
            start = end
        bits = (np.uint8(1) << (keys & np.uint64(7)).astype(np.uint8)).astype(np.uint8)
        if (self._marks[places] & bits).any():
            return True
        first = np.flatnonzero(np.diff(places, prepend=-1))
        self._marks[places[first]] |= np.bitwise_or.reduceat(bits, first)
        return False
