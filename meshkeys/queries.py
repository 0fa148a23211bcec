"""Queries with one answer: a value, or a row. Owns no statement."""

from __future__ import annotations

from typing import Any, Protocol


class Cursor(Protocol):
    """What is used of a database cursor."""

    connection: Any

    def execute(self, query: Any, vars: Any = None, /) -> object:
        """Runs a statement."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""


def scalar(cursor: Cursor, query: Any, parameters: Any = None) -> Any:
    """The first value of a query's first row, None where there is no row."""
    row = first_row(cursor, query, parameters)
    return row[0] if row else None


def first_row(cursor: Cursor, query: Any, parameters: Any = None) -> tuple[Any, ...] | None:
    """A query's first row, None where there is none."""
    cursor.execute(query, parameters)
    return cursor.fetchone()


def one_row(cursor: Cursor, query: Any, parameters: Any = None) -> tuple[Any, ...]:
    """The first row of a query that always has one, such as an aggregate."""
    row = first_row(cursor, query, parameters)
    assert row is not None
    return row
