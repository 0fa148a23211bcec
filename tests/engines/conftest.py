"""A Spark Connect server with Delta tables for the tests of this folder: Sail, started here, or what REVOPS_SPARK_REMOTE names.

Run by `make test-engines`; `make test` does not collect this folder.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from revops.engines import connection
from tests.conftest import free_port

# `make test-spark` runs it: it needs Java, and Spark with its jars.
collect_ignore = [] if "REVOPS_TEST_SPARK_HOME" in os.environ else ["test_spark_itself.py"]
START_SECONDS = 120
CATALOG = '[{name="spark_catalog", type="memory", initial_database=["default"], initial_database_comment=""}]'


@dataclass(frozen=True)
class Engine:
    """A server: its URL, which names one session, and the folder of its tables."""

    remote: str
    warehouse: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "REVOPS_ENGINE": "spark",
            "REVOPS_SPARK_REMOTE": self.remote,
            "REVOPS_SPARK_WAREHOUSE": str(self.warehouse),
        }


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A server with an empty catalog. Sail keeps tables by session, so that all who take part name the same."""
    warehouse = tmp_path_factory.mktemp("tables")
    port = free_port()
    program = Path(sys.executable).with_name("sail")
    log = (warehouse / "sail.log").open("w")
    environ = {
        **os.environ,
        "SAIL_SPARK__SESSION_TIMEOUT_SECS": "36000",
        "SAIL_CATALOG__LIST": CATALOG,
    }
    server = subprocess.Popen(
        [program, "spark", "server", "--port", str(port)], env=environ, stdout=log, stderr=log, cwd=warehouse
    )
    try:
        wait_for(port, server)
        yield Engine(f"sc://127.0.0.1:{port}/;user_id=revops;session_id=5e551011-0000-4000-8000-{port:012d}", warehouse)
    finally:
        stop(server)
        log.close()


def stop(server: subprocess.Popen[bytes]) -> None:
    """Closes the sessions, then ends the server: a client that is open tries for minutes to reach it when its process exits."""
    try:
        for session in connection._sessions.values():
            session.client.close()
        connection._sessions.clear()
    finally:
        server.terminate()
        server.wait(60)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Waits until a server listens on loopback.

    Raises:
        RuntimeError: it ended, or does not listen in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as tried:
            tried.settimeout(1)
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"The engine did not start within {START_SECONDS} s (exit code {server.poll()})")
