"""The transactions of what is chosen, paged on the server: where every drill-down ends."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from revops.dashboard import filters, links, parts
from revops.dashboard.filters import Filters, where_chosen
from revops.dashboard.reader import Reader

_FOUND = where_chosen("""
FROM serving.enriched_transactions
WHERE {chosen} AND (%(outcome)s IS NULL OR (%(outcome)s = 'declined' AND NOT is_approved) OR (%(outcome)s = 'fraud' AND is_fraud))
  AND (%(reason)s IS NULL OR POSITION(%(reason)s IN errors) > 0)
""")

CHOSEN = (
    where_chosen("""
SELECT transaction_id, transacted_at, amount, channel, is_approved, errors, is_fraud, card_id, client_id, merchant_id,
       mcc_description, merchant_city, {place} AS place, card_brand, card_type""")
    + _FOUND
    + """ORDER BY CASE %(order)s WHEN 'amount' THEN ABS(amount) END DESC NULLS LAST,
         transacted_at DESC, transaction_id DESC
"""
)

PAGE = CHOSEN + "LIMIT %(size)s OFFSET %(skipped)s\n"

COUNTED = "\nSELECT COUNT(*) AS transaction_count" + _FOUND

OUTCOMES = {"All": None, "Declined": "declined", "Labelled as fraud": "fraud"}
ORDERS = {"Newest": "newest", "Largest amount": "amount"}
REASON = "reason"
BACK = timedelta(days=31)


def show(reader: Reader, chosen: Filters) -> None:
    """A page of them, the newest or the largest first."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title(f"Transactions, {shown}")
    reason = st.query_params.get(REASON) or None
    values = filters.values(chosen, shown) | {
        "outcome": OUTCOMES[parts.segments("outcome", list(OUTCOMES))],
        "order": ORDERS[parts.segments("order", list(ORDERS))],
        "reason": reason,
    }
    if reason:
        parts.note(f"Declined for: {reason}, alone or beside other reasons.")
    total = int(reader.rows(COUNTED, values).iloc[0].transaction_count)
    if not total:
        parts.nothing()
        return
    paged = parts.pages(total, "transactions")
    found = reader.rows(PAGE, values | paged)
    parts.note("A click on a card, client or merchant leads to it, any other to the transaction.")
    clicked = parts.transactions(found, f"transactions {chosen} {paged}")
    parts.download(CHOSEN, values, "transactions")
    links.follow(clicked, chosen)
