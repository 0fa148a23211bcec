"""The last landed day: against the same weekday before and the 28 days before it, and what moved most."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from revops.dashboard import charts, filters, labels, links, parts
from revops.dashboard.filters import Filters, where_chosen
from revops.dashboard.reader import Reader

BAND = 28
KINDS = {"Categories": "category", "States and countries": "place", "Channels": "channel"}
MEASURES = {
    "net_volume": "Net volume",
    "transaction_count": "Transactions",
    "decline_rate_percent": "Decline rate",
    "alert_count": "Alerts",
    "fraud_count": "Fraud",
}

BY_DAY = where_chosen("""
WITH chosen AS (
    SELECT transaction_id, transacted_on, amount, is_approved, is_fraud
    FROM serving.enriched_transactions
    WHERE {chosen}
), alerts AS (
    SELECT transaction_id
    FROM serving.fraud_alerts
    WHERE transacted_on >= %(since)s AND transacted_on < %(until)s
)
SELECT chosen.transacted_on AS day, COUNT(*) AS transaction_count,
       COUNT(*) FILTER (WHERE NOT chosen.is_approved) AS declined_count,
       ROUND(100.0 * COUNT(*) FILTER (WHERE NOT chosen.is_approved) / COUNT(*), 2) AS decline_rate_percent,
       COALESCE(SUM(chosen.amount) FILTER (WHERE chosen.is_approved), 0) AS net_volume,
       COUNT(alerts.transaction_id) AS alert_count, COUNT(chosen.is_fraud) AS labelled_count,
       COUNT(*) FILTER (WHERE chosen.is_fraud) AS fraud_count
FROM chosen
LEFT JOIN alerts ON alerts.transaction_id = chosen.transaction_id
GROUP BY chosen.transacted_on
ORDER BY 1
""")

MOVERS = where_chosen("""
WITH chosen AS (
    SELECT transacted_on, mcc_description,
           CASE %(kind)s WHEN 'channel' THEN channel WHEN 'place' THEN {place} ELSE mcc::TEXT END AS mover,
           CASE WHEN is_approved THEN amount ELSE 0 END AS moved
    FROM serving.enriched_transactions
    WHERE {chosen}
)
SELECT mover, CASE WHEN %(kind)s = 'category' THEN MAX(mcc_description) ELSE mover END AS mover_name,
       SUM(moved) FILTER (WHERE transacted_on = %(day)s) AS net_volume,
       SUM(moved) FILTER (WHERE transacted_on = %(day)s - 7) AS week_before,
       ROUND(SUM(moved) FILTER (WHERE transacted_on < %(day)s) / %(days)s, 2) AS usual,
       COALESCE(SUM(moved) FILTER (WHERE transacted_on = %(day)s), 0)
       - ROUND(COALESCE(SUM(moved) FILTER (WHERE transacted_on < %(day)s), 0) / %(days)s, 2) AS change,
       COUNT(*) FILTER (WHERE transacted_on = %(day)s) AS transaction_count
FROM chosen
GROUP BY mover
ORDER BY ABS(COALESCE(SUM(moved) FILTER (WHERE transacted_on = %(day)s), 0)
             - COALESCE(SUM(moved) FILTER (WHERE transacted_on < %(day)s), 0) / %(days)s) DESC, mover
""")


def show(reader: Reader, chosen: Filters) -> None:
    """The day, its figures in their band, the movers."""
    shown = filters.days(reader, chosen, timedelta(days=1))
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    day = shown.last
    complete = filters.labelled_last(reader, shown.landed_last)
    labelled = min(day, complete) if complete else None
    if labelled is not None and labelled < day - timedelta(days=BAND):
        labelled = None  # so long ago that it says nothing of this day
    parts.title(f"{day:%A, %d %B %Y}")
    week_before = day - timedelta(days=7)
    parts.note(
        f"The last day {'chosen' if chosen.last else 'that has landed'}, against {week_before:%A} {week_before} and the "
        f"{BAND} days before. Grey in the pictures: where those {BAND} days lay. Fraud is of the last day whose labels are "
        f"complete: they are up to {complete or 'no day'}, and {labels.DELAY.days} days are declared for them to arrive."
    )
    first = (labelled or day) - timedelta(days=BAND)
    values = filters.values(chosen, filters.Days(first, day, shown.landed_first, shown.landed_last))
    found = _every_day(reader.rows(BY_DAY, values), max(first, shown.landed_first), day)
    columns = st.columns(len(MEASURES))
    for column, measure in zip(columns, MEASURES, strict=True):
        with column:
            _measure(found, measure, labelled if measure == "fraud_count" else day)
    parts.download(BY_DAY, values, f"days_to_{day}")
    before = found[(found.index < day) & (found.index >= day - timedelta(days=BAND))]
    _movers(reader, chosen, day, int((before.transaction_count > 0).sum()))


def _every_day(found: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """One row a day, also for one without transactions: they are none, and their decline rate is unknown."""
    days = pd.date_range(first, last).date
    by_day = found.set_index("day").reindex(days)
    rates = by_day.pop("decline_rate_percent").astype(float)
    filled: pd.DataFrame = by_day.fillna(0).astype(float).assign(decline_rate_percent=rates)
    return filled


def _measure(found: pd.DataFrame, measure: str, day: date | None) -> None:
    """One figure of a day, its change from the same weekday before, and the band of the days before."""
    title = MEASURES[measure]
    if day is None or day not in found.index:
        parts.metric(title, parts.NONE, {"same weekday before": (None, "")})
        return
    value: Any = found[measure].get(day)
    before: Any = found[measure].get(day - timedelta(days=7))
    if measure == "fraud_count":
        title = f"Fraud, {day:%d %b}, of {found.labelled_count[day]:,.0f} labelled"
    worse = measure in ("decline_rate_percent", "alert_count", "fraud_count")
    change: float | None
    if measure in ("net_volume", "transaction_count"):
        change, unit = (100 * (value / before - 1) if before else None), "%"
    else:
        change, unit = (
            (None if before is None else value - before),
            "pp" if measure == "decline_rate_percent" else "",
        )
    parts.metric(title, _spelled(measure, value),
                 {"same weekday before": (change, unit)}, "worse" if worse else "better")  # fmt: skip
    last_days = found[found.index <= day].iloc[-BAND - 1 :]
    earlier = last_days[measure].iloc[:-1].dropna()
    if earlier.empty:
        return
    low, high = earlier.min(), earlier.max()
    where = "above" if value > high else "below" if value < low else "within"
    drawn = last_days.assign(day=last_days.index, low=low, high=high, is_last=last_days.index == day)
    parts.picture(
        charts.band(drawn, measure, MEASURES[measure], lambda value: _spelled(measure, value)),
        f"{where.capitalize()} the {len(earlier)} days before: {_spelled(measure, low)} to {_spelled(measure, high)}, "
        f"median {_spelled(measure, earlier.median())}.",
    )


def _spelled(measure: str, value: float) -> str:
    if np.isnan(value):
        return parts.NONE
    if measure == "net_volume":
        return parts.dollars(value)
    return f"{value:.2f} %" if measure == "decline_rate_percent" else f"{value:,.0f}"


def _movers(reader: Reader, chosen: Filters, day: date, days: int) -> None:
    """What moved most against the mean of the days before; a click leads to the transactions of the day.

    Args:
        reader: where it is read.
        chosen: what is chosen.
        day: the day.
        days: on how many of the days before there are transactions.
    """
    since = day - timedelta(days=BAND)
    parts.heading("What moved most")
    parts.note(
        f"Net volume of the day against the daily mean of {days} days: those with transactions of the {BAND} before. A click "
        "leads to the transactions."
    )
    kind = KINDS[parts.segments("movers", list(KINDS))]
    values = filters.values(chosen, filters.Days(since, day, since, day)) | {
        "day": day,
        "days": max(days, 1),
        "kind": kind,
    }
    clicked = parts.shown(
        reader, MOVERS, values, f"movers_of_{day}", f"movers {kind} {day}",
        mover_name=parts.text(filters.TITLES[kind], 300), net_volume=parts.money("Day"), week_before=parts.money("Week before"),
        usual=parts.money("Usual"), change=parts.money("Change"), transaction_count=parts.count("Transactions"),
    )  # fmt: skip
    if clicked:
        mover = str(clicked[0].mover)
        picked: Any = int(mover) if kind == "category" else mover
        links.go("transactions", chosen.but(first=day, last=day, **{kind: picked}))
