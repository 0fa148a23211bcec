"""Owns which of two files comes later: by the date in the name, then by the name. Reads nothing but names."""

from __future__ import annotations

import datetime
import re
from pathlib import PurePosixPath

Rank = tuple[tuple[int, int, int], tuple[tuple[str | int, ...], ...], str]
"""What sorts files of one relation: the later one has the larger rank."""

_DATE = re.compile(
    r"(?<![0-9])((?:19|20)[0-9]{2})(?:([-_./])([0-9]{2})(?:\2([0-9]{2}))?|([0-9]{2})([0-9]{2}))(?![0-9])"
)
_ENDINGS = re.compile(r"(?:\.(?:csv|tsv|txt|json|jsonl|ndjson|parquet|xlsx|gz|tgz|bz2|xz|zst|zip|tar))+$")
_NUMBERS = re.compile("([0-9]+)")
_UNDATED = (0, 0, 0)


def rank(name: str) -> Rank:
    """Return the rank of a file's name in the manifest.

    An undated name comes first, then by date: of the file's own name, else of the nearest folder that has one; a month
    before its days. Names of one date go by their parts, folder by folder, numbers as numbers: part2 before part10.
    """
    parts = PurePosixPath(name).parts
    folders, last = parts[:-1], parts[-1] if parts else ""
    return (
        date_in(last) or date_in("/".join(folders)) or _UNDATED,
        tuple(_natural(part) for part in (*folders, _ENDINGS.sub("", last.casefold()))),
        name,
    )


def date_in(text: str) -> tuple[int, int, int] | None:
    """Return the last date in a text as year, month, day; the day is 0 for a month, None is returned for no date."""
    found = None
    for year, _, month, day, month_only, day_only in _DATE.findall(text):
        date = (int(year), int(month or month_only), int(day or day_only or 0))
        if _is_a_day(*date):
            found = date
    return found


def _is_a_day(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day or 1)
    except ValueError:
        return False
    return True


def _natural(text: str) -> tuple[str | int, ...]:
    """The text cut at its numbers, which compare as numbers; letters compare regardless of case."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(_NUMBERS.split(text.casefold())))
