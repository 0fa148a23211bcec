"""Turns operations into SQL, and executes them on tables that are read meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import locks, names
from meshkeys.catalog import Relation
from meshkeys.declarations import Index
from meshkeys.names import bounded_name
from meshkeys.operations import (
    AddForeignKey,
    AddPrimaryKey,
    CreateIndex,
    DropConstraint,
    DropIndex,
    Operation,
    ValidateConstraint,
)

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_log = logging.getLogger(__name__)


def execute(cursor: Cursor, operations: Iterable[Operation]) -> None:
    """Executes operations in order; what takes long is done under locks that let others read and write.

    The cursor's connection commits by itself: indexes are built and dropped CONCURRENTLY.

    Raises:
        psycopg2.errors.ForeignKeyViolation: a row has no parent; the key stays, NOT VALID, and guards new rows.
        DatabaseUnavailable: in all attempts a reader held the lock.
    """
    for operation in operations:
        _log.info("%s", operation)
        if isinstance(operation, AddPrimaryKey):
            _add_primary_key(cursor, operation)
        elif isinstance(operation, (DropConstraint, AddForeignKey)):
            locks.patiently(cursor, statement(operation))
        else:
            cursor.execute(statement(operation))


def statement(operation: CreateIndex | DropIndex | DropConstraint | AddForeignKey | ValidateConstraint) -> sql.Composed:
    """The one statement of an operation, for a table that others use."""
    table = sql.SQL("ALTER TABLE {} ").format(operation.table.identifier)
    if isinstance(operation, CreateIndex):
        return create_index(operation.table, operation.index, concurrently=True)
    if isinstance(operation, DropIndex):
        name = operation.table.sibling(operation.name)
        return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name.identifier)
    if isinstance(operation, DropConstraint):
        return table + sql.SQL("DROP CONSTRAINT IF EXISTS {}").format(sql.Identifier(operation.name))
    if isinstance(operation, ValidateConstraint):
        return table + sql.SQL("VALIDATE CONSTRAINT {}").format(sql.Identifier(operation.name))
    key = "ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) DEFERRABLE INITIALLY DEFERRED NOT VALID"
    return table + sql.SQL(key).format(
        sql.Identifier(operation.name),
        sql.Identifier(operation.column),
        operation.parent.identifier,
        sql.Identifier(operation.parent_column),
    )


def create_index(table: Relation, index: Index, concurrently: bool = False) -> sql.Composed:
    """The statement that builds an index."""
    built = sql.SQL("CREATE {}INDEX {}{} ON {} USING {} ({})").format(
        sql.SQL("UNIQUE " if index.is_unique else ""),
        sql.SQL("CONCURRENTLY " if concurrently else ""),
        sql.Identifier(names.of_index(table, index)),
        table.identifier,
        sql.Identifier(index.method),
        sql.SQL(", ").join(map(sql.Identifier, index.columns)),
    )
    if index.include:
        built += sql.SQL(" INCLUDE ({})").format(sql.SQL(", ").join(map(sql.Identifier, index.include)))
    if index.where:
        built += sql.SQL(" WHERE ") + sql.SQL(index.where)
    return built


def primary_key_of(table: Relation, columns: tuple[str, ...]) -> sql.Composed:
    """The statement that makes the unique index on the columns the primary key."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {}").format(
        table.identifier,
        sql.Identifier(names.of_primary_key(table)),
        sql.Identifier(names.of_index(table, Index(columns, is_unique=True))),
    )


def _add_primary_key(cursor: Cursor, operation: AddPrimaryKey) -> None:
    """Adds a primary key to a table in use: what takes long is done first, under locks that let others read and write."""
    table, columns = operation.table, operation.columns
    unique = Index(columns, is_unique=True)
    # An execution that was killed may have left it, invalid.
    cursor.execute(statement(DropIndex(table, names.of_index(table, unique))))
    cursor.execute(statement(CreateIndex(table, unique)))
    change = sql.SQL("ALTER TABLE {} ").format(table.identifier)
    checks = {column: bounded_name(table.name, column, "known") for column in columns}
    for column, check in checks.items():
        locks.patiently(cursor, statement(DropConstraint(table, check)))  # left by an execution that was killed
        not_null = sql.SQL("ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID")
        locks.patiently(cursor, change + not_null.format(sql.Identifier(check), sql.Identifier(column)))
        cursor.execute(statement(ValidateConstraint(table, check, column)))
    locks.patiently(cursor, primary_key_of(table, columns))
    for check in checks.values():
        locks.patiently(cursor, statement(DropConstraint(table, check)))
