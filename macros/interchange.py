"""The estimated interchange of settled purchases: which rate is theirs, and what they make at it. Nothing is rounded here.

The rates are seeds.interchange_rates; the category group of a code without one in seeds.interchange_mcc_groups is `other`.
"""

from __future__ import annotations

from sqlmesh import SQL, macro

from macros.settlement import is_settled_purchase

OTHER_GROUP = "other"


@macro()
def mcc_group_of(evaluator, groups: SQL):
    """The category group that a rate is looked up by, of a LEFT JOIN with the groups."""
    return f"COALESCE({groups}.mcc_group, '{OTHER_GROUP}')"


@macro()
def is_rate_of(evaluator, rates: SQL, volume: SQL, is_card_present: SQL, mcc_group: SQL):
    """Whether a rate is that of `volume`, which has a card brand and a card type; on which day, `@is_in_force` asks."""
    return f"""
      {rates}.card_brand = {volume}.card_brand
      AND {rates}.card_type = {volume}.card_type
      AND {rates}.mcc_group = {mcc_group}
      AND {rates}.is_card_present = ({is_card_present})
    """


@macro()
def interchange_of(evaluator, volume: SQL, rates: SQL):
    """What the settled purchases of `volume` make at the joined rate, in US dollars; 0 where there is no rate.

    Exact: cents by hundredths of a basis point have eight decimals. Nothing is rounded, and nothing divided, so that a month
    has the same sum however it is cut.
    """
    return _interchange(f"{volume}.settled_cents", f"{volume}.settled_count", rates)


@macro()
def labelled_interchange_of(evaluator, volume: SQL, rates: SQL):
    """The same of settled purchases with a label alone."""
    return _interchange(f"{volume}.labelled_settled_cents", f"{volume}.labelled_settled_count", rates)


def _interchange(cents, count, rates):
    return f"COALESCE({cents} * {rates}.rate_bp * 0.000001 + {count} * {rates}.fixed_fee, 0)"


@macro()
def unpriced_of(evaluator, volume: SQL, rates: SQL):
    """How many settled purchases of `volume` have no rate, and so no part in the estimate."""
    return f"CASE WHEN {rates}.rate_bp IS NULL THEN {volume}.settled_count ELSE 0 END"


@macro()
def rate_in_units(evaluator, rates: SQL):
    """A rate as 10^-8 US dollars for each cent, a whole number."""
    return f"CAST({rates}.rate_bp * 100 AS BIGINT)"


@macro()
def fee_in_units(evaluator, rates: SQL):
    """A fixed fee in 10^-8 US dollars, a whole number."""
    return f"CAST({rates}.fixed_fee * 100000000 AS BIGINT)"


@macro()
def interchange_in_units(evaluator, outcomes: SQL, prices: SQL):
    """What settled purchases make, added up, in 10^-8 US dollars: the same as `interchange_of`, purchase by purchase.

    Of single purchases whole numbers are added up much faster than decimals. `prices` has `rate_units` and `fee_units`.
    """
    return _in_units(outcomes, prices, is_settled_purchase(f"{outcomes}."))


@macro()
def labelled_interchange_in_units(evaluator, outcomes: SQL, prices: SQL):
    """The same of settled purchases with a label alone."""
    return _in_units(outcomes, prices, f"{is_settled_purchase(f'{outcomes}.')} AND NOT {outcomes}.is_fraud IS NULL")


def _in_units(outcomes, prices, which):
    of_each = f"{outcomes}.purchase_cents * {prices}.rate_units + {prices}.fee_units"
    return f"COALESCE(SUM({of_each}) FILTER(WHERE {which}), 0)"


@macro()
def interchange_of_units(evaluator, units: SQL):
    """US dollars of 10^-8 dollars."""
    return f"{units} * 0.00000001"
