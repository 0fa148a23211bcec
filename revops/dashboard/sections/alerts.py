"""The queue of alerts: open, mine or decided, its filters, its order, paged on the server; rows lead to what is in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from revops.dashboard import filters, investigator, labels, links, parts
from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader

# Filters that only alerts have, by their name in the address.
OWN = {"rule": "Rule", "action": "Action", "card": "Card", "least": "At least US$"}
ACTIONS = ("block", "call", "review")
ORDERS = {"Highest score": "score", "Newest": "newest", "Largest amount": "amount"}
DEFAULTS = {"order": "score", "state": "open"}
NEXT_KEY = "n"
# What has no decision, or is undecided; what who has signed in decided last or is assigned to; what is decided.
STATES = {"Open": "open", "Mine": "mine", "Decided": "decided", "All": "all"}

RULES = """
SELECT DISTINCT measured_name
FROM serving.rule_performance
WHERE measured_kind = 'rule'
ORDER BY measured_name
"""

_QUEUE = """
FROM serving.fraud_alerts AS alerts
LEFT JOIN (
    SELECT transaction_id, card_id, decision, is_fraud_reviewed, decided_by, assigned_to
    FROM serving.alert_decisions
    WHERE is_current
) AS desk ON desk.transaction_id = alerts.transaction_id AND desk.card_id = alerts.card_id
WHERE alerts.transacted_on >= %(since)s AND alerts.transacted_on < %(until)s
  AND (%(channel)s IS NULL OR alerts.channel = %(channel)s) AND (%(mcc)s IS NULL OR alerts.mcc = %(mcc)s)
  AND (%(place)s IS NULL OR alerts.place = %(place)s)
  AND (%(rule)s IS NULL OR %(rule)s = ANY (STRING_TO_ARRAY(alerts.rule_names, ', ')))
  AND (%(action)s IS NULL OR alerts.action = %(action)s) AND (%(card)s IS NULL OR alerts.card_id = %(card)s)
  AND (%(least)s IS NULL OR ABS(alerts.amount) >= %(least)s)
  AND CASE %(state)s WHEN 'open' THEN desk.is_fraud_reviewed IS NULL WHEN 'decided' THEN desk.is_fraud_reviewed IS NOT NULL
           WHEN 'mine' THEN %(login)s IN (desk.decided_by, desk.assigned_to) ELSE TRUE END
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
       alerts.is_fraud, desk.decision, desk.assigned_to, alerts.rule_names, alerts.reasons"""
    + _QUEUE
    + """ORDER BY CASE %(order)s WHEN 'score' THEN alerts.score WHEN 'amount' THEN ABS(alerts.amount) END DESC NULLS LAST,
         alerts.transacted_at DESC, alerts.transaction_id
"""
)

# The open alert of the queue that comes after this one in its order; after the last one, the first.
_ORDER = "COALESCE(CASE %(order)s WHEN 'score' THEN alerts.score WHEN 'amount' THEN ABS(alerts.amount) END, 0)"
_NEXT = """  AND desk.is_fraud_reviewed IS NULL AND alerts.transaction_id IS DISTINCT FROM %(id)s
ORDER BY EXISTS (
    SELECT 1
    FROM serving.fraud_alerts AS this
    WHERE this.transaction_id = %(id)s
      AND ({order}, alerts.transacted_at, -alerts.transaction_id) < ({order of this}, this.transacted_at, -this.transaction_id)
) DESC, {order} DESC, alerts.transacted_at DESC, alerts.transaction_id
LIMIT 1
"""
NEXT = (
    "\nSELECT alerts.transaction_id"
    + _QUEUE
    + _NEXT.replace("{order}", _ORDER).replace("{order of this}", _ORDER.replace("alerts.", "this."))
)

PAGE = ALL + "LIMIT %(size)s OFFSET %(skipped)s\n"
BACK = timedelta(days=31)


def show(reader: Reader, chosen: Filters) -> None:
    """The queue's own filters, and a page of it."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title(f"Alerts, {shown}")
    investigator.bar()
    own = _own(reader)
    values = filters.values(chosen, shown) | own | {"login": investigator.name()}
    if own["state"] == "mine" and investigator.current() is None:
        parts.nothing("Sign in to see the alerts that you decided or are assigned to.")
        return
    if own["state"] in ("mine", "decided"):
        parts.note('Of transactions of these days, whenever they were decided: "All" days has older ones too.')
    following(reader, chosen, None)
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
        found, f"alerts {values} {paged}", 600,
        score=parts.identity("Score"), action="Action", transacted_at=parts.moment("When"),
        amount=parts.money("Amount"), card_id=parts.identity("Card"), client_id=parts.identity("Client"),
        merchant_id=parts.identity("Merchant"), channel="Channel", place=parts.place(), is_approved="Outcome",
        is_fraud="Current label", decision="Decision", assigned_to="Assigned to",
        reasons=parts.sentences("Reasons"),
        transaction_id=parts.identity("Transaction"),
    )  # fmt: skip
    parts.download(ALL, values, "alerts")
    links.follow(clicked, chosen, **_address(own))


def following(reader: Reader, chosen: Filters, number: int | None) -> None:
    """The button, and the key, that lead to the next open alert of the queue that the address says."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        return
    own = asked()
    if own["state"] != "mine" or investigator.current() is None:
        own["state"] = "open"
    values = filters.values(chosen, shown) | own | {"login": investigator.name(), "id": number}
    found = reader.rows(NEXT, values)
    following_id = None if found.empty else int(found.iloc[0].transaction_id)
    if st.button(
        "Next open alert",
        key="next alert",
        icon=":material/skip_next:",
        shortcut=NEXT_KEY,
        disabled=following_id is None,
    ):
        links.go("transaction", chosen, **_address(asked()), id=following_id)


def asked() -> dict[str, Any]:
    """The filters of the queue alone, from the address."""
    found: dict[str, Any] = {name: st.query_params.get(name) for name in ("rule", "action", "order", "state")}
    for name, known, default in (
        ("action", ACTIONS, None),
        ("order", ORDERS.values(), "score"),
        ("state", STATES.values(), "open"),
    ):
        if found[name] not in known:
            found[name] = default
    return found | {"card": links.number("card"), "least": links.number("least")}


def _address(own: dict[str, Any]) -> dict[str, Any]:
    """What the address says of these filters."""
    return {name: value for name, value in own.items() if value is not None and DEFAULTS.get(name) != value}


def _own(reader: Reader) -> dict[str, Any]:
    """The filters of the queue alone, from the address and back to it."""
    own = asked()
    _segments("state", STATES, own["state"])
    row = st.container(horizontal=True, gap="small")
    rules = reader.rows(RULES).measured_name.tolist()
    _select(row, "rule", own["rule"], rules)
    _select(row, "action", own["action"], list(ACTIONS))
    _number(row, "card", own["card"])
    _number(row, "least", own["least"])
    _segments("order", ORDERS, own["order"])
    return own


def _segments(name: str, options: dict[str, str], current: str) -> None:
    key = f"queue {name}"
    st.session_state[key] = next(label for label, value in options.items() if value == current)
    st.segmented_control(name.capitalize(), list(options), key=key, label_visibility="collapsed",
                         on_change=lambda: parts.put(name, options.get(st.session_state[key])))  # fmt: skip


def _select(row: Any, name: str, current: str | None, options: list[str]) -> None:
    key = f"queue {name}"
    st.session_state[key] = current
    values = options if current is None or current in options else [current, *options]
    row.selectbox(OWN[name], values, index=None, key=key, placeholder=filters.ANY, width=210,
                  on_change=lambda: parts.put(name, st.session_state[key]))  # fmt: skip


def _number(row: Any, name: str, current: int | None) -> None:
    key = f"queue {name}"
    st.session_state[key] = current
    row.number_input(OWN[name], min_value=0, value=None, step=1, key=key, placeholder=filters.ANY, width=140,
                     on_change=lambda: parts.put(name, st.session_state[key]))  # fmt: skip
