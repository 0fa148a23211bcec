"""Sums over outcomes by their label, each written once. Unlabelled is unknown: a fraud rate divides by the labelled.

Attempts are transactions of all kinds, declined ones and refunds too. Loss is of purchases, which are approved; net of what came
back, of settled ones (macros/settlement.py), of which there is a rate by count as well as by value. `where` narrows the sum
further, `of` names the outcomes where another table of the query has columns of the same names.
"""

from __future__ import annotations

from sqlmesh import SQL, macro

from macros.settlement import is_settled_purchase


@macro()
def labelled_count(evaluator, of: SQL = None):
    """Transactions with a label: what a fraud rate by count divides by."""
    return f"COUNT({_column(of, 'is_fraud')})"


@macro()
def fraud_count(evaluator, where: SQL = None, of: SQL = None):
    """Transactions labelled as fraud, declined or not."""
    return f"COUNT(*){_filter(_column(of, 'is_fraud'), where)}"


@macro()
def labelled_purchase_cents(evaluator, of: SQL = None):
    """Cents of purchases with a label: what a fraud rate by value divides by. NULL for none."""
    return f"SUM({_column(of, 'purchase_cents')}){_filter('NOT ' + _column(of, 'is_fraud') + ' IS NULL')}"


@macro()
def fraud_loss_cents(evaluator, where: SQL = None, of: SQL = None):
    """Cents of purchases labelled as fraud. NULL for none."""
    return f"SUM({_column(of, 'purchase_cents')}){_filter(_column(of, 'is_fraud'), where)}"


@macro()
def legitimate_purchase_cents(evaluator, of: SQL = None):
    """Cents of purchases labelled as no fraud. NULL for none."""
    return f"SUM({_column(of, 'purchase_cents')}){_filter('NOT ' + _column(of, 'is_fraud'))}"


@macro()
def labelled_settled_count(evaluator, of: SQL = None):
    """Settled purchases with a label: what their fraud rate by count divides by."""
    return f"COUNT({_column(of, 'is_fraud')}){_filter(is_settled_purchase(_prefix(of)))}"


@macro()
def settled_fraud_count(evaluator, of: SQL = None):
    """Settled purchases labelled as fraud: what the net loss is the loss of."""
    return f"COUNT(*){_filter(_column(of, 'is_fraud'), is_settled_purchase(_prefix(of)))}"


@macro()
def declined_fraud_count(evaluator, of: SQL = None):
    """Declined transactions labelled as fraud: tried, and refused."""
    return f"COUNT(*){_filter(_column(of, 'is_fraud'), 'NOT ' + _column(of, 'is_approved'))}"


@macro()
def refund_fraud_count(evaluator, of: SQL = None):
    """Approved refunds labelled as fraud."""
    return f"COUNT(*){_filter(_column(of, 'is_fraud'), _column(of, 'refund_cents') + ' > 0')}"


@macro()
def labelled_settled_cents(evaluator, of: SQL = None):
    """Cents of settled purchases with a label: what their fraud rate by value divides by. NULL for none."""
    conditions = ("NOT " + _column(of, "is_fraud") + " IS NULL", "NOT " + _column(of, "is_reversed"))
    return f"SUM({_column(of, 'purchase_cents')}){_filter(*conditions)}"


@macro()
def net_fraud_loss_cents(evaluator, of: SQL = None):
    """Cents of settled purchases labelled as fraud: without what was reversed, and so came back. NULL for none."""
    return (
        f"SUM({_column(of, 'purchase_cents')}){_filter(_column(of, 'is_fraud'), 'NOT ' + _column(of, 'is_reversed'))}"
    )


def _prefix(of):
    return "" if of is None else f"{of}."


def _column(of, name):
    return name if of is None else f"{of}.{name}"


def _filter(*conditions):
    return f" FILTER(WHERE {' AND '.join(f'({condition})' for condition in conditions if condition is not None)})"
