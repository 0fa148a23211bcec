"""What would hinder the warehouse on this machine or this server: looked for, never mended."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import meshkeys.errors
from foundation import database
from foundation.errors import DatabaseUnavailable
from meshkeys import suitable
from revops import envfile
from revops.embedded import server, tuning

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from revops.settings import Settings

# What an external server should have, and why; the embedded one is tuned at each start.
WANTED = (
    ("jit", ("off",), "compiling costs more than it saves here"),
    ("synchronous_commit", ("off", "local"), "many small commits wait for the disk"),
    ("parallel_tuple_cost", ("0.01", "0.001", "0"), "at the default a join of millions of rows stays on one core"),
    ("wal_level", ("minimal",), "bulk loads write all rows to the log too; needed where a replica exists"),
    ("fsync", ("on",), "a power cut can destroy the database"),
)


@dataclass(frozen=True)
class Finding:
    """One check: its name, whether it passed, and what was found or what to do."""

    name: str
    passed: bool
    detail: str


def doctor(settings: Settings) -> list[Finding]:
    """Every check that can be made here, in the order in which problems would show."""
    return [*_machine(settings), *_env_file(settings), *_database(settings)]


def _machine(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 10), version)
    folder = settings.home
    while not folder.is_dir():
        folder = folder.parent
    machine = tuning.Machine.measure(folder)
    free = f"{machine.disk / tuning.GIB:.1f} GiB free; the published data set needs about 25"
    yield Finding("disk", machine.disk > 2 * tuning.GIB, free)
    yield Finding(
        "memory", machine.memory > tuning.GIB, f"{machine.memory / tuning.GIB:.1f} GiB, {machine.cores} cores"
    )
    writable = os.access(folder, os.W_OK)
    yield Finding("folder", writable or not settings.embedded, f"{folder}{'' if writable else ' is not writable'}")


def _env_file(settings: Settings) -> Iterator[Finding]:
    if not settings.env_file.exists():
        return
    is_open = envfile.is_open(settings.env_file)
    detail = f"{settings.env_file} can be read by others: chmod 600" if is_open else str(settings.env_file)
    yield Finding(".env", not is_open, detail)


def _database(settings: Settings) -> Iterator[Finding]:
    kind = "embedded server" if settings.embedded else "external server"
    try:
        dsn = server.current(settings)
        if dsn is None:
            yield Finding(kind, True, "not running; any command starts it, or: revops up")
            return
        opened = database.connect(dsn, "revops doctor", autocommit=True)
    except DatabaseUnavailable as error:
        yield Finding(kind, False, _one_line(error))
        return
    try:
        yield Finding(kind, True, database.without_password(dsn))
        yield _suitable(opened)
        yield from _server_settings(opened)
    finally:
        opened.close()


def _suitable(opened: connection) -> Finding:
    try:
        suitable.check(opened)
    except meshkeys.errors.DatabaseUnavailable as error:
        return Finding("sessions", False, _one_line(error))
    return Finding("sessions", True, "last from one transaction to the next; SQLMesh's state is of this database")


def _one_line(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).splitlines())


def _server_settings(opened: connection) -> Iterator[Finding]:
    with opened.cursor() as cursor:
        cursor.execute("SELECT has_database_privilege(current_database(), 'CREATE')")
        row = cursor.fetchone()
        may_create = bool(row and row[0])
        yield Finding(
            "privilege", may_create, "may create schemas" if may_create else "GRANT CREATE ON DATABASE is missing"
        )
        for name, wanted, why in WANTED:
            cursor.execute("SELECT current_setting(%s)", (name,))
            row = cursor.fetchone()
            value = str(row[0]) if row else ""
            good = value in wanted
            yield Finding(name, good or name != "fsync", value if good else f"{value}; {wanted[0]} is better: {why}")
