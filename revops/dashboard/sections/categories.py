"""Merchant categories: volume and fraud of each; a click leads to its merchants."""

from __future__ import annotations

from revops.dashboard import charts, filters, links, parts
from revops.dashboard.filters import Filters, where_chosen
from revops.dashboard.reader import Reader

BY_MONTH = """
WITH revenue AS (
    SELECT mcc, MAX(mcc_description) AS mcc_description, SUM(transaction_count) AS transaction_count,
           SUM(declined_count) AS declined_count, SUM(settled_count) AS settled_count, SUM(settled_volume) AS settled_volume
    FROM serving.revenue_by_merchant_category
    WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(mcc)s IS NULL OR mcc = %(mcc)s)
    GROUP BY mcc
), fraud AS (
    SELECT mcc, SUM(labelled_settled_count) AS labelled_settled_count, SUM(settled_fraud_count) AS settled_fraud_count,
           SUM(net_fraud_loss) AS net_fraud_loss
    FROM serving.fraud_by_merchant_category
    WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(mcc)s IS NULL OR mcc = %(mcc)s)
    GROUP BY mcc
)
SELECT revenue.mcc, revenue.mcc_description, revenue.transaction_count, revenue.declined_count, revenue.settled_count,
       revenue.settled_volume, fraud.labelled_settled_count, fraud.settled_fraud_count,
       ROUND(10000.0 * fraud.settled_fraud_count / NULLIF(fraud.labelled_settled_count, 0), 2) AS settled_fraud_rate_bp,
       fraud.net_fraud_loss
FROM revenue
LEFT JOIN fraud ON fraud.mcc = revenue.mcc
ORDER BY revenue.settled_volume DESC, revenue.mcc
"""

CHOSEN = where_chosen("""
SELECT mcc, MAX(mcc_description) AS mcc_description, COUNT(*) AS transaction_count,
       COUNT(*) FILTER (WHERE NOT is_approved) AS declined_count,
       COUNT(*) FILTER (WHERE is_approved AND amount > 0 AND NOT is_reversed) AS settled_count,
       COALESCE(SUM(amount) FILTER (WHERE is_approved AND amount > 0 AND NOT is_reversed), 0) AS settled_volume,
       COUNT(is_fraud) FILTER (WHERE is_approved AND amount > 0 AND NOT is_reversed) AS labelled_settled_count,
       COUNT(*) FILTER (WHERE is_fraud AND is_approved AND amount > 0 AND NOT is_reversed) AS settled_fraud_count,
       ROUND(10000.0 * COUNT(*) FILTER (WHERE is_fraud AND is_approved AND amount > 0 AND NOT is_reversed)
             / NULLIF(COUNT(is_fraud) FILTER (WHERE is_approved AND amount > 0 AND NOT is_reversed), 0), 2)
           AS settled_fraud_rate_bp,
       COALESCE(SUM(amount) FILTER (WHERE is_fraud AND is_approved AND amount > 0 AND NOT is_reversed), 0) AS net_fraud_loss
FROM serving.enriched_transactions
WHERE {chosen}
GROUP BY mcc
ORDER BY settled_volume DESC, mcc
""")

MOST_DRAWN = 15
BACK = 12


def show(reader: Reader, chosen: Filters) -> None:
    """The largest categories as bars, all of them in a table."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title(f"Categories, {shown}")
    by_month = shown.are_whole_months and not filters.not_applied(chosen, ("category",))
    statement, values = BY_MONTH if by_month else CHOSEN, filters.values(chosen, shown)
    found = reader.rows(statement, values)
    if found.empty:
        parts.nothing()
        return
    parts.pending(reader, shown)
    tips = {
        "settled_count": ("purchases", charts.COUNT),
        "settled_fraud_rate_bp": ("fraud of purchases, bp", charts.PERCENT),
    }
    parts.heading("The largest by settled volume")
    parts.chart(
        charts.ranked(
            found.head(MOST_DRAWN),
            "mcc_description",
            "settled_volume",
            "settled volume, US$",
            tips,
            value_format=charts.WHOLE_DOLLARS,
        )
    )
    parts.heading("All")
    parts.note("A click leads to the merchants of the category. Fraud is of settled purchases.")
    clicked = parts.shown(
        reader, statement, values, "categories", f"categories {values}",
        mcc=parts.identity("MCC"), mcc_description="Category", settled_volume=parts.money("Settled volume"),
        settled_count=parts.count("Purchases"), transaction_count=parts.count("Transactions"),
        declined_count=parts.count("Declined"), labelled_settled_count=parts.count("Labelled purchases"),
        settled_fraud_count=parts.count("Fraud of purchases"), settled_fraud_rate_bp=parts.rate("Fraud of purchases, bp"),
        net_fraud_loss=parts.money("Net fraud loss"),
    )  # fmt: skip
    if clicked:
        links.go("merchants", filters.within(chosen, shown).but(category=int(clicked[0].mcc)))
