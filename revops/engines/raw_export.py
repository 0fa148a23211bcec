"""Writes `raw`, and what models read of `ops` and `desk`, as Parquet: one folder a relation, one file a landed file.

    <folder>/raw/transactions/12-3f9a0c1b2d4e.parquet     the rows of file 12; the rest of the name is of its state
    <folder>/raw/superseded_rows/all-....parquet          a relation that does not land by files: whole
    <folder>/manifest.json                                the columns and files of each relation, and up to which change

A file appears whole, by a rename, and is written once: what has not changed since is not read again. The manifest is replaced
last, and files that it does not name are removed after that. No card number and no CVV is in `raw`, so none is in these files.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from foundation import private_files
from foundation.errors import UsageError
from foundation.queries import scalar
from loaders.sources import SOURCES
from meshkeys.catalog import Relation
from revops import bootstrap, export
from revops.ledger import landings

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

MANIFEST = "manifest.json"
LANDED = tuple(Relation("raw", name) for name in SOURCES)
WHOLE = (
    Relation("raw", "superseded_rows"),
    Relation("ops", "load_files"),
    Relation("desk", "decisions"),
    Relation("desk", "scorecards"),
)

# A replay adds rows to a file that landed, and a file may land again under its number after a restore.
_FILES = """
SELECT file_id, md5(concat_ws(' ', sha256, rows_loaded, rows_rejected, extract(epoch FROM ended_at)))
FROM ops.load_files WHERE relation = %s ORDER BY file_id
"""
_LAST_CHANGE = "SELECT coalesce(max(change_id), 0) FROM ops.changes"
_STATE_OF_ALL = "SELECT md5(concat_ws(' ', count(*), sum(hashtextextended(r::text, 0)))) FROM {} AS r"
_NONE = "none"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        folder: where.
        columns: of each relation, its columns and their types as Spark names them.
        files: of each relation, the names of its files.
        last_change: the last row of ops.changes that is in it.
        written: how many files were written now.
    """

    folder: Path
    columns: dict[str, dict[str, str]]
    files: dict[str, list[str]]
    last_change: int
    written: int = 0

    @property
    def kept(self) -> int:
        """How many files were there already."""
        return sum(map(len, self.files.values())) - self.written


def export_raw(connection: Connection, folder: Path) -> Exported:
    """Brings a folder to what has landed, in one snapshot of the database. The caller holds the warehouse's lock.

    Raises:
        UsageError: the folder cannot be written, or holds something else.
    """
    _check(folder)
    bootstrap.prepare(connection)
    landings.settle(connection)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection.commit()
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL timezone = 'UTC'")
                found = _export(cursor, folder)
            connection.commit()
        finally:
            connection.rollback()
            connection.set_session(isolation_level="DEFAULT", readonly=False)
        _finish(found)
    except OSError as error:
        raise UsageError(
            f"Cannot write {str(folder)!r}: {error.strerror or error}.\n  Name another folder with --out."
        ) from error
    _log.info("exported raw to %s: %d files written, %d kept", folder, found.written, found.kept)
    return found


def _check(folder: Path) -> None:
    if folder.exists() and not (folder / MANIFEST).exists() and any(folder.iterdir()):
        strangers = {path.name for path in folder.iterdir()} - {relation.schema for relation in (*LANDED, *WHOLE)}
        if strangers:  # else it is an export that was killed before its manifest
            raise UsageError(f"{str(folder)!r} holds other files ({min(strangers)}).\n  Name a new folder with --out.")


def _export(cursor: Cursor, folder: Path) -> Exported:
    found = Exported(folder, {}, {}, int(scalar(cursor, _LAST_CHANGE)))
    for relation in (*LANDED, *WHOLE):
        columns = [_sized(column) for column in export.columns_of(cursor, relation)]
        found.columns[str(relation)] = {column.name: _spark_type(column) for column in columns}
        target = folder / relation.schema / relation.name
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        names = found.files.setdefault(str(relation), [])
        for name, rows in _parts(cursor, relation):
            names.append(name)
            if not (target / name).exists():
                with private_files.replacing(target / name) as stream:
                    export.write_parquet(cursor, rows, columns, stream)
                found = replace(found, written=found.written + 1)
    return found


def _parts(cursor: Cursor, relation: Relation) -> Iterator[tuple[str, sql.Composable]]:
    """The files of a relation: name, and what follows FROM for their rows. One without rows, where nothing has landed."""
    if relation in WHOLE:
        state = scalar(cursor, sql.SQL(_STATE_OF_ALL).format(relation.identifier))
        yield f"all-{state[:12]}.parquet", relation.identifier
        return
    cursor.execute(_FILES, (relation.name,))
    files = cursor.fetchall()
    for file_id, state in files:
        rows = sql.SQL("{} WHERE _file_id = {}").format(relation.identifier, sql.Literal(file_id))
        yield f"{file_id}-{state[:12]}.parquet", rows
    if not files:
        state = hashlib.sha256(str(relation).encode()).hexdigest()
        yield f"{_NONE}-{state[:12]}.parquet", sql.SQL("{} WHERE FALSE").format(relation.identifier)


def _finish(found: Exported) -> None:
    content = {"last_change": found.last_change, "columns": found.columns, "files": found.files}
    manifest, written = found.folder / MANIFEST, json.dumps(content, indent=1).encode()
    if not manifest.exists() or manifest.read_bytes() != written:
        with private_files.replacing(manifest) as stream:
            stream.write(written)
    for relation, names in found.files.items():
        schema, _, name = relation.partition(".")
        for path in (found.folder / schema / name).iterdir():
            if path.name not in names:
                with suppress(FileNotFoundError):
                    path.unlink()


def _sized(column: export.Column) -> export.Column:
    """NUMERIC without a size, which only sums of amounts have here, as cents are: a value with more decimals is an error."""
    if column.type_name == "numeric" and column.precision is None:
        return replace(column, precision=38, scale=2)
    return column


def _spark_type(column: export.Column) -> str:
    if column.type_name == "numeric":
        return f"DECIMAL({column.precision}, {column.scale or 0})"
    known: dict[str, Any] = {
        "int4": "INT",
        "int8": "BIGINT",
        "bool": "BOOLEAN",
        "date": "DATE",
        "timestamp": "TIMESTAMP_NTZ",
        "timestamptz": "TIMESTAMP",
    }
    return str(known.get(column.type_name, "STRING"))
