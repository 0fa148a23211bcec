"""Small helpers of tests: one question to a database, one function run as an ordinary user, a server killed."""

from __future__ import annotations

import os
import pickle
import pwd
import secrets
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil  # loaded before the switch of users, after which our Python may be out of reach
import psycopg2

from revops.embedded.server import Server
from tests.conftest import RUN


def ask(url: str, *statements: str) -> Any:
    """Runs statements in autocommit; the last one's first row (or its only value), if it returns any."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row is not None and len(row) == 1 else row
    finally:
        connection.close()


def ask_all(url: str, query: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def as_ordinary_user(function: Callable[[Path], object], before: Callable[[Path], None] | None = None) -> object:
    """Runs `function(folder of its own)` without root's rights, in a fork where we are root; returns its result.

    `before` runs first, as who we are.
    """
    folder = RUN / f"ordinary-{secrets.token_hex(4)}"
    folder.mkdir()
    if os.geteuid() != 0:
        return function(folder)
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    if before is not None:
        before(folder)
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.environ["HOME"] = str(folder)
            result: object = function(folder)
        except BaseException:  # noqa: BLE001 - told to the parent
            result = traceback.format_exc()
        with os.fdopen(send, "wb") as stream:
            pickle.dump(result, stream)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as stream:
        content = stream.read()
    os.waitpid(child, 0)
    return pickle.loads(content)


def kill_server(server: Server) -> bool:
    """Kill -9 a server with all its processes; returns whether it was running."""
    pid = server.pid()
    if pid is None:
        return False
    postmaster = psutil.Process(pid)
    victims = [postmaster, *postmaster.children()]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    psutil.wait_procs(victims, 30)
    return True
