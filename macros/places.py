"""Where a merchant is: a US state or a country, `NO PLACE` where none is published, `UNKNOWN` where it is neither.

A merchant without a place is not the same as a use online, which is a channel: some merchants online name their state, and some
chip and swipe transactions have no state.
"""

from __future__ import annotations

from sqlmesh import SQL, macro

NO_PLACE = "NO PLACE"
UNKNOWN = "UNKNOWN"


@macro()
def place_of(evaluator, merchant_state: SQL, merchant_country: SQL):
    """The place of a merchant, from the state as published and the country that it is in."""
    return f"""
    CASE
      WHEN {merchant_state} IS NULL THEN '{NO_PLACE}'
      WHEN {merchant_country} IS NULL THEN '{UNKNOWN}'
      ELSE {merchant_state}
    END
    """


@macro()
def place_kind_of(evaluator, place: SQL, is_foreign: SQL):
    """domestic, foreign, none or unknown."""
    return f"""
    CASE
      WHEN {place} = '{NO_PLACE}' THEN 'none'
      WHEN {place} = '{UNKNOWN}' THEN 'unknown'
      WHEN {is_foreign} THEN 'foreign'
      ELSE 'domestic'
    END
    """


@macro()
def place_of_card(evaluator, channel: SQL, place: SQL):
    """Where a transaction puts the card: online it is in no place, whatever place the merchant names."""
    return f"CASE WHEN {channel} = 'online' THEN '{NO_PLACE}' ELSE {place} END"


@macro()
def is_real_place(evaluator, place: SQL):
    """Whether a card can have been there: neither none nor unknown."""
    return f"NOT {place} IN ('{NO_PLACE}', '{UNKNOWN}')"
