"""Finds what has a number: a card, a client, a merchant, a transaction. One find is shown at once."""

from __future__ import annotations

import re

import streamlit as st

from revops.dashboard import links, parts
from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader

# The largest number that is asked for; the ids of cards, clients and merchants are smaller.
LARGEST = 2**31 - 1

FOUND = """
SELECT 'card' AS kind, card_id::BIGINT AS id, CONCAT(card_brand, ' ', card_type, ', ends in ', card_last4) AS what
FROM serving.card_lifecycle
WHERE card_id = %(id)s
UNION ALL
SELECT 'client', client_id, CONCAT(used_cards, ' used cards')
FROM serving.client_value
WHERE client_id = %(id)s
UNION ALL
SELECT 'merchant', merchant_id, mcc_description
FROM serving.merchant_risk
WHERE merchant_id = %(id)s
UNION ALL
SELECT 'transaction', transaction_id, CONCAT(transacted_at, ', ', amount)
FROM serving.enriched_transactions
WHERE transaction_id = %(id)s
"""


def show(reader: Reader, chosen: Filters) -> None:
    """What has the number of the address; a word before it says of which kind."""
    asked = st.query_params.get("q", "").strip()
    parts.title("Search")
    match = re.fullmatch(r"(card|client|merchant|transaction)?\s*#?(\d{1,10})", asked.lower())
    if not match or int(match[2]) > LARGEST:
        parts.nothing(
            "Type a number, or a kind and a number: card 2428, client 825, merchant 59935, transaction 7475327."
        )
        return
    found = reader.rows(FOUND, {"id": int(match[2])})
    if match[1]:
        found = found[found.kind == match[1]]
    if found.empty:
        parts.nothing(f"Nothing has the number {match[2]}.")
    if len(found) == 1:
        links.go(found.iloc[0].kind, chosen, id=found.iloc[0].id)
    for kind, number, what in zip(found.kind, found.id, found.what, strict=True):
        links.link(kind, f"{kind.capitalize()} {number}: {parts.plain(str(what))}", chosen, id=number)
