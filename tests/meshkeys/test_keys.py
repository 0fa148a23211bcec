"""Keys over the life of a table: filled, put in the place of another, given new rows, pointed at another parent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from meshkeys import catalog, keys, names
from meshkeys.catalog import Relation
from meshkeys.declarations import Declarations, ForeignKey, Index

MADE = """
CREATE SCHEMA a;
CREATE TABLE a.users_1 (user_id int PRIMARY KEY); CREATE TABLE a.users_2 (user_id int PRIMARY KEY);
CREATE TABLE a.paid (id int, user_id int, day date);
INSERT INTO a.users_1 VALUES (1); INSERT INTO a.users_2 VALUES (1), (2);
INSERT INTO a.paid SELECT n, 1, DATE '2020-01-01' + n FROM generate_series(1, 100) AS each (n);
CREATE VIEW a.view AS SELECT * FROM a.paid;
"""
PAID, VIEW = Relation("a", "paid"), Relation("a", "view")
FIRST, SECOND = {"b.users": Relation("a", "users_1")}, {"b.users": Relation("a", "users_2")}
DECLARED = Declarations(
    ("id",), (ForeignKey("user_id", "b.users", "user_id"),), (Index(("day",)), Index(("user_id", "day")))
)


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        connection.autocommit = True
        made.execute(MADE)
        yield made


def columns(cursor: Cursor, table: Relation) -> dict[str, tuple[str, ...]]:
    return {index.name: index.columns for index in catalog.indexes(cursor, table)}


def test_a_filled_table_gets_its_keys_and_the_planner_its_rows(cursor: Cursor) -> None:
    keys.build(cursor, PAID, DECLARED)
    assert sorted(columns(cursor, PAID).values()) == [("day",), ("id",), ("user_id", "day")]
    cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'a.paid'::regclass")
    assert cursor.fetchone() == (100,)
    before = columns(cursor, PAID)
    keys.build(cursor, PAID, DECLARED)
    keys.build(cursor, PAID, Declarations())
    assert columns(cursor, PAID) == before, "what is there and not declared is left to reconcile"
    keys.reconcile(cursor, PAID, Declarations())
    assert columns(cursor, PAID) == {}


def test_what_is_no_table_is_left_alone(cursor: Cursor) -> None:
    for relation in (VIEW, Relation("a", "nowhere")):
        keys.build(cursor, relation, DECLARED)
        keys.reconcile(cursor, relation, DECLARED)
        keys.point_foreign_keys(cursor, relation, FIRST, DECLARED)
        assert keys.pending(cursor, relation, FIRST, DECLARED) == []


def test_indexes_built_side_by_side_take_the_names_of_the_table_they_come_to(cursor: Cursor) -> None:
    draft = Relation("a", "new_paid")
    cursor.execute("CREATE TABLE a.new_paid AS SELECT * FROM a.paid")
    keys.build_indexes(cursor, draft, DECLARED)
    cursor.execute("DROP TABLE a.paid CASCADE; ALTER TABLE a.new_paid RENAME TO paid")
    keys.adopt_indexes(cursor, draft, PAID, DECLARED)
    assert set(columns(cursor, PAID)) == {
        names.of_primary_key(PAID), *(names.of_index(PAID, index) for index in DECLARED.indexes),
    }  # fmt: skip
    keys.point_foreign_keys(cursor, PAID, FIRST, DECLARED)
    assert keys.pending(cursor, PAID, FIRST, DECLARED) == []


def test_before_rows_that_another_parent_has_a_key_is_relaxed_and_then_set(cursor: Cursor) -> None:
    keys.point_foreign_keys(cursor, PAID, FIRST, DECLARED)
    keys.relax_foreign_keys(cursor, PAID, FIRST, DECLARED)
    insert = sql.SQL("INSERT INTO {} VALUES (101, 2, '2021-01-01')").format(PAID.identifier)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        cursor.execute(insert)
    keys.relax_foreign_keys(cursor, PAID, SECOND, DECLARED)
    cursor.execute(insert)
    keys.point_foreign_keys(cursor, PAID, SECOND, DECLARED)
    (key,) = catalog.foreign_keys(cursor, PAID)
    assert (key.parent, key.is_validated) == (SECOND["b.users"], True)


def test_a_parent_that_is_not_there_has_no_key(cursor: Cursor) -> None:
    keys.point_foreign_keys(cursor, PAID, {"b.users": Relation("a", "nowhere")}, DECLARED)
    keys.point_foreign_keys(cursor, PAID, {"b.users": VIEW}, DECLARED)
    keys.point_foreign_keys(cursor, PAID, {}, DECLARED)
    assert catalog.foreign_keys(cursor, PAID) == []


def test_a_key_is_dropped_by_its_name(cursor: Cursor) -> None:
    keys.point_foreign_keys(cursor, PAID, FIRST, DECLARED)
    keys.drop_constraint(cursor, PAID, names.of_foreign_key(PAID, "user_id"))
    assert catalog.foreign_keys(cursor, PAID) == []
