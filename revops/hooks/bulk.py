"""Fills a table of days for the first time on all cores.

SQLMesh creates such a table empty and fills it by DELETE and INSERT ... SELECT, of which PostgreSQL runs the query on one core;
that of CREATE TABLE ... AS it runs on all. So an empty table is replaced, inside the transaction of the evaluation, by one
made and filled in one statement, and two rules make SQLMesh's own DELETE and INSERT do nothing until that transaction's end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from psycopg2 import sql

from revops.hooks import catalog
from revops.hooks.catalog import Relation

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

Span = tuple[str, str]

_RULES = {"DELETE": "revops_is_filled_delete", "INSERT": "revops_is_filled_insert"}


def fill(
    cursor: Cursor, table: Relation, render: Callable[[str, str], str], time_column: str, span: Span, looks_back: bool
) -> bool:
    """Fills the table, where it is empty and nothing hangs on it, with what SQLMesh is about to insert.

    Args:
        cursor: in the transaction of the evaluation.
        table: the physical table.
        render: from the first and last moment of a span to the model's query on physical tables, for its days.
        time_column: the model's time column.
        span: the days that are evaluated.
        looks_back: whether rows are computed from earlier ones, in windows. Of those PostgreSQL runs each query on one core,
            so that the span is filled in pieces, side by side.

    Returns:
        Whether the table was filled; `finish` must then be called in the same transaction.
    """
    if not catalog.is_table(cursor, table) or catalog.readers_of(cursor, table) or _has_rows(cursor, table):
        return False
    new = table.sibling(catalog.bounded_name(table.name, "new"))
    columns = catalog.columns(cursor, table)
    selected = sql.SQL(", ").join(map(sql.Identifier, columns))
    queries = [
        sql.SQL("SELECT {} FROM ({}) AS contents WHERE {} BETWEEN {} AND {}").format(
            selected, sql.SQL(render(*piece)), sql.Identifier(time_column), *map(sql.Literal, piece)
        )
        for piece in (_pieces(cursor, span) if looks_back else [span])
    ]
    cursor.execute(sql.SQL("CREATE TABLE {} AS ").format(new.identifier) + sql.SQL(" UNION ALL ").join(queries))
    _copy_comments(cursor, table, new, columns)
    cursor.execute(sql.SQL("DROP TABLE {}").format(table.identifier))
    cursor.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new.identifier, sql.Identifier(table.name)))
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


def _pieces(cursor: Cursor, span: Span) -> list[Span]:
    """The span cut into as many pieces of landed days as keep all workers busy, and small enough to be sorted in memory."""
    cursor.execute(
        """
        SELECT min(day), max(day), 2 * current_setting('max_parallel_workers_per_gather')::int FROM ops.touched_days
        WHERE relation = 'transactions' AND day > %s::date AND day <= %s::date
        """,
        span,
    )
    first, last, count = cursor.fetchone() or (None, None, 0)
    if first is None or count == 0:
        return [span]
    days = (last - first).days + 1
    cuts = sorted({first + timedelta(days=days * number // count) for number in range(1, count)} - {first})
    starts = [span[0], *(f"{cut} 00:00:00" for cut in cuts)]
    ends = [*(f"{cut - timedelta(days=1)} 23:59:59.999999" for cut in cuts), span[1]]
    return list(zip(starts, ends, strict=True))


def _has_rows(cursor: Cursor, table: Relation) -> bool:
    cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table.identifier))
    row = cursor.fetchone()
    return bool(row and row[0])


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
