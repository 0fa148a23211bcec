"""Owns ops.elsewhere: which tables of another engine were evaluated, over which days, in one order with ops.changes.

Kept in PostgreSQL, beside the ledger: what is out of date there is found by the same comparison (revops/ledger/ledger.py), from
the same changes. A table of another engine may have the name that the same version has on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from revops.ledger.ledger import Change

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from revops.ledger.graph import Node

_DDL = """
CREATE TABLE IF NOT EXISTS ops.elsewhere (
    evaluation_id bigint PRIMARY KEY DEFAULT nextval('ops.ledger_ids'),
    relation text NOT NULL,
    starts_on date,
    ends_on date,
    evaluated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS elsewhere_by_relation ON ops.elsewhere (relation, evaluation_id);
COMMENT ON TABLE ops.elsewhere IS
    'One row per evaluation of a table on another engine, the relation with its engine before it: the days it rewrote';
"""
# What was evaluated again since, over no fewer days, says nothing any more.
_PRUNE = """
DELETE FROM ops.elsewhere AS old USING ops.elsewhere AS newer
WHERE newer.relation = old.relation AND newer.evaluation_id > old.evaluation_id
  AND (old.starts_on IS NULL OR (newer.starts_on <= old.starts_on AND newer.ends_on >= old.ends_on))
"""


def create(cursor: Cursor) -> None:
    """Creates the table where it is missing."""
    cursor.execute(_DDL)


def name(engine: str, relation: Any) -> str:
    """The name under which a physical table of an engine is noted."""
    return f"{engine}.{relation}"


def of_engine(engine: str, nodes: Iterable[Node]) -> list[Node]:
    """The nodes, with their tables named as those of an engine."""
    return [replace(node, relation=node.relation and name(engine, node.relation)) for node in nodes]


def record(cursor: Cursor, relation: str, days: tuple[str, str] | None) -> None:
    """Notes an evaluation; days from the first to the last, None for a table made whole."""
    starts_on, ends_on = days or (None, None)
    cursor.execute(
        "INSERT INTO ops.elsewhere (relation, starts_on, ends_on) VALUES (%s, %s, %s)", (relation, starts_on, ends_on)
    )


def evaluations(cursor: Cursor, nodes: Iterable[Node]) -> list[Change]:
    """The evaluations of the tables of these nodes, in the order of their numbers."""
    cursor.execute(
        "SELECT evaluation_id, relation, starts_on, ends_on FROM ops.elsewhere WHERE relation = ANY (%s) ORDER BY 1",
        ([node.relation for node in nodes if node.relation],),
    )
    return [
        Change(number, relation, start, end and end + timedelta(days=1))
        for number, relation, start, end in cursor.fetchall()
    ]


def prune(cursor: Cursor) -> None:
    """Drops notes that say nothing any more."""
    cursor.execute(_PRUNE)
