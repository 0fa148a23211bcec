"""Operations on tables of a bare database: after what was found to be done is done, nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from meshkeys import catalog, comparison, execution, keys
from meshkeys.catalog import Relation
from meshkeys.declarations import Declarations, ForeignKey, Index
from meshkeys.operations import AddPrimaryKey, ValidateConstraint

MADE = """
CREATE SCHEMA "S x";
CREATE TABLE "S x"."users 1" (user_id int PRIMARY KEY); CREATE TABLE "S x"."users 2" (user_id int PRIMARY KEY);
CREATE TABLE "S x"."paid %1" (id int, user_id int, "the day" date, amount numeric);
INSERT INTO "S x"."users 1" VALUES (1), (2); INSERT INTO "S x"."users 2" VALUES (1), (2), (3);
INSERT INTO "S x"."paid %1" SELECT n, 1 + n % 2, DATE '2020-01-01' + n, n FROM generate_series(1, 100) AS each (n);
"""
TABLE, USERS, LATER = Relation("S x", "paid %1"), Relation("S x", "users 1"), Relation("S x", "users 2")
DECLARED = Declarations(
    ("id",),
    (ForeignKey("user_id", "a.users", "user_id"),),
    (
        Index(("the day",), include=("amount",), where="amount > 0 AND amount < 50"),
        Index(("amount", "id"), is_unique=True),
    ),
)


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        connection.autocommit = True
        made.execute(MADE)
        yield made


def settle(cursor: Cursor, declared: Declarations, users: Relation = USERS) -> None:
    execution.execute(cursor, keys.pending(cursor, TABLE, {"a.users": users}, declared))
    assert keys.pending(cursor, TABLE, {"a.users": users}, declared) == []


def test_what_is_declared_is_there_also_by_its_shape_alone(cursor: Cursor) -> None:
    settle(cursor, DECLARED)
    found = catalog.keys(cursor, TABLE)
    assert found.primary_key is not None
    assert (found.primary_key.columns, found.primary_key.is_enforced) == (("id",), True)
    assert [(key.parent, key.is_validated, key.is_enforced) for key in found.foreign_keys] == [(USERS, True, True)]
    assert comparison.of_table(TABLE, DECLARED, {"a.users": USERS}, found, comparison.serves) == []
    with pytest.raises(psycopg2.errors.NotNullViolation):
        cursor.execute('INSERT INTO "S x"."paid %1" VALUES (NULL, 1)')
    cursor.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = '\"S x\".\"paid %1\"'::regclass"
    )
    assert not cursor.fetchall(), "the checks by which the primary key was added are gone"


def test_the_key_follows_the_parent(cursor: Cursor) -> None:
    settle(cursor, DECLARED)
    settle(cursor, DECLARED, LATER)
    assert [key.parent for key in catalog.foreign_keys(cursor, TABLE)] == [LATER]


def test_what_is_declared_no_longer_is_gone(cursor: Cursor) -> None:
    cursor.execute('CREATE INDEX theirs ON "S x"."paid %1" (amount)')
    settle(cursor, DECLARED)
    settle(cursor, Declarations())
    found = catalog.keys(cursor, TABLE)
    assert (found.primary_key, found.foreign_keys, [index.name for index in found.indexes]) == (None, (), ["theirs"])


def test_a_row_without_a_parent_leaves_a_key_that_guards_new_rows(cursor: Cursor) -> None:
    cursor.execute('INSERT INTO "S x"."paid %1" VALUES (101, 9)')
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        settle(cursor, DECLARED)
    (left,) = keys.pending(cursor, TABLE, {"a.users": USERS}, DECLARED)
    assert isinstance(left, ValidateConstraint)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        cursor.execute('INSERT INTO "S x"."paid %1" VALUES (102, 9)')


def test_a_primary_key_that_was_added_half_way_is_added(cursor: Cursor) -> None:
    key = Declarations(primary_key=("id",))
    cursor.execute('INSERT INTO "S x"."paid %1" VALUES (1, 1)')
    with pytest.raises(psycopg2.errors.UniqueViolation):
        settle(cursor, key)
    assert [index.is_valid for index in catalog.indexes(cursor, TABLE)] == [False]
    cursor.execute('DELETE FROM "S x"."paid %1" WHERE id = 1')
    execution.execute(cursor, [AddPrimaryKey(TABLE, ("id",))])
    assert keys.pending(cursor, TABLE, {}, key) == []


def test_disabled_triggers_enforce_nothing(cursor: Cursor) -> None:
    settle(cursor, DECLARED)
    cursor.execute('ALTER TABLE "S x"."paid %1" DISABLE TRIGGER ALL')
    assert [key.is_enforced for key in catalog.foreign_keys(cursor, TABLE)] == [False]
