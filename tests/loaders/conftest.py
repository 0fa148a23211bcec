"""Fixtures of the loaders' tests: a warehouse to load into and to ask, both kinds of partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from loaders import file_landing
from loaders.landing import land
from loaders.protect import KeyStore
from loaders.reporting import FileOutcome
from tests.loaders.warehouse import Query


@pytest.fixture
def database_url(module_database_url: str) -> str:
    """A database without a warehouse: one per file of tests, emptied for each test. That is much faster than a new one."""
    connection = psycopg2.connect(module_database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS raw, ops CASCADE")
        # Whatever a test waits for in vain ends: a lock that nobody gives back, for one.
        name = sql.Identifier(connection.info.dbname)
        cursor.execute(sql.SQL("ALTER DATABASE {} SET statement_timeout = '60s'").format(name))
    connection.close()
    return module_database_url


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    """A function that runs a query on the test's database."""
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:

        def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

        yield run
    connection.close()


@pytest.fixture
def load(database_url: str, tmp_path: Path) -> Callable[..., list[FileOutcome]]:
    """A function that lands files with a key of the test's own."""
    keys = KeyStore(tmp_path / "key" / "pan.key", {})
    return lambda data, **options: land(database_url, data, **{"pan_key": keys, **options})


@pytest.fixture(params=["shared partition", "own partition"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both kinds of files, whatever their size."""
    monkeypatch.setattr(file_landing, "LARGE_FILE_BYTES", 10**9 if request.param == "shared partition" else 0)
    return str(request.param)
