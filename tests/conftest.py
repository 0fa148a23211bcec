"""What every test may use: a PostgreSQL server of its own, fresh databases on it, and the real rows where they are."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis
import psutil
import pytest
import sqlmesh.core.dialect  # noqa: F401  # it extends sqlglot, which remembers at its first use what it can write
from sqlmesh.core import constants as sqlmesh_constants

from revops import settings as revops_settings
from revops.embedded import server as revops_server
from revops.embedded.server import Server

ROOT = Path(__file__).resolve().parents[1]
# `make test-engines` runs these: they need another engine, which the locked dependencies do not hold.
collect_ignore = [] if "REVOPS_TEST_ENGINES" in os.environ else ["engines"]
RUNS = Path(tempfile.gettempdir()) / f"revops-tests-{os.geteuid()}"
RUN = RUNS / str(os.getpid())

# As in revops' own commands, which say so before they import SQLMesh: a process of tests is large, and takes long to fork.
sqlmesh_constants.MAX_FORK_WORKERS = 1

# How long an example takes says nothing of the code while others run beside it.
hypothesis.settings.register_profile("patient", deadline=None, parent=hypothesis.settings.get_profile("default"))
hypothesis.settings.load_profile("patient")

# No test, and no process that a test starts, may see the developer's own server, `.env` or database.
for _name in [
    name for name in os.environ if name.startswith(("REVOPS_", "PG")) and not name.startswith("REVOPS_TEST_")
]:
    if _name != "REVOPS_REAL_DATA":
        del os.environ[_name]
os.environ.pop("DB_CONNECTION_STRING", None)
os.environ["REVOPS_HOME"] = str(RUN / "home")
os.environ["REVOPS_ENV_FILE"] = str(RUN / "test.env")


# No wheel carries PostgreSQL 15, which is supported as a server of somebody's: tests take the machine's, where there is one.
PROGRAMS_15 = Path("/usr/lib/postgresql/15/bin")
_of_the_wheel = revops_server.programs
revops_server.programs = lambda version: PROGRAMS_15 if version == 15 else _of_the_wheel(version)


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """What a test changes of the process's environment, the next one does not see."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@dataclass(frozen=True)
class RunningServer:
    """A server for tests: `url` names its first database, `server` is None for one that is not ours."""

    url: str
    server: Server | None
    version: int

    def database(self, name: str) -> str:
        """The URL of another database on it."""
        return self.url.rpartition("/")[0] + "/" + name


def new_server(version: int = 18, home: Path | None = None, **variables: str) -> Server:
    """A server not yet started, with a home of its own under the tests' folder."""
    home = home or RUN / f"server-{version}-{secrets.token_hex(4)}"
    environ = {"REVOPS_HOME": str(home), "REVOPS_ENV_FILE": str(home) + ".env", **variables}
    return Server(replace(revops_settings.load(environ, ROOT), postgres_version=version))


@pytest.fixture(scope="session", autouse=True)
def _own_folder() -> Iterator[None]:
    """A folder for this run; servers and folders of runs that were killed are cleared away."""
    RUNS.mkdir(mode=0o755, exist_ok=True)
    with (RUNS / "clearing").open("w") as clearing:
        fcntl.flock(clearing, fcntl.LOCK_EX)  # workers begin together, and one may take away what another looks at
        for left in RUNS.iterdir():
            if left.name.isdigit() and not psutil.pid_exists(int(left.name)):
                _clear(left)
    RUN.mkdir(exist_ok=True)
    yield
    _clear(RUN)


def _clear(folder: Path) -> None:
    for data in folder.rglob("postmaster.pid"):
        new_server(int(data.parent.name.rpartition("-")[2]), data.parents[1]).down()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_connections_left() -> Iterator[None]:
    """Closes the connections that pages of the dashboard leave to the next one: who copies a database must be alone in it."""
    yield
    reader = sys.modules.get("revops.dashboard.reader")
    while reader is not None and reader._left:
        reader._left.pop()[1].close()


@pytest.fixture(autouse=True)
def _plain_logging() -> Iterator[None]:
    """Undoes what a command run inside a test did to logging, so that the next test can capture records."""
    yield
    for name in ("revops", "loaders", "meshkeys"):
        logger = logging.getLogger(name)
        logger.propagate = True
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


@pytest.fixture(scope="session")
def server_of(_own_folder: None) -> Callable[[int], RunningServer]:
    """A function from a major version (18, 16, or an installed 15) to a running server of it, one per session."""
    running: dict[int, RunningServer] = {}

    def start(version: int) -> RunningServer:
        if version not in running:
            server = new_server(version)
            running[version] = RunningServer(server.up(), server, version)
            _outlive_no_power_cut(running[version].url)
        return running[version]

    return start


def _outlive_no_power_cut(url: str) -> None:
    """Has a server not wait for the disk: what it wrote outlives any kill of it, only not one of the machine."""
    import psycopg2

    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET fsync = off")
            cursor.execute("SELECT pg_reload_conf()")
    finally:
        connection.close()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, server_of: Callable[[int], RunningServer]) -> RunningServer:
    """A running PostgreSQL 18, or what `parametrize("server", [18, 16], indirect=True)` asks for.

    `REVOPS_TEST_POSTGRES_VERSION` changes the 18. `REVOPS_TEST_URL` selects a server that is not ours, such as the one
    of docker-compose.yml.
    """
    if url := os.environ.get("REVOPS_TEST_URL"):
        from foundation.database import connect

        connection = connect(url)
        version = connection.server_version // 10000
        connection.close()
        return RunningServer(url, None, version)
    version = getattr(request, "param", None) or int(os.environ.get("REVOPS_TEST_POSTGRES_VERSION", "18"))
    return server_of(version)


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def fresh_database(server: RunningServer) -> Iterator[str]:
    """The URL of a new, empty database, dropped afterwards."""
    import psycopg2

    name = f"test_{secrets.token_hex(6)}"
    connection = psycopg2.connect(server.url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            yield server.database(name)
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        connection.close()


@pytest.fixture
def database_url(server: RunningServer) -> Iterator[str]:
    """A fresh, empty database for one test."""
    with fresh_database(server) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(server: RunningServer) -> Iterator[str]:
    """A fresh, empty database for the tests of one file."""
    with fresh_database(server) as url:
        yield url


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real rows: REVOPS_REAL_DATA, else `../shared/data/real` beside the repository."""
    shared = ROOT.parent / "shared"
    folder = Path(os.environ.get("REVOPS_REAL_DATA") or shared / "data" / "real")
    if not (folder / "transactions_data.csv").is_file():
        reason = f"the real rows are not at {folder}: set REVOPS_REAL_DATA"
        if os.environ.get("CI") == "true" and shared.is_dir():
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
