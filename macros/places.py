"""Where a merchant is: a US state or a country, `ONLINE` where there is no place, `UNKNOWN` where it is published as neither."""

from __future__ import annotations

from sqlmesh import SQL, macro

ONLINE = "ONLINE"
UNKNOWN = "UNKNOWN"


@macro()
def place_of(evaluator, merchant_state: SQL, merchant_country: SQL):
    """The place of a merchant, from the state as published and the country that it is in."""
    return f"""
    CASE
      WHEN {merchant_state} IS NULL THEN '{ONLINE}'
      WHEN {merchant_country} IS NULL THEN '{UNKNOWN}'
      ELSE {merchant_state}
    END
    """


@macro()
def place_kind_of(evaluator, place: SQL, is_foreign: SQL):
    """domestic, foreign, online or unknown."""
    return f"""
    CASE
      WHEN {place} = '{ONLINE}' THEN 'online'
      WHEN {place} = '{UNKNOWN}' THEN 'unknown'
      WHEN {is_foreign} THEN 'foreign'
      ELSE 'domestic'
    END
    """


@macro()
def place_of_card(evaluator, channel: SQL, place: SQL):
    """Where a transaction puts the card: online it is in no place, whatever place the merchant names."""
    return f"CASE WHEN {channel} = 'online' THEN '{ONLINE}' ELSE {place} END"


@macro()
def is_real_place(evaluator, place: SQL):
    """Whether a card can have been there: neither online nor unknown."""
    return f"NOT {place} IN ('{ONLINE}', '{UNKNOWN}')"
