"""Tables evaluated by what the last plan noted of them: in which order, of which days, and when that is not enough."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import psycopg2
import pytest
from psycopg2 import sql

from foundation import database
from foundation.errors import CheckFailed
from meshkeys import change
from meshkeys.catalog import Relation
from meshkeys.errors import DatabaseUnavailable, DeclarationError
from revops import by_notes, refresh
from revops.by_notes import Evaluation, Notes
from revops.ledger.days import Days, Unit
from revops.ledger.graph import Node
from revops.ledger.ledger import FIRST_DAY, OutOfDate
from revops.ledger.rendered import Rendered

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

ABOVE: dict[str, set[str]] = {"fact": set(), "long": {"fact"}, "short": {"fact"}, "last": {"long", "short"}}


def notes(**units: Unit | None) -> Notes:
    texts = {name: Rendered("SELECT 1", (), "day" if unit else None, unit or "day") for name, unit in units.items()}
    return Notes([Node(name, name, True) for name in units], texts, {})


def in_order(tasks: dict[str, Callable[[Any], Evaluation]], count: int = 2) -> list[str]:
    last = {"long": 9.0, "short": 1.0}
    connections = [MagicMock(closed=0) for _ in range(count)]
    return [each.model for each in by_notes._in_order(connections, tasks, ABOVE, last)]


@pytest.mark.unit
@pytest.mark.parametrize("count", [1, 2])
def test_parents_come_first_and_what_takes_longest_before_the_rest(count: int) -> None:
    begun: list[str] = []

    def task(name: str) -> Callable[[Any], Evaluation]:
        def do(_: Any) -> Evaluation:
            begun.append(name)
            return Evaluation(name, 0, 0, 0)

        return do

    found = in_order({name: task(name) for name in reversed(ABOVE)}, count)
    assert begun[0] == found[0] == "fact"
    assert begun[1] == "long"
    assert begun[-1] == found[-1] == "last"
    assert sorted(found) == sorted(ABOVE)


@pytest.mark.unit
def test_after_a_fault_none_is_begun_and_what_runs_is_ended() -> None:
    failed = threading.Event()

    def short(_: Any) -> Evaluation:
        failed.set()
        return Evaluation("short", 0, 0, 1, ("an audit",))

    def long(_: Any) -> Evaluation:
        assert failed.wait(10)
        return Evaluation("long", 0, 1, 0)

    def last(_: Any) -> Evaluation:
        raise AssertionError("it was begun")

    fact = Evaluation("fact", 0, 0, 0)
    assert sorted(in_order({"fact": lambda _: fact, "long": long, "short": short, "last": last})) == [
        "fact", "long", "short",
    ]  # fmt: skip


@pytest.mark.unit
def test_the_model_of_a_failed_statement_is_named() -> None:
    def fails(_: Any) -> Evaluation:
        raise psycopg2.DataError("value out of range")

    with pytest.raises(CheckFailed, match=r"Building prod failed: fact: value out of range"):
        in_order({"fact": fails, "long": fails, "short": fails, "last": fails})


@pytest.mark.unit
def test_months_and_years_are_evaluated_from_their_first_day_and_each_once() -> None:
    of = notes(days="day", months="month", years="year", whole=None)
    days = [Days(date(2015, 3, 9), date(2015, 3, 9)), Days(date(2015, 3, 20), date(2015, 4, 2))]
    assert of._spans("days", days) == days
    assert of._spans("months", days) == [Days(date(2015, 3, 1), date(2015, 4, 2))]
    assert of._spans("years", days) == [Days(date(2015, 1, 1), date(2015, 4, 2))]
    assert of._spans("whole", ()) == [None]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("days", "whole", "has_facts", "expected"),
    [
        ({"days": [date(2015, 3, 9)]}, {"whole"}, True, True),
        ({"days": [date(2015, 3, 9)]}, {"of_python"}, True, False),
        ({"days": [FIRST_DAY, date(2015, 3, 9)]}, set(), True, False),
        ({"days": [date(2015, 3, 9)]}, set(), False, False),
    ],
)
def test_when_what_is_noted_is_enough(
    days: dict[str, list[date]], whole: set[str], has_facts: bool, expected: bool
) -> None:
    cursor = MagicMock()
    cursor.fetchone.return_value = (has_facts,)
    assert notes(days="day", whole=None).suffice(cursor, OutOfDate(days, frozenset(whole))) == expected


@pytest.mark.unit
@pytest.mark.parametrize(
    ("stale", "expected"), [(["fact", "report"], ["fact", "served", "report"]), (["report"], ["report"])]
)
def test_what_is_materialized_is_refreshed_when_it_can_be_and_before_reports(
    stale: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [Node("fact", "fact", True), Node("report", "report", True, parents=("fact",))]
    nodes.append(Node("served", None, False, parents=("fact",)))
    texts = {name: Rendered("SELECT 1", (), "day", "day") for name in ("fact", "report")}
    of = by_notes.Notes(nodes, texts, {"report": 100.0}, [("served", Relation("a", "b"), MagicMock())])
    begun: list[str] = []

    def ended(_: Any, model: str, *__: Any) -> Evaluation:
        begun.append(model)
        return Evaluation(model, 0, 0, 0)

    monkeypatch.setattr(of, "_evaluate", ended)
    monkeypatch.setattr(of, "_refresh", ended)
    monkeypatch.setattr(by_notes, "SESSIONS", 1)
    monkeypatch.setattr(database, "connect", lambda *_, **__: MagicMock(closed=0))
    monkeypatch.setattr(change, "pending", lambda _: [])
    day = [Days(date(2015, 3, 9), date(2015, 3, 9))]
    assert [each.model for each in of.evaluate("", MagicMock(), dict.fromkeys(stale, day), ())] == expected == begun


@pytest.mark.unit
def test_a_reader_who_keeps_its_lock_holds_up_no_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    builds, connection = MagicMock(), MagicMock(closed=0)
    served = by_notes.Notes([], {}, {}, [("served", Relation("a", "b"), MagicMock())])
    monkeypatch.setattr(refresh, "show", MagicMock(side_effect=DatabaseUnavailable("A reader kept its lock")))
    ended = served._refresh(builds, "served", connection)
    assert (ended.model, ended.faults) == ("served", ())
    assert connection.autocommit is False
    monkeypatch.setattr(refresh, "show", MagicMock(side_effect=DeclarationError("A row has no period")))
    with pytest.raises(DeclarationError):
        served._refresh(builds, "served", connection)


ROWS = "SELECT id, day, amount, xmin::text FROM a.paid ORDER BY id"


@pytest.fixture
def paid(database_url: str) -> Iterator[Cursor]:
    """Three rows of two days, in a transaction."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA a; CREATE TABLE a.paid (id int PRIMARY KEY, day date, amount numeric(9, 2))")
        cursor.execute("INSERT INTO a.paid VALUES (1, '2020-01-01', 1), (2, '2020-01-01', NULL), (3, '2020-01-02', 3)")
        connection.commit()
        yield cursor


def replaced(cursor: Cursor, query: str, where: str = "TRUE") -> tuple[set[int], list[tuple[Any, ...]]]:
    """The ids of the rows that were written, and all rows."""
    cursor.execute(ROWS)
    before = {row[0]: row for row in cursor.fetchall()}
    by_notes.replace_rows(cursor, Relation("a", "paid"), sql.SQL(where), sql.SQL(query))
    cursor.connection.commit()
    cursor.execute(ROWS)
    after = {row[0]: row for row in cursor.fetchall()}
    return {id for id, row in after.items() if row != before.get(id)}, [row[:3] for row in after.values()]


def test_only_rows_that_differ_are_written(paid: Cursor) -> None:
    first, second = date(2020, 1, 1), date(2020, 1, 2)
    values = "(1, date '2020-01-01', 1.0), (2, '2020-01-01', 2), (4, '2020-01-02', NULL)"
    query = f"SELECT * FROM (VALUES {values}) AS given (id, day, amount)"
    assert replaced(paid, query) == ({2, 4}, [(1, first, 1), (2, first, 2), (4, second, None)])
    assert replaced(paid, query) == (set(), [(1, first, 1), (2, first, 2), (4, second, None)])


def test_rows_of_other_days_are_left_alone(paid: Cursor) -> None:
    query = "SELECT 1 AS id, date '2020-01-01' AS day, 5 AS amount"
    expected = [(1, date(2020, 1, 1), 5), (3, date(2020, 1, 2), 3)]
    assert replaced(paid, query, "day = '2020-01-01'") == ({1}, expected)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, day, amount FROM a.paid UNION ALL SELECT id, day, amount FROM a.paid WHERE id = 1",
        "SELECT 3 AS id, date '2020-01-01' AS day, 3 AS amount",
    ],
)
def test_a_row_that_is_there_twice_is_refused(paid: Cursor, query: str) -> None:
    with pytest.raises(psycopg2.IntegrityError, match="unique"):
        replaced(paid, query, "day = '2020-01-01'")


def test_without_a_primary_key_all_rows_are_written(paid: Cursor) -> None:
    paid.execute("ALTER TABLE a.paid DROP CONSTRAINT paid_pkey")
    paid.connection.commit()
    assert replaced(paid, "SELECT 1 AS id, date '2020-01-01' AS day, 1 AS amount") == ({1}, [(1, date(2020, 1, 1), 1)])


def test_the_keys_of_rows_that_are_written_or_deleted_are_told(paid: Cursor) -> None:
    values = "(1, date '2020-01-01', 1), (2, '2020-01-01', 2), (4, '2020-01-02', 4)"  # 2 is changed, 3 deleted, 4 new
    query = sql.SQL(f"SELECT * FROM (VALUES {values}) AS given (id, day, amount)")
    told = by_notes.replace_rows(paid, Relation("a", "paid"), sql.SQL("TRUE"), query, ["id"])
    assert told is not None
    paid.execute(sql.SQL("SELECT DISTINCT id FROM {} ORDER BY id").format(told))
    assert [id for (id,) in paid.fetchall()] == [2, 3, 4]
    paid.connection.commit()
    paid.execute("ALTER TABLE a.paid DROP CONSTRAINT paid_pkey")
    assert by_notes.replace_rows(paid, Relation("a", "paid"), sql.SQL("TRUE"), query, ["id"]) is None
