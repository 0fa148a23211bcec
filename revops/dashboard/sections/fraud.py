"""Fraud rates with what they divide by: by month and channel, by hour and weekday, by age of the card, in runs."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from revops.dashboard import charts, filters, links, parts
from revops.dashboard.filters import Days, Filters, where_chosen
from revops.dashboard.reader import Reader

RATES_BY_MONTH = """
SELECT month_start AS period, channel AS part, labelled_settled_count, settled_fraud_count, settled_fraud_rate_bp,
       settled_fraud_rate_low_bp, settled_fraud_rate_high_bp, labelled_settled_volume, net_fraud_loss,
       settled_fraud_rate_by_value_bp
FROM serving.fraud_by_channel_month
WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(channel)s IS NULL OR channel = %(channel)s)
ORDER BY month_start, channel
"""

RATES_CHOSEN = where_chosen("""
WITH settled AS (
    SELECT DATE_TRUNC('month', transacted_on)::DATE AS period, channel AS part, amount, is_fraud
    FROM serving.enriched_transactions
    WHERE {chosen} AND is_approved AND amount > 0 AND NOT is_reversed
)
SELECT period, part, COUNT(is_fraud) AS labelled_settled_count, COUNT(*) FILTER (WHERE is_fraud) AS settled_fraud_count,
       ROUND(10000.0 * COUNT(*) FILTER (WHERE is_fraud) / NULLIF(COUNT(is_fraud), 0), 2) AS settled_fraud_rate_bp,
       NULL::NUMERIC AS settled_fraud_rate_low_bp, NULL::NUMERIC AS settled_fraud_rate_high_bp,
       COALESCE(SUM(amount) FILTER (WHERE is_fraud IS NOT NULL), 0) AS labelled_settled_volume,
       COALESCE(SUM(amount) FILTER (WHERE is_fraud), 0) AS net_fraud_loss,
       ROUND(10000 * COALESCE(SUM(amount) FILTER (WHERE is_fraud), 0)
             / NULLIF(SUM(amount) FILTER (WHERE is_fraud IS NOT NULL), 0), 2) AS settled_fraud_rate_by_value_bp
FROM settled
GROUP BY period, part
ORDER BY period, part
""")

TABLE = """
SELECT channel, SUM(transaction_count) AS transaction_count, SUM(transaction_count - labelled_count) AS unlabelled_count,
       SUM(fraud_count) AS fraud_count, SUM(declined_fraud_count) AS declined_fraud_count,
       SUM(refund_fraud_count) AS refund_fraud_count, SUM(settled_fraud_count) AS settled_fraud_count,
       SUM(labelled_settled_count) AS labelled_settled_count,
       ROUND(10000.0 * SUM(settled_fraud_count) / NULLIF(SUM(labelled_settled_count), 0), 2) AS settled_fraud_rate_bp,
       SUM(labelled_settled_volume) AS labelled_settled_volume, SUM(net_fraud_loss) AS net_fraud_loss,
       ROUND(10000 * SUM(net_fraud_loss) / NULLIF(SUM(labelled_settled_volume), 0), 2) AS settled_fraud_rate_by_value_bp
FROM serving.fraud_by_channel_month
WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(channel)s IS NULL OR channel = %(channel)s)
GROUP BY channel
ORDER BY channel
"""

BY_HOUR = """
SELECT hour_of_day, is_night, SUM(labelled_count) AS labelled_count, SUM(fraud_count) AS fraud_count,
       ROUND(10000.0 * SUM(fraud_count) / NULLIF(SUM(labelled_count), 0), 2) AS fraud_rate_bp
FROM serving.fraud_by_hour
WHERE month_start >= %(since)s AND month_start < %(until)s
GROUP BY hour_of_day, is_night
ORDER BY hour_of_day
"""

# No report has hours by weekday: the last half-year at most, so that a look stays short.
WEEK = where_chosen("""
SELECT DATE_PART('isodow', transacted_on)::INT AS weekday, DATE_PART('hour', transacted_at)::INT AS hour_of_day,
       COUNT(*) AS transaction_count, COUNT(is_fraud) AS labelled_count, COUNT(*) FILTER (WHERE is_fraud) AS fraud_count,
       ROUND(10000.0 * COUNT(*) FILTER (WHERE is_fraud) / NULLIF(COUNT(is_fraud), 0), 2) AS fraud_rate_bp
FROM serving.enriched_transactions
WHERE {chosen}
GROUP BY 1, 2
ORDER BY 1, 2
""")

# The first digit of an age is its place in the order.
BY_CARD_AGE = """
SELECT SUBSTRING(card_age FROM 3) AS age, channel AS part, SUM(transaction_count) AS transaction_count,
       SUM(labelled_count) AS labelled_count, SUM(fraud_count) AS fraud_count,
       ROUND(10000.0 * SUM(fraud_count) / NULLIF(SUM(labelled_count), 0), 2) AS fraud_rate_bp,
       SUM(net_fraud_loss) AS net_fraud_loss
FROM serving.fraud_by_card_age
WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(channel)s IS NULL OR channel = %(channel)s)
GROUP BY card_age, channel
ORDER BY card_age, channel
"""

RUNS = """
SELECT card_id, run_number, client_id, first_fraud_at, last_fraud_at, days_long, fraud_count, declined_fraud_count,
       merchant_count, net_fraud_loss, alerted_fraud_count, minutes_to_alert, loss_after_alert
FROM serving.fraud_runs
WHERE first_fraud_at >= %(since)s AND first_fraud_at < %(until)s
ORDER BY first_fraud_at DESC, card_id
"""

LONGEST_WEEK = timedelta(days=182)
BACK = 12


def show(reader: Reader, chosen: Filters) -> None:
    """One of the views: rates by month with what they divide by, hours, ages of cards, runs."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title(f"Fraud, {shown}")
    views = {"Rates": _rates, "Hours": _hours, "Ages of cards": _ages, "Runs": _runs}
    views[parts.segments("view", list(views))](reader, chosen, shown)


def _rates(reader: Reader, chosen: Filters, shown: Days) -> None:
    by_value = parts.segments("rate", ["By count", "By value"]) == "By value"
    by_month = not filters.not_applied(chosen, ("channel",)) and shown.are_whole_months
    statement, values = RATES_BY_MONTH if by_month else RATES_CHOSEN, filters.values(chosen, shown)
    found = reader.rows(statement, values)
    if found.empty:
        parts.nothing()
        return
    months = charts.with_labels(found, filters.labelled_last(reader, shown.landed_last))
    parts.heading("Fraud rate by month and channel")
    parts.note("Of settled purchases." + parts.part_months(shown))
    parts.pending(reader, shown, is_drawn=True)
    if by_value:
        divisor, name, value_format = (
            "labelled_settled_volume",
            "labelled, settled purchases, US$",
            charts.WHOLE_DOLLARS,
        )
        rate, tips = "settled_fraud_rate_by_value_bp", {"net_fraud_loss": ("fraud, US$", charts.WHOLE_DOLLARS)}
    else:
        divisor, name, value_format = "labelled_settled_count", "labelled, settled purchases", charts.COUNT
        rate, tips = "settled_fraud_rate_bp", {
            "settled_fraud_count": ("fraud", charts.COUNT),
            "settled_fraud_rate_low_bp": ("95 % from, bp", charts.PERCENT),
            "settled_fraud_rate_high_bp": ("95 % to, bp", charts.PERCENT),
        }  # fmt: skip
    parts.chart(charts.rates(months, rate, "fraud, bp", tips | {divisor: ("of labelled", value_format)}))
    parts.note(f"The denominator: {name}, per month.")
    parts.chart(charts.divisors(months, divisor, name, value_format=value_format))
    parts.download(statement, values, "fraud_rates")
    parts.heading("By channel")
    parts.note(
        "Transactions of all kinds; from the frauds of purchases on, settled purchases: rates in bp of the labelled, volumes in "
        "US$." + parts.in_months(shown, chosen, ("channel",))
    )
    parts.shown(
        reader, TABLE, filters.values(chosen, shown, in_months=True), "fraud_by_channel",
        channel="Channel", transaction_count=parts.count("Transactions"), unlabelled_count=parts.count("Unknown"),
        fraud_count=parts.count("Fraud of all kinds"), declined_fraud_count=parts.count("of declined"),
        refund_fraud_count=parts.count("of refunds"), settled_fraud_count=parts.count("of purchases"),
        labelled_settled_count=parts.count("Labelled purchases"), settled_fraud_rate_bp=parts.rate("Rate by count"),
        labelled_settled_volume=parts.money("Labelled volume"), net_fraud_loss=parts.money("Net loss"),
        settled_fraud_rate_by_value_bp=parts.rate("Rate by value"),
    )  # fmt: skip


def _hours(reader: Reader, chosen: Filters, shown: Days) -> None:
    parts.heading("By hour of the day")
    in_months = filters.values(chosen, shown, in_months=True)
    hours = reader.rows(BY_HOUR, in_months)
    hours["time"] = hours.is_night.map({True: "night", False: "day"})
    parts.chart(charts.hours(hours))
    parts.note(
        f"Of {hours.labelled_count.sum():,.0f} labelled transactions of all kinds, {hours.fraud_count.sum():,.0f} were fraud. "
        "Hours are local, as published; night is 00:00 to 05:59." + parts.in_months(shown, chosen, ())
    )
    parts.download(BY_HOUR, in_months, "fraud_by_hour")
    first = max(shown.first, shown.last - LONGEST_WEEK + timedelta(days=1))
    values = filters.values(chosen, Days(first, shown.last, shown.landed_first, shown.landed_last))
    week = reader.rows(WEEK, values)
    tips = {
        "transaction_count": ("transactions", charts.COUNT),
        "labelled_count": ("labelled", charts.COUNT),
        "fraud_count": ("fraud", charts.COUNT),
    }
    parts.heading("By hour and weekday")
    parts.note(f"Transactions of all kinds, {first} to {shown.last}: the last half-year at most.")
    for place, (column, title, spelled) in zip(
        st.columns(2),
        (("transaction_count", "transactions", charts.COUNT), ("fraud_rate_bp", "fraud, bp", charts.PERCENT)),
        strict=True,
    ):
        with place:
            parts.chart(charts.week(week.astype({column: float}), column, title, spelled, tips))
    parts.download(WEEK, values, "hours_by_weekday")


def _ages(reader: Reader, chosen: Filters, shown: Days) -> None:
    parts.heading("By age of the card")
    parts.note(
        "Age: how long the account had been open in the month of the transactions."
        + parts.in_months(shown, chosen, ("channel",))
    )
    parts.shown(
        reader, BY_CARD_AGE, filters.values(chosen, shown, in_months=True), "fraud_by_card_age",
        age="Age", part="Channel", transaction_count=parts.count("Transactions"),
        labelled_count=parts.count("Labelled of all kinds"), fraud_count=parts.count("Fraud of all kinds"),
        fraud_rate_bp=parts.rate("Fraud of all kinds, bp"),
        net_fraud_loss=parts.money("Net loss"),
    )  # fmt: skip


def _runs(reader: Reader, chosen: Filters, shown: Days) -> None:
    parts.heading("Runs of fraud on a card")
    parts.note(
        "Frauds of a card with at most 60 days between them, by the first. Loss after the alert: what a block at the first "
        "alert would have saved. A click leads to the card." + parts.in_months(shown, chosen, (), whole_months=False)
    )
    clicked = parts.shown(
        reader, RUNS, filters.values(chosen, shown), "fraud_runs", f"runs {shown}",
        card_id=parts.identity("Card"), client_id=parts.identity("Client"), first_fraud_at=parts.moment("First fraud"),
        days_long=parts.count("Days"), fraud_count=parts.count("Frauds of all kinds"), merchant_count=parts.count("Merchants"),
        net_fraud_loss=parts.money("Net loss"), alerted_fraud_count=parts.count("With an alert"),
        minutes_to_alert=parts.count("Minutes to alert"), loss_after_alert=parts.money("Loss after the alert"),
    )  # fmt: skip
    if clicked:
        row, column = clicked
        if column == "client_id":
            links.go("client", chosen, id=row.client_id)
        links.go("card", chosen, id=row.card_id, at=f"{row.first_fraud_at:%Y-%m-%d}")
