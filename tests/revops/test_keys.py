"""`revops keys`: what is noted as declared and not there is told, and made, without SQLMesh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from foundation.errors import CheckFailed
from meshkeys import schema
from meshkeys.declarations import Declarations, ForeignKey, Index
from revops import settings
from revops.keys import keys
from tests.conftest import ROOT

MADE = """
CREATE SCHEMA sqlmesh__a; CREATE SCHEMA a;
CREATE TABLE sqlmesh__a.users__1 (user_id int); CREATE TABLE sqlmesh__a.paid__1 (id int, user_id int);
INSERT INTO sqlmesh__a.users__1 VALUES (1); INSERT INTO sqlmesh__a.paid__1 VALUES (7, 1);
CREATE VIEW a.users AS SELECT * FROM sqlmesh__a.users__1; CREATE VIEW a.paid AS SELECT * FROM sqlmesh__a.paid__1;
"""
NOTED = (
    ("a.paid", Declarations(("id",), (ForeignKey("user_id", "a.users", "user_id"),), (Index(("user_id",)),))),
    ("a.users", Declarations(("user_id",))),
)


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    """On a database with two models, of which nothing that is declared is there."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        connection.autocommit = True
        schema.create(made)
        made.execute(MADE)
        for model, declared in NOTED:
            relation = f"sqlmesh__{model}__1"
            made.execute(
                "INSERT INTO ops.declarations (model, relation, declared) VALUES (%s, %s, %s)",
                (model, relation, json.dumps(asdict(declared))),
            )
        yield made


def of(url: str) -> settings.Settings:
    return settings.load({"DB_CONNECTION_STRING": url, "REVOPS_ENV_FILE": "/nonexistent"}, ROOT)


def there(cursor: Cursor) -> list[tuple[object, ...]]:
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'sqlmesh__a'::regnamespace ORDER BY 1")
    return cursor.fetchall()


def test_a_dry_run_tells_all_and_changes_nothing(database_url: str, cursor: Cursor) -> None:
    before = there(cursor)
    told = [str(operation) for operation in keys(of(database_url), dry_run=True)]
    assert told == [
        "sqlmesh__a.paid__1: create index (user_id)",
        "sqlmesh__a.paid__1: add primary key (id)",
        "sqlmesh__a.users__1: add primary key (user_id)",
        "sqlmesh__a.paid__1: add foreign key (user_id) to sqlmesh__a.users__1 (user_id)",
        "sqlmesh__a.paid__1: validate foreign key paid__1__user_id__fk",
    ]
    assert there(cursor) == before


def test_what_was_told_is_done_once(database_url: str, cursor: Cursor) -> None:
    told = keys(of(database_url), dry_run=True)
    assert keys(of(database_url)) == told
    assert keys(of(database_url)) == []


def test_rows_that_contradict_a_key_are_said_with_the_key(database_url: str, cursor: Cursor) -> None:
    cursor.execute("INSERT INTO sqlmesh__a.paid__1 VALUES (8, 2)")
    with pytest.raises(
        CheckFailed, match=r"Rows contradict what is declared: .*validate foreign key paid__1"
    ) as raised:
        keys(of(database_url))
    assert len(str(raised.value).splitlines()) == 2
