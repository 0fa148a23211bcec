"""Owns reproducible randomness: integers made from PCG64's raw words, a stream that NumPy promises never to change.

No float function (log, exp, normal ...) takes part: their last bit may differ between machines.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Weights = Sequence[int] | npt.NDArray[Any]


class Draws:
    """A stream of draws that depends on the seed and the stream's name, and on nothing else."""

    def __init__(self, seed: int, name: str) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))

    def words(self, count: int) -> npt.NDArray[np.uint32]:
        """Uniform 32-bit words."""
        raw = np.asarray(self._bits.random_raw((count + 1) // 2), dtype="<u8")
        return raw.view("<u4")[:count]

    def below(self, count: int, bound: int | Ints) -> Ints:
        """Uniform integers in [0, bound); `bound` is one number or one per draw, at most 2**31."""
        words = self.words(count).astype(np.int64)
        return np.asarray((words * bound) >> 32)

    def chance(self, count: int, probability: float | npt.NDArray[np.float64]) -> Mask:
        """True with `probability` (one, or one per draw)."""
        return np.asarray(self.words(count) < np.asarray(np.asarray(probability) * 2.0**32, dtype=np.int64))

    def pick(self, count: int, weights: Weights) -> Ints:
        """Indexes drawn in proportion to integer weights."""
        cumulated = np.cumsum(np.asarray(weights, dtype=np.int64))
        return np.asarray(
            np.searchsorted(cumulated, self.below(count, int(cumulated[-1])), side="right"), dtype=np.int64
        )

    def shuffled(self, count: int) -> Ints:
        """A random order of 0 .. count-1 (count below 2**32)."""
        keys = self.words(count).astype(np.uint64)  # in place from here: at full scale each copy is 70 MB
        keys <<= np.uint64(32)
        keys |= np.arange(count, dtype=np.uint64)
        keys.sort()
        keys &= np.uint64(0xFFFFFFFF)
        return keys.view(np.int64)

    def sample(self, count: int, wanted: int) -> Mask:
        """A mask of `count` with exactly `wanted` (at most `count`) true."""
        chosen = np.zeros(count, dtype=np.bool_)
        chosen[self.shuffled(count)[: max(0, wanted)]] = True
        return chosen

    def quota(self, mask: Mask, wanted: int) -> Mask:
        """A random part of `mask` with exactly `wanted` true, or all of it where it holds fewer."""
        where = np.flatnonzero(mask)
        chosen = np.zeros(len(mask), dtype=np.bool_)
        chosen[where[self.shuffled(len(where))[: max(0, wanted)]]] = True
        return chosen


def spread(total: int, weights: Weights) -> list[int]:
    """Splits a whole number in proportion to integer weights, exactly, by rounding the running sum."""
    cumulated = np.cumsum(np.asarray(weights, dtype=object))
    edges = [0] + [int((2 * total * part + cumulated[-1]) // (2 * cumulated[-1])) for part in cumulated]
    return [upper - lower for lower, upper in itertools.pairwise(edges)]


def quantile_table(knots: Sequence[tuple[float, float]], bins: int) -> Ints:
    """Values at `bins`+1 equally probable edges, linear between (probability in percent, value) knots."""
    table = []
    segments = itertools.pairwise(knots)
    (p0, v0), (p1, v1) = next(segments)
    for edge in range(bins + 1):
        at = edge * 100 / bins
        while at > p1:
            (p0, v0), (p1, v1) = next(segments)
        table.append(round(v0 + (v1 - v0) * (at - p0) / (p1 - p0)))
    return np.asarray(table, dtype=np.int64)


def from_table(draws: Draws, count: int, table: Ints) -> Ints:
    """Draws from a quantile table, linear within a bin."""
    words = draws.words(count).astype(np.int64)
    bins = len(table) - 1
    position = words * bins
    at, rest = position >> 32, (position & 0xFFFFFFFF) >> 8
    return np.asarray(table[at] + (((table[at + 1] - table[at]) * rest) >> 24))
