"""The queue of alerts: its filters, its order, paged on the server; rows lead to transaction, card, client and merchant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from revops.dashboard import filters, labels, links, parts
from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader

# Filters that only alerts have, by their name in the address.
OWN = {"rule": "Rule", "action": "Action", "card": "Card", "least": "At least US$"}
ACTIONS = ("block", "call", "review")
ORDERS = {"Highest score": "score", "Newest": "newest", "Largest amount": "amount"}

RULES = """
SELECT DISTINCT measured_name
FROM serving.rule_performance
WHERE measured_kind = 'rule'
ORDER BY measured_name
"""

_QUEUE = """
FROM serving.fraud_alerts AS alerts
WHERE alerts.transacted_on >= %(since)s AND alerts.transacted_on < %(until)s
  AND (%(channel)s IS NULL OR alerts.channel = %(channel)s) AND (%(mcc)s IS NULL OR alerts.mcc = %(mcc)s)
  AND (%(place)s IS NULL OR alerts.place = %(place)s)
  AND (%(rule)s IS NULL OR %(rule)s = ANY (STRING_TO_ARRAY(alerts.rule_names, ', ')))
  AND (%(action)s IS NULL OR alerts.action = %(action)s) AND (%(card)s IS NULL OR alerts.card_id = %(card)s)
  AND (%(least)s IS NULL OR ABS(alerts.amount) >= %(least)s)
  AND ((%(card_type)s IS NULL AND %(brand)s IS NULL) OR alerts.card_id IN (
      SELECT cards.card_id
      FROM serving.card_lifecycle AS cards
      WHERE (%(card_type)s IS NULL OR cards.card_type = %(card_type)s) AND (%(brand)s IS NULL OR cards.card_brand = %(brand)s)
  ))
"""

COUNTED = "\nSELECT COUNT(*) AS alert_count" + _QUEUE

ALL = (
    """
SELECT alerts.transaction_id, alerts.transacted_at, alerts.score, alerts.action, alerts.amount, alerts.card_id,
       alerts.client_id, alerts.merchant_id, alerts.channel, alerts.place, alerts.transaction_kind, alerts.is_approved,
       alerts.is_fraud, alerts.rule_names, alerts.reasons"""
    + _QUEUE
    + """ORDER BY CASE %(order)s WHEN 'score' THEN alerts.score WHEN 'amount' THEN ABS(alerts.amount) END DESC NULLS LAST,
         alerts.transacted_at DESC, alerts.transaction_id
"""
)

PAGE = ALL + "LIMIT %(size)s OFFSET %(skipped)s\n"


def show(reader: Reader, chosen: Filters) -> None:
    """The queue's own filters, and a page of it."""
    shown = filters.days(reader, chosen, timedelta(days=31))
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title(f"Alerts, {shown}")
    values = filters.values(chosen, shown) | _own(reader)
    total = int(reader.rows(COUNTED, values).iloc[0].alert_count)
    if not total:
        parts.nothing("No alert matches. Choose other days, or clear a filter.")
        return
    paged = parts.pages(total, "alerts")
    found = reader.rows(PAGE, values | paged)
    found = found.assign(
        is_fraud=found.is_fraud.map(labels.WORDS).fillna(labels.UNKNOWN),
        is_approved=found.is_approved.map({True: "approved", False: "declined"}),
    )
    parts.note("A click on a card, client or merchant leads to it, any other to the transaction and its reasons.")
    clicked = parts.table(
        found, f"alerts {values} {paged}", 420,
        score=parts.identity("Score"), action="Action", transacted_at=parts.moment("When"),
        amount=parts.money("Amount"), card_id=parts.identity("Card"), client_id=parts.identity("Client"),
        merchant_id=parts.identity("Merchant"), channel="Channel", place="Place", is_approved="Outcome",
        is_fraud="Current label", reasons=st.column_config.TextColumn("Reasons", width="large"),
        transaction_id=parts.identity("Transaction"),
    )  # fmt: skip
    parts.download(ALL, values, "alerts")
    links.follow(clicked, chosen)


def _own(reader: Reader) -> dict[str, Any]:
    """The filters of the queue alone, from the address and back to it."""
    least, card = links.number("least"), links.number("card")
    asked = {
        "rule": st.query_params.get("rule"),
        "action": st.query_params.get("action"),
        "order": st.query_params.get("order"),
    }
    if asked["action"] not in ACTIONS:
        asked["action"] = None
    if asked["order"] not in ORDERS.values():
        asked["order"] = "score"
    row = st.container(horizontal=True, gap="small")
    rules = reader.rows(RULES).measured_name.tolist()
    _select(row, "rule", asked["rule"], rules)
    _select(row, "action", asked["action"], list(ACTIONS))
    _number(row, "card", card)
    _number(row, "least", least)
    order = next(name for name, value in ORDERS.items() if value == asked["order"])
    st.session_state["queue order"] = order
    st.segmented_control("Order", list(ORDERS), key="queue order", label_visibility="collapsed",
                         on_change=lambda: _put("order", ORDERS.get(st.session_state["queue order"])))  # fmt: skip
    return {**asked, "card": card, "least": least}


def _select(row: Any, name: str, current: str | None, options: list[str]) -> None:
    key = f"queue {name}"
    st.session_state[key] = current
    values = options if current is None or current in options else [current, *options]
    row.selectbox(OWN[name], values, index=None, key=key, placeholder=filters.ANY, width=210,
                  on_change=lambda: _put(name, st.session_state[key]))  # fmt: skip


def _number(row: Any, name: str, current: int | None) -> None:
    key = f"queue {name}"
    st.session_state[key] = current
    row.number_input(OWN[name], min_value=0, value=None, step=1, key=key, placeholder=filters.ANY, width=140,
                     on_change=lambda: _put(name, st.session_state[key]))  # fmt: skip


def _put(name: str, value: object) -> None:
    """Into the address; the first page of what is found then."""
    for each in (name, "page"):
        if each in st.query_params:
            del st.query_params[each]
    if value is not None:
        st.query_params[name] = str(value)
