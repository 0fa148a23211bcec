"""Backups: the database, the key of its card tokens and what is needed to check both, in one private folder.

The database is dumped by PostgreSQL's own programs. `revops/restore.py` reads what is written here.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import importlib.metadata
import json
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation import database
from foundation.errors import DatabaseUnavailable, RevopsError, UsageError
from foundation.queries import one_row, relations_exist, scalar
from loaders import manifest as landed
from loaders.errors import InputRefused
from loaders.protect import KEY_VARIABLE, KeyStore
from meshkeys import roles
from revops.embedded import server, tuning
from revops.embedded.cluster import last_line
from revops.settings import VERSIONS
from revops.terminal import summary

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

FORMAT = 1
SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
DUMP = "database"
KEY = "pan.key"
UNFINISHED = ".unfinished"
PROGRAMS = ("pg_dump", "pg_restore", "psql")
_BLOCK_BYTES = 4 << 20
_LOCK_WAIT = "60s"

_SCHEMAS = """
SELECT nspname FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') ORDER BY 1
"""
# Roles that own something here or may do something with it, and members of the warehouse's own.
_ROLES = """
WITH concerned AS (
    SELECT r.oid, r.rolname, r.rolcanlogin FROM pg_roles AS r
    WHERE r.rolname <> current_user AND r.rolname !~ '^pg_'
      AND (r.oid IN (SELECT d.refobjid FROM pg_shdepend AS d JOIN pg_database AS b ON b.datname = current_database()
                     WHERE d.refclassid = 'pg_authid'::regclass
                       AND (d.dbid = b.oid OR d.classid = 'pg_database'::regclass AND d.objid = b.oid))
           OR r.rolname = ANY (%(ours)s)
           OR EXISTS (SELECT FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
                      WHERE m.member = r.oid AND g.rolname = ANY (%(ours)s)))
)
SELECT c.rolname::text, c.rolcanlogin,
       array(SELECT DISTINCT g.rolname::text FROM pg_auth_members AS m JOIN concerned AS g ON g.oid = m.roleid
             WHERE m.member = c.oid ORDER BY 1),
       coalesce((SELECT s.setconfig FROM pg_db_role_setting AS s WHERE s.setrole = c.oid AND s.setdatabase = 0), '{}')
FROM concerned AS c ORDER BY 1
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Role:
    """A role of the server that the database refers to: whether it logs in, what it is a member of, its settings."""

    name: str
    can_login: bool
    member_of: Sequence[str]
    settings: Sequence[str]


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        format: of the folder.
        made_at: when, in ISO form.
        database: the database's name, which SQLMesh's state holds as well.
        account: who made the dump.
        server: major version of the server.
        dumped_by: major version of `pg_dump`: a `pg_restore` that reads it is as new.
        program: version of this program.
        sqlmesh: version of SQLMesh.
        schemas: the database's schemas.
        roles: roles of the server that the database refers to.
        key_fingerprint: of the key that made the card tokens; None where there are none.
        key_is_here: whether the key is in the folder; else it was in the environment.
        rows: rows of each relation of the layers.
    """

    format: int
    made_at: str
    database: str
    account: str
    server: int
    dumped_by: int
    program: str
    sqlmesh: str
    schemas: Sequence[str]
    roles: Sequence[Role]
    key_fingerprint: str | None
    key_is_here: bool
    rows: Mapping[str, int]


def backup(settings: Settings, dsn: str, out: Path) -> Manifest:
    """Writes a backup into a new folder that only its owner may read; it appears whole, or not at all.

    Args:
        settings: where the key is.
        dsn: the warehouse; the caller holds its lock.
        out: the folder, which is not there yet or is empty.

    Raises:
        UsageError: the folder cannot be made, a program is missing, or the key is missing or another one.
        RevopsError: `pg_dump` failed; says why.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{str(out)!r} is there already.\n  Name a new folder with --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f".{glob.escape(out.name)}.*{UNFINISHED}"):  # of backups that were killed
            shutil.rmtree(left, ignore_errors=True)
        # A name of its own: the pg_dump of a killed backup may still write into the folder that it was given.
        unfinished = Path(tempfile.mkdtemp(UNFINISHED, f".{out.name}.", out.parent))
    except OSError as error:
        raise UsageError(f"Cannot write {str(out)!r}: {error.strerror}.\n  Name another folder with --out.") from error
    try:
        found = _write(settings, dsn, unfinished)
        unfinished.rename(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _sync(out.parent)
    return found


def _write(settings: Settings, dsn: str, folder: Path) -> Manifest:
    with closing(database.connect(dsn, "revops backup")) as connection, connection.cursor() as cursor:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor.execute("SET idle_in_transaction_session_timeout = 0")  # idle while pg_dump works
        fingerprint = _fingerprint(cursor)
        key = KeyStore(settings.home / KEY)
        if fingerprint is not None:
            key.tokenizer(fingerprint)
        key_is_here = not key.environ.get(KEY_VARIABLE) and key.path.exists()
        version = connection.server_version // 10000
        programs, dumped_by = programs_for(version)
        snapshot = str(scalar(cursor, "SELECT pg_export_snapshot()"))
        _log.info("dumping the database with pg_dump %d", dumped_by)
        jobs = max(1, min(4, tuning.Machine.measure(folder).cores))
        _dump(programs / "pg_dump", dsn, snapshot, jobs, folder / DUMP)
        if key_is_here:
            shutil.copyfile(key.path, folder / KEY)
            (folder / KEY).chmod(0o600)
        name, account = one_row(cursor, "SELECT current_database(), current_user")
        cursor.execute(_SCHEMAS)
        schemas = [schema for (schema,) in cursor.fetchall()]
        found = Manifest(
            format=FORMAT,
            made_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            database=name,
            account=account,
            server=version,
            dumped_by=dumped_by,
            program=importlib.metadata.version("revops-warehouse"),
            sqlmesh=importlib.metadata.version("sqlmesh"),
            schemas=schemas,
            roles=_roles(cursor),
            key_fingerprint=fingerprint,
            key_is_here=key_is_here,
            rows={str(each["relation"]): int(str(each["rows"])) for each in summary.count_rows(cursor)},
        )
    (folder / MANIFEST).write_text(json.dumps(dataclasses.asdict(found), indent=2) + "\n", encoding="utf-8")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    (folder / SUMS).write_text("".join(f"{sha256(folder / name)}  {name}\n" for name in names), encoding="ascii")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        _sync(path)
    return found


def _fingerprint(cursor: Cursor) -> str | None:
    return landed.known_fingerprint(cursor) if relations_exist(cursor, "ops.pan_key") else None


def _roles(cursor: Cursor) -> list[Role]:
    cursor.execute(_ROLES, {"ours": list(roles.names())})
    return [Role(*row) for row in cursor.fetchall()]


def _dump(pg_dump: Path, dsn: str, snapshot: str, jobs: int, folder: Path) -> None:
    command = [
        *(str(pg_dump), "--format=directory", f"--file={folder}", f"--jobs={jobs}", "--compress=1"),
        *(f"--snapshot={snapshot}", f"--lock-wait-timeout={_LOCK_WAIT}", "--no-password"),
    ]
    done = subprocess.run(command, env=environment(dsn), capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise RevopsError(
            f"pg_dump failed: {last_line(done.stderr)}\n  Nothing was written; correct it, and try again."
        )


def environment(dsn: str) -> dict[str, str]:
    """The environment in which PostgreSQL's programs find the database; the password is in it, not on a command line."""
    return {**os.environ, **database.connection_variables(dsn), "PGAPPNAME": "revops backup"}


def programs_for(version: int) -> tuple[Path, int]:
    """The folder of PostgreSQL's programs of a major version, else of the next newer one, and which that is.

    They are those of the embedded server's package, or on PATH.

    Raises:
        UsageError: there are none; says which are missing.
    """
    found: dict[int, Path] = {}
    for own in VERSIONS:
        try:
            found[own] = server.programs(own)
        except DatabaseUnavailable:
            continue
    missing = {program for program in PROGRAMS if shutil.which(program) is None}
    if not missing:
        folder = Path(str(shutil.which("pg_dump"))).absolute().parent  # not resolved: on Debian they lead to a wrapper
        said = subprocess.run([str(folder / "pg_dump"), "--version"], capture_output=True, text=True, check=False)
        number = re.search(r"\) (\d+)", said.stdout)
        if number is not None and all((folder / program).exists() for program in PROGRAMS):
            found.setdefault(int(number[1]), folder)
    usable = [own for own, folder in found.items() if own >= version and (folder / "pg_dump").exists()]
    if not usable:
        raise UsageError(
            f"There is no {' or '.join(PROGRAMS)} of PostgreSQL {version} or newer here"
            f" (there are: {', '.join(map(str, sorted(found))) or 'none'}).\n"
            f"  Install the client programs of PostgreSQL {version}."
        )
    return found[min(usable)], min(usable)


def read(folder: Path) -> Manifest:
    """What a backup says of itself, once every byte of it was found to be as it was written.

    Raises:
        UsageError: there is no such folder.
        InputRefused: it is no finished backup, or damaged; names the file.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {str(folder)!r}.\n  Name the folder of a backup.")
    sums = folder / SUMS
    if not sums.is_file():
        raise InputRefused(str(folder), f"no finished backup: it has no {SUMS}", "Name the folder of a backup.")
    expected = dict(_sums(sums))
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {SUMS}
    for name in sorted({*expected, MANIFEST} | present):
        if name not in present:
            raise _damaged(folder / name, "is missing")
        if expected.get(name) != sha256(folder / name):
            raise _damaged(folder / name, "is not as it was written")
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if found["format"] != FORMAT:
        raise InputRefused(str(folder), f"a backup of format {found['format']}", "Use the program that wrote it.")
    return Manifest(**{**found, "roles": [Role(**role) for role in found["roles"]]})


def _sums(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


def _damaged(path: Path, how: str) -> InputRefused:
    return InputRefused(
        str(path), f"the backup is damaged: this file {how}", "Use another backup or another copy of it."
    )


def sha256(path: Path) -> str:
    """The digest of a file's contents, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
