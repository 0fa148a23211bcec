"""A database that may fill its disk: on a file system of its own, mounted for a test and made as full as it wants."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from tests.conftest import RUN, RunningServer

SIZE = "96m"


@dataclass(frozen=True)
class SmallDisk:
    """A database and the folder that it and nothing else lies in."""

    url: str
    folder: Path

    def leave(self, size: int) -> None:
        """Leaves so many bytes free."""
        self.clear()
        self._settle()
        (self.folder / "ballast").write_bytes(bytes(shutil.disk_usage(self.folder).free - size))

    def _settle(self) -> None:
        """Waits until nobody is left who may still give back what he had taken."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            for _ in range(400):
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
                if cursor.fetchone() == (0,):
                    return
                connection.rollback()
                time.sleep(0.05)

    def clear(self) -> None:
        """Leaves all free again."""
        (self.folder / "ballast").unlink(missing_ok=True)


@contextmanager
def database_on_small_disk(server: RunningServer) -> Iterator[SmallDisk]:
    """A new database in a tablespace on a disk of `SIZE`; the write-ahead log lies elsewhere, so that the server lives on."""
    if server.server is None or os.geteuid() != 0:
        pytest.skip("only root mounts a small disk, and only a server of our own can use it")
    folder = RUN / f"disk-{secrets.token_hex(4)}"
    folder.mkdir()
    owner = server.server.data.stat()
    options = f"size={SIZE},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    name = folder.name.replace("-", "_")
    try:
        _administer(server, "CREATE TABLESPACE {name} LOCATION {folder}", name, folder)
        _administer(server, "CREATE DATABASE {name} TEMPLATE template0 TABLESPACE {name}", name)
        yield SmallDisk(server.database(name), folder)
        _administer(server, "DROP DATABASE {name} WITH (FORCE)", name)
        _administer(server, "DROP TABLESPACE {name}", name)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _administer(server: RunningServer, statement: str, name: str, folder: Path | None = None) -> None:
    connection = psycopg2.connect(server.url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(name=sql.Identifier(name), folder=sql.Literal(str(folder))))
    connection.close()
