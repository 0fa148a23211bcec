"""Compares the relations of a warehouse on PostgreSQL with those that the same models made on another engine, cell by cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql


@dataclass(frozen=True)
class Difference:
    """How a relation differs: in its columns, or in rows that only one side has."""

    relation: str
    what: str

    def __str__(self) -> str:
        return f"{self.relation}: {self.what}"


def relations(root: Path) -> list[str]:
    """All models of a project, as `schema.name`."""
    return sorted(f"{path.parent.name}.{path.stem}" for path in root.glob("models/*/*.sql"))


def differences(url: str, spark: Any, names: list[str]) -> list[Difference]:
    """What differs; every row and every column of each relation is compared, as value and as written."""
    found = []
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET timezone = 'UTC'")
            for name in names:
                difference = _difference(cursor, spark, name)
                if difference is not None:
                    found.append(Difference(name, difference))
    finally:
        connection.close()
    return found


def row_counts(url: str, names: list[str]) -> dict[str, int]:
    """How many rows each relation has on PostgreSQL: a comparison of empty relations proves nothing."""
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            counts = {}
            for name in names:
                cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*name.split("."))))
                counts[name] = cursor.fetchone()[0]
            return counts
    finally:
        connection.close()


def _difference(cursor: Any, spark: Any, name: str) -> str | None:
    cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*name.split("."))))
    columns = [column.name for column in cursor.description]
    here = Counter(_comparable(row) for row in cursor.fetchall())
    frame = spark.table(name)
    if frame.columns != columns:
        return f"columns {sorted(set(frame.columns) ^ set(columns)) or 'in another order'}"
    there = Counter(_comparable(row) for row in frame.collect())
    if here == there:
        return None
    only_here, only_there = here - there, there - here
    return (
        f"of {here.total()} and {there.total()} rows {only_here.total()} and {only_there.total()} differ;"
        f" columns {_columns_that_differ(only_here, only_there, columns)}"
    )


def _comparable(row: Any) -> tuple[str, ...]:
    """Each cell with its type, so that 1, 1.0, '1' and NULL are four values; moments in UTC."""
    return tuple(f"{type(cell).__name__} {cell!r}" for cell in map(_in_utc, row))


def _in_utc(cell: Any) -> Any:
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        return cell.astimezone(timezone.utc).replace(tzinfo=None)
    return cell


def _columns_that_differ(here: Any, there: Any, columns: list[str]) -> str:
    """For rows paired in their order: the columns, with the first two values of each."""
    found: dict[str, str] = {}
    for one, other in zip(sorted(here.elements()), sorted(there.elements()), strict=False):
        for column, left, right in zip(columns, one, other, strict=True):
            if left != right:
                found.setdefault(column, f"{column} ({left} | {right})")
    return ", ".join(found.values()) or "none: rows are on one side only"
