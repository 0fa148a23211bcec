"""Takes the package out of a database: views show what SQLMesh built, notes go, keys and indexes stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import catalog, change, locks, materialized_views, schema
from meshkeys.catalog import Relation
from meshkeys.queries import scalar
from meshkeys.settings import current, in_notes, note

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_COMPOSING = """
SELECT schemaname, viewname FROM pg_views WHERE viewname ~ '__mv_[0-9a-f]{8}$' AND schemaname ~ '^sqlmesh__'
"""
_IS_EMPTY = """
SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid)
   AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid)
FROM pg_namespace AS n WHERE n.nspname = %s
"""


def remove(cursor: Cursor) -> None:
    """Takes out of a database all that this package keeps in it, for a project that no longer uses it.

    First puts back what a plan set aside. Then each view that shows a materialized view shows the physical view below it, as
    SQLMesh made it, and the materialized views are dropped. Last go the notes, and their schema where nothing else is in it.
    Keys and indexes of tables stay: SQLMesh drops them with their tables.

    Args:
        cursor: of the account that plans; commits by itself. No plan or run may be under way, and none may follow while the
            macros are still in the configuration.

    Raises:
        DatabaseUnavailable: a reader kept its lock on a view.
    """
    change.put_back(cursor)
    cursor.execute(_COMPOSING)
    for served in [Relation(*row) for row in cursor.fetchall()]:
        physical = served.sibling(served.name.rpartition("__mv_")[0])
        for view in catalog.readers_of(cursor, served):
            locks.patiently(
                cursor,
                sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(view.identifier, physical.identifier),
            )
    if catalog.exists(cursor, note("materialized_parts")):
        materialized_views.reap(cursor)
    for table in schema.TABLES:
        cursor.execute(in_notes("DROP TABLE IF EXISTS {notes}.{table}", table=sql.Identifier(table)))
    cursor.execute(in_notes("DROP SEQUENCE IF EXISTS {notes}.ledger_ids"))
    if scalar(cursor, _IS_EMPTY, (current().notes,)):
        cursor.execute(in_notes("DROP SCHEMA {notes}"))
