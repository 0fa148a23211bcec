"""Lets a table lose rows that foreign keys point at: drops the keys, which are set again when the plan or run ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import catalog, keys, sessions
from meshkeys.catalog import Relation
from meshkeys.queries import scalar

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_log = logging.getLogger(__name__)

_POINTING = """
SELECT n.nspname, c.relname, k.conname, a.attname, p.attname
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
JOIN pg_attribute AS p ON p.attrelid = k.confrelid AND p.attnum = k.confkey[1]
WHERE k.contype = 'f' AND k.confrelid = to_regclass(%s) AND k.conrelid <> k.confrelid
"""


def make_way(cursor: Cursor, table: Relation, query: Callable[[], str]) -> None:
    """Drops the foreign keys whose rows would lose their parent when the table is rewritten with what a query gives.

    The keys are dropped on another connection, so that their locks last for a moment only. The rows without a parent go to
    quarantine when their days are restated; until then `change.end` sets the keys again, not validated.

    Args:
        cursor: in the transaction of the evaluation, which has not written yet.
        table: the table that is about to be rewritten whole.
        query: gives what it is about to hold; it takes time to render.
    """
    cursor.execute(_POINTING, (catalog.quoted(table),))
    pointing = cursor.fetchall()
    if not pointing:
        return
    with sessions.aside(cursor) as own:
        for schema, name, constraint, column, key in pointing:
            child = Relation(schema, name)
            lost = sql.SQL("SELECT {key} FROM {table} EXCEPT SELECT {key} FROM ({query}) AS coming").format(
                key=sql.Identifier(key), table=table.identifier, query=sql.SQL(query())
            )
            loses_parents = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IN ({}))")
            if scalar(own, loses_parents.format(child.identifier, sql.Identifier(column), lost)):
                _log.info("dropping foreign key %s of %s: %s loses rows that it points at", constraint, child, table)
                keys.drop_constraint(own, child, constraint)
