"""Keeps a table's primary key, indexes and foreign keys as declared, at each stage of its life."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import catalog, comparison, execution, names, sessions
from meshkeys.catalog import Relation
from meshkeys.declarations import Declarations, Index
from meshkeys.operations import AddPrimaryKey, CreateIndex, DropConstraint, Operation

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


def build(cursor: Cursor, table: Relation, declared: Declarations) -> None:
    """Adds the declared primary key and indexes that are missing, in the caller's transaction.

    Finding nothing missing costs three look-ups in the catalog. What is there but no longer declared is left to `reconcile`.
    """
    if not (declared.primary_key or declared.indexes) or not catalog.is_table(cursor, table):
        return
    if declared.primary_key and catalog.primary_key(cursor, table) is None:
        _add_primary_key(cursor, AddPrimaryKey(table, declared.primary_key))
    for operation in comparison.of_indexes(table, declared.indexes, catalog.indexes(cursor, table)):
        if isinstance(operation, CreateIndex):
            cursor.execute(execution.create_index(table, operation.index))


def build_indexes(cursor: Cursor, table: Relation, declared: Declarations) -> None:
    """Builds all indexes of a table without readers side by side, the one of the primary key among them."""
    by_length = sorted(_all_indexes(declared), key=lambda index: -len(index.columns))  # else a long one may run last
    sessions.side_by_side(cursor, [partial(_build_index, table, index) for index in by_length])


def adopt_indexes(cursor: Cursor, old: Relation, table: Relation, declared: Declarations) -> None:
    """After a table built by `build_indexes` was renamed: renames its indexes, adds the primary key, runs ANALYZE."""
    for index in _all_indexes(declared):
        was = table.sibling(names.of_index(old, index))
        renamed = sql.Identifier(names.of_index(table, index))
        cursor.execute(sql.SQL("ALTER INDEX {} RENAME TO {}").format(was.identifier, renamed))
    if declared.primary_key:
        cursor.execute(execution.primary_key_of(table, declared.primary_key))
    cursor.execute(sql.SQL("ANALYZE {}").format(table.identifier))


def pending(
    cursor: Cursor, table: Relation, parents: Mapping[str, Relation], declared: Declarations
) -> list[Operation]:
    """What is to be done to a table so that its keys and indexes are exactly the declared ones; nothing where there is none."""
    if not catalog.is_table(cursor, table):
        return []
    return comparison.of_table(table, declared, _tables(cursor, parents, declared), catalog.keys(cursor, table))


def reconcile(cursor: Cursor, table: Relation, declared: Declarations) -> None:
    """Makes primary key and indexes of a table in use exactly the declared ones, while it is read.

    The cursor's connection commits by itself: indexes are built and dropped CONCURRENTLY.
    """
    if catalog.is_table(cursor, table):
        found = catalog.keys(cursor, table)
        execution.execute(cursor, comparison.of_indexes(table, declared.indexes, found.indexes))
        execution.execute(cursor, comparison.of_primary_key(table, declared.primary_key, found))


def pending_indexes(cursor: Cursor, table: Relation, declared: Iterable[Index]) -> list[Operation]:
    """What is to be done so that the indexes of a table or materialized view are exactly the declared ones."""
    return comparison.of_indexes(table, declared, catalog.indexes(cursor, table))


def relax_foreign_keys(
    cursor: Cursor, table: Relation, parents: Mapping[str, Relation], declared: Declarations
) -> None:
    """Drops the foreign keys of a table that point elsewhere than at these parents.

    A plan or run is about to add rows that were checked against its own version of a dimension. A key that still points at
    another version would refuse valid rows. `point_foreign_keys` sets it again afterwards.
    """
    if not declared.foreign_keys:
        return
    found = catalog.keys(cursor, table)
    operations = comparison.of_foreign_keys(table, declared, parents, found)
    execution.execute(cursor, (each for each in operations if isinstance(each, DropConstraint)))


def point_foreign_keys(
    cursor: Cursor, table: Relation, parents: Mapping[str, Relation], declared: Declarations
) -> None:
    """Makes the foreign keys of a table exactly the declared ones, pointing at these parents, and checks all rows.

    The cursor's connection commits by itself. A key is added NOT VALID first, which takes a moment, and validated in a
    second step, which lets others read and write.

    Raises:
        psycopg2.errors.ForeignKeyViolation: a row has no parent; the key stays, NOT VALID, and guards new rows.
    """
    if catalog.is_table(cursor, table):
        known = _tables(cursor, parents, declared)
        execution.execute(cursor, comparison.of_foreign_keys(table, declared, known, catalog.keys(cursor, table)))


def drop_constraint(cursor: Cursor, table: Relation, name: str) -> None:
    """Drops a key, which takes a short exclusive lock on the table, and for a foreign key on the parent too."""
    execution.execute(cursor, [DropConstraint(table, name)])


def _tables(cursor: Cursor, parents: Mapping[str, Relation], declared: Declarations) -> dict[str, Relation]:
    """The parents of the declared foreign keys that are tables."""
    wanted = {key.parent for key in declared.foreign_keys} & parents.keys()
    return {name: parents[name] for name in wanted if catalog.is_table(cursor, parents[name])}


def _add_primary_key(cursor: Cursor, operation: AddPrimaryKey) -> None:
    """To a table that was just filled and is not visible yet; ANALYZE tells the planner its rows."""
    cursor.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY ({})").format(
            operation.table.identifier,
            sql.Identifier(names.of_primary_key(operation.table)),
            sql.SQL(", ").join(map(sql.Identifier, operation.columns)),
        )
    )
    cursor.execute(sql.SQL("ANALYZE {}").format(operation.table.identifier))


def _all_indexes(declared: Declarations) -> list[Index]:
    """The declared indexes and, first, the one of the primary key."""
    of_key = [Index(declared.primary_key, is_unique=True)] if declared.primary_key else []
    return [*of_key, *declared.indexes]


def _build_index(table: Relation, index: Index, cursor: Cursor) -> None:
    cursor.execute(execution.create_index(table, index))
