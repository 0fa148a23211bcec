"""Owns how much each month must hold, so that the yearly and overall figures come out exactly at every scale."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

from generator import figures as fig
from generator.draws import spread
from generator.people import FIRST_MONTH, MONTHS


@dataclass(frozen=True)
class Month:
    """What one month must hold."""

    index: int
    days: list[dt.date]
    rows: int
    labels: int
    online: int
    stray: int
    chip: int
    before_opening: int
    after_expiry: int
    minus_zeros: int
    ids: tuple[int, int]  # first id, width


def months(scale: float) -> list[Month]:
    """The plan of all months: rows, labels and quotas in proportion to the days, exact in their yearly sums."""
    total = max(1, round(fig.TRANSACTIONS * scale))
    per_year = spread(total, fig.ROWS_WITHOUT_ERROR)
    labels_per_year = spread(min(total, round(fig.LABELS * scale)), fig.LABELS_BY_YEAR)
    dates = [(FIRST_MONTH + m) for m in range(MONTHS)]
    lengths = [calendar.monthrange(m // 12, m % 12 + 1)[1] for m in dates]
    rows: list[int] = []
    labels: list[int] = []
    for year, (count, labelled) in enumerate(zip(per_year, labels_per_year, strict=True)):
        part = lengths[year * 12 : year * 12 + 12]
        rows += spread(count, part)
        labels += spread(labelled, part)
    net = spread(
        round(fig.NULL_STATE_ROWS * scale), [n * fig.ONLINE_WEIGHT_BY_YEAR[i // 12] for i, n in enumerate(rows)]
    )
    stray = spread(round(fig.ONLINE_CITY_NOT_ONLINE_CHANNEL * scale), rows)
    early = spread(round(fig.ROWS_BEFORE_OPENING * scale), [100 // (i + 1) for i in range(MONTHS)])
    late = spread(round(fig.ROWS_AFTER_EXPIRY * scale), rows)
    eras = (0,) * (fig.FIRST_CHIP_YEAR - fig.FIRST_YEAR) + fig.CHIP_WEIGHT_BY_YEAR
    chip = spread(round(fig.CHIP_ROWS * scale), [n * eras[i // 12] for i, n in enumerate(rows)])
    # A `$-0.00` in every set, however small: it is a trap that a loader must pass.
    zeros = spread(max(1, round(fig.MINUS_ZERO_ROWS * scale)), [100 // (i + 1) for i in range(MONTHS)])
    # The range shrinks with the scale and keeps its place around 10,000,000, so that ids have seven and eight digits.
    width = max(total, round(fig.ID_RANGE * scale))
    first_id = 10_000_000 - fig.IDS_BELOW_8_DIGITS * width // fig.ID_RANGE
    widths = _widths(rows, width)
    plans = []
    for i, month in enumerate(dates):
        days = [dt.date(month // 12, month % 12 + 1, day + 1) for day in range(lengths[i])]
        ids = (first_id, widths[i])
        plans.append(Month(i, days, rows[i], labels[i], net[i], stray[i], chip[i], early[i], late[i], zeros[i], ids))
        first_id += widths[i]
    return plans


def _widths(rows: list[int], width: int) -> list[int]:
    """Ids per month: in proportion, yet never fewer than rows."""
    gaps = spread(width - sum(rows), rows) if sum(rows) else []
    return [count + gap for count, gap in zip(rows, gaps, strict=True)]
