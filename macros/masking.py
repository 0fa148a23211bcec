"""Masks for staging: what of a person may be known further down. What may not be known at all is not selected.

Address, month of birth and card token have no mask: lint keeps them out of every model below (linter/privacy.py). Card
number and CVV never land.
"""

from __future__ import annotations

from sqlmesh import SQL, macro

from macros.casting import has_only, try_cast


@macro()
def coarse_degrees(evaluator, text: SQL):
    """`38.6487` as 38.6: degrees to one decimal, about 11 km; NULL for anything that is not a number of degrees.

    Degrees beyond 180 are none: they may not fit, once rounded.
    """
    degrees = try_cast(evaluator, text, "DECIMAL(9, 6)")
    is_one = f"TRANSLATE({text}, '0123456789', '') IN ('', '-', '.', '-.') AND {degrees} BETWEEN -180 AND 180"
    return f"CASE WHEN {is_one} THEN CAST(ROUND({degrees}, 1) AS DECIMAL(4, 1)) END"


@macro()
def year_only(evaluator, text: SQL):
    """`1966`, and `1966-11-05` too, as 1966; NULL for anything that does not begin with a year."""
    year = f"SUBSTRING({text}, 1, 4)"
    is_one = f"{text} LIKE '____' OR {text} LIKE '____-__%'"
    return f"CASE WHEN ({is_one}) AND {has_only(year, '')} THEN {try_cast(evaluator, year, 'INT')} END"
