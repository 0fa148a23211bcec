"""A real pgbouncer before a server of a test, as its own user where we are root, which it refuses to be."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg2.extensions import parse_dsn

from foundation import connection
from tests.conftest import RUN, free_port

PROGRAM = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


@contextmanager
def pooled(url: str, mode: str, alias: str | None = None, **settings: str) -> Iterator[str]:
    """The URL by which a database is reached through pgbouncer, under another name if `alias` is given."""
    if PROGRAM is None:
        reason = "pgbouncer is not installed; on Debian and Ubuntu: apt-get install pgbouncer"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    real = parse_dsn(url)
    port = free_port()
    name = alias or real["dbname"]
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "pool_mode": mode,
        **settings,
    }
    folder = RUN / f"pgbouncer-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    options |= {"auth_file": f"{folder}/users", "logfile": f"{folder}/log"}
    (folder / "users").write_text(f'"{real["user"]}" "{real["password"]}"\n')
    lines = [f"{name} = host={real['host']} port={real['port']} dbname={real['dbname']}"]
    lines += ["[pgbouncer]", *(f"{key} = {value}" for key, value in options.items())]
    (folder / "ini").write_text("\n".join(["[databases]", *lines]) + "\n")
    user: dict[str, object] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    process = subprocess.Popen([PROGRAM, "-q", f"{folder}/ini"], stderr=subprocess.PIPE, **user)  # type: ignore[call-overload]
    try:
        through = connection.as_url({**real, "port": str(port), "dbname": name})
        _wait_until_it_listens(port, process)
        yield through
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
