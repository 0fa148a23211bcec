"""Days joined to ranges, each of which is evaluated at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from revops.ledger.ledger import FIRST_DAY

# Days closer than this are evaluated as one range: starting another range costs as much as so many untouched days.
JOINED_DAYS = 31
# More ranges than this are joined over the narrowest gaps.
MOST_RANGES = 50


Unit = Literal["day", "month", "year"]
"""What a table of days is evaluated by: a month or year is evaluated whole."""
LONGEST: dict[Unit, int] = {"day": 1, "month": 31, "year": 366}
"""How many days each may have."""


def start_of(unit: Unit, day: date) -> date:
    """The first day of the unit that a day is of."""
    return day.replace(day=1, month=1 if unit == "year" else day.month) if unit != "day" else day


def end_of(unit: Unit, day: date) -> date:
    """The last day of the unit that a day is of."""
    if unit == "day":
        return day
    months = 12 if unit == "year" else day.month
    return date(day.year + months // 12, months % 12 + 1, 1) - timedelta(days=1)


@dataclass(frozen=True, order=True)
class Days:
    """From `first` to `last`, both included."""

    first: date
    last: date


def ranges_of(days: Iterable[date], joined: int = JOINED_DAYS) -> list[Days]:
    """Days joined to few ranges, in order: a gap of up to `joined` days is bridged, and wider ones beyond `MOST_RANGES`.

    The day for rows without a date is never joined to others: the range would be all history.
    """
    ordered = sorted(set(days))
    undated = [Days(FIRST_DAY, FIRST_DAY)] if ordered and ordered[0] == FIRST_DAY else []
    if undated and len(ordered) > 1 and ordered[1] == FIRST_DAY + timedelta(days=1):
        undated = []  # all history it is
    ranges: list[Days] = []
    for day in ordered[len(undated) :]:
        if ranges and day - ranges[-1].last <= timedelta(days=joined):
            ranges[-1] = Days(ranges[-1].first, day)
        else:
            ranges.append(Days(day, day))
    while len(ranges) > MOST_RANGES:
        at = min(range(1, len(ranges)), key=lambda i: ranges[i].first - ranges[i - 1].last)
        ranges[at - 1 : at + 1] = [Days(ranges[at - 1].first, ranges[at].last)]
    return undated + ranges


def days_in(ranges: Iterable[Days]) -> list[date]:
    """All days of ranges, in order."""
    return [span.first + timedelta(days=i) for span in ranges for i in range((span.last - span.first).days + 1)]


def unit_of(model: Any) -> Unit:
    """What a model of SQLMesh's is evaluated by, where that is days."""
    unit = str(model.interval_unit.value)
    return "month" if unit == "month" else "year" if unit == "year" else "day"
