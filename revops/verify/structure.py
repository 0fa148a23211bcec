"""Keys that are enforced, indexes that are used, and views that show what they should: all by the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from meshkeys import catalog, declarations, materialized_views
from meshkeys.catalog import Relation
from revops.result import Result, listed
from revops.verify.models import Model

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_INDEXES = """
SELECT array(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
             WHERE k.place <= x.indnkeyatts ORDER BY k.place),
       array(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
             WHERE k.place > x.indnkeyatts ORDER BY k.place),
       x.indisunique, m.amname, pg_get_expr(x.indpred, x.indrelid),
       x.indisvalid AND x.indisready AND x.indislive, x.indexprs IS NOT NULL
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_am AS m ON m.oid = i.relam
WHERE x.indrelid = to_regclass(%s)
"""
_PRIMARY_KEY = """
SELECT array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.place),
       c.convalidated AND x.indisunique AND x.indisvalid AND x.indisready AND x.indislive
FROM pg_constraint AS c JOIN pg_index AS x ON x.indexrelid = c.conindid
WHERE c.conrelid = to_regclass(%s) AND c.contype = 'p'
"""
# PostgreSQL enforces a foreign key by two triggers on each of its tables. Disabled ones enforce nothing, and neither do
# those that fire in a replica only; a key that is NOT ENFORCED (PostgreSQL 18) has none.
_FOREIGN_KEYS = """
SELECT array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.place),
       n.nspname, p.relname,
       array(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.place),
       c.convalidated,
       (SELECT count(*) FROM pg_trigger AS t WHERE t.tgconstraint = c.oid AND t.tgenabled IN ('O', 'A'))
FROM pg_constraint AS c
JOIN pg_class AS p ON p.oid = c.confrelid
JOIN pg_namespace AS n ON n.oid = p.relnamespace
WHERE c.conrelid = to_regclass(%s) AND c.contype = 'f'
"""
_TRIGGERS_OF_KEY = 4


@dataclass(frozen=True)
class _Index:
    columns: tuple[str, ...]
    include: tuple[str, ...]
    is_unique: bool
    method: str
    where: str | None
    is_used: bool
    has_expressions: bool


def check(cursor: Cursor, models: Mapping[str, Model]) -> Iterator[Result]:
    """Keys and indexes, parts of materialized views, and what the views of prod select."""
    yield _keys(cursor, models)
    yield _parts(cursor, models)
    yield _views(cursor, models)


def _keys(cursor: Cursor, models: Mapping[str, Model]) -> Result:
    wrong: list[str] = []
    count = 0
    for name, model in models.items():
        declared, table = model.declared, model.behind
        if table is None:
            wrong.append(f"{name} has no table")
            continue
        if declared.materialized_view is not None:
            continue
        count += bool(declared.primary_key) + len(declared.indexes) + len(declared.foreign_keys)
        if declared.primary_key:
            cursor.execute(_PRIMARY_KEY, (catalog.quoted(table),))
            if [(tuple(columns), True) for columns, is_used in cursor.fetchall() if is_used] != [
                (declared.primary_key, True)
            ]:
                wrong.append(f"{name} lacks its primary key ({', '.join(declared.primary_key)})")
        wrong += [f"{name} {fault}" for fault in _missing_indexes(cursor, table, declared.indexes)]
        wrong += [f"{name} {fault}" for fault in _missing_foreign_keys(cursor, table, models, declared)]
    return Result("keys and indexes as declared", not wrong, listed(wrong) or f"{count} declared, all enforced")


def _missing_indexes(cursor: Cursor, table: Relation, declared: tuple[declarations.Index, ...]) -> Iterator[str]:
    cursor.execute(_INDEXES, (catalog.quoted(table),))
    found = [_Index(tuple(row[0]), tuple(row[1]), *row[2:]) for row in cursor.fetchall()]
    for wanted in declared:
        if not any(_serves(index, wanted) for index in found):
            yield f"lacks index ({', '.join(wanted.columns)})"


def _serves(index: _Index, wanted: declarations.Index) -> bool:
    return (
        index.is_used
        and not index.has_expressions
        and index.columns == wanted.columns
        and set(wanted.include) <= set(index.include)
        and (index.is_unique or not wanted.is_unique)
        and index.method == wanted.method
        and _bare(index.where) == _bare(wanted.where)
    )


def _bare(condition: str | None) -> str:
    """A condition as PostgreSQL and the model write it alike: without casts, brackets, blanks, quotes of names, and case."""
    return re.sub(r"::[a-z ]+|[\s()\"]", "", (condition or "").lower())


def _missing_foreign_keys(
    cursor: Cursor, table: Relation, models: Mapping[str, Model], declared: declarations.Declarations
) -> Iterator[str]:
    if not declared.foreign_keys:
        return
    cursor.execute(_FOREIGN_KEYS, (catalog.quoted(table),))
    found = {
        (tuple(columns), Relation(schema, parent), tuple(parent_columns)): (is_validated, triggers)
        for columns, schema, parent, parent_columns, is_validated, triggers in cursor.fetchall()
    }
    for wanted in declared.foreign_keys:
        parent = models[wanted.parent].behind if wanted.parent in models else None
        state = found.get(((wanted.column,), parent, (wanted.parent_column,))) if parent else None
        shown = f"foreign key {wanted.column} -> {wanted.parent}"
        if state is None or not state[0]:
            yield f"lacks a validated {shown}"
        elif state[1] < _TRIGGERS_OF_KEY:
            yield f"does not enforce its {shown}: triggers are disabled (ALTER TABLE ... ENABLE TRIGGER ALL)"


def _parts(cursor: Cursor, models: Mapping[str, Model]) -> Result:
    wrong: list[str] = []
    parts_seen = 0
    for name, model in models.items():
        if model.declared.materialized_view is None:
            continue
        served = model.behind
        parts = catalog.relations_read_by(cursor, served) if served else []
        if served is None or "__mv_" not in served.name or not parts:
            wrong.append(f"{name} is not served from a materialized view")
        for part in parts:
            parts_seen += 1
            cursor.execute(
                "SELECT ispopulated FROM pg_matviews WHERE schemaname = %s AND matviewname = %s",
                (part.schema, part.name),
            )
            row = cursor.fetchone()
            wanted = materialized_views.indexes_of(model.declared)
            if row is None or not row[0] or any(_missing_indexes(cursor, part, wanted)):
                wrong.append(f"{part} is not populated or lacks an index")
    return Result(
        "served from materialized views", not wrong, listed(wrong) or f"{parts_seen} parts, populated and indexed"
    )


def _views(cursor: Cursor, models: Mapping[str, Model]) -> Result:
    wrong = [f"{name} {fault}" for name, model in models.items() for fault in _misdirected(cursor, model)]
    return Result(
        "views show what they should",
        not wrong,
        listed(wrong) or f"{len(models)} views of prod, each on the relation that was built for it",
    )


def _misdirected(cursor: Cursor, model: Model) -> Iterator[str]:
    """PostgreSQL reads through views: it plans two queries alike where they are the same."""
    if model.declared.materialized_view is not None:
        return  # its rows are compared, and its parts are checked
    cursor.execute("SAVEPOINT planning")
    try:
        if plan(cursor, model.view.identifier) != plan(cursor, model.physical.identifier):
            yield f"does not show {model.physical} as it is"
    except psycopg2.ProgrammingError as error:
        cursor.execute("ROLLBACK TO SAVEPOINT planning")
        yield f"cannot be read: {str(error).splitlines()[0]}"


def plan(cursor: Cursor, source: sql.Composable) -> list[Any]:
    """How PostgreSQL would read all columns of a relation or query, in words."""
    query = sql.SQL("EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM (SELECT * FROM {}) AS contents")
    cursor.execute(query.format(source))
    return cursor.fetchall()
