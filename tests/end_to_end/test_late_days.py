"""Files that add, correct or remove rows of any past day, parents that come and go, labels before and after their rows."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from revops import build
from revops.ledger import landings
from tests.end_to_end.changes import purchase, write_purchases
from tests.end_to_end.warehouse import Reader, Warehouse

TOTALS = "SELECT count(*), sum(amount) FROM serving.enriched_transactions"
REASONS = "SELECT reason, count(*) FROM quality.quarantined_transactions GROUP BY 1 ORDER BY 1"


def restated(warehouse: Warehouse, since: int, table: str = "fct_transactions") -> set[str]:
    """The days of the facts, or another table, that were evaluated after an evaluation."""
    found = warehouse.query(
        "SELECT DISTINCT starts_on::text || '..' || ends_on::text FROM ops.evaluations"
        " WHERE evaluation_id > %s AND relation LIKE '%%' || %s || '%%'"
        " AND starts_on < '2020-01-01'",  # a day that has just ended is evaluated as well, and is empty
        (since, table),
    )
    return {row[0] for row in found}


def last_evaluation(warehouse: Warehouse) -> int:
    return int(warehouse.query("SELECT max(evaluation_id) FROM ops.evaluations")[0][0])


def test_a_day_that_ends_without_rows_waits_for_nothing(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    tomorrow = landings.today() + timedelta(days=1)
    monkeypatch.setattr(landings, "today", lambda: tomorrow)
    warehouse.assert_sound()


def test_a_past_day_is_added_corrected_and_taken_away(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "JOINED_ROWS", 0)  # so few rows that all history would be joined to one range
    rows, dollars = warehouse.query(TOTALS)[0]
    before = warehouse.served()
    with Reader(warehouse.url) as reader:
        since = last_evaluation(warehouse)
        late = write_purchases(warehouse, "transactions_data_late.csv", purchase(warehouse, 90000001, "2013-05-02"))
        warehouse.load()
        warehouse.build()
        assert warehouse.query(TOTALS) == [(rows + 1, dollars + 10)]
        assert restated(warehouse, since) == {"2013-05-02..2013-05-02"}
        added = warehouse.served()

        write_purchases(
            warehouse,
            late.name,
            purchase(warehouse, 90000001, "2013-05-02", "$-25.50"),
            purchase(warehouse, 90000002, "2016-02-29"),
        )
        warehouse.load()
        warehouse.build()
        assert warehouse.query(TOTALS) == [(rows + 2, dollars + Decimal("10.00") - Decimal("25.50"))]
        corrected = warehouse.served()
        late.unlink()
        warehouse.load(prune=True)
        warehouse.build()
        assert warehouse.query(TOTALS) == [(rows, dollars)]
    reader.assert_undisturbed(before, added, corrected)
    warehouse.assert_sound()


def test_the_newest_landing_of_an_id_wins_and_gives_way_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "JOINED_ROWS", 0)
    total = warehouse.query(TOTALS)
    (number, day), *_ = warehouse.query(
        "SELECT transaction_id, transacted_on::text FROM facts.fct_transactions ORDER BY transaction_id LIMIT 1"
    )
    again = write_purchases(
        warehouse, "transactions_data_again.csv", purchase(warehouse, number, "2018-03-04", "$999.00")
    )
    warehouse.load()
    warehouse.build()
    moved = "SELECT transacted_on::text, amount FROM serving.enriched_transactions WHERE transaction_id = %s"
    assert [(str(d), float(a)) for d, a in warehouse.query(moved, (number,))] == [("2018-03-04", 999.0)]
    assert warehouse.query(REASONS) == [("duplicate id: another row of it counts", 1)]
    warehouse.assert_sound()

    again.unlink()
    warehouse.load(prune=True)
    warehouse.build()
    assert [d for d, _ in warehouse.query(moved, (number,))] == [day]
    assert warehouse.query(REASONS) == []
    assert warehouse.query(TOTALS) == total
    warehouse.assert_sound()


def test_faulty_rows_are_kept_with_their_reason(warehouse: Warehouse) -> None:
    before = warehouse.query(TOTALS)
    write_purchases(
        warehouse,
        "transactions_data_faulty.csv",
        purchase(warehouse, 90000001, "2013-05-02", "$12.345"),
        purchase(warehouse, 90000002, "2013-05-02", "twelve"),
        purchase(warehouse, 90000003, "2013-13-45"),
        purchase(warehouse, 90000004, "1999-12-31"),
        purchase(warehouse, 90000005, "2013-05-02", client_id="99999"),
        purchase(warehouse, 90000006, "2013-05-02", mcc="1"),
        purchase(warehouse, 90000007, "2099-01-01"),
        purchase(warehouse, 90000008, "2013-05-02", use_chip="Telepathy"),
        purchase(warehouse, 90000009, "2013-05-02", zip="ABCDE"),
    )
    warehouse.load(max_rejects=1)
    warehouse.build()
    assert warehouse.query(TOTALS) == before
    assert dict(warehouse.query(REASONS)) == {
        "amount is not written like $-77.00": 2,
        "client_id is of no known user": 1,
        "date is before 2000": 1,
        "date is not YYYY-MM-DD HH:MM:SS": 1,
        "mcc is of no known category": 1,
        "the day is not over yet": 1,
        "use_chip is none of the three known": 1,
        "zip is not a ZIP code": 1,
    }
    warehouse.assert_sound()


def test_parents_that_come_later_and_go_again(warehouse: Warehouse) -> None:
    total = warehouse.query(TOTALS)
    users = warehouse.data / "users_data.csv"
    header, *lines = users.read_text().splitlines()
    (client,) = warehouse.query(
        "SELECT client_id FROM facts.fct_transactions GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )[0]
    users.write_text("\n".join([header, *(line for line in lines if not line.startswith(f"{client},"))]) + "\n")
    warehouse.load()
    warehouse.build()
    ((reason, orphans),) = warehouse.query(REASONS)
    assert reason == "client_id is of no known user"
    assert warehouse.query(TOTALS)[0][0] == total[0][0] - orphans
    warehouse.assert_sound()

    users.write_text("\n".join([header, *lines]) + "\n")
    warehouse.load()
    warehouse.build()
    assert warehouse.query(REASONS) == []
    assert warehouse.query(TOTALS) == total
    warehouse.assert_sound()


def test_labels_before_and_after_their_transactions(warehouse: Warehouse) -> None:
    shown = (
        "SELECT transaction_id, is_fraud FROM serving.enriched_transactions WHERE transaction_id >= 90000001 ORDER BY 1"
    )
    labels = warehouse.data / "train_fraud_labels_late.json"
    labels.write_text(json.dumps({"target": {"90000001": "Yes"}}))
    warehouse.load()
    warehouse.build()
    assert warehouse.query(shown) == []
    write_purchases(
        warehouse,
        "transactions_data_late.csv",
        *(purchase(warehouse, n, "2019-10-31") for n in (90000001, 90000002, 90000003)),
    )
    warehouse.load()
    warehouse.build()
    assert warehouse.query(shown) == [(90000001, True), (90000002, None), (90000003, None)]
    labels.write_text(json.dumps({"target": {"90000001": "No", "90000002": "No"}}))
    warehouse.load()
    warehouse.build()
    assert warehouse.query(shown) == [(90000001, False), (90000002, False), (90000003, None)]
    warehouse.assert_sound()


def test_a_warehouse_without_a_transaction_is_served_empty_and_filled_later(empty_warehouse: Warehouse) -> None:
    purchases = empty_warehouse.data / "transactions_data.csv"
    lines = purchases.read_text()
    purchases.unlink()
    empty_warehouse.load()
    empty_warehouse.build()
    assert empty_warehouse.query(TOTALS) == [(0, None)]
    assert [result.name for result in empty_warehouse.verify() if not result.passed] == ["facts = served"]
    purchases.write_text(lines)
    empty_warehouse.load()
    empty_warehouse.build()
    assert empty_warehouse.query(TOTALS)[0][0] == len(lines.splitlines()) - 1
    empty_warehouse.assert_sound()


def test_a_late_row_makes_changes_and_breaks_a_pair_across_midnight(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "JOINED_ROWS", 0)

    def line(number: int, at: str, amount: str) -> str:
        return purchase(warehouse, number, at[:10], amount, date=at, merchant_id="77777")

    def pairs() -> dict[int, tuple[bool, int | None]]:
        return {
            number: (is_reversed, counterpart)
            for number, is_reversed, counterpart in warehouse.query(
                "SELECT served.transaction_id, served.is_reversed, reversals.counterpart_id"
                " FROM serving.enriched_transactions AS served LEFT JOIN facts.fct_reversals AS reversals"
                " USING (transaction_id) WHERE served.merchant_id = 77777"
            )
        }

    def land(name: str, *lines: str) -> None:
        write_purchases(warehouse, name, *lines)
        warehouse.load()
        warehouse.build()
        warehouse.assert_sound()

    land(
        "transactions_data_held.csv",
        line(90000001, "2013-05-02 23:50:00", "$77.00"),
        line(90000009, "2013-05-02 01:00:00", "$-77.00"),  # the next of the hold, until a nearer one comes
    )
    assert pairs() == {90000001: (True, 90000009), 90000009: (True, 90000001)}
    released = line(90000002, "2013-05-03 23:50:00", "$-77.00")  # exactly a day later, and farther than the first
    land("transactions_data_late.csv", released)
    assert pairs()[90000002] == (False, None)
    nearer = line(90000003, "2013-05-03 00:05:00", "$-77.00")
    land("transactions_data_late.csv", released, nearer)
    assert pairs() == {
        90000001: (True, 90000003),
        90000002: (False, None),
        90000003: (True, 90000001),
        90000009: (False, None),
    }
    since = last_evaluation(warehouse)
    (warehouse.data / "transactions_data_late.csv").unlink()
    warehouse.load(prune=True)
    warehouse.build()
    warehouse.assert_sound()
    assert pairs() == {90000001: (True, 90000009), 90000009: (True, 90000001)}
    assert restated(warehouse, since) == {"2013-05-03..2013-05-03"}
    assert restated(warehouse, since, "fct_outcomes") == {"2013-05-01..2013-05-05"}


def test_plain_sqlmesh_run_finds_a_release_on_the_day_after_its_hold(warehouse: Warehouse) -> None:
    """Of a pair over midnight the first day has been evaluated by then: `lookback` has it evaluated again."""
    today = landings.today()
    first, second = f"{today:%Y-%m-%d}", f"{today + timedelta(days=1):%Y-%m-%d}"
    hold = purchase(warehouse, 90000001, first, "$77.00", date=f"{first} 23:50:00")
    release = purchase(warehouse, 90000002, second, "$-77.00", date=f"{second} 00:05:00")
    reversed_rows = (
        "SELECT transaction_id, is_reversed FROM facts.fct_outcomes WHERE transaction_id > 90000000 ORDER BY 1"
    )
    write_purchases(warehouse, "transactions_data_held.csv", hold)
    warehouse.load()
    warehouse.run(end=first, execution_time=f"{today + timedelta(days=1)} 01:00:00")
    assert warehouse.query(reversed_rows) == [(90000001, False)]
    write_purchases(warehouse, "transactions_data_released.csv", release)
    warehouse.load()
    warehouse.run(end=second, execution_time=f"{today + timedelta(days=2)} 01:00:00")
    assert warehouse.query(reversed_rows) == [(90000001, True), (90000002, True)]
