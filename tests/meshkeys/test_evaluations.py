"""Notes of evaluations tell which days and which contents changed, and only those."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from meshkeys import evaluations, schema
from meshkeys.catalog import Relation
from meshkeys.settings import in_notes

PAID, USERS, GONE = Relation("a", "paid"), Relation("a", "users"), Relation("a", "gone")


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        schema.create(made)
        made.execute("CREATE SCHEMA a; CREATE TABLE a.paid (day date); CREATE TABLE a.users (user_id int, name text)")
        yield made


def record(cursor: Cursor, table: Relation, first: str = "2020-01-01", last: str = "2020-01-01") -> int:
    by_days = SimpleNamespace(kind=SimpleNamespace(is_incremental_by_time_range=table is PAID))
    evaluations.record(cursor, table, by_days, (first, last))
    return evaluations.latest(cursor, [table])


def noted(cursor: Cursor) -> list[tuple[object, ...]]:
    cursor.execute(
        in_notes("SELECT relation, starts_on::text, ends_on::text FROM {notes}.evaluations ORDER BY evaluation_id")
    )
    return cursor.fetchall()


def test_days_are_noted_of_tables_of_days_only(cursor: Cursor) -> None:
    record(cursor, PAID, "2020-01-01", "2020-01-03")
    record(cursor, USERS)
    assert noted(cursor) == [("a.paid", "2020-01-01", "2020-01-03"), ("a.users", None, None)]


def test_what_only_creates_a_table_is_no_evaluation(cursor: Cursor) -> None:
    assert record(cursor, PAID, "1970-01-01", "1970-01-01") == 0
    assert record(cursor, GONE) == 0, "there is no such table"


@pytest.mark.parametrize(
    ("starts_on", "ends_before", "changed"),
    [
        ("2020-01-05", "2020-01-06", True),
        ("2020-01-07", "2020-02-01", True),
        ("2020-01-08", "2020-02-01", False),
        ("2019-01-01", "2020-01-05", False),
        (None, "2020-01-06", True),
        ("2020-01-08", None, False),
        (None, None, True),
    ],
)
def test_a_period_changed_when_a_day_of_it_was_written_again(
    starts_on: str | None, ends_before: str | None, changed: bool, cursor: Cursor
) -> None:
    before = record(cursor, PAID, "2000-01-01", "2030-01-01")
    record(cursor, PAID, "2020-01-05", "2020-01-07")
    assert evaluations.days_changed(cursor, [PAID, USERS], before, starts_on, ends_before) is changed


def test_a_table_made_whole_changed_when_its_contents_did(cursor: Cursor) -> None:
    cursor.execute("INSERT INTO a.users VALUES (1, 'one'), (2, 'two')")
    first = record(cursor, USERS)
    evaluations.take_fingerprints(cursor, [USERS])
    cursor.execute("DELETE FROM a.users; INSERT INTO a.users VALUES (2, 'two'), (1, 'one')")
    second = record(cursor, USERS)
    evaluations.take_fingerprints(cursor, [USERS])
    assert evaluations.whole_changes(cursor, [USERS], first) == [], "the same rows in another order"
    cursor.execute("UPDATE a.users SET name = 'three' WHERE user_id = 2")
    record(cursor, USERS)
    evaluations.take_fingerprints(cursor, [USERS])
    assert evaluations.whole_changes(cursor, [USERS], second) == ["a.users"]


def test_notes_are_dropped_once_they_say_nothing(cursor: Cursor) -> None:
    record(cursor, PAID, "2020-01-02", "2020-01-03")
    record(cursor, PAID, "2020-02-01", "2020-02-01")
    record(cursor, PAID, "2020-01-01", "2020-01-31")
    record(cursor, USERS)
    last = record(cursor, USERS)
    cursor.execute("CREATE TABLE a.gone ()")
    record(cursor, GONE)
    cursor.execute("DROP TABLE a.gone")
    evaluations.prune(cursor)
    assert noted(cursor) == [
        ("a.paid", "2020-02-01", "2020-02-01"), ("a.paid", "2020-01-01", "2020-01-31"), ("a.users", None, None),
    ]  # fmt: skip
    assert evaluations.latest(cursor, [USERS]) == last


def test_a_table_that_has_outgrown_its_statistics_is_analyzed_at_once(cursor: Cursor) -> None:
    def estimated() -> int:
        cursor.execute("SELECT reltuples::int FROM pg_class WHERE oid = 'a.paid'::regclass")
        row = cursor.fetchone()
        assert row
        return int(row[0])

    cursor.execute("INSERT INTO a.paid SELECT '2020-01-01' FROM generate_series(1, 100); ANALYZE a.paid")
    cursor.execute("INSERT INTO a.paid SELECT '2020-01-02' FROM generate_series(1, 100)")
    record(cursor, PAID)
    assert estimated() == 100, "a day more is left to autovacuum"
    cursor.execute("INSERT INTO a.paid SELECT '2020-01-03' FROM generate_series(1, 5000)")
    record(cursor, PAID)
    assert estimated() == 5200
