"""What `put_back` restores, on tables and views as SQLMesh makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from meshkeys import change, schema
from meshkeys.declarations import Declarations, ForeignKey

MADE = """
CREATE SCHEMA physical; CREATE SCHEMA dimensions; CREATE SCHEMA facts;
CREATE TABLE physical.users_1 (client_id int PRIMARY KEY);
CREATE TABLE physical.users_2 (client_id int PRIMARY KEY);
CREATE TABLE physical.paid_1 (client_id int);
INSERT INTO physical.users_1 VALUES (1); INSERT INTO physical.users_2 VALUES (1), (2); INSERT INTO physical.paid_1 VALUES (1);
CREATE VIEW dimensions.users AS SELECT * FROM physical.users_1;
CREATE VIEW facts.paid AS SELECT * FROM physical.paid_1;
"""
KEYS = """
SELECT pg_get_constraintdef(oid), convalidated FROM pg_constraint
WHERE conrelid = 'physical.paid_1'::regclass AND contype = 'f'
"""
TO = "FOREIGN KEY (client_id) REFERENCES physical.{}(client_id) DEFERRABLE INITIALLY DEFERRED"


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    """On a database in which prod has two models, the key between them declared and set aside."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        connection.autocommit = True
        made.execute(MADE)
        schema.create(made)
        key = ForeignKey("client_id", "dimensions.users", "client_id")
        for model, relation, declared in (
            ("dimensions.users", "physical.users_1", Declarations(primary_key=("client_id",))),
            ("facts.paid", "physical.paid_1", Declarations(foreign_keys=(key,))),
        ):
            made.execute(
                "INSERT INTO ops.declarations (model, relation, declared) VALUES (%s, %s, %s)",
                (model, relation, json.dumps(asdict(declared))),
            )
        yield made


def keys(cursor: Cursor) -> list[tuple[object, ...]]:
    cursor.execute(KEYS)
    return cursor.fetchall()


def test_a_key_that_was_set_aside_is_put_back_and_stays(cursor: Cursor) -> None:
    change.put_back(cursor)
    assert keys(cursor) == [(TO.format("users_1"), True)]
    cursor.execute("SELECT oid FROM pg_constraint WHERE contype = 'f'")
    before = cursor.fetchall()
    change.put_back(cursor)
    cursor.execute("SELECT oid FROM pg_constraint WHERE contype = 'f'")
    assert cursor.fetchall() == before
    cursor.execute("SELECT conname FROM pg_constraint WHERE contype = 'f'")
    for (name,) in cursor.fetchall():
        cursor.execute(sql.SQL("ALTER TABLE physical.paid_1 DROP CONSTRAINT {}").format(sql.Identifier(name)))
    assert not keys(cursor)
    change.put_back(cursor)
    assert keys(cursor) == [(TO.format("users_1"), True)]


def test_a_key_points_at_the_table_that_prods_view_reads_now(cursor: Cursor) -> None:
    change.put_back(cursor)
    cursor.execute("CREATE OR REPLACE VIEW dimensions.users AS SELECT * FROM physical.users_2")
    change.put_back(cursor)
    assert keys(cursor) == [(TO.format("users_2"), True)]


def test_a_key_that_a_row_contradicts_guards_new_rows(cursor: Cursor) -> None:
    cursor.execute("INSERT INTO physical.paid_1 VALUES (3)")
    change.put_back(cursor)
    assert keys(cursor) == [(TO.format("users_1") + " NOT VALID", False)]
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        cursor.execute("INSERT INTO physical.paid_1 VALUES (4)")


def test_nothing_is_put_back_where_nothing_was_built(database_url: str) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        connection.autocommit = True
        change.put_back(made)
