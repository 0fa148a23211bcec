"""What the catalog of a bare database says of relations whose names need quotes, and of ones that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from meshkeys import catalog
from meshkeys.catalog import ForeignKey, Index, PrimaryKey, Relation

MADE = """
CREATE SCHEMA "S x";
CREATE TABLE "S x"."users" (user_id int, name text, CONSTRAINT named UNIQUE (name), CONSTRAINT first PRIMARY KEY (user_id));
CREATE TABLE "S x"."paid ""%1" (id int, "the day" date, user_id int, gone int, amount numeric(12, 2) NOT NULL);
ALTER TABLE "S x"."paid ""%1" DROP COLUMN gone;
ALTER TABLE "S x"."paid ""%1" ADD CONSTRAINT two PRIMARY KEY (id, "the day");
ALTER TABLE "S x"."paid ""%1" ADD CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES "S x".users NOT VALID;
CREATE INDEX plain ON "S x"."paid ""%1" ("the day" DESC, user_id) INCLUDE (amount) WHERE amount > 0;
CREATE INDEX computed ON "S x"."paid ""%1" ((amount * 2));
CREATE INDEX blocks ON "S x"."paid ""%1" USING brin ("the day");
CREATE VIEW "S x".days AS SELECT "the day", user_id FROM "S x"."paid ""%1" JOIN "S x".users USING (user_id);
CREATE MATERIALIZED VIEW "S x".kept AS SELECT count(*) AS rows FROM "S x".days;
CREATE TABLE "S x".parts (id int) PARTITION BY RANGE (id);
CREATE TABLE public.codes (code text); CREATE VIEW "S x".codes AS SELECT code FROM public.codes;
"""
TABLE, USERS = Relation("S x", 'paid "%1'), Relation("S x", "users")
VIEW, KEPT, PARTS, NOWHERE = (Relation("S x", name) for name in ("days", "kept", "parts", "nowhere"))


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        made.execute(MADE)
        yield made


def test_kinds_of_relations_are_told_apart(cursor: Cursor) -> None:
    relations = (TABLE, PARTS, VIEW, KEPT, NOWHERE, Relation("no schema", "users"))
    assert [catalog.exists(cursor, each) for each in relations] == [True, True, True, True, False, False]
    assert [catalog.is_table(cursor, each) for each in relations] == [True, True, False, False, False, False]
    assert [catalog.is_view(cursor, each) for each in relations] == [False, False, True, False, False, False]


def test_a_relation_has_rows_when_there_is_one(cursor: Cursor) -> None:
    assert not catalog.has_rows(cursor, USERS)
    assert not catalog.has_rows(cursor, NOWHERE)
    cursor.execute("INSERT INTO \"S x\".users VALUES (1, 'one')")
    assert catalog.has_rows(cursor, USERS)


def test_columns_are_those_that_are_there_in_their_order(cursor: Cursor) -> None:
    assert catalog.columns(cursor, TABLE) == ["id", "the day", "user_id", "amount"]
    assert catalog.types(cursor, TABLE)["amount"] == "numeric(12,2)"
    assert list(catalog.types(cursor, KEPT).items()) == [("rows", "bigint")]
    assert catalog.columns(cursor, NOWHERE) == []


def test_keys_are_told_with_columns_targets_and_whether_they_hold(cursor: Cursor) -> None:
    found = catalog.keys(cursor, TABLE)
    assert found.primary_key == PrimaryKey("two", ("id", "the day"), is_enforced=True)
    assert found.foreign_keys == (ForeignKey("of_user", USERS, ("user_id",), ("user_id",), is_validated=False),)
    assert catalog.keys(cursor, NOWHERE) == catalog.Keys()


def test_indexes_are_told_with_all_that_tells_them_apart(cursor: Cursor) -> None:
    found = {index.name: index for index in catalog.indexes(cursor, TABLE)}
    assert found["plain"] == Index("plain", ("the day", "user_id"), ("amount",), where="(amount > (0)::numeric)")
    assert found["computed"].has_expressions
    assert found["blocks"].method == "brin"
    assert found["two"] == Index("two", ("id", "the day"), is_unique=True, backs_constraint=True)
    assert {index.name: index.backs_constraint for index in catalog.indexes(cursor, USERS)} == {
        "first": True,
        "named": True,
    }


def test_a_definition_names_schemas_in_full_and_leaves_the_search_path(cursor: Cursor) -> None:
    cursor.execute('SET search_path TO "S x"')
    assert "FROM public.codes" in (catalog.view_definition(cursor, Relation("S x", "codes")) or "")
    assert '"S x".users' in (catalog.view_definition(cursor, VIEW) or "")
    assert catalog.view_definition(cursor, NOWHERE) is None
    cursor.execute("SHOW search_path")
    assert cursor.fetchone() == ('"S x"',)


def test_what_a_view_reads_and_who_reads_it_is_one_level_away(cursor: Cursor) -> None:
    assert catalog.relations_read_by(cursor, VIEW) == [TABLE, USERS]
    assert catalog.relations_read_by(cursor, KEPT) == [VIEW]
    assert catalog.readers_of(cursor, TABLE) == [VIEW]
    assert catalog.readers_of(cursor, KEPT) == []
