"""What seals say of a table after it was written to by others: on which days, whatever was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from foundation import ops
from loaders import postgres
from meshkeys.catalog import Relation
from revops.ledger import seals

TABLE = Relation("public", "sales")
SALES = seals.of_table(TABLE, "sold_at")
MARCH = [(date(2015, 3, 1), date(2015, 3, 31))]


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    """A warehouse with a sealed table of four rows on three days."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as opened:
        connection.autocommit = True
        postgres.create_tables(connection)
        ops.create_for_builds(opened)
        opened.execute("CREATE TABLE sales (sale_id int PRIMARY KEY, sold_at timestamp, amount int)")
        opened.execute(
            "INSERT INTO sales VALUES (1, '2015-03-01', 10), (2, '2015-03-02 10:00', 20), (3, '2015-03-02 23:59', 30),"
            " (4, '2015-04-01', 40)"
        )
        seals.note_again(opened, SALES, None)
        yield opened


def days(*numbers: int) -> tuple[set[date], bool]:
    return {date(2015, 3, number) for number in numbers}, False


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", days()),
        ("UPDATE sales SET amount = 11 WHERE sale_id = 1", days(1)),
        ("UPDATE sales SET amount = amount WHERE sale_id = 2", days(2)),
        ("UPDATE sales SET amount = CASE sale_id WHEN 2 THEN 30 ELSE 20 END WHERE sale_id IN (2, 3)", days(2)),
        ("UPDATE sales SET sold_at = '2015-03-05' WHERE sale_id = 3", days(2, 5)),
        ("DELETE FROM sales WHERE sale_id = 3", days(2)),
        ("DELETE FROM sales WHERE sale_id = 1", days(1)),
        ("INSERT INTO sales VALUES (9, '2015-03-09', 1)", days(9)),
        ("INSERT INTO sales VALUES (9, NULL, 1)", (set(), True)),
        ("TRUNCATE sales; INSERT INTO sales VALUES (1, '2015-03-01', 10)", ({date(2015, 4, 1)} | days(1, 2)[0], False)),
    ],
)
def test_whatever_is_written_breaks_the_seals_of_its_days(
    cursor: Cursor, statement: str, expected: tuple[set[date], bool]
) -> None:
    cursor.execute(statement)
    assert seals.broken(cursor, SALES) == expected
    within = {day for day in expected[0] if day.month == 3}, False
    assert seals.broken(cursor, SALES, MARCH) == within, "of the days that are looked at alone"


def test_what_moves_rows_and_writes_none_breaks_no_seal(cursor: Cursor) -> None:
    for statement in ("VACUUM FREEZE sales", "VACUUM FULL sales", "CLUSTER sales USING sales_pkey"):
        cursor.execute(statement)
        assert seals.broken(cursor, SALES) == (set(), False), statement


def test_days_are_sealed_again_without_what_was_done_to_others(cursor: Cursor) -> None:
    cursor.execute("UPDATE sales SET amount = amount + 1")
    seals.note(SALES, 7, [(date(2015, 3, 2), date(2015, 3, 2))], None, cursor)
    assert seals.broken(cursor, SALES) == ({date(2015, 3, 1), date(2015, 4, 1)}, False)
    cursor.execute("SELECT up_to FROM ops.sealed WHERE relation = 'public.sales'")
    assert cursor.fetchall() == [(7,)]


def test_a_landed_file_is_sealed_once_and_by_its_days(cursor: Cursor) -> None:
    cursor.execute(
        "INSERT INTO ops.load_files (file_id, relation, name, sha256, bytes, rows_read, rows_loaded, rows_rejected,"
        " started_at, ended_at, status) VALUES (1, 'transactions', 'a.csv', 'x', 1, 2, 2, 0, now(), now(), 'landed')"
    )
    cursor.execute(
        "INSERT INTO raw.transactions (id, date, _is_regular, _file_id, _line_number)"
        " VALUES ('1', '2015-03-01 10:00:00', TRUE, 1, 2), ('2', 'some day', FALSE, 1, 3)"
    )
    landed = seals.of_landed("transactions")
    seals.note_all(cursor)
    assert seals.broken(cursor, landed) == (set(), False)
    cursor.execute("UPDATE raw.transactions SET amount = '$1.00' WHERE id = '1'")
    seals.note_all(cursor)
    assert seals.broken(cursor, landed) == days(1), "it did not land again"
    cursor.execute("UPDATE raw.transactions SET amount = '$1.00' WHERE id = '2'")
    assert seals.broken(cursor, landed) == (days(1)[0], True), "of a day that nobody knows"


def test_a_part_is_sealed_again_when_it_was_refreshed_and_not_when_it_was_left_as_it_is(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE part AS SELECT 1 AS sale_id")
    cursor.execute(
        "INSERT INTO ops.materialized_parts (served, part, label, row_count, last_evaluation_id)"
        " VALUES ('public.served', 'public.part', '2015', 1, 5)"
    )
    part = seals.of_table(Relation("public", "part"), None)
    seals.note_all(cursor)
    assert seals.broken(cursor, part) == (set(), False)
    cursor.execute("UPDATE part SET sale_id = 2")
    cursor.execute("UPDATE ops.materialized_parts SET last_evaluation_id = 6, refreshed_at = clock_timestamp()")
    seals.note_all(cursor)
    assert seals.broken(cursor, part) == (set(), True)
    cursor.execute(
        "INSERT INTO ops.refresh_history (relation, part, mode, reason, rows_after, seconds)"
        " VALUES ('public.served', '2015', 'concurrently', 'asked for', 1, 1)"
    )
    seals.note_all(cursor)
    assert seals.broken(cursor, part) == (set(), False)


def test_seals_of_what_is_gone_are_forgotten(cursor: Cursor) -> None:
    cursor.execute("DROP TABLE sales")
    seals.note_all(cursor)
    cursor.execute("SELECT count(*) FROM ops.seals WHERE relation = 'public.sales'")
    assert cursor.fetchall() == [(0,)]


def test_tables_are_sealed_where_nothing_has_landed(cursor: Cursor) -> None:
    cursor.execute("DROP SCHEMA raw CASCADE; DROP TABLE ops.load_files CASCADE")
    cursor.execute(
        "INSERT INTO ops.declarations (model, relation, declared) VALUES ('sales.sales', 'public.sales', '{}');"
        " INSERT INTO ops.models (model, node, definition) VALUES ('sales.sales', '{}',"
        """ '{"day_column": "sold_at", "is_view": false}')"""
    )
    cursor.execute(
        "INSERT INTO ops.evaluations (relation, starts_on, ends_on) VALUES ('public.sales', '2015-03-01', '2015-03-01')"
    )
    cursor.execute("UPDATE sales SET amount = 0")
    seals.note_all(cursor)
    assert seals.broken(cursor, SALES) == ({date(2015, 3, 2), date(2015, 4, 1)}, False)


def test_rows_are_told_as_they_were_sealed_until_more_are_evaluated(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE empty (n int); INSERT INTO ops.declarations (model, relation, declared)"
        " VALUES ('shop.sales', 'public.sales', '{}'), ('shop.empty', 'public.empty', '{}'), ('shop.new', 'public.new', '{}')"
    )
    seals.note_again(cursor, seals.of_table(Relation("public", "empty"), None), None)
    assert seals.rows(cursor) == {"shop.sales": 4, "shop.empty": 0}
    cursor.execute(
        "INSERT INTO ops.evaluations (relation, starts_on, ends_on) VALUES ('public.sales', '2015-03-01', '2015-03-01')"
    )
    assert seals.rows(cursor) == {"shop.empty": 0}
    cursor.execute("DELETE FROM sales WHERE sale_id = 1")
    seals.note_again(cursor, SALES, MARCH)
    assert seals.rows(cursor) == {"shop.sales": 3, "shop.empty": 0}
