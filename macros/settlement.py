"""Sums over outcomes by whether a purchase settled, each written once.

A purchase is settled unless it is half of a reversed pair of facts.fct_reversals: a hold that was released, or a purchase that
was taken back within a day. Refunds without those of such pairs are money that went back for goods. `of` names the outcomes
where another table of the query has columns of the same names.
"""

from __future__ import annotations

from sqlmesh import SQL, macro

HOURS_APART = 24


@macro()
def is_within_reversal(evaluator, moment: SQL, other: SQL):
    """Whether two moments are near enough for one to reverse the other: at most 24 hours apart."""
    hours = f"INTERVAL '{HOURS_APART} HOURS'"
    return f"({moment} BETWEEN {other} - {hours} AND {other} + {hours})"


@macro()
def is_settled(evaluator, of: SQL = None):
    """Whether the outcome is a settled purchase: approved, of more than zero dollars, not reversed."""
    return is_settled_purchase(_named(of))


@macro()
def settled_count(evaluator, of: SQL = None):
    """Settled purchases."""
    return f"COUNT(*) FILTER(WHERE {is_settled_purchase(_named(of))})"


@macro()
def settled_cents(evaluator, of: SQL = None):
    """Cents of settled purchases."""
    of = _named(of)
    return f"COALESCE(SUM({of}purchase_cents) FILTER(WHERE NOT {of}is_reversed), 0)"


@macro()
def settled_refund_count(evaluator, of: SQL = None):
    """Refunds that do not reverse a purchase."""
    of = _named(of)
    return f"COUNT(*) FILTER(WHERE {of}refund_cents > 0 AND NOT {of}is_reversed)"


@macro()
def settled_refund_cents(evaluator, of: SQL = None):
    """Cents of refunds that do not reverse a purchase."""
    of = _named(of)
    return f"COALESCE(SUM({of}refund_cents) FILTER(WHERE NOT {of}is_reversed), 0)"


def is_settled_purchase(of):
    """The SQL of whether an outcome is a settled purchase; `of` ends with a point, or is empty."""
    return f"({of}purchase_cents > 0 AND NOT {of}is_reversed)"


def _named(of):
    return "" if of is None else f"{of}."
