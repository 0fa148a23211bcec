"""The pages: which figures each shows, and the words around them. Every figure comes from a statement of `queries`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from revops.dashboard import charts, parts, queries
from revops.dashboard.reader import Reader

MOST_ALERTS = 200
LABELS = {True: "fraud", False: "not fraud"}
UNKNOWN = "unknown"
UNLABELLED = (
    "Rates divide by transactions with a label. One without a label is unknown, never legitimate: it is in no rate."
)


@dataclass(frozen=True)
class Section:
    """One page: where it is, what it is called, what shows it."""

    path: str
    title: str
    icon: str
    show: Callable[[Reader], None]


def overview(reader: Reader) -> None:
    """The last complete month against the month and the year before, the months before it, how fresh it all is."""
    found = reader.rows(queries.HEADLINE)
    if found.empty:
        parts.nothing()
        return
    month = found.iloc[0]
    parts.title(f"{month.month_start:%B %Y}")
    st.caption("The last complete month of the data, against the month before and the same month of the year before.")
    cards = st.columns(4)
    with cards[0]:
        parts.card("Net volume", parts.dollars(month.net_volume), month, "net_volume", "%")
    with cards[1]:
        parts.card("Refunds", parts.dollars(month.settled_refunds), month, "refunds", "%", more_is="worse")
    with cards[2]:
        parts.card("Decline rate", f"{month.decline_rate_bp / 100:.2f} %", month, "decline_rate", "bp", more_is="worse")
    with cards[3]:
        parts.card("Active clients", f"{month.active_clients:,.0f}", month, "active_clients", "%")
    st.caption(
        parts.plain(
            f"Net volume is {parts.dollars(month.settled_volume)} of settled purchases less refunds; "
            f"{month.reversed_count:,.0f} holds of {parts.dollars(month.reversed_volume)} were released and count in neither. "
            f"{month.approved_count:,.0f} of {month.transaction_count:,.0f} transactions "
            f"({(10000 - month.decline_rate_bp) / 100:.2f} %) were approved, {month.declined_count:,.0f} declined. "
            f"Fraud: {month.fraud_count:,.0f} of {month.labelled_count:,.0f} with a label; the others are unknown."
        )
    )
    parts.heading("Net volume by month")
    since = (pd.Timestamp(month.month_start) - pd.DateOffset(months=35)).date()
    st.altair_chart(
        charts.months_in_bars(
            parts.dated(reader.rows(queries.MONTHS, {"since": since})), "net_volume", "net volume, US$"
        )
    )
    parts.heading("How fresh is this?")
    parts.table(
        reader.rows(queries.FRESHNESS),
        relation_name="Files of",
        last_transaction_on=st.column_config.DateColumn("Last transaction", format="YYYY-MM-DD"),
        last_landed_at=st.column_config.DatetimeColumn("Last landed", format="YYYY-MM-DD HH:mm"),
        file_count=parts.count("Files"),
        rows_loaded=parts.count("Rows loaded"),
        rows_rejected=parts.count("Rows rejected"),
    )


def revenue(reader: Reader) -> None:
    """Net volume by channel or card type, with refunds listed separately, and estimated interchange."""
    parts.title("Revenue")
    controls = parts.controls()
    period = parts.period(reader, controls)
    if period is None:
        return
    by_channel = controls.segmented_control("By", ["Channel", "Card type"], default="Channel") != "Card type"
    months = parts.dated(
        reader.rows(queries.REVENUE_BY_CHANNEL if by_channel else queries.REVENUE_BY_CARD_TYPE, period)
    )
    parts.heading("Net volume by month")
    st.altair_chart(charts.parts_in_bars(months, "net_volume", "net volume, US$"))
    parts.heading("Refunds by month")
    st.altair_chart(charts.parts_in_bars(months, "settled_refunds", "refunds, US$"))
    parts.heading("The period by channel and card type")
    parts.table(
        reader.rows(queries.REVENUE_TABLE, period),
        channel="Channel",
        card_type="Card type",
        settled_count=parts.count("Purchases"),
        settled_volume=parts.money("Settled volume"),
        reversed_volume=parts.money("Holds released"),
        settled_refunds=parts.money("Refunds"),
        net_volume=parts.money("Net volume"),
        average_ticket=parts.money("Average ticket"),
        estimated_interchange=parts.money("Interchange (estimate)"),
    )
    st.caption(
        "The interchange is an estimate by a table of rates: the data holds no fee. Declined transactions move no money. "
        "Purchases are settled ones: a hold that an exactly opposite refund released within 24 hours is shown apart."
    )


def declines(reader: Reader) -> None:
    """How much is declined, and why."""
    parts.title("Declines")
    period = parts.period(reader, parts.controls())
    if period is None:
        return
    parts.heading("Decline rate by month and channel")
    st.altair_chart(
        charts.rates_in_lines(
            parts.dated(reader.rows(queries.DECLINE_RATES, period)),
            "decline_rate_percent",
            "declined, % of all transactions",
            {"declined_count": "declined", "transaction_count": "transactions"},
        )
    )
    found = reader.rows(queries.DECLINE_REASONS, period)
    parts.heading("Why")
    st.altair_chart(charts.reasons_in_bars(found[found.decline_reason != "Any error"]))
    st.caption(
        "A transaction with two errors counts for both reasons, and once as any error: reasons do not add up to it."
    )
    parts.table(
        found,
        decline_reason="Reason",
        part="Channel",
        declined_count=parts.count("Declined"),
        transaction_count=parts.count("Transactions"),
        decline_rate_percent=st.column_config.NumberColumn("Rate", format="%.3f %%"),
        declined_amount=parts.money("Amount requested"),
    )


def fraud(reader: Reader) -> None:
    """Fraud rates with what they divide by, by month, channel and hour."""
    parts.title("Fraud")
    st.caption(UNLABELLED)
    controls = parts.controls()
    period = parts.period(reader, controls)
    if period is None:
        return
    by_value = controls.segmented_control("Rate", ["By count", "By value"], default="By count") == "By value"
    months = parts.dated(reader.rows(queries.FRAUD_RATES, period))
    parts.heading("Fraud rate by month and channel")
    if by_value:
        divisor, name = "labelled_settled_volume", "US dollars of labelled, settled purchases"
        rate, title = "settled_fraud_rate_by_value_bp", "fraud, bp of labelled dollars"
        shown = {"net_fraud_loss": "fraud, US$", divisor: "labelled, US$"}
    else:
        divisor, name = "labelled_settled_count", "labelled, settled purchases"
        rate, title = "settled_fraud_rate_bp", "fraud, bp of the labelled"
        shown = {
            "settled_fraud_count": "fraud",
            divisor: "labelled",
            "settled_fraud_rate_low_bp": "95 % from, bp",
            "settled_fraud_rate_high_bp": "95 % to, bp",
        }
    st.altair_chart(charts.rates_in_lines(months, rate, title, shown))
    st.caption(f"{name[0].upper()}{name[1:]} per month (the denominator):")
    st.altair_chart(charts.divisors_in_bars(months, divisor, name))
    parts.table(
        reader.rows(queries.FRAUD_TABLE, period),
        channel="Channel",
        transaction_count=parts.count("Transactions"),
        unlabelled_count=parts.count("Unknown"),
        fraud_count=parts.count("Fraud of all kinds"),
        declined_fraud_count=parts.count("of declined attempts"),
        refund_fraud_count=parts.count("of refunds"),
        settled_fraud_count=parts.count("of settled purchases"),
        labelled_settled_count=parts.count("Labelled, settled purchases"),
        settled_fraud_rate_bp=st.column_config.NumberColumn("Their rate by count, bp", format="%.2f"),
        labelled_settled_volume=parts.money("Labelled, settled"),
        net_fraud_loss=parts.money("Net loss"),
        settled_fraud_rate_by_value_bp=st.column_config.NumberColumn("Their rate by value, bp", format="%.2f"),
    )
    hours = reader.rows(queries.FRAUD_BY_HOUR, period)
    hours["time"] = hours.is_night.map({True: "night", False: "day"})
    parts.heading("By hour of the day")
    st.altair_chart(charts.hours_in_bars(hours))
    st.caption(
        f"Of {hours.labelled_count.sum():,.0f} labelled transactions, {hours.fraud_count.sum():,.0f} were fraud. "
        "Hours are local, as published; night is 00:00 to 05:59."
    )


def alerts(reader: Reader) -> None:
    """Alerts of some days with their reasons, and one of them with all that is known of the transaction."""
    parts.title("Alerts")
    days = reader.rows(queries.ALERT_DAYS).iloc[0]
    if pd.isna(days.last_day):
        st.info("There is no alert: no rule has hit a transaction yet.")
        return
    controls = parts.controls()
    first = max(days.first_day, (pd.Timestamp(days.last_day) - pd.Timedelta(days=30)).date())
    picked: Any = controls.date_input(
        "Days",
        (first, days.last_day),
        min_value=days.first_day,
        max_value=days.last_day,
        format="YYYY-MM-DD",
        width=260,
    )
    newest = controls.segmented_control("Sort by", ["Highest score", "Newest"], default="Highest score") == "Newest"
    chosen = list(picked)
    if len(chosen) < 2:  # the first click on the calendar; the second one is to come
        st.info("Pick the last day too.")
        return
    wanted = {"first_day": chosen[0], "last_day": chosen[1], "most": MOST_ALERTS}
    found = reader.rows(queries.ALERTS_NEWEST if newest else queries.ALERTS_BY_SCORE, wanted)
    if found.empty:
        st.info("No alert on these days.")
        return
    total = int(reader.rows(queries.ALERT_COUNT, wanted).iloc[0].alert_count)
    shown = f"The first {len(found):,} of {total:,} alerts" if total > len(found) else f"{total:,} alerts"
    st.caption(f"{shown}. A click at the left of a row shows its transaction below.")
    found["is_fraud"] = found.is_fraud.map(LABELS).fillna(UNKNOWN)
    found["is_approved"] = found.is_approved.map({True: "approved", False: "declined"})
    selected: Any = parts.table(
        found,
        height=330,
        key=f"alerts {newest} {chosen[0]} {chosen[1]}",  # another table is no place for the old choice of a row
        transaction_id=st.column_config.NumberColumn("Transaction", format="%d"),
        score=st.column_config.NumberColumn("Score", format="%d"),
        action="Action",
        transacted_at=st.column_config.DatetimeColumn("When", format="YYYY-MM-DD HH:mm"),
        amount=parts.money("Amount"),
        channel="Channel",
        place="Place",
        is_approved="Outcome",
        reasons=st.column_config.TextColumn("Reasons", width="large"),
        is_fraud="Current label",
    )
    rows = selected.selection.rows
    _transaction(reader, found.iloc[rows[0] if rows else 0])


def rules(reader: Reader) -> None:
    """What each rule is worth, one era beside the other, never blended."""
    parts.title("Rules")
    found = reader.rows(queries.RULES_BY_ERA)
    if found.empty:
        parts.nothing()
        return
    st.caption(
        "A back-test by era, because fraud moved. Precision divides by labelled alerts, recall by all labelled fraud. "
        "Rules were selected on the tuning era, so results for that era are not evidence."
    )
    kinds = {"Rules": ("rule",), "Score and cards": ("score", "cards")}
    chosen = st.segmented_control("Measure", list(kinds), default="Rules") or "Rules"
    found = found[found.measured_kind.isin(kinds[chosen])]
    measures = pd.concat(
        [
            found.assign(measure=name, percent=found[f"{name}_percent"], divisor=found[divisor])
            for name, divisor in (("precision", "labelled_alert_count"), ("recall", "fraud_count"))
        ]
    )
    st.altair_chart(charts.rules_by_era(measures), width="content")
    found = found.assign(is_tuning=found.is_tuning.map({True: "chosen on", False: ""})).drop(columns="measured_kind")
    parts.table(
        found,
        era="Era",
        is_tuning="Used for tuning",
        measured_name="Measured",
        alert_count=parts.count("Alerts"),
        labelled_alert_count=parts.count("Labelled"),
        fraud_alert_count=parts.count("Fraud found"),
        fraud_count=parts.count("All fraud"),
        precision_percent=st.column_config.NumberColumn("Precision", format="%.2f %%"),
        recall_percent=st.column_config.NumberColumn("Recall", format="%.2f %%"),
        value_caught=parts.money("Value caught"),
        value_of_false_positives=parts.money("Value of false positives"),
    )


ALL = (
    Section("overview", "Overview", ":material/dashboard:", overview),
    Section("revenue", "Revenue", ":material/payments:", revenue),
    Section("declines", "Declines", ":material/block:", declines),
    Section("fraud", "Fraud", ":material/shield:", fraud),
    Section("alerts", "Alerts", ":material/notifications:", alerts),
    Section("rules", "Rules", ":material/rule:", rules),
)


def _transaction(reader: Reader, alert: Any) -> None:
    """One alert and its transaction. What comes from files is shown in tables: they run no markup."""
    parts.heading(f"Transaction {alert.transaction_id}")
    found = reader.rows(queries.TRANSACTION, {"transaction_id": int(alert.transaction_id)})
    if found.empty:
        st.info("This transaction is no longer in the data.")
        return
    row = found.iloc[0]
    st.markdown(f"Score **{alert.score}**, action **{parts.plain(alert.action)}**, because:")
    st.markdown("\n".join(f"- {parts.plain(reason)}" for reason in str(alert.reasons).split("; ")))
    groups = st.columns(3)
    with groups[0]:
        parts.facts(
            "Transaction",
            {
                "When": f"{row.transacted_at:%Y-%m-%d %H:%M}",
                "Amount": f"${row.amount:,.2f}",
                "Channel": row.channel,
                "Outcome": "approved" if row.is_approved else f"declined: {row.errors}",
                "Merchant": row.merchant_id,
                "Category": row.mcc_description,
                "Place": ", ".join(part for part in (row.merchant_city, row.merchant_state) if part),
                "Label": LABELS.get(row.is_fraud, UNKNOWN),
            },
        )
    with groups[1]:
        parts.facts(
            "Card",
            {
                "Card": row.card_id,
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
                "Client": row.client_id,
                "Age then": row.age_at_transaction,
                "Credit score": row.credit_score,
                "Income a year": parts.dollars(row.yearly_income),
                "Debt": parts.dollars(row.total_debt),
            },
        )
