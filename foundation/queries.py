"""Queries with one answer: a value, a row, whether relations are there. Opens no connection and owns no schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg2.extensions import cursor as Cursor
    from psycopg2.sql import Composable


def scalar(cursor: Cursor, query: str | Composable, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> Any:
    """The first value of a query's first row, None where there is no row."""
    row = first_row(cursor, query, parameters)
    return row[0] if row else None


def first_row(
    cursor: Cursor, query: str | Composable, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> tuple[Any, ...] | None:
    """A query's first row, None where there is none."""
    cursor.execute(query, parameters)
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def one_row(
    cursor: Cursor, query: str | Composable, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> tuple[Any, ...]:
    """The first row of a query that always has one, such as an aggregate."""
    row = first_row(cursor, query, parameters)
    assert row is not None
    return row


def relations_exist(cursor: Cursor, *names: str) -> bool:
    """Whether there are all of these relations, each named as `schema.name`."""
    query = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS wanted (name)"
    return bool(scalar(cursor, query, (list(names),)))
