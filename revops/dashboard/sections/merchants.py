"""Merchants: of what is chosen, by risk, by the networks' monitors, and where defrauded cards have been before."""

from __future__ import annotations

from datetime import timedelta

from revops.dashboard import filters, links, parts
from revops.dashboard.filters import Filters, where_chosen
from revops.dashboard.reader import Reader

CHOSEN = where_chosen("""
WITH chosen AS (
    SELECT merchant_id, mcc, mcc_description, is_approved, is_fraud, amount,
           is_approved AND amount > 0 AND NOT is_reversed AS is_settled
    FROM serving.enriched_transactions
    WHERE {chosen}
), summed AS (
    SELECT merchant_id, MIN(mcc) AS mcc, MIN(mcc_description) AS mcc_description, COUNT(*) AS transaction_count,
           COUNT(*) FILTER (WHERE NOT is_approved) AS declined_count, COUNT(*) FILTER (WHERE is_settled) AS settled_count,
           COALESCE(SUM(amount) FILTER (WHERE is_settled), 0) AS settled_volume, COUNT(is_fraud) AS labelled_count,
           COUNT(*) FILTER (WHERE is_fraud) AS fraud_count
    FROM chosen
    GROUP BY merchant_id
)
SELECT summed.merchant_id, summed.mcc_description, summed.settled_volume, summed.settled_count, summed.transaction_count,
       summed.declined_count, summed.labelled_count, summed.fraud_count,
       ROUND(10000.0 * summed.fraud_count / NULLIF(summed.labelled_count, 0), 2) AS fraud_rate_bp
FROM summed
ORDER BY summed.settled_volume DESC, summed.merchant_id
""")

RISK = """
SELECT merchant_id, mcc_description, transaction_count, settled_volume, labelled_count, fraud_count, fraud_rate_bp,
       fraud_rate_low_bp, estimated_fraud_rate_bp, recent_labelled_count, recent_fraud_count, recent_fraud_rate_bp,
       net_fraud_loss, last_fraud_on
FROM serving.merchant_risk
WHERE (%(mcc)s IS NULL OR mcc = %(mcc)s)
ORDER BY estimated_fraud_rate_bp DESC NULLS LAST, merchant_id
"""

MONITORS = """
SELECT month_start, merchant_id, monitor, level, latest_level, event_count, transaction_count, ratio_bp,
       labelled_ratio_bp, fraud_amount, latest_level <> 'below' OR level NOT IN ('below', 'not in force') AS is_reached
FROM serving.network_monitors
WHERE month_start >= %(since)s AND month_start < %(until)s
ORDER BY is_reached DESC, event_count DESC, ratio_bp DESC NULLS LAST, month_start DESC, merchant_id, monitor
"""

THRESHOLDS = """
SELECT monitor, level, valid_from_date, valid_until_date, min_events, min_transactions, min_amount, min_ratio_bp, reason
FROM serving.monitor_thresholds
ORDER BY monitor, valid_from_date DESC, min_ratio_bp
"""

COMPROMISE = """
SELECT month_start, merchant_id, case_count, shared_case_count, expected_case_count, lift, evidence, tested_merchant_count
FROM serving.compromise_points
WHERE month_start >= %(since)s AND month_start < %(until)s
ORDER BY evidence DESC, month_start DESC, merchant_id
"""
BACK = timedelta(days=31)


def show(reader: Reader, chosen: Filters) -> None:
    """One of four lists; a click leads to the merchant."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title("Merchants")
    lists = ["Of the filters", "By risk", "Network monitors", "Points of compromise"]
    picked = parts.segments("list", lists)
    in_months = filters.values(chosen, shown, in_months=True)
    if picked == lists[0]:
        parts.note(f"All filters are applied, {shown}. A click leads to the merchant.")
        parts.pending(reader, shown)
        clicked = parts.shown(
            reader, CHOSEN, filters.values(chosen, shown), "merchants", f"merchants {chosen}",
            merchant_id=parts.identity("Merchant"), mcc_description=parts.text("Category", 300),
            settled_volume=parts.money("Settled volume"), settled_count=parts.count("Purchases"),
            transaction_count=parts.count("Transactions"), declined_count=parts.count("Declined"),
            labelled_count=parts.count("Labelled of all kinds"), fraud_count=parts.count("Fraud of all kinds"),
            fraud_rate_bp=parts.rate("Fraud of all kinds, bp"),
        )  # fmt: skip
    elif picked == lists[1]:
        parts.note(
            "Transactions of all kinds, over all of the data and its last twelve months. The estimate ranks: as if 100 more "
            "labelled at the rate of all had been seen."
            + parts.in_months(shown, chosen, ("category",), whole_months=False)
        )
        clicked = parts.shown(
            reader, RISK, in_months, "merchant_risk", f"risk {chosen.category}",
            merchant_id=parts.identity("Merchant"), mcc_description=parts.text("Category", 220),
            estimated_fraud_rate_bp=parts.rate("Estimate, bp"), fraud_rate_bp=parts.rate("Fraud of all kinds, bp"),
            fraud_rate_low_bp=parts.rate("95 % from, bp"), fraud_count=parts.count("Fraud of all kinds"),
            labelled_count=parts.count("Labelled of all kinds"), recent_fraud_rate_bp=parts.rate("12 months, bp"),
            net_fraud_loss=parts.money("Net fraud loss"), settled_volume=parts.money("Settled volume"),
            last_fraud_on=parts.day("Last fraud"),
        )  # fmt: skip
    elif picked == lists[2]:
        parts.note(
            "Like the networks' monitors, from labels in place of chargebacks. The ratio divides by settled purchases, labelled "
            "or not: of the month before for ECM-like, card not present for the others. Beside it the one by the labelled."
            + parts.in_months(shown, chosen, ())
        )
        highest = reader.rows(MONITORS, in_months, parts.MOST_ROWS)
        if not highest.empty and not highest.iloc[0].is_reached:
            parts.nothing("No merchant reached a level in these months. Below are those with the most frauds.")
        clicked = parts.shown(
            reader, MONITORS, in_months, "network_monitors", f"monitors {shown}",
            "No merchant had settled fraud in these months. Choose more days.",
            month_start=parts.month("Month"), merchant_id=parts.identity("Merchant"), monitor="Monitor", level="Level then",
            latest_level="By the latest thresholds", event_count=parts.count("Fraud of purchases"),
            transaction_count=parts.count("Divides by"), ratio_bp=parts.rate("Ratio, bp"),
            labelled_ratio_bp=parts.rate("By the labelled, bp"), fraud_amount=parts.money("Fraud amount"),
        )  # fmt: skip
        parts.heading("What the levels ask for")
        parts.note("Of a merchant and month, all of it.")
        parts.shown(
            reader, THRESHOLDS, {}, "monitor_thresholds",
            monitor="Monitor", level="Level", valid_from_date=parts.day("From"), valid_until_date=parts.day("Until"),
            min_events=parts.count("Frauds, at least"), min_transactions=parts.count("Purchases, at least"),
            min_amount=parts.money("Fraud amount, at least"), min_ratio_bp=parts.rate("Ratio, bp, at least"),
            reason=parts.sentences("In words"),
        )  # fmt: skip
    else:
        parts.note(
            "Merchants that more cards with a new run of frauds had used than chance gives. Evidence of 3: chance alone would "
            "give as much at one of 1,000 merchants; of 4, at one of 10,000." + parts.in_months(shown, chosen, ())
        )
        labelled = filters.labelled_last(reader, shown.landed_last)
        clicked = parts.shown(
            reader, COMPROMISE, in_months, "compromise_points", f"compromise {shown}",
            "No merchant was used by a card with a new run of frauds in these months"
            + (f": labels are complete up to {labelled}" if labelled and labelled < shown.last else "")
            + ". Choose more days.",
            month_start=parts.month("Month"), merchant_id=parts.identity("Merchant"), evidence=parts.rate("Evidence"),
            lift=parts.rate("Times chance"), shared_case_count=parts.count("Cases that used it"),
            expected_case_count=parts.rate("By chance"), case_count=parts.count("Cases of the month"),
            tested_merchant_count=parts.count("Merchants tested"),
        )  # fmt: skip
    if clicked:
        of_days = filters.within(chosen, shown) if picked == lists[0] else chosen
        links.go("merchant", of_days, id=clicked[0].merchant_id)
