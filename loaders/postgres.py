"""Owns the tables in the schema raw, their partitions, and COPY into them. Knows nothing of files and formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import errors as pg_errors
from psycopg2 import sql

from foundation import ops
from foundation.errors import DatabaseUnavailable, first_line
from foundation.queries import relations_exist, scalar
from loaders.manifest import FIRST_LARGE_FILE_ID
from loaders.sources import REGULAR_COLUMN, SOURCES, Source
from meshkeys import locks
from meshkeys.errors import MeshkeysError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

_COPY_BUFFER = 1 << 20
_PAGES_PER_RANGE = 16  # of 8 KiB: about 900 transactions, a quarter of a day
_WITHOUT_AN_INDEX = """
SELECT relname FROM pg_partition_tree(to_regclass(%s)) JOIN pg_class ON oid = relid
WHERE isleaf AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = relid)
"""
_LOCK_ATTEMPTS = 200  # about a minute
_SCHEMA_LOCK = 7_305_301  # any constant: keeps two first landings from creating the same tables


@contextmanager
def connected(dsn: str) -> Iterator[connection]:
    """Open a connection, and say plainly when there is none or it breaks.

    Raises:
        DatabaseUnavailable: the server cannot be reached, went away or ran out of space.
    """
    try:
        conn = psycopg2.connect(dsn, application_name="revops load", keepalives_idle=30)
    except psycopg2.OperationalError as error:
        raise DatabaseUnavailable(
            f"the database cannot be reached: {first_line(error)}\n"
            "  Start it with `revops up`, or check DB_CONNECTION_STRING."
        ) from error
    try:
        yield conn
    except psycopg2.errors.DiskFull as error:
        raise DatabaseUnavailable(
            "the database's disk is full; nothing of this file has landed\n  Free space and load again."
        ) from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        if conn.closed or isinstance(error, pg_errors.AdminShutdown | pg_errors.CrashShutdown):
            raise DatabaseUnavailable(
                f"the database was lost: {first_line(error)}\n"
                "  Nothing of this file has landed; load again when it is back."
            ) from error
        raise DatabaseUnavailable(
            f"the database gave up: {first_line(error)}\n  Nothing of this file has landed; load again."
        ) from error
    finally:
        conn.close()


def commit_lazily(conn: connection) -> None:
    """Commits of this connection do not wait for the disk, which is most of the time with thousands of files.

    A crash may lose the last of them, whole, rows and manifest alike; manifest.make_durable ends a landing.
    """
    with conn, conn.cursor() as cur:
        cur.execute("SET synchronous_commit TO off")


def create_tables(conn: connection) -> None:
    """Create the schemas raw and ops and their tables where they are absent."""
    with conn, conn.cursor() as cur:
        cur.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        if not relations_exist(cur, "ops.load_aliases"):
            ops.create_for_landings(cur)
        if scalar(cur, "SELECT to_regnamespace('raw') IS NULL"):
            cur.execute("CREATE SCHEMA raw")
        for source in SOURCES.values():
            if not relations_exist(cur, f"raw.{source.relation}"):
                _create_raw(cur, source)


def _create_raw(cur: cursor, source: Source) -> None:
    names = {
        "parent": sql.Identifier("raw", source.relation),
        "shared": sql.Identifier("raw", shared_partition(source)),
        "index": sql.Identifier(f"{shared_partition(source)}_file_id"),
        "columns": _column_definitions(source),
        "first_large": sql.Literal(FIRST_LARGE_FILE_ID),
    }
    for statement in (
        "CREATE TABLE {parent} ({columns}) PARTITION BY RANGE (_file_id)",
        "CREATE TABLE {shared} PARTITION OF {parent} FOR VALUES FROM (MINVALUE) TO ({first_large})",
        "CREATE INDEX {index} ON {shared} (_file_id)",
    ):
        cur.execute(sql.SQL(statement).format(**names))
    if source.date_column is not None:  # by days: rows of many files are mixed here
        cur.execute(
            sql.SQL("CREATE INDEX {} ON {} ({}, _file_id)").format(
                sql.Identifier(f"{shared_partition(source)}_date"), names["shared"], sql.Identifier(source.date_column)
            )
        )


def _column_definitions(source: Source) -> sql.Composed:
    # The date is text in byte order on any server, so that an index finds a day
    columns = [
        sql.SQL('{} text COLLATE "C"' if name == source.date_column else "{} text").format(sql.Identifier(name))
        for name in source.landed_columns
    ]
    for name, kind in source.lineage_columns:
        rule = {"_loaded_at": "NOT NULL DEFAULT now()", REGULAR_COLUMN[0]: ""}.get(name, "NOT NULL")
        columns.append(sql.SQL("{} {} {}").format(sql.Identifier(name), sql.SQL(kind), sql.SQL(rule)))
    return sql.SQL(", ").join(columns)


def shared_partition(source: Source) -> str:
    """Return the name of the partition that small files of a relation share."""
    return f"{source.relation}_shared"


def partition_of(source: Source, file_id: int) -> str:
    """Return the name of the partition that holds a file's rows."""
    return f"{source.relation}_f{file_id}" if file_id >= FIRST_LARGE_FILE_ID else shared_partition(source)


def create_partition(cur: cursor, source: Source, file_id: int) -> None:
    """Create the table that will hold a large file's rows; it is invisible until it is attached.

    Its columns are spelled out, not copied by LIKE, which would lock the parent while the file loads. The file's id is the
    column's default, so that no row has to carry it.
    """
    partition = sql.Identifier("raw", partition_of(source, file_id))
    cur.execute(
        sql.SQL("CREATE TABLE {} ({}, CHECK (_file_id >= {} AND _file_id < {}))").format(
            partition, _column_definitions(source), sql.Literal(file_id), sql.Literal(file_id + 1)
        )
    )
    cur.execute(sql.SQL("ALTER TABLE {} ALTER _file_id SET DEFAULT {}").format(partition, sql.Literal(file_id)))


def index_days(cur: cursor, source: Source) -> None:
    """Add a block range index on the day to the large files that landed since this was last called.

    The published files are in order of time, so the first and last date of every few pages are enough to find a day. The index
    is built when all rows are there: one more pass over them is cheaper than maintaining it with each row.
    """
    if source.date_column is None:
        return
    cur.execute(_WITHOUT_AN_INDEX, (f"raw.{source.relation}",))
    for (partition,) in cur.fetchall():
        cur.execute(
            sql.SQL("CREATE INDEX ON {} USING brin ({}) WITH (pages_per_range = {})").format(
                sql.Identifier("raw", partition), sql.Identifier(source.date_column), sql.Literal(_PAGES_PER_RANGE)
            )
        )


def attach_partition(cur: cursor, source: Source, file_id: int) -> None:
    """Make a large file's rows part of the raw table. Its CHECK constraint spares the scan."""
    cur.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            sql.Identifier("raw", source.relation),
            sql.Identifier("raw", partition_of(source, file_id)),
            sql.Literal(file_id),
            sql.Literal(file_id + 1),
        )
    )


def remove_rows(cur: cursor, source: Source, file_id: int) -> None:
    """Remove the rows of a landed file, whole."""
    if file_id < FIRST_LARGE_FILE_ID:
        cur.execute(
            sql.SQL("DELETE FROM {} WHERE _file_id = %s").format(sql.Identifier("raw", shared_partition(source))),
            (file_id,),
        )
        return
    # A reader locks the parent before it looks for partitions: with the parent locked, it finds one of the two.
    lock_patiently(cur, source)
    cur.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("raw", partition_of(source, file_id))))


def lock_patiently(cur: cursor, source: Source) -> None:
    """Take the exclusive lock on a raw table in short attempts: readers never queue long behind a waiting loader.

    Raises:
        DatabaseUnavailable: a query kept reading the table for all attempts.
    """
    statement = sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier("raw", source.relation))
    try:
        locks.patiently(cur, statement, _LOCK_ATTEMPTS)
    except MeshkeysError as error:
        raise DatabaseUnavailable(
            f"a query kept reading raw.{source.relation}, so its earlier rows are still there\n"
            "  Load again when that query is done (pg_stat_activity shows it)."
        ) from error
    cur.execute("SELECT set_config('lock_timeout', '0', true)")  # no later statement waits for readers


def copy_rows(
    cur: cursor,
    source: Source,
    file_id: int,
    read: Callable[..., bytes],
    names_file: bool = True,
    freeze: bool = False,
) -> int:
    """COPY rows in the form of rows.Chunk into the partition of a file.

    Args:
        cur: in the transaction that lands the file.
        source: the relation.
        file_id: the file.
        read: returns the next rows, empty at the end; must not raise.
        names_file: each row begins with the file's id; else the partition puts it there.
        freeze: the partition was created in this transaction and nothing has been copied into it yet.

    Returns:
        How many rows the server took.
    """
    flag = [REGULAR_COLUMN[0]] if source.shapes else []
    columns = [*["_file_id"] * names_file, "_line_number", *flag, *source.landed_columns]
    options = sql.SQL("FORMAT text, DELIMITER ',', NULL '', ENCODING 'UTF8', FREEZE {}").format(sql.Literal(freeze))
    statement = sql.SQL("COPY {} ({}) FROM STDIN WITH ({})").format(
        sql.Identifier("raw", partition_of(source, file_id)), sql.SQL(", ").join(map(sql.Identifier, columns)), options
    )
    cur.copy_expert(statement, _Readable(read), size=_COPY_BUFFER)
    return int(cur.rowcount)


class _Readable:
    def __init__(self, read: Callable[..., bytes]) -> None:
        self.read = read
        self.readline = read


def landed_lines(cur: cursor, source: Source, file_id: int, line_numbers: list[int]) -> set[int]:
    """Return which of these lines of a file are in raw."""
    cur.execute(
        sql.SQL("SELECT _line_number FROM {} WHERE _file_id = %s AND _line_number = ANY(%s)").format(
            sql.Identifier("raw", partition_of(source, file_id))
        ),
        (file_id, line_numbers),
    )
    return {int(line_number) for (line_number,) in cur}


def day_profiles(cur: cursor, source: Source, file_id: int) -> dict[str | None, tuple[int, int]]:
    """Return rows and a fingerprint of them for each day (its text) of a file's rows in raw."""
    assert source.date_column is not None
    cur.execute(
        sql.SQL(
            "SELECT left(btrim({date}, ' '), 10), count(*), sum(hash_record_extended(ROW({columns}), 0))"
            " FROM {partition} WHERE _file_id = %s GROUP BY 1"
        ).format(
            date=sql.Identifier(source.date_column),
            columns=sql.SQL(", ").join(map(sql.Identifier, source.landed_columns)),
            partition=sql.Identifier("raw", partition_of(source, file_id)),
        ),
        (file_id,),
    )
    return {day: (int(rows), int(fingerprint)) for day, rows, fingerprint in cur}
