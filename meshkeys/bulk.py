"""Fills a table of days for the first time on all cores.

SQLMesh creates such a table empty and fills it by DELETE and INSERT ... SELECT, whose query PostgreSQL runs on one core. CREATE
TABLE AS runs in parallel, and a committed table can have several indexes built at once. So another table is made, filled and
indexed on separate connections, under a name that no query uses. A query of windows has one core even there: a model may declare
that its days can be filled in ranges, each on another connection. In the transaction of the evaluation it takes the place of
the empty one, and two rules turn SQLMesh's own DELETE and INSERT into no-ops until the transaction ends.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import catalog, keys, locks, sessions
from meshkeys.catalog import Relation
from meshkeys.errors import DatabaseUnavailable, first_line
from meshkeys.names import bounded_name
from meshkeys.queries import one_row

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from meshkeys.declarations import Declarations

_log = logging.getLogger(__name__)
_LEAST_SAMPLE = 1000
_RULES = {"DELETE": "meshkeys_is_filled_delete", "INSERT": "meshkeys_is_filled_insert"}


def fill(cursor: Cursor, table: Relation, queries: Callable[[], Sequence[str]], declared: Declarations) -> bool:
    """Fills the table, where it is empty and nothing hangs on it, with what SQLMesh is about to insert.

    Args:
        cursor: in the transaction of the evaluation.
        table: the physical table.
        queries: each gives the rows of a range of the days that are evaluated, on physical tables; they take time to render.
        declared: the keys and indexes that the table is to have.

    Returns:
        Whether the table was filled; `finish` must then be called in the same transaction.
    """
    if not catalog.is_table(cursor, table) or catalog.readers_of(cursor, table) or catalog.has_rows(cursor, table):
        return False
    new = table.sibling(bounded_name(f"new_{secrets.token_hex(4)}", table.name))
    types = catalog.types(cursor, table)
    with sessions.aside(cursor) as own:
        try:
            _make(own, new, types, queries())
            keys.build_indexes(cursor, new, declared)
        except BaseException:
            _drop(own, new)
            raise
    _copy_comments(cursor, table, new, list(types))
    cursor.execute(sql.SQL("DROP TABLE {}").format(table.identifier))
    cursor.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new.identifier, sql.Identifier(table.name)))
    keys.adopt_indexes(cursor, new, table, declared)
    for event, rule in _RULES.items():
        cursor.execute(
            sql.SQL("CREATE RULE {} AS ON {} TO {} DO INSTEAD NOTHING").format(
                sql.Identifier(rule), sql.SQL(event), table.identifier
            )
        )
    return True


def finish(cursor: Cursor, table: Relation) -> None:
    """Lets the table be written to again."""
    for rule in _RULES.values():
        cursor.execute(sql.SQL("DROP RULE IF EXISTS {} ON {}").format(sql.Identifier(rule), table.identifier))


def clear(cursor: Cursor) -> None:
    """Drops tables that were made but never put to use, because their plan was killed or failed."""
    cursor.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname ~ '^sqlmesh__' AND tablename ~ '^new_[0-9a-f]{8}__'"
    )
    for place in cursor.fetchall():
        try:
            locks.patiently(cursor, sql.SQL("DROP TABLE IF EXISTS {}").format(Relation(*place).identifier), attempts=10)
        except DatabaseUnavailable as error:
            _log.info("keeping %s for now: %s", ".".join(place), first_line(error))


def cuts(cursor: Cursor, parent: Relation, column: str) -> list[date]:
    """The days on which a first fill is to be cut, so that each range has about as many rows of the parent: from a sample of it.

    Empty where the server has one worker, or the parent has so few rows that the sample says nothing.
    """
    count = sessions.workers_of(cursor)
    sample = sql.SQL(
        "SELECT count(*), percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY {})"
        " FROM {} TABLESAMPLE SYSTEM (1) REPEATABLE (0)"
    ).format(sql.Identifier(column), parent.identifier)
    seen, days = one_row(cursor, sample, ([place / count for place in range(1, count)],))
    return sorted(set(days)) if count > 1 and seen >= _LEAST_SAMPLE else []


def _make(cursor: Cursor, table: Relation, types: dict[str, str], queries: Sequence[str]) -> None:
    # As an INSERT would. A cast to the type that a column already has costs nothing.
    casts = [sql.SQL("CAST({0} AS {1}) AS {0}").format(sql.Identifier(n), sql.SQL(kind)) for n, kind in types.items()]
    selected = sql.SQL(", ").join(casts)
    rows = [
        sql.SQL("SELECT {} FROM (").format(selected) + sql.SQL(query) + sql.SQL(") AS contents") for query in queries
    ]
    create = sql.SQL("CREATE TABLE {} AS ").format(table.identifier)
    if len(rows) == 1:
        cursor.execute(create + rows[0])
        return
    cursor.execute(create + rows[0] + sql.SQL(" WITH NO DATA"))
    insert = sql.SQL("INSERT INTO {} ").format(table.identifier)
    sessions.side_by_side(cursor, [partial(_execute, insert + each) for each in rows])


def _execute(statement: sql.Composed, cursor: Cursor) -> None:
    cursor.execute(statement)


def _drop(cursor: Cursor, table: Relation) -> None:
    if not cursor.connection.closed:  # else the next plan clears it away
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table.identifier))


def _copy_comments(cursor: Cursor, old: Relation, new: Relation, columns: list[str]) -> None:
    cursor.execute(
        "SELECT objsubid, description FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid = %s::regclass",
        (f'"{old.schema}"."{old.name}"',),
    )
    for place, text in cursor.fetchall():
        if place == 0:
            cursor.execute(sql.SQL("COMMENT ON TABLE {} IS %s").format(new.identifier), (text,))
        else:
            name = sql.Identifier(new.schema, new.name, columns[place - 1])
            cursor.execute(sql.SQL("COMMENT ON COLUMN {} IS %s").format(name), (text,))
