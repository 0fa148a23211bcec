"""Owns ops.touched_keys: of which keys rows were written, for tables that are restated by key (macros/restated_by.py).

A table is restated by key where all that changed above it, since it was evaluated itself, are evaluations that noted their keys
for it. SQLMesh's evaluations note none, nor does one of a table that was itself not followed yet: both restate all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from foundation.queries import one_row, scalar
from meshkeys.catalog import Relation
from revops.ledger.days import Days
from revops.ledger.graph import Node

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

MOST_KEYS = 25_000
"""With more keys, all rows are restated: that takes no longer."""

# Evaluations and changes above, with their keys where these were noted; of days, those that the table is evaluated for.
_WAITING = """
WITH above AS (
    SELECT evaluation_id AS number, starts_on, ends_on FROM ops.evaluations WHERE relation = ANY (%(tables)s)
    UNION SELECT change_id, starts_on, ends_before - 1 FROM ops.changes WHERE relation = ANY (%(parents)s)
    UNION SELECT evaluation_id, starts_on, ends_on FROM ops.touched_keys WHERE reader = %(reader)s
), waiting AS (
    SELECT number FROM above
    WHERE (starts_on IS NULL OR %(first)s::date IS NULL OR starts_on <= %(last)s AND ends_on >= %(first)s)
      AND NOT EXISTS (
          SELECT FROM ops.evaluations AS own
          WHERE own.relation = %(reader)s AND own.evaluation_id > above.number
            AND (own.starts_on IS NULL
                 OR own.starts_on <= greatest(above.starts_on, %(first)s) AND own.ends_on >= least(above.ends_on, %(last)s)))
)
SELECT bool_and(noted.keys IS NOT NULL), array_agg(DISTINCT key) FILTER (WHERE key IS NOT NULL)
FROM waiting
LEFT JOIN ops.touched_keys AS noted ON noted.reader = %(reader)s AND noted.evaluation_id = waiting.number
LEFT JOIN LATERAL unnest(noted.keys) AS each (key) ON TRUE
"""
_NOTE = """
INSERT INTO ops.touched_keys (reader, evaluation_id, starts_on, ends_on, keys)
SELECT %(reader)s, evaluation_id, starts_on, ends_on, {keys}
FROM ops.evaluations WHERE relation = %(table)s ORDER BY evaluation_id DESC LIMIT 1
"""
_FEW = "(SELECT CASE WHEN count(DISTINCT {key}) <= %(most)s THEN coalesce(array_agg(DISTINCT {key}), '{{}}') END FROM {written})"
_FORGET = """
DELETE FROM ops.touched_keys AS above USING ops.evaluations AS own
WHERE above.reader = %(reader)s AND own.relation = %(reader)s AND own.evaluation_id > above.evaluation_id
  AND (own.starts_on IS NULL OR own.starts_on <= above.starts_on AND own.ends_on >= above.ends_on)
"""
_GONE = "DELETE FROM ops.touched_keys WHERE reader NOT IN (SELECT relation FROM ops.evaluations)"
_IS_ALIKE = (
    "SELECT (SELECT ROW({values})::text FROM {own}) IS NOT DISTINCT FROM (SELECT ROW({values})::text FROM {above})"
)


def is_followed(cursor: Cursor, reader: Node, table: Relation) -> bool:
    """Whether a table below has followed all that was written to this one, or the keys of what it has not are noted for it."""
    are_known, _ = one_row(cursor, _WAITING, {**_values(reader, None), "tables": [str(table)], "parents": []})
    return are_known is not False


def note(cursor: Cursor, reader: Node, table: Relation, written: sql.Composable | None) -> None:
    """Notes, for a table below, the keys of the rows that the last evaluation of `table` wrote; all where `written` is None.

    Args:
        cursor: in the transaction of that evaluation.
        reader: the table below.
        table: what was evaluated.
        written: a relation with the key of each row that was written or deleted.
    """
    assert reader.restated_by is not None
    values = {"reader": reader.relation, "table": str(table), "most": MOST_KEYS}
    keys: sql.Composable = sql.SQL("NULL")
    if written is not None:
        keys = sql.SQL(_FEW).format(key=sql.Identifier(reader.restated_by.key), written=written)
    cursor.execute(sql.SQL(_NOTE).format(keys=keys), values)


def waiting(cursor: Cursor, reader: Node, nodes: Mapping[str, Node], days: Days | None) -> list[int] | None:
    """The keys whose rows are to be restated, of these days where it is a table of days; None for all."""
    declared = reader.restated_by
    if declared is None:
        return None
    read = [*_read(reader, nodes)]
    tables = [nodes[name].relation for name in read if name in nodes and nodes[name].relation]
    are_known, keys = one_row(cursor, _WAITING, {**_values(reader, days), "tables": tables, "parents": read})
    if not are_known or len(keys or []) > MOST_KEYS:
        return None
    if declared.overall:
        own, above = (Relation.parse(name).identifier for name in (reader.model, declared.tables[0]))
        aggregates = sql.SQL(", ").join(map(sql.SQL, declared.overall))
        if not scalar(cursor, sql.SQL(_IS_ALIKE).format(values=aggregates, own=own, above=above)):
            return None
    return keys or []


def forget(cursor: Cursor, reader: Node) -> None:
    """Drops the keys that a table has followed, and those for tables that are gone."""
    cursor.execute(_FORGET, {"reader": reader.relation})
    cursor.execute(_GONE)


def readers(nodes: Iterable[Node], table: str) -> list[Node]:
    """The tables that are restated by the keys of this one."""
    return [node for node in nodes if node.relation and node.restated_by and table in node.restated_by.tables]


def _values(reader: Node, days: Days | None) -> dict[str, Any]:
    return {"reader": reader.relation, "first": days and days.first, "last": days and days.last}


def _read(reader: Node, nodes: Mapping[str, Node]) -> Iterator[str]:
    """The names of all that it reads, itself or through views."""
    for parent in reader.parents:
        yield parent
        if parent in nodes and nodes[parent].relation is None:
            yield from _read(nodes[parent], nodes)
