"""Tables that follow a change by key: of a day's transactions, the merchants of that day alone are summed up again."""

from __future__ import annotations

from sqlmesh import macro


@macro(metadata_only=True)
def restated_by(evaluator, key, tables=None, overall=None):
    """Declares that a row is made of rows of the same key alone: `@restated_by(merchant_id, tables := (facts.fct_merchants))`.

    The key is an integer. `tables` are those of the model's parents that have the key as a column, and of which a row for one key
    reads the rows of that key only. A build then restates the keys whose rows in these were written since the model was
    evaluated; whatever changed in any other parent restates all rows. `overall` are aggregates that every row rests on as well,
    such as a rate of all merchants, over columns which the model and the first of `tables` name alike: where the two differ in
    one, all rows are restated.
    """
    return
