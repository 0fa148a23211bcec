"""Brings a table's primary key, indexes and foreign keys to the declared state. Owns their names."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import catalog, locks, sessions
from meshkeys.catalog import Relation, bounded_name
from meshkeys.declarations import Declarations, ForeignKey, Index

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_DIGITS = 6
_LONGEST_BEFORE_DIGEST = catalog.LONGEST_NAME - len("_ix_") - _DIGITS

_log = logging.getLogger(__name__)


def build(cursor: Cursor, table: Relation, declared: Declarations) -> None:
    """Adds the declared primary key and indexes that are missing, in the caller's transaction.

    Finding nothing missing costs two look-ups in the catalog. What is there but no longer declared is left to `reconcile`.
    """
    if not (declared.primary_key or declared.indexes) or not catalog.is_table(cursor, table):
        return
    standing = {found.name for found in catalog.indexes(cursor, table) if found.is_valid}
    if declared.primary_key and catalog.primary_key(cursor, table) is None:
        _add_primary_key(cursor, table, declared.primary_key)
        # A table that was just filled: whoever reads it next in this plan should know how many rows it has.
        cursor.execute(sql.SQL("ANALYZE {}").format(table.identifier))
    for wanted in declared.indexes:
        if index_name(table, wanted) not in standing:
            cursor.execute(create_index(table, wanted))


def build_indexes(cursor: Cursor, table: Relation, declared: Declarations) -> None:
    """Builds all indexes of a table that nobody reads yet side by side, the one of the primary key among them."""
    by_length = sorted(_all_indexes(declared), key=lambda index: -len(index.columns))  # no long one last, and alone
    sessions.side_by_side(cursor, [partial(_build_index, table, index) for index in by_length])


def adopt_indexes(cursor: Cursor, old: Relation, table: Relation, declared: Declarations) -> None:
    """After a table built by `build_indexes` was renamed: its indexes get their names, its primary key, the planner its rows."""
    for index in _all_indexes(declared):
        was = table.sibling(index_name(old, index))
        statement = sql.SQL("ALTER INDEX {} RENAME TO {}").format(
            was.identifier, sql.Identifier(index_name(table, index))
        )
        cursor.execute(statement)
    if declared.primary_key:
        cursor.execute(_primary_key_of(table, declared.primary_key))
    cursor.execute(sql.SQL("ANALYZE {}").format(table.identifier))


def reconcile(cursor: Cursor, table: Relation, declared: Declarations) -> None:
    """Makes primary key and indexes of a table in use exactly the declared ones, while it is read.

    The cursor's connection commits by itself: indexes are built and dropped CONCURRENTLY.
    """
    if catalog.is_table(cursor, table):
        reconcile_indexes(cursor, table, declared.indexes)
        _reconcile_primary_key(cursor, table, declared.primary_key)


def reconcile_indexes(cursor: Cursor, table: Relation, declared: Iterable[Index]) -> None:
    """Makes the indexes of a table or materialized view in use exactly the declared ones, while it is read.

    The cursor's connection commits by itself: indexes are built and dropped CONCURRENTLY.
    """
    wanted = {index_name(table, index): index for index in declared}
    for found in catalog.indexes(cursor, table):
        if found.backs_constraint or not found.name.startswith(_prefix(table)):
            continue
        if found.name not in wanted or not found.is_valid:
            _log.info("dropping index %s, which is not declared or not valid", found.name)
            cursor.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(table.sibling(found.name).identifier))
    standing = {found.name for found in catalog.indexes(cursor, table)}
    for name, index in wanted.items():
        if name not in standing:
            _log.info("building index %s", name)
            cursor.execute(create_index(table, index, concurrently=True))


def relax_foreign_keys(
    cursor: Cursor, table: Relation, parents: Mapping[str, Relation], declared: Declarations
) -> None:
    """Drops the foreign keys of a table that point elsewhere than at these parents.

    A plan or run is about to add rows that were checked against its own version of a dimension. A key that still points at
    another version would refuse valid rows. `point_foreign_keys` sets it anew afterwards.
    """
    if not declared.foreign_keys:
        return
    expected = {key.column: parents.get(key.parent) for key in declared.foreign_keys}
    for key in catalog.foreign_keys(cursor, table):
        if expected.get(key.columns[0]) != key.parent:
            _log.info("dropping foreign key %s of %s: it points at %s", key.name, table, key.parent)
            drop_constraint(cursor, table, key.name)


def point_foreign_keys(
    cursor: Cursor, table: Relation, parents: Mapping[str, Relation], declared: Declarations
) -> None:
    """Makes the foreign keys of a table exactly the declared ones, pointing at these parents, and checks all rows.

    The cursor's connection commits by itself. A key is added NOT VALID first, which takes a moment, and validated in a
    second step, which lets others read and write.

    Raises:
        psycopg2.errors.ForeignKeyViolation: a row has no parent; the key stays, NOT VALID, and guards new rows.
    """
    if not catalog.is_table(cursor, table):
        return
    relax_foreign_keys(cursor, table, parents, declared)
    standing = {key.columns[0]: key for key in catalog.foreign_keys(cursor, table)}
    names = {foreign_key_name(table, key) for key in declared.foreign_keys}
    for column, key in standing.items():
        if key.name not in names and column not in {wanted.column for wanted in declared.foreign_keys}:
            drop_constraint(cursor, table, key.name)
    for wanted in declared.foreign_keys:
        parent = parents.get(wanted.parent)
        if parent is None or not catalog.is_table(cursor, parent):
            continue
        name = foreign_key_name(table, wanted)
        found = standing.get(wanted.column)
        if found is None:
            _log.info("pointing foreign key %s at %s", name, parent)
            locks.patiently(
                cursor,
                sql.SQL(
                    "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})"
                    " DEFERRABLE INITIALLY DEFERRED NOT VALID"
                ).format(
                    table.identifier,
                    sql.Identifier(name),
                    sql.Identifier(wanted.column),
                    parent.identifier,
                    sql.Identifier(wanted.parent_column),
                ),
            )
        if found is None or not found.is_validated:
            cursor.execute(
                sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(
                    table.identifier, sql.Identifier(found.name if found else name)
                )
            )


def drop_constraint(cursor: Cursor, table: Relation, name: str) -> None:
    """Drops a key, which takes a short exclusive lock on the table, and of a foreign key on both."""
    locks.patiently(
        cursor, sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(table.identifier, sql.Identifier(name))
    )


def index_name(table: Relation, index: Index) -> str:
    """The index's name: the table's, with its version, then the columns, then a hash of table and declaration."""
    digest = hashlib.sha256(f"{table.name} {index!r}".encode()).hexdigest()[:_DIGITS]
    name = f"{table.name}__{'_'.join(index.columns)}"
    return f"{name[:_LONGEST_BEFORE_DIGEST]}_ix_{digest}"


def foreign_key_name(table: Relation, key: ForeignKey) -> str:
    """The foreign key's name: the table's, with its version, then the column."""
    return bounded_name(table.name, key.column, "fk")


def create_index(table: Relation, index: Index, concurrently: bool = False) -> sql.Composed:
    """The statement that builds the index."""
    statement = sql.SQL("CREATE {}INDEX {}{} ON {} USING {} ({})").format(
        sql.SQL("UNIQUE " if index.is_unique else ""),
        sql.SQL("CONCURRENTLY " if concurrently else ""),
        sql.Identifier(index_name(table, index)),
        table.identifier,
        sql.Identifier(index.method),
        sql.SQL(", ").join(map(sql.Identifier, index.columns)),
    )
    if index.include:
        statement += sql.SQL(" INCLUDE ({})").format(sql.SQL(", ").join(map(sql.Identifier, index.include)))
    if index.where:
        statement += sql.SQL(" WHERE ") + sql.SQL(index.where)
    return statement


def _add_primary_key(cursor: Cursor, table: Relation, columns: tuple[str, ...]) -> None:
    cursor.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY ({})").format(
            table.identifier,
            sql.Identifier(bounded_name(table.name, "pk")),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
        )
    )


def _reconcile_primary_key(cursor: Cursor, table: Relation, columns: tuple[str, ...]) -> None:
    found = catalog.primary_key(cursor, table)
    if found is not None and found[1] != columns:
        drop_constraint(cursor, table, found[0])
        found = None
    if found is None and columns:
        _add_primary_key_while_read(cursor, table, columns)


def _add_primary_key_while_read(cursor: Cursor, table: Relation, columns: tuple[str, ...]) -> None:
    """Adds a primary key to a table in use: what takes long is done first, under locks that let others read and write."""
    cursor.execute(create_index(table, Index(columns, is_unique=True), concurrently=True))
    change = sql.SQL("ALTER TABLE {} ").format(table.identifier)
    checks = {column: bounded_name(table.name, column, "known") for column in columns}
    for column, check in checks.items():
        drop_constraint(cursor, table, check)  # of one that was killed half way
        locks.patiently(
            cursor,
            change
            + sql.SQL("ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID").format(
                sql.Identifier(check), sql.Identifier(column)
            ),
        )
        cursor.execute(change + sql.SQL("VALIDATE CONSTRAINT {}").format(sql.Identifier(check)))
    locks.patiently(cursor, _primary_key_of(table, columns))
    for check in checks.values():
        drop_constraint(cursor, table, check)


def _primary_key_of(table: Relation, columns: tuple[str, ...]) -> sql.Composed:
    """The statement that makes the unique index on the columns the primary key."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {}").format(
        table.identifier,
        sql.Identifier(bounded_name(table.name, "pk")),
        sql.Identifier(index_name(table, Index(columns, is_unique=True))),
    )


def _all_indexes(declared: Declarations) -> list[Index]:
    """The declared indexes and, first, the one of the primary key."""
    of_key = [Index(declared.primary_key, is_unique=True)] if declared.primary_key else []
    return [*of_key, *declared.indexes]


def _build_index(table: Relation, index: Index, cursor: Cursor) -> None:
    cursor.execute(create_index(table, index))


def _prefix(table: Relation) -> str:
    """What the names of our indexes on the table begin with."""
    return f"{table.name}__"[:_LONGEST_BEFORE_DIGEST]
