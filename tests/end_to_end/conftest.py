"""One warehouse built once for all tests of this folder; each test gets a copy of its own, by CREATE DATABASE ... TEMPLATE."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2 import sql

from tests.conftest import RunningServer
from tests.end_to_end import browser
from tests.end_to_end.warehouse import Warehouse, copy_of_project

# SQLMesh's state names the database, so that every copy has to have the same name: one at a time.
NAME = "warehouse_in_test"
BUILT = "warehouse_built"


@dataclass(frozen=True)
class Built:
    """A built warehouse to copy: the server it is on, the raw files it was built of, and the project it was built by."""

    server: RunningServer
    data: Path
    project: Path


def recreate(server: RunningServer, name: str, template: str) -> None:
    """Recreates a database as a copy of another."""
    connection = psycopg2.connect(server.url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (template,))
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
    finally:
        connection.close()


@pytest.fixture(scope="session")
def built(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A small generated set, landed and built once."""
    from generator import generate

    data = tmp_path_factory.mktemp("data")
    generate(data, scale=0.0005, seed=11)
    recreate(server, NAME, "template0")
    warehouse = Warehouse(copy_of_project(tmp_path_factory.mktemp("built") / "project"), server.database(NAME), data)
    warehouse.load()
    warehouse.build()
    recreate(server, BUILT, NAME)
    return Built(server, data, warehouse.root)


@pytest.fixture
def warehouse(built: Built, tmp_path: Path) -> Warehouse:
    """A built warehouse that the test may do anything to."""
    recreate(built.server, NAME, BUILT)
    data = tmp_path / "data"
    shutil.copytree(built.data, data)
    made = Warehouse(copy_of_project(tmp_path / "project"), built.server.database(NAME), data)
    shutil.copytree(built.project / ".cache", made.root / ".cache", dirs_exist_ok=True)  # which tables there are, too
    assert urlsplit(made.url).path == f"/{NAME}"
    return made


@pytest.fixture
def empty_warehouse(built: Built, tmp_path: Path) -> Warehouse:
    """A warehouse in which nothing has landed."""
    recreate(built.server, NAME, "template0")
    data = tmp_path / "data"
    shutil.copytree(built.data, data)
    return Warehouse(copy_of_project(tmp_path / "project"), built.server.database(NAME), data)


@pytest.fixture
def warehouse_url(warehouse: Warehouse) -> str:
    """The database of a built warehouse that the test may do anything to."""
    return warehouse.url


@pytest.fixture(scope="session")
def browser_path() -> str:
    found = next((path for name in browser.NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium: .ci/run installs it")
        pytest.skip("no Chromium on this machine: install it to look at pages")
    return found
