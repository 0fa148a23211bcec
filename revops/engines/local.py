"""Sail for the time of one command: started on loopback, given back the tables of the commands before, stopped with its parent.

Sail keeps its catalog in memory. What is in it lies in the folder of the tables all the same: each Delta table has its log, and
what has no files, views and external tables, is noted here by the statement that made it.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from foundation import private_files
from foundation.errors import DatabaseUnavailable, LockHeld, UsageError

NOTES = "catalog.json"
WAIT_SECONDS = 20
STOP_SECONDS = 10
SETTINGS = {
    "SAIL_SPARK__SESSION_TIMEOUT_SECS": "864000",
    "SAIL_CATALOG__LIST": '[{name="spark_catalog", type="memory", initial_database=["default"], initial_database_comment=""}]',
}
# It ends when its parent does, however that ends: then nobody holds the other end of its standard input.
_SERVER = """
import os, sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
os._exit(0)
"""
_NAME = r"(?:`?spark_catalog`?\.)?(?P<name>[^\s(;]+)"
_MADE = re.compile(
    rf"\s*(?:/\*.*?\*/\s*)?CREATE (?:OR REPLACE )?(?P<kind>SCHEMA|TABLE|VIEW) (?:IF NOT EXISTS )?{_NAME}"
)
_DROPPED = re.compile(rf"\s*(?:/\*.*?\*/\s*)?DROP (?P<kind>SCHEMA|TABLE|VIEW) (?:IF EXISTS )?{_NAME}")
_IS_DELTA = re.compile(r"\bUSING DELTA\b", re.IGNORECASE)
_FOLDER = ".db"

_log = logging.getLogger(__name__)
_servers: dict[Path, tuple[subprocess.Popen[str], str]] = {}


class Catalog:
    """What the catalog holds that the tables' folder does not say, in a file of that folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / NOTES
        self._one_at_a_time = threading.Lock()
        self._made: dict[str, str] = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}

    def note(self, statement: str) -> None:
        """Notes a statement that was executed, if it made or dropped something."""
        with self._one_at_a_time:
            made, dropped = _MADE.match(statement), _DROPPED.match(statement)
            before = dict(self._made)
            if made and not (made["kind"] == "TABLE" and _IS_DELTA.search(statement)):
                self._made[_key(made)] = statement
            elif dropped:
                self._drop(dropped)
            if self._made != before:
                with private_files.replacing(self._file) as stream:
                    stream.write(json.dumps(self._made, indent=1).encode())

    def _drop(self, dropped: re.Match[str]) -> None:
        schema, _, table = _key(dropped).partition(" ")[2].partition(".")
        if dropped["kind"] == "VIEW":
            self._made.pop(_key(dropped), None)
        elif table:  # Sail leaves a table's files, and a table of the same name would show them again
            shutil.rmtree(self.folder / f"{schema}{_FOLDER}" / table, ignore_errors=True)
        else:
            shutil.rmtree(self.folder / f"{schema}{_FOLDER}", ignore_errors=True)
            gone = (f"VIEW {schema}.", f"TABLE {schema}.", f"SCHEMA {schema}")
            self._made = {key: made for key, made in self._made.items() if not f"{key}.".startswith(gone)}

    def restore(self, session: Any) -> None:
        """Makes everything again in an empty catalog."""
        for key, statement in self._made.items():
            if key.startswith("SCHEMA "):
                session.sql(statement)
        for log in sorted(self.folder.glob(f"*{_FOLDER}/*/_delta_log")):
            _show(session, log.parent)
        left = {key: statement for key, statement in self._made.items() if not key.startswith("SCHEMA ")}
        while left:
            failed = {
                key: (statement, reason) for key, statement in left.items() if (reason := _try(session, statement))
            }
            if len(failed) == len(left):  # what reads a table that is gone, and is read by no model that is shown
                for key, (_, reason) in failed.items():
                    _log.info("%s is not in the catalog any more: %s", key.lower(), reason)
                return
            left = {key: statement for key, (statement, _) in failed.items()}


def _key(found: re.Match[str]) -> str:
    return f"{found['kind']} {found['name'].replace('`', '')}"


def _try(session: Any, statement: str) -> str:
    """Why a statement failed, empty where it did not."""
    try:
        session.sql(statement)
    except Exception as error:  # noqa: BLE001 - of pyspark, grpc or the server; told by the caller
        return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return ""


def _show(session: Any, folder: Path) -> None:
    """Makes a Delta table of a folder known, under the name that it had."""
    columns = ", ".join(
        f"`{column.name}` {column.dataType.simpleString()}{'' if column.nullable else ' NOT NULL'}"
        for column in session.read.format("delta").load(str(folder)).schema.fields
    )
    name = f"`{folder.parent.name.removesuffix(_FOLDER)}`.`{folder.name}`"
    place = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    session.sql(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING delta LOCATION '{place}'")


def start(folder: Path) -> str:
    """The URL of a server for the tables of a folder; this process has one for each.

    Raises:
        DatabaseUnavailable: it did not start.
        LockHeld: a server of another command has these tables.
        UsageError: Sail is not installed, or the folder cannot be written.
    """
    known = _servers.get(folder)
    if known is not None and known[0].poll() is None:
        return known[1]
    import importlib.util

    if importlib.util.find_spec("pysail") is None:
        raise UsageError(
            "Sail is not installed.\n  pip install -r requirements-spark.lock, or set REVOPS_SPARK_REMOTE to a server."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = (folder / "sail.log").open("w")
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise UsageError(
            f"Cannot write {str(folder)!r}: {error.strerror or error}.\n  Name another folder: REVOPS_SPARK_WAREHOUSE."
        ) from error
    _acquire(lock, folder)
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        env={**os.environ, **SETTINGS},
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        pass_fds=[lock.fileno()],
        start_new_session=True,  # Ctrl-C is for the command, which still talks to it
    )
    lock.close()  # the server's own descriptor holds it, as long as it may still write
    atexit.register(stop, folder)
    assert server.stdout is not None
    _servers[folder] = server, ""
    port = server.stdout.readline().strip()
    if not port.isdecimal():
        raise DatabaseUnavailable(f"Sail did not start.\n  See {folder / 'sail.log'}.")
    url = f"sc://127.0.0.1:{port}"
    _servers[folder] = server, url
    return url


def _acquire(lock: IO[str], folder: Path) -> None:
    """Takes the folder's lock, which the server of a command that was killed lets go within moments."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LockHeld(f"Another command uses the tables in {folder}.\n  Wait for it to end.") from None
        time.sleep(0.1)


def stop(folder: Path) -> None:
    """Stops the server for the tables of a folder, if this process has one."""
    server, _ = _servers.pop(folder, (None, ""))
    if server is None or server.stdin is None:
        return
    server.stdin.close()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
