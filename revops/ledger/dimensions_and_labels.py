"""Owns the comparison of dimensions and labels with what the tables of days were told, and notes the days that must follow.

Reports and features show the attributes of today's dimensions, as `enriched_transactions` does. A changed card affects every
day on which it was used. What a dimension held when it was last looked at is kept in ops.attributes, so that a change is found
in any version of the dimension, and once: the note and the new contents are written in one transaction. Labels
are too many to be kept twice: they are compared with the outcomes, which hold the label that each was built with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from psycopg2 import sql

from foundation.queries import one_row, scalar
from meshkeys.catalog import Relation
from revops.ledger.graph import Node
from revops.ledger.landings import mark_compared, record, today
from revops.ledger.ledger import FIRST_DAY

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

LABELS = "facts.fct_fraud_labels"
OUTCOMES = "facts.fct_outcomes"
FACTS = "facts.fct_transactions"


@dataclass(frozen=True)
class Dimension:
    """A dimension that transactions refer to: its model, its key, and the column with the landed key in quarantine."""

    model: str
    key: str
    landed: str


DIMENSIONS = (
    Dimension("dimensions.dim_users", "client_id", "landed_client_id"),
    Dimension("dimensions.dim_cards", "card_id", "landed_card_id"),
    Dimension("dimensions.dim_mcc", "mcc", "landed_mcc"),
)

NAMES = frozenset(dimension.model for dimension in DIMENSIONS)

_NOW = """
CREATE TEMPORARY TABLE attributes_now ON COMMIT DROP AS
SELECT {key}::text AS key, to_jsonb(contents) AS contents FROM ({query}) AS contents
"""
# A column that only one of the two has is no change: what reads a new column is evaluated for that reason.
_CHANGED = """
SELECT key, CASE WHEN before.key IS NOT NULL AND now.key IS NOT NULL THEN (
           SELECT array_agg(name ORDER BY name) FROM jsonb_each(now.contents) AS each (name, value)
           WHERE before.contents ? name AND before.contents -> name <> value) END,
       before.key IS NOT NULL AND now.key IS NOT NULL
FROM (SELECT * FROM ops.attributes WHERE relation = %(relation)s) AS before
FULL JOIN attributes_now AS now USING (key)
WHERE before.contents IS DISTINCT FROM now.contents
"""
_KEEP = (
    "DELETE FROM ops.attributes AS a WHERE relation = %(relation)s AND NOT EXISTS"
    " (SELECT FROM attributes_now AS now WHERE now.key = a.key AND now.contents = a.contents)",
    "INSERT INTO ops.attributes (relation, key, contents) SELECT %(relation)s, key, contents FROM attributes_now"
    " ON CONFLICT DO NOTHING",
    "DROP TABLE attributes_now",
)
_DAYS = """
SELECT transacted_on FROM facts.fct_transactions WHERE {key} = ANY (%(keys)s::int[])
UNION
SELECT quarantined_on FROM quality.quarantined_transactions
WHERE ltrim(btrim({landed}), '0') = ANY (SELECT ltrim(key, '0') FROM unnest(%(keys)s::text[]) AS each (key))
"""
_READ_BEFORE = """
SELECT EXISTS (
    SELECT FROM ops.evaluations WHERE relation = ANY (%(readers)s)
    AND evaluation_id < (SELECT max(evaluation_id) FROM ops.evaluations WHERE relation = %(dimension)s))
"""

_LABELLED = """
SELECT DISTINCT outcomes.transacted_on
FROM facts.fct_outcomes AS outcomes
LEFT JOIN staging.stg_fraud_labels AS labels
  ON labels.transaction_id = outcomes.transaction_id AND CASE WHEN labels.row_fault IS NULL THEN true ELSE false END
WHERE labels.is_fraud IS DISTINCT FROM outcomes.is_fraud
"""
_LABELS_SEEN = """
SELECT (SELECT max(change_id) FROM ops.changes WHERE relation = 'raw.fraud_labels'),
       (SELECT max(change_id) FROM ops.compared WHERE relation = %(labels)s AND tables = %(tables)s),
       (SELECT max(evaluation_id) FROM ops.evaluations WHERE relation = %(label_table)s), min(evaluation_id), max(evaluation_id)
FROM ops.evaluations WHERE relation = %(outcome_table)s
"""


def compare_dimensions(cursor: Cursor, nodes: Sequence[Node], queries: Mapping[str, str]) -> None:
    """Compares dimensions with what was kept of them, in the caller's transaction.

    Args:
        cursor: on a warehouse that is built.
        nodes: the models of prod.
        queries: for a dimension that is out of date, the query for what it is about to hold. For others, prod's rows are read.
    """
    known = {node.model: node for node in nodes}
    for dimension in DIMENSIONS:
        if dimension.model in known:
            current = sql.SQL("SELECT * FROM {}").format(Relation.parse(dimension.model).identifier)
            coming = queries.get(dimension.model)
            _compare(cursor, dimension, sql.SQL(coming) if coming else current, known)


def compare_labels(cursor: Cursor, nodes: Sequence[Node]) -> None:
    """Compares the labels that landed with those of the outcomes, where they may differ, in the caller's transaction."""
    tables = {node.model: node.relation for node in nodes}
    if not {LABELS, OUTCOMES} <= tables.keys():
        return
    values = {"labels": LABELS, "label_table": tables[LABELS], "outcome_table": tables[OUTCOMES]}
    values["tables"] = f"{tables[LABELS]} {tables[OUTCOMES]}"
    landed, compared, labels, first, last = (number or 0 for number in one_row(cursor, _LABELS_SEEN, values))
    # Some labels wait for their transactions, whose days may have been evaluated since the comparison.
    if landed > compared or not compared or (landed > labels and last > compared):
        if not landed < labels < first:  # else every outcome was made from the current labels
            cursor.execute(_LABELLED)
            record(cursor, LABELS, (row[0] for row in cursor.fetchall()), "labels", ["is_fraud"])
        mark_compared(cursor, LABELS, str(values["tables"]))


def _compare(cursor: Cursor, dimension: Dimension, query: sql.Composable, nodes: Mapping[str, Node]) -> None:
    relation = {"relation": dimension.model}
    cursor.execute(sql.SQL(_NOW).format(key=sql.Identifier(dimension.key), query=query))
    if scalar(cursor, "SELECT EXISTS (SELECT FROM ops.attributes WHERE relation = %(relation)s)", relation):
        _record_changes(cursor, dimension)
    else:
        _record_first_sight(cursor, dimension, nodes)
    for statement in _KEEP:
        cursor.execute(statement, relation)


def _record_changes(cursor: Cursor, dimension: Dimension) -> None:
    """Notes the days of rows that changed, came or went."""
    cursor.execute(_CHANGED, {"relation": dimension.model})
    keys: dict[tuple[str, ...] | None, list[str]] = {}
    for key, columns, is_in_both in cursor.fetchall():
        if columns or not is_in_both:
            keys.setdefault(tuple(columns) if columns else None, []).append(key)
    days = sql.SQL(_DAYS).format(key=sql.Identifier(dimension.key), landed=sql.Identifier(dimension.landed))
    for columns, changed in keys.items():
        cursor.execute(days, {"keys": changed})
        record(cursor, dimension.model, (row[0] for row in cursor.fetchall()), "attributes", columns)


def _record_first_sight(cursor: Cursor, dimension: Dimension, nodes: Mapping[str, Node]) -> None:
    """Nothing was kept yet: all days are suspect, unless all that reads the dimension was evaluated after it."""
    readers = [node.relation for node in nodes.values() if node.by_days and dimension.model in node.parents]
    if scalar(cursor, _READ_BEFORE, {"readers": readers, "dimension": nodes[dimension.model].relation}):
        record(cursor, dimension.model, _all_days(), "attributes")


def _all_days() -> list[date]:
    return [FIRST_DAY + timedelta(days=i) for i in range((today() - FIRST_DAY).days)]
