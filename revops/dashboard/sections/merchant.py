"""One merchant: its risk, the networks' monitors, whether defrauded cards had been there, its transactions."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from revops.dashboard import filters, links, parts
from revops.dashboard.filters import Filters, where_chosen
from revops.dashboard.reader import Reader

MERCHANT = """
SELECT merchant_id, mcc, mcc_description, first_month_date, last_month_date, transaction_count, declined_count,
       settled_count, settled_volume, labelled_count, fraud_count, fraud_rate_bp, fraud_rate_low_bp, fraud_rate_high_bp,
       estimated_fraud_rate_bp, recent_labelled_count, recent_fraud_count, net_fraud_loss, last_fraud_on
FROM serving.merchant_risk
WHERE merchant_id = %(id)s
"""

MONITORS = """
SELECT month_start, monitor, level, latest_level, event_count, transaction_count, ratio_bp, fraud_amount
FROM serving.network_monitors
WHERE merchant_id = %(id)s
ORDER BY month_start DESC, monitor
"""

COMPROMISE = """
SELECT month_start, evidence, lift, shared_case_count, expected_case_count, case_count
FROM serving.compromise_points
WHERE merchant_id = %(id)s
ORDER BY month_start DESC
"""

# Bounded by days: an index finds a merchant's rows at once, but a large merchant has hundreds of thousands of them.
TRANSACTIONS = where_chosen("""
SELECT transaction_id, transacted_at, amount, channel, is_approved, errors, is_fraud, card_id, client_id, merchant_id,
       mcc_description, {place} AS place
FROM serving.enriched_transactions
WHERE {chosen} AND merchant_id = %(id)s
ORDER BY transacted_at DESC, transaction_id DESC
""")


def show(reader: Reader, chosen: Filters) -> None:
    """The merchant of the address."""
    number = links.number("id")
    parts.title(f"Merchant {parts.NONE if number is None else number}")
    found = reader.rows(MERCHANT, {"id": number})
    if found.empty:
        parts.nothing("There is no such merchant.")
        return
    merchant = found.iloc[0]
    parts.facts("Merchant", {
        "Category": f"{merchant.mcc} {merchant.mcc_description or ''}",
        "Seen": f"{merchant.first_month_date:%b %Y} to {merchant.last_month_date:%b %Y}",
        "Transactions": f"{merchant.transaction_count:,.0f}, {merchant.declined_count:,.0f} of them declined",
        "Settled volume": parts.dollars(merchant.settled_volume),
        "Fraud of all kinds": parts.share(merchant.fraud_count, merchant.labelled_count, "labelled"),
        "The same in the last 12 months":
            parts.share(merchant.recent_fraud_count, merchant.recent_labelled_count, "labelled"),
        "Fraud rate of all kinds (95 % interval), bp":
            parts.NONE if pd.isna(merchant.fraud_rate_bp) else
            f"{merchant.fraud_rate_bp:,.2f} ({merchant.fraud_rate_low_bp:,.2f} to {merchant.fraud_rate_high_bp:,.2f})",
        "Estimate, to compare merchants by, bp":
            parts.NONE if pd.isna(merchant.estimated_fraud_rate_bp) else f"{merchant.estimated_fraud_rate_bp:,.2f}",
        "Net fraud loss": parts.dollars(merchant.net_fraud_loss), "Last fraud": merchant.last_fraud_on,
    })  # fmt: skip
    last_seen = (pd.Timestamp(merchant.last_month_date) + pd.offsets.MonthEnd(0)).date()
    shown = filters.days(
        reader, chosen if chosen.first or chosen.last else chosen.but(last=last_seen), timedelta(days=92)
    )
    if shown is not None:
        _transactions(reader, chosen, number, shown)
    parts.heading("Network monitors")
    parts.shown(
        reader, MONITORS, {"id": number}, f"monitors_of_merchant_{number}", empty="No settled fraud in any month.",
        month_start=parts.month("Month"), monitor="Monitor", level="Level then", latest_level="By the latest thresholds",
        event_count=parts.count("Fraud of purchases"), transaction_count=parts.count("Divides by"),
        ratio_bp=parts.rate("Ratio, bp"), fraud_amount=parts.money("Fraud amount"),
    )  # fmt: skip
    parts.heading("Cards that had been here before they were defrauded")
    parts.shown(
        reader, COMPROMISE, {"id": number}, f"compromise_of_merchant_{number}",
        empty="No card had been here in the 60 days before a new run of frauds.",
        month_start=parts.month("Month"), evidence=parts.rate("Evidence"), lift=parts.rate("Times chance"),
        shared_case_count=parts.count("Cases that used it"), expected_case_count=parts.rate("By chance"),
        case_count=parts.count("Cases of the month"),
    )  # fmt: skip


def _transactions(reader: Reader, chosen: Filters, number: int | None, shown: filters.Days) -> None:
    values = filters.values(chosen, shown) | {"id": number}
    parts.heading(f"Transactions, {shown}")
    found = reader.rows(TRANSACTIONS, values, parts.MOST_ROWS)
    if found.empty:
        parts.nothing("None in these days and filters.")
        return
    clicked = parts.transactions(found, f"merchant {number} {shown}")
    if len(found) == parts.MOST_ROWS:
        parts.note(f"The newest {parts.MOST_ROWS}. The download has all.")
    parts.download(TRANSACTIONS, values, f"transactions_of_merchant_{number}")
    links.follow(clicked, chosen)
