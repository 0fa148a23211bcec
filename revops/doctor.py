"""Problems for the warehouse on this machine or server: found and named, never changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import meshkeys.errors
from foundation import database
from foundation.errors import DatabaseUnavailable
from foundation.queries import scalar
from loaders.formats.archives import ENDINGS
from meshkeys import suitable
from revops import envfile
from revops.embedded import server, tuning
from revops.result import Result
from revops.run import RAW

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

# Tables, indexes, the part that is being rebuilt beside the old one, and the log: of the published files' 1.4 GB about 25.
DISK_PER_BYTE = 18
LEAST_DISK = 2 * tuning.GIB
PACKED = 5


def doctor(settings: Settings) -> list[Result]:
    """Every check that can be made here, in the order in which the problems would appear."""
    return [*_machine(settings), *_env_file(settings), *_database(settings)]


def _machine(settings: Settings) -> Iterator[Result]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Result("python", sys.version_info >= (3, 10), version)
    folder = settings.home
    while not folder.is_dir():
        folder = folder.parent
    machine = tuning.Machine.measure(folder)
    if settings.embedded:
        yield disk(machine.disk, used_by(settings.home), data_at_hand(settings))
    yield Result("memory", machine.memory > tuning.GIB, f"{machine.memory / tuning.GIB:.1f} GiB, {machine.cores} cores")
    writable = os.access(folder, os.W_OK)
    yield Result("folder", writable or not settings.embedded, f"{folder}{'' if writable else ' is not writable'}")


def disk(free: int, used: int, data: int) -> Result:
    """Whether the disk holds the warehouse of so many bytes of files, with what the embedded server uses already."""
    needed = LEAST_DISK + DISK_PER_BYTE * data
    of_it = f", of which {used / tuning.GIB:.1f} are in use" if used else ""
    files = f"{data / tuning.GIB:.2f} GiB of files" if data else "a demo set"
    detail = f"{free / tuning.GIB:.1f} GiB free; {files} needs about {needed / tuning.GIB:.1f}{of_it}"
    is_enough = free + used >= needed
    return Result(
        "disk", is_enough, detail if is_enough else f"{detail}: free some, or set REVOPS_HOME to another disk"
    )


def data_at_hand(settings: Settings) -> int:
    """Bytes of the files that have landed, or that lie in the usual folder, whichever are more; as if unpacked."""
    waiting = 0
    for path in (settings.root / RAW).rglob("*") if (settings.root / RAW).is_dir() else ():
        if path.is_file():
            waiting += path.stat().st_size * (PACKED if path.suffix.lower() in ENDINGS else 1)
    return max(waiting, _landed(settings))


def _landed(settings: Settings) -> int:
    try:
        dsn = server.current(settings)
        if dsn is None or database.ask(dsn, "SELECT to_regclass('ops.load_files')") is None:
            return 0
        return int(str(database.ask(dsn, "SELECT coalesce(sum(bytes), 0) FROM ops.load_files")))
    except DatabaseUnavailable:
        return 0


def used_by(home: Path) -> int:
    """Bytes that a home's servers keep on disk."""
    used = 0
    for folder, _, names in os.walk(home):
        for name in names:
            with suppress(OSError):  # the server removes files meanwhile
                used += os.lstat(os.path.join(folder, name)).st_size
    return used


def _env_file(settings: Settings) -> Iterator[Result]:
    if not settings.env_file.exists():
        return
    is_open = envfile.is_open(settings.env_file)
    detail = f"{settings.env_file} can be read by others: chmod 600" if is_open else str(settings.env_file)
    yield Result(".env", not is_open, detail)


def _database(settings: Settings) -> Iterator[Result]:
    kind = "embedded server" if settings.embedded else "external server"
    try:
        dsn = server.current(settings)
        if dsn is None:
            yield Result(kind, True, "not running; any command starts it, or: revops up")
            return
        opened = database.connect(dsn, "revops doctor", autocommit=True)
    except DatabaseUnavailable as error:
        yield Result(kind, False, _one_line(error))
        return
    try:
        yield Result(kind, True, database.without_password(dsn))
        yield _suitable(opened)
        yield from _server_settings(opened)
    finally:
        opened.close()


def _suitable(opened: connection) -> Result:
    try:
        suitable.check(opened)
    except meshkeys.errors.DatabaseUnavailable as error:
        return Result("sessions", False, _one_line(error))
    return Result("sessions", True, "last from one transaction to the next; SQLMesh's state is of this database")


def _one_line(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).splitlines())


def _server_settings(opened: connection) -> Iterator[Result]:
    with opened.cursor() as cursor:
        may_create = bool(scalar(cursor, "SELECT has_database_privilege(current_database(), 'CREATE')"))
        yield Result(
            "privilege", may_create, "may create schemas" if may_create else "GRANT CREATE ON DATABASE is missing"
        )
        for name, wanted, why in WANTED:
            value = str(scalar(cursor, "SELECT current_setting(%s)", (name,)))
            good = value in wanted
            yield Result(name, good or name != "fsync", value if good else f"{value}; {wanted[0]} is better: {why}")
