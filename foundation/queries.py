"""Queries with one answer: a value, a row, whether relations are there. Opens no connection and owns no schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshkeys.queries import first_row, one_row, scalar

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

__all__ = ["first_row", "one_row", "relations_exist", "scalar"]


def relations_exist(cursor: Cursor, *names: str) -> bool:
    """Whether there are all of these relations, each named as `schema.name`."""
    query = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS wanted (name)"
    return bool(scalar(cursor, query, (list(names),)))
