"""Where cardholders spend: states as tiles on a map, countries abroad, and what is in no place."""

from __future__ import annotations

import streamlit as st

from revops.dashboard import charts, filters, links, parts
from revops.dashboard.filters import Filters, where_chosen
from revops.dashboard.reader import Reader

BY_MONTH = """
WITH revenue AS (
    SELECT place, MAX(place_kind) AS place_kind, MAX(place_name) AS place_name,
           SUM(transaction_count) AS transaction_count, SUM(declined_count) AS declined_count,
           SUM(settled_count) AS settled_count, SUM(settled_volume) AS settled_volume, SUM(settled_refunds) AS settled_refunds
    FROM serving.revenue_by_state
    WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(place)s IS NULL OR place = %(place)s)
    GROUP BY place
), fraud AS (
    SELECT place, SUM(labelled_settled_count) AS labelled_settled_count, SUM(settled_fraud_count) AS settled_fraud_count,
           SUM(net_fraud_loss) AS net_fraud_loss
    FROM serving.fraud_by_geography
    WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(place)s IS NULL OR place = %(place)s)
    GROUP BY place
)
SELECT revenue.place, revenue.place_kind, revenue.place_name, revenue.transaction_count, revenue.declined_count,
       revenue.settled_count, revenue.settled_volume, revenue.settled_refunds, fraud.labelled_settled_count,
       fraud.settled_fraud_count,
       ROUND(10000.0 * fraud.settled_fraud_count / NULLIF(fraud.labelled_settled_count, 0), 2) AS settled_fraud_rate_bp,
       fraud.net_fraud_loss
FROM revenue
LEFT JOIN fraud ON fraud.place = revenue.place
ORDER BY revenue.settled_volume DESC, revenue.place
"""

CHOSEN = where_chosen("""
WITH chosen AS (
    SELECT {place} AS place, is_approved, is_fraud, is_reversed, amount,
           is_approved AND amount > 0 AND NOT is_reversed AS is_settled
    FROM serving.enriched_transactions
    WHERE {chosen}
), named AS (
    SELECT place, MAX(place_kind) AS place_kind, MAX(place_name) AS place_name
    FROM serving.revenue_by_state
    GROUP BY place
), summed AS (
    SELECT place, COUNT(*) AS transaction_count, COUNT(*) FILTER (WHERE NOT is_approved) AS declined_count,
           COUNT(*) FILTER (WHERE is_settled) AS settled_count,
           COALESCE(SUM(amount) FILTER (WHERE is_settled), 0) AS settled_volume,
           COALESCE(-SUM(amount) FILTER (WHERE is_approved AND amount < 0 AND NOT is_reversed), 0) AS settled_refunds,
           COUNT(is_fraud) FILTER (WHERE is_settled) AS labelled_settled_count,
           COUNT(*) FILTER (WHERE is_settled AND is_fraud) AS settled_fraud_count,
           COALESCE(SUM(amount) FILTER (WHERE is_settled AND is_fraud), 0) AS net_fraud_loss
    FROM chosen
    GROUP BY place
)
SELECT summed.place, named.place_kind, named.place_name, summed.transaction_count, summed.declined_count,
       summed.settled_count, summed.settled_volume, summed.settled_refunds, summed.labelled_settled_count,
       summed.settled_fraud_count,
       ROUND(10000.0 * summed.settled_fraud_count / NULLIF(summed.labelled_settled_count, 0), 2) AS settled_fraud_rate_bp,
       summed.net_fraud_loss
FROM summed
LEFT JOIN named ON named.place = summed.place
ORDER BY summed.settled_volume DESC, summed.place
""")

ISSUER = """
SELECT place, channel, place_kind, SUM(transaction_count) AS transaction_count, SUM(settled_volume) AS settled_volume,
       SUM(estimated_interchange) AS estimated_interchange, SUM(net_fraud_loss) AS net_fraud_loss,
       SUM(estimated_labelled_margin) AS estimated_labelled_margin
FROM serving.issuer_revenue_by_place
WHERE month_start >= %(since)s AND month_start < %(until)s
  AND (%(channel)s IS NULL OR channel = %(channel)s) AND (%(place)s IS NULL OR place = %(place)s)
GROUP BY place, channel, place_kind
ORDER BY estimated_labelled_margin DESC, place, channel
"""

MEASURES = {
    "Settled volume": ("settled_volume", "settled volume, US$", charts.WHOLE_DOLLARS),
    "Fraud rate": ("settled_fraud_rate_bp", "fraud of purchases, bp", charts.PERCENT),
    "Net fraud loss": ("net_fraud_loss", "net fraud loss, US$", charts.WHOLE_DOLLARS),
}
MOST_COUNTRIES = 15
BACK = 12


def show(reader: Reader, chosen: Filters) -> None:
    """The map of states, the countries, all places in a table."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title(f"Geography, {shown}")
    by_month = shown.are_whole_months and not filters.not_applied(chosen, ("place",))
    statement, values = BY_MONTH if by_month else CHOSEN, filters.values(chosen, shown)
    found = reader.rows(statement, values)
    if found.empty:
        parts.nothing()
        return
    parts.pending(reader, shown)
    picked = parts.segments("show", list(MEASURES))
    column, title, value_format = MEASURES[picked]
    tips = {
        "settled_count": ("purchases", charts.COUNT),
        "labelled_settled_count": ("labelled purchases", charts.COUNT),
        "settled_fraud_count": ("fraud of purchases", charts.COUNT),
    }
    states, countries = st.columns(2)
    with states:
        parts.heading("States")
        drawn = charts.state_tiles(found[found.place_kind == "domestic"], column, title, value_format, tips)
        tile = parts.chart(drawn, f"states {column} {values}")
    with countries:
        parts.heading("Countries abroad")
        country = None
        abroad = found[found.place_kind == "foreign"].dropna(subset=[column]).nlargest(MOST_COUNTRIES, column)
        if abroad.empty:
            parts.nothing("Nothing abroad.")
        else:
            country = parts.chart(
                charts.ranked(abroad, "place", column, title, tips, value_format=value_format),
                f"countries {column} {values}",
            )
    parts.heading("All places")
    parts.note(
        "A click on a place, here or above, leads to the transactions there. NO PLACE: the merchant has none, as most online."
    )
    row = parts.shown(
        reader, statement, values, "places", f"places {values}",
        place=parts.place(), place_name="Name", place_kind="Kind",
        settled_volume=parts.money("Settled volume"), settled_refunds=parts.money("Refunds"),
        settled_count=parts.count("Purchases"), declined_count=parts.count("Declined"),
        labelled_settled_count=parts.count("Labelled purchases"), settled_fraud_count=parts.count("Fraud of purchases"),
        settled_fraud_rate_bp=parts.rate("Fraud of purchases, bp"), net_fraud_loss=parts.money("Net fraud loss"),
    )  # fmt: skip
    parts.heading("What the issuer makes by place and channel")
    parts.note(
        "Estimated interchange less net fraud loss, of settled purchases with a label."
        + parts.in_months(shown, chosen, ("channel", "place"))
    )
    parts.shown(
        reader, ISSUER, filters.values(chosen, shown, in_months=True), "issuer_by_place",
        place=parts.place(), channel="Channel", settled_volume=parts.money("Settled volume"),
        estimated_interchange=parts.money("Interchange (estimate)"), net_fraud_loss=parts.money("Net fraud loss"),
        estimated_labelled_margin=parts.money("Margin (estimate)"),
    )  # fmt: skip
    if clicked := tile or country or (row and row[0].to_dict()):
        links.go("transactions", filters.within(chosen, shown).but(place=str(clicked["place"])))
