"""One transaction: what is known of it, why it has an alert, what was decided, and the ways to its card, client and merchant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from foundation.errors import RevopsError
from revops import demo_set
from revops.dashboard import investigator, labels, links, parts
from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader
from revops.dashboard.sections import alerts
from revops.desk.decisions import DECISIONS, LONGEST_NOTE, UNDECIDED

TRANSACTION = """
SELECT transaction_id, transacted_at, amount, is_approved, errors, is_refund, is_reversed, is_fraud,
       channel, merchant_id, mcc, mcc_description, merchant_city, merchant_state, merchant_country, zip,
       card_id, card_brand, card_type, card_last4, has_chip, credit_limit, card_opened_on, card_expires_on,
       client_id, age_at_transaction, credit_score, yearly_income, total_debt
FROM serving.enriched_transactions
WHERE transaction_id = %(id)s
"""

ALERT = """
SELECT score, action, rule_count, rule_names, reasons
FROM serving.fraud_alerts
WHERE transaction_id = %(id)s
"""

# Empty until a scorecard is trained: tests/revops/scoring/test_scores.py shows it.
SCORECARD = """
SELECT scores.scorecard_score, scores.scorecard_reasons, scores.scorecard_version, trained.training_from_date,
       trained.training_until_date, trained.training_fraud_count
FROM serving.scorecard_scores AS scores
JOIN serving.scorecards AS trained ON trained.month_start = scores.month_start
WHERE scores.transaction_id = %(id)s
"""

DECIDED = """
SELECT decision, decided_at, decided_by, assigned_to, note, score, rule_names, is_current
FROM serving.alert_decisions
WHERE transaction_id = %(id)s AND card_id = %(card)s
ORDER BY decision_id DESC
"""

# Features of a scorecard (revops/scoring/features.py), for people.
FEATURES = {
    "amount_cents": "amount",
    "card_transactions_1h": "transactions of the card in the last hour",
    "card_purchase_cents_1h": "purchases of the card in the last hour",
    "card_transactions_24h": "transactions of the card in the last 24 hours",
    "card_purchase_cents_24h": "purchases of the card in the last 24 hours",
    "card_transactions_7d": "transactions of the card in the last 7 days",
    "card_purchase_cents_30d": "purchases of the card in the last 30 days",
    "card_declines_24h": "declines of the card in the last 24 hours",
    "amount_z_score_90d": "amount against what the card usually buys",
    "minutes_since_previous": "time since the card was last used",
    "minutes_since_presence": "time since the card was last present",
    "days_since_card_opened": "age of the account",
    "merchant_transactions_30d": "transactions of the merchant in 30 days",
    "merchant_fraud_rate_bp_30d": "fraud rate of the merchant in 30 days",
    "mcc_transactions_30d": "transactions of the category in 30 days",
    "mcc_fraud_rate_bp_30d": "fraud rate of the category in 30 days",
    "hour_of_day": "hour of the day",
    "is_online": "whether online",
    "is_foreign": "whether abroad",
    "has_bad_card_data": "whether card number, security code or expiry date was wrong",
    "is_new_merchant_90d": "whether the merchant is new to the card",
    "is_new_mcc_90d": "whether the category is new to the card",
    "is_new_place_90d": "whether the state or country is new to the card",
    "has_place_changed": "whether the card was last present in another state or country",
    "has_country_changed": "whether the card was last present in another country",
    "is_large_after_small_1h": "whether $100 or more came within an hour after $5 or less",
    "is_weekend": "whether on a weekend",
}

GENERATED = "Trained on generated rows: it proves the machinery only."


def show(reader: Reader, chosen: Filters) -> None:
    """The transaction of the address."""
    number = links.number("id")
    parts.title(f"Transaction {parts.NONE if number is None else number}")
    found = reader.rows(TRANSACTION, {"id": number})
    if found.empty:
        parts.nothing("There is no such transaction.")
        return
    row = found.iloc[0]
    with st.container(horizontal=True):
        links.link("card", f"Card {row.card_id}", chosen, id=row.card_id, at=f"{row.transacted_at:%Y-%m-%d}")
        links.link("client", f"Client {row.client_id}", chosen, id=row.client_id)
        links.link("merchant", f"Merchant {row.merchant_id}", chosen, id=row.merchant_id)
    has_alert = _alert(reader, number)
    _scorecard(reader, number)
    if has_alert:
        _desk(reader, chosen, row)
    groups = st.columns(3)
    with groups[0]:
        place = ", ".join(part for part in (row.merchant_city, row.merchant_state) if part)
        parts.facts(
            "Transaction",
            {
                "When": f"{row.transacted_at:%Y-%m-%d %H:%M}",
                "Amount": parts.dollars(row.amount, 2),
                "Channel": row.channel,
                "Outcome": "approved" if row.is_approved else f"declined: {row.errors}",
                "Hold released": "yes" if row.is_reversed else "no",
                "Category": f"{row.mcc} {row.mcc_description or ''}",
                "Place": place,
                "Country": row.merchant_country,
                "Label": labels.WORDS.get(row.is_fraud, labels.UNKNOWN),
            },
        )
    with groups[1]:
        parts.facts(
            "Card",
            {
                "Brand": f"{row.card_brand}, {row.card_type}",
                "Ends in": row.card_last4,
                "Chip": "yes" if row.has_chip else "no",
                "Limit": parts.dollars(row.credit_limit),
                "Opened": row.card_opened_on,
                "Expires": row.card_expires_on,
            },
        )
    with groups[2]:
        parts.facts(
            "Cardholder",
            {
                "Age then": row.age_at_transaction,
                "Credit score": row.credit_score,
                "Income a year": parts.dollars(row.yearly_income),
                "Debt": parts.dollars(row.total_debt),
            },
        )


def _alert(reader: Reader, number: int | None) -> bool:
    """Which rules hit, and why, in words with their figures; whether any did."""
    found = reader.rows(ALERT, {"id": number})
    if found.empty:
        parts.note("No rule in force hit this transaction.")
        return False
    alert = found.iloc[0]
    st.markdown(f"Score **{alert.score}**, action **{parts.plain(alert.action)}**, because:")
    names, reasons = str(alert.rule_names).split(", "), str(alert.reasons).split("; ")
    if len(names) != len(reasons):
        names = [""] * len(reasons)
    st.markdown(
        "\n".join(
            f"- {parts.plain(reason)}" + (f" (`{name}`)" if name else "")
            for name, reason in zip(names, reasons, strict=True)
        )
    )
    return True


def _scorecard(reader: Reader, number: int | None) -> None:
    """The learned score, where the month has a scorecard: what raised it, strongest first, and what it was trained on."""
    found = reader.rows(SCORECARD, {"id": number})
    if found.empty:
        return
    scored = found.iloc[0]
    reasons = [reason.rpartition(" ") for reason in (scored.scorecard_reasons or "").split(", ") if reason]
    reasons.sort(key=lambda reason: -int(reason[2]))
    raised = (
        "; ".join(f"{parts.plain(FEATURES[feature])} +{points}" for feature, _, points in reasons)
        or "nothing that doubled the odds"
    )
    last = scored.training_until_date - timedelta(days=1)
    synthetic = f" {GENERATED}" if _is_synthetic(reader) else ""
    st.markdown(f"Scorecard **{scored.scorecard_score}** of 1,000, beside the rules: {raised}.")
    parts.note(
        f"Version {scored.scorecard_version}, trained on {scored.training_fraud_count:,} frauds"
        f" from {scored.training_from_date} to {last}. It raises no alert.{synthetic}"
    )


def _is_synthetic(reader: Reader) -> bool:
    return demo_set.says_synthetic(reader.value(demo_set.MARK))


def _desk(reader: Reader, chosen: Filters, row: Any) -> None:
    """What was decided, the form to decide, and the way to the next alert."""
    found = reader.rows(DECIDED, {"id": int(row.transaction_id), "card": int(row.card_id)})
    parts.heading("Decision")
    if found.empty:
        parts.note("Nothing was decided on this alert.")
    else:
        latest = found.iloc[0]
        given = f", assigned to {latest.assigned_to}" if latest.assigned_to else ""
        because = f" {latest.note}" if latest.note else ""
        parts.note(
            f"{latest.decision}, by {latest.decided_by} at {latest.decided_at:%Y-%m-%d %H:%M %Z}{given}.{because}"
        )
    investigator.bar()
    if (login := investigator.current()) is not None:
        _form(login, int(row.transaction_id), found)
    with st.container(horizontal=True, vertical_alignment="center"):
        alerts.following(reader, chosen, int(row.transaction_id))
        queue = {name: st.query_params.get(name) for name in (*alerts.OWN, *alerts.DEFAULTS)}
        links.link("alerts", "Back to the queue", chosen, icon=":material/list:", **queue)
    if not found.empty:
        with st.expander(f"All decisions ({len(found)})"):
            parts.table(
                found, decided_at=parts.moment("When"), decided_by="By", decision="Decision", assigned_to="Assigned to",
                note=parts.sentences("Note"), score=parts.identity("Score then"),
                rule_names=parts.sentences("Rules then"),
            )  # fmt: skip


def _form(login: investigator.Login, number: int, decided: pd.DataFrame) -> None:
    """Asks for a decision; a correction is another one. What was decided before is where it starts, with an empty note."""
    latest = None if decided.empty else decided.iloc[0]
    now = UNDECIDED if latest is None else latest.decision
    with st.form(f"decide {number}"):
        decision = st.radio(
            "Decision", DECISIONS, index=DECISIONS.index(now), horizontal=True, format_func=str.capitalize
        )
        note = st.text_area(
            "Note",
            max_chars=LONGEST_NOTE,
            height=80,
            placeholder="What the decision rests on. No card numbers.",
            key=f"note {number} {len(decided)}",
        )
        mine = st.checkbox("Assign to me", value=latest is None or latest.assigned_to in (None, login.name))
        if not st.form_submit_button("Save decision", icon=":material/gavel:"):
            return
    try:
        investigator.decide(login, number, decision, note, login.name if mine else None)
    except RevopsError as error:
        st.error(parts.plain(str(error)))
        return
    st.toast(f"Saved: {decision}")
    st.rerun()
