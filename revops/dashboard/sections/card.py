"""One card: what it is, its days around a moment, its alerts and their outcome, its merchants with their risk."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from revops.dashboard import charts, labels, links, parts
from revops.dashboard.filters import DAYS, PLACE, Filters
from revops.dashboard.reader import Reader

AROUND = timedelta(days=30)

CARD = """
SELECT cards.card_id, cards.client_id, cards.card_brand, cards.card_type, cards.card_last4, cards.card_opened_on,
       cards.card_expires_on, cards.credit_limit, cards.last_transaction_on, cards.active_months, cards.transaction_count,
       cards.declined_count, cards.settled_volume, cards.estimated_lifetime_value, risk.labelled_count, risk.fraud_count,
       risk.fraud_rate_bp, risk.net_fraud_loss, risk.last_fraud_on
FROM serving.card_lifecycle AS cards
LEFT JOIN serving.card_risk AS risk ON risk.card_id = cards.card_id
WHERE cards.card_id = %(id)s
"""

TRANSACTIONS = """
SELECT transactions.transaction_id, transactions.transacted_at, transactions.amount, transactions.channel,
       transactions.is_approved, transactions.errors, transactions.is_fraud, transactions.card_id, transactions.client_id,
       transactions.merchant_id, transactions.mcc_description, {place} AS place, alerts.score, alerts.action, alerts.reasons,
       risk.estimated_fraud_rate_bp AS merchant_fraud_bp
FROM serving.enriched_transactions AS transactions
LEFT JOIN serving.fraud_alerts AS alerts ON alerts.transaction_id = transactions.transaction_id
LEFT JOIN serving.merchant_risk AS risk ON risk.merchant_id = transactions.merchant_id
WHERE transactions.card_id = %(id)s AND transactions.transacted_at >= %(since)s AND transactions.transacted_at < %(until)s
ORDER BY transactions.transacted_at DESC, transactions.transaction_id DESC
""".replace("{place}", PLACE)

ALERTS = """
SELECT alerts.transaction_id, alerts.transacted_at, alerts.score, alerts.action, alerts.amount, alerts.card_id,
       alerts.client_id, alerts.merchant_id, alerts.place, alerts.is_approved, alerts.is_fraud, desk.decision, alerts.reasons
FROM serving.fraud_alerts AS alerts
LEFT JOIN serving.alert_decisions AS desk
  ON desk.transaction_id = alerts.transaction_id AND desk.card_id = alerts.card_id AND desk.is_current
WHERE alerts.card_id = %(id)s
ORDER BY alerts.transacted_at DESC, alerts.transaction_id DESC
"""

RUNS = """
SELECT run_number, first_fraud_at, last_fraud_at, fraud_count, merchant_count, net_fraud_loss, alerted_fraud_count,
       minutes_to_alert, loss_after_alert
FROM serving.fraud_runs
WHERE card_id = %(id)s
ORDER BY run_number DESC
"""


def show(reader: Reader, chosen: Filters) -> None:
    """The card of the address, around the day of the address."""
    number = links.number("id")
    parts.title(f"Card {parts.NONE if number is None else number}")
    found = reader.rows(CARD, {"id": number})
    if found.empty:
        parts.nothing("There is no such card.")
        return
    card = found.iloc[0]
    links.link("client", f"Client {card.client_id}", chosen, id=card.client_id)
    left, right = st.columns(2)
    with left:
        parts.facts("Card", {
            "Brand": f"{card.card_brand}, {card.card_type}", "Ends in": card.card_last4,
            "Limit": parts.dollars(card.credit_limit), "Opened": card.card_opened_on, "Expires": card.card_expires_on,
            "Last transaction": card.last_transaction_on,
        })  # fmt: skip
    with right:
        parts.facts("All of the data", {
            "Transactions": f"{card.transaction_count:,.0f}, {card.declined_count:,.0f} of them declined",
            "Settled volume": parts.dollars(card.settled_volume),
            "Fraud of all kinds": parts.share(card.fraud_count, card.labelled_count, "labelled"),
            "Net fraud loss": parts.dollars(card.net_fraud_loss), "Last fraud": card.last_fraud_on,
            "Lifetime value (estimate)": parts.dollars(card.estimated_lifetime_value),
        })  # fmt: skip
    alerts = reader.rows(ALERTS, {"id": number})
    at = _day(alerts, card)
    if at is not None:
        _around(reader, chosen, number, at)
    parts.heading("All its alerts and what came of them")
    if alerts.empty:
        parts.nothing("It has none.")
    else:
        alerts["is_fraud"] = alerts.is_fraud.map(labels.WORDS).fillna(labels.UNKNOWN)
        clicked = parts.table(
            alerts, f"alerts of card {number}", transacted_at=parts.moment("When"), score=parts.identity("Score"),
            action="Action", amount=parts.money("Amount"), is_fraud="Current label", decision="Decision",
            place="Place", merchant_id=parts.identity("Merchant"), reasons=parts.sentences("Reasons"),
        )  # fmt: skip
        parts.download(ALERTS, {"id": number}, f"alerts_of_card_{number}")
        links.follow(clicked, chosen)
    parts.heading("Runs of fraud")
    parts.shown(
        reader, RUNS, {"id": number}, f"runs_of_card_{number}", empty="It has none.",
        first_fraud_at=parts.moment("First"), last_fraud_at=parts.moment("Last"), fraud_count=parts.count("Frauds of all kinds"),
        merchant_count=parts.count("Merchants"), net_fraud_loss=parts.money("Net loss"),
        minutes_to_alert=parts.count("Minutes to alert"), loss_after_alert=parts.money("Loss after the alert"),
    )  # fmt: skip


def _day(alerts: pd.DataFrame, card: Any) -> date | None:
    """The day that is looked at: of the address, or else of the last alert, or else of the last transaction."""
    with suppress(ValueError):
        return date.fromisoformat(st.query_params.get("at", ""))
    last = card.last_transaction_on if alerts.empty else alerts.iloc[0].transacted_at
    return None if pd.isna(last) else pd.Timestamp(last).date()


def _around(reader: Reader, chosen: Filters, number: int | None, at: date) -> None:
    """The days before and after as a time line and a table."""
    values = {"id": number, "since": at - AROUND, "until": at + AROUND + timedelta(days=1)}
    parts.heading(f"{AROUND.days} days before and after {at}")
    found = reader.rows(TRANSACTIONS, values)
    if found.empty:
        parts.nothing("No transaction in these days.")
        return
    found["payment"] = found.is_approved.map({True: "approved", False: "declined"})
    outcome = found.payment.mask(found.score.notna(), "alert").mask(found.is_fraud == True, "fraud")  # noqa: E712
    drawn = found.assign(outcome=outcome, what=found.mcc_description)
    landed = reader.rows(DAYS).iloc[0].last_day
    last = max(at, min(at + AROUND, landed))
    if last < at + AROUND:
        parts.note(f"The data ends on {landed}.")
    columns = ["transacted_at", "amount", "outcome", "payment", "what", "place"]
    parts.chart(charts.timeline(drawn[columns], at, at - AROUND, last))
    clicked = parts.table(
        found.assign(is_fraud=found.is_fraud.map(labels.WORDS).fillna(labels.UNKNOWN)), f"card {number} {at}", 380,
        transacted_at=parts.moment("When"), amount=parts.money("Amount"), payment="Outcome", is_fraud="Label",
        score=parts.identity("Score"),
        merchant_id=parts.identity("Merchant"), merchant_fraud_bp=parts.rate("Its fraud (estimate), bp"),
        mcc_description="Category", channel="Channel", place="Place", errors="Errors",
        reasons=parts.sentences("Why it has an alert"),
        transaction_id=parts.identity("Transaction"),
    )  # fmt: skip
    parts.download(TRANSACTIONS, values, f"card_{number}_around_{at}")
    links.follow(clicked, chosen)
