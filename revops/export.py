"""Relations of serving to a file, CSV or parquet, streamed: memory does not grow with the rows. Reads serving only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from psycopg2 import sql

from foundation import database
from foundation.errors import UsageError
from meshkeys.catalog import Relation
from revops import envfile

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


@dataclass(frozen=True)
class Column:
    """A column as the catalog describes it; precision and scale where it is a decimal of known size."""

    name: str
    type_name: str
    is_text: bool
    precision: int | None
    scale: int | None


def export(dsn: str, relation: str, out: str, file_format: str | None = None) -> int:
    """Writes all rows of a relation of serving; the file appears whole, or not at all, and only its owner may read it.

    Args:
        dsn: the warehouse.
        relation: its name, with or without `serving.` before it.
        out: the file, or `-` for standard output.
        file_format: one of `FORMATS`; None for what the file's name ends in, else CSV.

    Returns:
        How many rows were written.

    Raises:
        UsageError: there is no such relation in serving, or the file cannot be written.
    """
    file_format = file_format or ("parquet" if out.lower().endswith(".parquet") else "csv")
    with closing(database.connect(dsn, "revops export")) as connection:
        connection.set_session(readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SET timezone = 'UTC'")
            source, columns = _find(cursor, relation)
            with _opened(out) as stream:
                write = _write_parquet if file_format == "parquet" else _write_csv
                return write(cursor, source, columns, stream)


def _find(cursor: Cursor, name: str) -> tuple[Relation, list[Column]]:
    schema, _, relation = name.rpartition(".")
    if schema in ("", SCHEMA):
        cursor.execute(_COLUMNS, (SCHEMA, relation))
        found = [
            Column(column, kind, category not in "NBDT", *((precision, scale) if sized else (None, None)))
            for column, kind, category, precision, scale, sized in cursor.fetchall()
        ]
        if found:
            return Relation(SCHEMA, relation), found
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY 1", (SCHEMA,))
    there = ", ".join(row[0] for row in cursor.fetchall()) or "nothing yet: revops run"
    raise UsageError(f"{name!r} is no relation of {SCHEMA}, and only those are exported.\n  There: {there}")


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes]]:
    if out == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with envfile.replacing(Path(out)) as stream:
            yield stream
    except OSError as error:
        raise UsageError(
            f"Cannot write {out!r}: {error.strerror or error}.\n  Name another file with --out."
        ) from error


def _write_csv(cursor: Cursor, source: Relation, columns: list[Column], stream: IO[bytes]) -> int:
    begins = [sql.Literal(begin) for begin in FORMULA_BEGINS]
    neutralised = sql.SQL("CASE WHEN left({0}::text, 1) IN ({1}) THEN '''' || {0}::text ELSE {0}::text END AS {0}")
    cells = [
        neutralised.format(sql.Identifier(column.name), sql.SQL(", ").join(begins))
        if column.is_text
        else sql.Identifier(column.name)
        for column in columns
    ]
    return _copy(cursor, source, cells, stream)


def _write_parquet(cursor: Cursor, source: Relation, columns: list[Column], stream: IO[bytes]) -> int:
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


def _copy_and_close(cursor: Cursor, source: Relation, cells: list[sql.Identifier], pipe: int) -> int:
    with os.fdopen(pipe, "wb") as stream:
        return _copy(cursor, source, cells, stream)


def _copy(cursor: Cursor, source: Relation, cells: list[Any], stream: IO[bytes]) -> int:
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT WITH (FORMAT csv, HEADER)").format(
        sql.SQL(", ").join(cells), source.identifier
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
