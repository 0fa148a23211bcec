"""Relations of serving to a file, CSV or parquet, streamed: memory does not grow with the rows. Reads serving only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from psycopg2 import sql

from foundation import database, private_files
from foundation.errors import UsageError
from foundation.queries import first_row, scalar
from meshkeys import declarations
from meshkeys.catalog import Relation

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

SCHEMA = "serving"
FORMATS = ("csv", "parquet")
STDOUT = "-"
# Spreadsheets read a cell with one of these first as a formula (OWASP, CSV injection); a leading apostrophe makes it text.
FORMULA_BEGINS = "=+-@\t\r\n"
_BLOCK_BYTES = 8 << 20

_COLUMNS = """
SELECT a.attname, t.typname, t.typcategory::text, ((a.atttypmod - 4) >> 16) & 65535, (a.atttypmod - 4) & 65535, a.atttypmod >= 0
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_MAY_READ_DECLARATIONS = """
SELECT coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')), FALSE)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'ops' AND c.relname = 'declarations'
"""
_RELATIONS = """
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1
"""
_USUAL_DAY = "transacted_on"


@dataclass(frozen=True)
class Column:
    """A column as the catalog describes it; precision and scale where it is a decimal of known size."""

    name: str
    type_name: str
    is_text: bool
    precision: int | None
    scale: int | None


@dataclass(frozen=True)
class Selection:
    """Which rows and columns of a relation, and in which order.

    Attributes:
        since: the first day, None for all; days are those of the relation's day column.
        until: the last day, included.
        columns: their names, in the order of the file; none for all.
        order_by: names of columns, with a `-` before those in descending order; none for the relation's key.
    """

    since: date | None = None
    until: date | None = None
    columns: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A relation of serving: its columns, its key, and the column that says of which day a row is."""

    relation: Relation
    columns: list[Column]
    key: tuple[str, ...]
    day: str | None


def export(
    dsn: str, relation: str, out: str, file_format: str | None = None, selection: Selection | None = None
) -> int:
    """Writes rows of a relation of serving; the file appears whole, or not at all, and only its owner may read it.

    Args:
        dsn: the warehouse.
        relation: its name, with or without `serving.` before it.
        out: the file, or `-` for standard output.
        file_format: one of `FORMATS`; None for what the file's name ends in, CSV where it ends in nothing.
        selection: which rows and columns; all where None, ordered by the key.

    Returns:
        How many rows were written.

    Raises:
        UsageError: there is no such relation in serving or no such column, or the file cannot be written.
    """
    file_format = format_of(out, file_format)
    selection = selection or Selection()
    with closing(database.connect(dsn, "revops export")) as connection:
        connection.set_session(readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SET timezone = 'UTC'")
            source = _find(cursor, relation)
            rest = sql.SQL(" ").join([_where(source, selection), _order(source, selection)])
            columns = _named(source, selection.columns) if selection.columns else source.columns
            with _opened(out) as stream:
                write = write_parquet if file_format == "parquet" else _write_csv
                return write(cursor, sql.SQL("{} {}").format(source.relation.identifier, rest), columns, stream)


def listed(dsn: str) -> list[dict[str, Any]]:
    """The relations that can be exported: name, number of columns, key and day column of each."""
    with closing(database.connect(dsn, "revops export", autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(_RELATIONS, (SCHEMA,))
        found = [_find(cursor, name) for (name,) in cursor.fetchall()]
    return [
        {
            "relation": str(source.relation),
            "columns": len(source.columns),
            "day": source.day,
            "key": ", ".join(source.key) or None,
        }
        for source in found
    ]


def format_of(out: str, file_format: str | None) -> str:
    """The format to write, by the file's ending unless one is named.

    Raises:
        UsageError: the ending is of a format that is not written here, or not the one named.
    """
    ending = "" if out == STDOUT else Path(out).suffix.lower().removeprefix(".")
    if ending in FORMATS and file_format not in (None, ending):
        raise UsageError(f"{out!r} ends in .{ending}, and --format is {file_format}.\n  Change one of the two.")
    if ending and ending not in FORMATS and file_format is None:
        raise UsageError(
            f"{out!r} ends in .{ending}, which is not written here: {' and '.join(FORMATS)} are.\n"
            "  Change the ending, or name the format with --format."
        )
    return file_format or ending or FORMATS[0]


def columns_of(cursor: Cursor, relation: Relation) -> list[Column]:
    """The columns of a relation, in their order; none where there is no such relation."""
    cursor.execute(_COLUMNS, (relation.schema, relation.name))
    return [
        Column(column, kind, category not in "NBDT", *((precision, scale) if sized else (None, None)))
        for column, kind, category, precision, scale, sized in cursor.fetchall()
    ]


def _find(cursor: Cursor, name: str) -> Source:
    schema, _, relation = name.rpartition(".")
    if schema in ("", SCHEMA):
        found = columns_of(cursor, Relation(SCHEMA, relation))
        if found:
            return _source(cursor, Relation(SCHEMA, relation), found)
    cursor.execute(_RELATIONS, (SCHEMA,))
    there = ", ".join(row[0] for row in cursor.fetchall()) or "nothing yet: revops run"
    raise UsageError(f"{name!r} is no relation of {SCHEMA}, and only those are exported.\n  There: {there}")


def _source(cursor: Cursor, relation: Relation, columns: list[Column]) -> Source:
    """With its key and day column, as its model declares them; an analyst's login cannot see that and gets neither."""
    declared = declarations.Declarations()
    if scalar(cursor, _MAY_READ_DECLARATIONS):
        row = first_row(cursor, "SELECT declared FROM ops.declarations WHERE model = %s", (str(relation),))
        declared = declarations.from_json(row[0]) if row is not None else declared
    view = declared.materialized_view
    key = declared.primary_key or ((view.unique_key,) if view is not None else ())
    days = [column.name for column in columns if column.type_name == "date"]
    of_key = [name for name in key if name in days]
    usual = [_USUAL_DAY] if _USUAL_DAY in days else []
    of_view = [view.period] if view is not None and view.period in days else []
    return Source(relation, columns, key, next(iter([*of_view, *of_key, *usual]), None))


def _named(source: Source, names: tuple[str, ...]) -> list[Column]:
    by_name = {column.name: column for column in source.columns}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise UsageError(
            f"{source.relation} has no column {', '.join(map(repr, unknown))}.\n  It has: {', '.join(by_name)}"
        )
    return [by_name[name] for name in names]


def _where(source: Source, selection: Selection) -> sql.Composable:
    if selection.since is None and selection.until is None:
        return sql.SQL("")
    if source.day is None:
        raise UsageError(f"The rows of {source.relation} are of no day.\n  Leave out --since and --until.")
    day = sql.Identifier(source.day)
    bounds = [
        sql.SQL("{} {} {}::date").format(day, sql.SQL(operator), sql.Literal(bound.isoformat()))
        for operator, bound in ((">=", selection.since), ("<=", selection.until))
        if bound is not None
    ]
    return sql.SQL("WHERE ") + sql.SQL(" AND ").join(bounds)


def _order(source: Source, selection: Selection) -> sql.Composable:
    wanted = selection.order_by or source.key
    if not wanted:
        return sql.SQL("")
    columns = _named(source, tuple(name.removeprefix("-") for name in wanted))
    terms = [
        sql.Identifier(column.name) + sql.SQL(" DESC" if name.startswith("-") else "")
        for column, name in zip(columns, wanted, strict=True)
    ]
    return sql.SQL("ORDER BY ") + sql.SQL(", ").join(terms)


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes]]:
    if out == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with private_files.replacing(Path(out)) as stream:
            yield stream
    except OSError as error:
        raise UsageError(
            f"Cannot write {out!r}: {error.strerror or error}.\n  Name another file with --out."
        ) from error


def _write_csv(cursor: Cursor, source: sql.Composable, columns: list[Column], stream: IO[bytes]) -> int:
    begins = [sql.Literal(begin) for begin in FORMULA_BEGINS]
    neutralised = sql.SQL("CASE WHEN left({0}::text, 1) IN ({1}) THEN '''' || {0}::text ELSE {0}::text END AS {0}")
    cells = [
        neutralised.format(sql.Identifier(column.name), sql.SQL(", ").join(begins))
        if column.is_text
        else sql.Identifier(column.name)
        for column in columns
    ]
    return _copy(cursor, source, cells, stream)


def write_parquet(cursor: Cursor, source: sql.Composable, columns: list[Column], stream: IO[bytes]) -> int:
    """Streams `columns` of what follows FROM in `source` to a Parquet file; NULL and an empty text stay apart.

    Returns:
        How many rows were written.
    """
    from pyarrow import csv, parquet

    types = {column.name: _arrow_type(column) for column in columns}
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(_copy_and_close, cursor, source, [sql.Identifier(name) for name in types], writing)
        with os.fdopen(reading, "rb") as copied:
            batches = csv.open_csv(
                copied,
                csv.ReadOptions(block_size=_BLOCK_BYTES),
                csv.ParseOptions(newlines_in_values=True),
                csv.ConvertOptions(
                    column_types=types,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    true_values=["t"],
                    false_values=["f"],
                ),
            )
            with parquet.ParquetWriter(stream, batches.schema, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(batch)
        return copying.result()


def _copy_and_close(cursor: Cursor, source: sql.Composable, cells: list[sql.Identifier], pipe: int) -> int:
    with os.fdopen(pipe, "wb") as stream:
        return _copy(cursor, source, cells, stream)


def _copy(cursor: Cursor, source: sql.Composable, cells: list[Any], stream: IO[bytes]) -> int:
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT WITH (FORMAT csv, HEADER)").format(
        sql.SQL(", ").join(cells), source
    )
    cursor.copy_expert(statement, stream, _BLOCK_BYTES)
    return int(cursor.rowcount)


def _arrow_type(column: Column) -> Any:
    """The type in the file; text for what has no counterpart."""
    import pyarrow

    if column.type_name == "numeric" and column.precision is not None:
        return pyarrow.decimal128(column.precision, column.scale or 0)
    known = {
        "int2": pyarrow.int16(),
        "int4": pyarrow.int32(),
        "int8": pyarrow.int64(),
        "float4": pyarrow.float32(),
        "float8": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "date": pyarrow.date32(),
        "timestamp": pyarrow.timestamp("us"),
        "timestamptz": pyarrow.timestamp("us", "UTC"),
    }
    return known.get(column.type_name, pyarrow.string())
