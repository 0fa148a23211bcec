"""Which keys a table has to follow: known where each evaluation above it noted them, and all where one did not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import psycopg2
import pytest
from psycopg2 import sql

from foundation import ops
from loaders import postgres
from meshkeys import evaluations
from meshkeys.catalog import Relation
from revops.ledger import touched_keys
from revops.ledger.days import Days
from revops.ledger.graph import Node, RestatedBy

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

YEARS, OTHER, RISK, SHOWN = Relation("t", "years"), Relation("t", "other"), Relation("t", "risk"), Relation("s", "risk")
BY = RestatedBy("merchant_id", ("s.years",))
READER = Node("s.risk", str(RISK), False, parents=("s.years", "s.view", "definition.s.risk"), restated_by=BY)
NODES = {
    "s.years": Node("s.years", str(YEARS), True),
    "s.other": Node("s.other", str(OTHER), False),
    "s.view": Node("s.view", None, False, parents=("s.other", "raw.users")),
    "s.risk": READER,
}
BY_YEARS = replace(READER, by_days=True, parents=("s.years",))
OF_2019 = Days(date(2019, 1, 1), date(2019, 11, 16))


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    """On a warehouse in which all was evaluated once, in one transaction."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        postgres.create_tables(connection)
        ops.create_for_builds(cursor)
        cursor.execute("CREATE SCHEMA t; CREATE SCHEMA s")
        for table in (YEARS, OTHER, RISK):
            cursor.execute(sql.SQL("CREATE TABLE {} (merchant_id INT, frauds INT)").format(table.identifier))
            cursor.execute(sql.SQL("INSERT INTO {} VALUES (7, 1), (8, 2)").format(table.identifier))
            evaluations.note(cursor, table)
        for name, table in (("years", YEARS), ("risk", RISK)):
            cursor.execute(
                sql.SQL("CREATE VIEW s.{} AS SELECT * FROM {}").format(sql.Identifier(name), table.identifier)
            )
        yield cursor
        connection.rollback()


def written(cursor: Cursor, *keys: int, days: tuple[str, str] | None = None) -> None:
    """An evaluation of the years that notes its keys, as builds by notes do."""
    followed = touched_keys.is_followed(cursor, READER, YEARS)
    evaluations.note(cursor, YEARS, days)
    rows = sql.SQL("(SELECT unnest({}::int[]) AS merchant_id) AS written").format(sql.Literal(list(keys)))
    touched_keys.note(cursor, READER, YEARS, rows if followed else None)


def waiting(cursor: Cursor, reader: Node = READER, days: Days | None = None) -> list[int] | None:
    return touched_keys.waiting(cursor, reader, NODES, days)


def test_keys_that_were_written_wait_until_the_table_is_evaluated(cursor: Cursor) -> None:
    written(cursor, 8, 7, 8)
    written(cursor)
    assert waiting(cursor) == [7, 8]
    evaluations.note(cursor, RISK)
    touched_keys.forget(cursor, READER)
    cursor.execute("SELECT count(*) FROM ops.touched_keys")
    assert cursor.fetchone() == (0,)
    written(cursor, 9)
    assert waiting(cursor) == [9]


def test_where_nothing_was_written_there_is_nothing_to_restate(cursor: Cursor) -> None:
    written(cursor)
    assert waiting(cursor) == []


def test_keys_of_builds_that_were_killed_are_not_lost(cursor: Cursor) -> None:
    written(cursor, 7)
    written(cursor, 8)
    evaluations.prune(cursor)
    assert waiting(cursor) == [7, 8]


def test_an_evaluation_that_notes_no_keys_restates_all_rows(cursor: Cursor) -> None:
    assert waiting(cursor) is None, "nothing is known to have changed"
    written(cursor, 7)
    evaluations.note(cursor, YEARS)
    assert waiting(cursor) is None
    written(cursor, 8)
    cursor.execute(
        "DELETE FROM ops.evaluations WHERE relation = %s AND evaluation_id < (SELECT max(evaluation_id) FROM"
        " ops.evaluations WHERE relation = %s)",
        (str(YEARS), str(YEARS)),
    )
    assert waiting(cursor) is None, "also when a later one has taken its place"


@pytest.mark.parametrize("change", ["definition.s.risk", "raw.users"])
def test_what_changes_beside_the_keys_restates_all_rows(cursor: Cursor, change: str) -> None:
    written(cursor, 7)
    cursor.execute("INSERT INTO ops.changes (relation, cause) VALUES (%s, 'test')", (change,))
    assert waiting(cursor) is None


def test_what_is_read_through_a_view_restates_all_rows(cursor: Cursor) -> None:
    written(cursor, 7)
    evaluations.note(cursor, OTHER)
    assert waiting(cursor) is None


def test_more_keys_than_are_worth_it_restate_all_rows(cursor: Cursor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched_keys, "MOST_KEYS", 2)
    written(cursor, 1, 2)
    assert waiting(cursor) == [1, 2]
    written(cursor, 3)
    assert waiting(cursor) is None, "together"
    evaluations.note(cursor, RISK)
    written(cursor, 1, 2, 3)
    assert waiting(cursor) is None, "in one evaluation"


def test_rows_that_rest_on_all_keys_are_restated_when_these_differ_together(cursor: Cursor) -> None:
    reader = replace(READER, restated_by=replace(BY, overall=("SUM(frauds)", "MAX(merchant_id)")))
    cursor.execute("UPDATE t.years SET frauds = 3 - frauds")
    written(cursor, 7, 8)
    assert waiting(cursor, reader) == [7, 8]
    cursor.execute("UPDATE t.years SET frauds = 5 WHERE merchant_id = 7")
    assert waiting(cursor, reader) is None


def test_of_a_table_of_years_the_keys_of_its_days_count(cursor: Cursor) -> None:
    evaluations.note(cursor, RISK, ("2010-01-01", "2019-11-15"))
    written(cursor, 7, days=("2019-11-01", "2019-11-16"))
    written(cursor, 8, days=("2012-03-01", "2012-03-31"))
    assert waiting(cursor, BY_YEARS, OF_2019) == [7]
    assert waiting(cursor, BY_YEARS, Days(date(2012, 1, 1), date(2012, 12, 31))) == [8]
    evaluations.note(cursor, YEARS, ("2012-05-01", "2012-05-31"))
    assert waiting(cursor, BY_YEARS, OF_2019) == [7]
    assert waiting(cursor, BY_YEARS, Days(date(2012, 1, 1), date(2012, 12, 31))) is None


def test_of_a_table_that_is_gone_no_keys_are_kept(cursor: Cursor) -> None:
    written(cursor, 7)
    cursor.execute("DROP TABLE t.risk CASCADE")
    evaluations.prune(cursor)
    touched_keys.forget(cursor, replace(READER, relation="t.next"))
    cursor.execute("SELECT count(*) FROM ops.touched_keys")
    assert cursor.fetchone() == (0,)
