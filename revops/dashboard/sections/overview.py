"""The last complete month against the month and the year before, the years, and how fresh it all is."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from revops.dashboard import charts, filters, labels, links, parts
from revops.dashboard.filters import DAYS, Filters
from revops.dashboard.reader import Reader

HEADLINE = """
SELECT this_month.month_start, this_month.settled_volume, this_month.reversed_volume, this_month.reversed_count,
       this_month.net_volume, this_month.settled_refunds,
       this_month.transaction_count, this_month.approved_count, this_month.declined_count, this_month.decline_rate_bp,
       this_month.active_clients, this_month.labelled_count, this_month.fraud_count, this_month.fraud_rate_bp,
       this_month.net_volume_mom_percent, this_month.net_volume_yoy_percent,
       ROUND(100 * (this_month.settled_refunds / NULLIF(month_before.settled_refunds, 0) - 1), 2) AS refunds_mom_percent,
       ROUND(100 * (this_month.settled_refunds / NULLIF(year_before.settled_refunds, 0) - 1), 2) AS refunds_yoy_percent,
       (this_month.decline_rate_bp - month_before.decline_rate_bp) / 100 AS decline_rate_mom_percent,
       (this_month.decline_rate_bp - year_before.decline_rate_bp) / 100 AS decline_rate_yoy_percent,
       ROUND(100.0 * this_month.active_clients / NULLIF(month_before.active_clients, 0) - 100, 2) AS active_clients_mom_percent,
       ROUND(100.0 * this_month.active_clients / NULLIF(year_before.active_clients, 0) - 100, 2) AS active_clients_yoy_percent
FROM serving.monthly_executive_summary AS this_month
LEFT JOIN serving.monthly_executive_summary AS month_before
    ON month_before.month_start = (this_month.month_start - INTERVAL '1 month')::DATE AND month_before.is_complete
LEFT JOIN serving.monthly_executive_summary AS year_before
    ON year_before.month_start = (this_month.month_start - INTERVAL '1 year')::DATE AND year_before.is_complete
WHERE this_month.is_complete AND this_month.month_start < %(until)s
ORDER BY this_month.month_start DESC
LIMIT 1
"""

MONTHS = """
SELECT month_start AS period, net_volume, settled_volume, settled_refunds, transaction_count, decline_rate_bp,
       active_clients, labelled_count, fraud_count, fraud_rate_bp
FROM serving.monthly_executive_summary
WHERE is_complete AND month_start >= %(since)s AND month_start < %(until)s
ORDER BY month_start
"""

YEARS = """
SELECT EXTRACT(YEAR FROM month_start)::INT AS year, COUNT(*) FILTER (WHERE is_complete) AS complete_months,
       SUM(net_volume) AS net_volume, SUM(settled_volume) AS settled_volume, SUM(settled_refunds) AS settled_refunds,
       SUM(transaction_count) AS transaction_count,
       ROUND(100.0 * SUM(declined_count) / NULLIF(SUM(transaction_count), 0), 2) AS decline_rate_percent,
       SUM(labelled_count) AS labelled_count, SUM(fraud_count) AS fraud_count,
       ROUND(10000.0 * SUM(fraud_count) / NULLIF(SUM(labelled_count), 0), 2) AS fraud_rate_bp
FROM serving.monthly_executive_summary
GROUP BY 1
ORDER BY 1 DESC
"""

FRESHNESS = """
SELECT relation_name, last_transaction_on, last_fraud_on, last_landed_at, file_count, rows_loaded, rows_rejected
FROM serving.data_freshness
ORDER BY relation_name
"""

MONTHS_SHOWN = 36


def show(reader: Reader, chosen: Filters) -> None:
    """The headline, the months before it, the years, what has landed."""
    landed = reader.rows(DAYS).iloc[0].last_day
    if landed is not None:
        until = (pd.Timestamp(chosen.last or landed) + pd.offsets.MonthBegin(1)).date()
        found = reader.rows(HEADLINE, {"until": until})
        if found.empty:
            parts.nothing("There is no complete month yet. Land more files, then build.")
        else:
            _month(reader, chosen, found.iloc[0], landed)
        parts.heading("Years")
        parts.shown(
            reader, YEARS, {}, "years",
            year=parts.identity("Year"), complete_months=parts.count("Complete months"),
            net_volume=parts.money("Net volume"), settled_volume=parts.money("Settled volume"),
            settled_refunds=parts.money("Refunds"), transaction_count=parts.count("Transactions"),
            decline_rate_percent=parts.rate("Declined, %"), labelled_count=parts.count("Labelled of all kinds"),
            fraud_count=parts.count("Fraud of all kinds"), fraud_rate_bp=parts.rate("Fraud of all kinds, bp"),
        )  # fmt: skip
    parts.heading("How fresh is this?")
    parts.shown(
        reader, FRESHNESS, {}, "freshness",
        relation_name="Files of", last_transaction_on=parts.day("Last transaction"), last_fraud_on=parts.day("Last fraud"),
        last_landed_at=parts.moment("Last landed"), file_count=parts.count("Files"),
        rows_loaded=parts.count("Rows loaded"), rows_rejected=parts.count("Rows rejected"),
    )  # fmt: skip


def _month(reader: Reader, chosen: Filters, month: Any, landed: Any) -> None:
    parts.title(f"{month.month_start:%B %Y}")
    parts.note("The last complete month, against the month before and the same month of the year before.")
    if chosen.chosen():
        parts.note("This page is of all transactions: of the filters, only the days are applied, to the months.")
    shown = {
        "net_volume": ("Net volume", parts.dollars(month.net_volume), "%", "better"),
        "refunds": ("Refunds", parts.dollars(month.settled_refunds), "%", "worse"),
        "decline_rate": ("Decline rate", f"{month.decline_rate_bp / 100:.2f} %", "pp", "worse"),
        "active_clients": ("Active clients", f"{month.active_clients:,.0f}", "%", "better"),
    }
    for column, (name, (label, value, unit, more_is)) in zip(st.columns(4), shown.items(), strict=True):
        with column:
            changes = {
                "month before": (month[f"{name}_mom_percent"], unit),
                "year before": (month[f"{name}_yoy_percent"], unit),
            }
            parts.metric(label, value, changes, more_is)
    last_of_month = (pd.Timestamp(month.month_start) + pd.offsets.MonthEnd(0)).date()
    still = (
        ""
        if labels.are_complete(last_of_month, filters.labelled_last(reader, landed))
        else " Its labels are still to come: the figure will grow."
    )
    parts.note(
        f"Net volume is {parts.dollars(month.settled_volume)} of settled purchases less refunds; "
        f"{month.reversed_count:,.0f} holds of {parts.dollars(month.reversed_volume)} were released and count in neither. "
        f"{month.approved_count:,.0f} of {month.transaction_count:,.0f} transactions "
        f"({(10000 - month.decline_rate_bp) / 100:.2f} %) were approved, {month.declined_count:,.0f} declined. "
        f"Fraud: {month.fraud_count:,.0f} of {month.labelled_count:,.0f} with a label; the others are unknown.{still}"
    )
    parts.heading("Net volume by month")
    parts.note("Complete months only. A click on one leads to its categories.")
    last = pd.Timestamp(month.month_start)
    values = {
        "since": min(chosen.first, last.date()).replace(day=1)
        if chosen.first
        else (last - pd.DateOffset(months=MONTHS_SHOWN - 1)).date(),
        "until": (last + pd.DateOffset(months=1)).date(),
    }
    clicked = parts.chart(charts.bars(reader.rows(MONTHS, values), "net_volume", "net volume, US$"), "months")
    parts.download(MONTHS, values, "months")
    if clicked:
        links.go("categories", chosen.of_month(parts.month_of(clicked)))
