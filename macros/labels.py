"""Sums over outcomes by their label, each written once. Unlabelled is unknown: a fraud rate divides by the labelled.

Rates by count take every transaction, declined ones too; rates by value take purchases, which are approved. `where` narrows
the sum further, `of` names the outcomes where another table of the query has columns of the same names.
"""

from __future__ import annotations

from sqlmesh import SQL, macro


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


def _column(of, name):
    return name if of is None else f"{of}.{name}"


def _filter(*conditions):
    return f" FILTER(WHERE {' AND '.join(f'({condition})' for condition in conditions if condition is not None)})"
