"""Features know nothing of what comes later: the future is deleted, or changed, and they stay what they were.

On real PostgreSQL, with the very query that SQLMesh runs, over rows made so dense that many fall into one minute.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from psycopg2 import sql

from tests.conftest import ROOT, RunningServer
from tests.oracle import built
from tests.oracle.features import CERTAIN, HORIZON, features
from tests.oracle.raw import Transaction, paired, read

FIRST, LAST = date(2014, 1, 1), date(2014, 9, 30)
SEEDS = range(6)
PLACES = ("CA", "NY", None, "Italy", "Mexico", "GA", "Georgia", "ga")
COUNTRIES = {"CA": "United States", "NY": "United States", "GA": "United States"} | {
    name: name for name in ("Italy", "Mexico", "Georgia")
}
ERRORS = ((), (), (), (), ("Insufficient Balance",), ("Bad CVV", "Bad PIN"))
COLUMNS = (
    "transaction_id", "transacted_at", "transacted_on", "month_start", "minute_number", "client_id", "card_id",
    "merchant_id", "mcc", "channel", "place", "is_foreign", "is_approved", "has_bad_card_data",
    "amount_cents", "purchase_cents", "refund_cents", "is_reversed", "is_second_leg", "is_fraud",
)  # fmt: skip
Found = dict[int, dict[str, Any]]


class Features:
    """The query of features.transaction_features, run in one transaction over outcomes that a test makes up."""

    def __init__(
        self, connection: Any, query_of: Callable[[date, date], str], table: str, opened: dict[int, date]
    ) -> None:
        self.connection, self._query_of, self._table, self.opened = connection, query_of, table, opened

    def fill(self, rows: list[Transaction]) -> None:
        """Outcomes are these and no others, with what they make of each other."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {self._table}")
            columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS)).as_string(cursor)
            psycopg2.extras.execute_values(
                cursor, f"INSERT INTO {self._table} ({columns}) VALUES %s", [_outcome(row) for row in paired(rows)], page_size=999
            )  # fmt: skip

    def of(self, first: date = FIRST, last: date = LAST) -> Found:
        with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(self._query_of(first, last))
            return {row["transaction_id"]: dict(row) for row in cursor.fetchall()}


def _outcome(row: Transaction) -> tuple[Any, ...]:
    minute = int((row.at - datetime(1970, 1, 1)).total_seconds() // 60)
    return (
        row.number, row.at, row.day, row.month, minute, row.client, row.card, row.merchant, row.mcc, row.channel,
        row.place, row.foreign, row.approved, row.bad_card_data, row.cents,
        row.purchase, row.refund, row.pair is not None, row.second, row.fraud,
    )  # fmt: skip


@pytest.fixture(scope="module")
def real_query(server: RunningServer) -> tuple[built.Built, str, dict[int, date]]:
    """A built warehouse, the features' query over a marked range, and when each card was opened."""
    warehouse = built.generated(server)
    cards = read(warehouse.data, ROOT).cards
    return (
        warehouse,
        warehouse.query_of("features.transaction_features", FIRST.isoformat(), LAST.isoformat()),
        {number: card.opened for number, card in cards.items()},
    )


@pytest.fixture
def table(real_query: tuple[built.Built, str, dict[int, date]]) -> Iterator[Features]:
    """Everything that a test does is rolled back."""
    warehouse, query, opened = real_query
    connection = psycopg2.connect(warehouse.url)
    physical = next(word for word in query.replace('"', "").split() if "fct_outcomes__" in word)

    def query_of(first: date, last: date) -> str:
        # The dates in the query are those that macros/measures.py computed from the range.
        told = query
        for back in (0, 37, 90):
            told = told.replace(f"'{FIRST - timedelta(days=back)}'", f"'{{first-{back}}}'")
        told = told.replace(f"'{LAST}'", "'{last}'")
        for back in (0, 37, 90):
            told = told.replace(f"{{first-{back}}}", str(first - timedelta(days=back)))
        return told.replace("{last}", str(last))

    try:
        yield Features(connection, query_of, physical.partition(".")[2], opened)
    finally:
        connection.rollback()
        connection.close()


def dense(seed: int, opened: dict[int, date], count: int = 1500) -> list[Transaction]:
    """Few cards and merchants, many rows to the hour, some of them in one minute."""
    chance = random.Random(seed)
    cards = chance.sample(sorted(opened), 4)
    bursts = [datetime(2014, 1, 1) + timedelta(minutes=chance.randrange(272 * 1440)) for _ in range(count // 15)]
    rows = []
    for number in range(1, count + 1):
        at = min(
            chance.choice(bursts) + timedelta(minutes=chance.choice((0, 0, 1, 7, 59, 60, 61, 1440, 2880))),
            datetime(2014, 9, 30, 23, 59),
        )
        place = chance.choice(PLACES)
        merchant = chance.randrange(1, 7)
        rows.append(Transaction(
            number=number, at=at, client=1, card=chance.choice(cards), merchant=merchant, mcc=5000 + merchant % 3,
            cents=chance.choice((*(-5000, 5000) * 5, 0, 100, 499, 501, 2500, 9999, 10000, chance.randrange(1, 90000))),
            channel="online" if place is None else chance.choice(("swipe", "chip", "online")), state=place,
            country=COUNTRIES.get(place or ""),
            errors=chance.choice(ERRORS), fraud=chance.choice((None, False, False, True)),
        ))  # fmt: skip
    return paired(rows)


def _plain(found: Found) -> Found:
    """A z-score may differ in its last digit, where a sum of floating-point numbers is taken in another order."""
    return {number: {k: v for k, v in row.items() if k != "amount_z_score_90d"} for number, row in found.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_features_of_dense_rows_are_what_brute_force_finds(table: Features, seed: int) -> None:
    rows = dense(seed, table.opened)
    table.fill(rows)
    found, wanted = table.of(), {row["transaction_id"]: row for row in features(rows, table.opened)}
    assert _plain(found) == _plain(wanted)
    for number, row in wanted.items():
        mine, other = row["amount_z_score_90d"], found[number]["amount_z_score_90d"]
        assert (mine is None) == (other is None)
        assert mine is None or abs(mine - other) <= Decimal("0.01")
    assert any(row["is_large_after_small_1h"] for row in found.values())
    assert any(row.pair for row in rows)
    assert any(row.second and not row.pair for row in rows)
    assert any(row["has_country_changed"] for row in found.values())
    assert any(row["merchant_fraud_rate_bp_30d"] for row in found.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_without_the_future_the_features_are_the_same(table: Features, seed: int) -> None:
    """Of rows up to t nothing changes when all rows after t are deleted, and all labels that were not yet there."""
    rows = dense(seed, table.opened)
    table.fill(rows)
    before = table.of()
    for cut in random.Random(seed).sample(sorted({row.at for row in rows}), 4):
        labels_end = cut - timedelta(days=7)
        table.fill([replace(row, fraud=None) if row.at > labels_end else row for row in rows if row.at <= cut])
        assert table.of() == {row.number: before[row.number] for row in rows if row.at <= cut}


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_of_one_minute_do_not_see_each_other(table: Features, seed: int) -> None:
    rows = dense(seed, table.opened)
    table.fill(rows)
    before = table.of()
    shared = [
        row for row in rows if any(r.at == row.at and r.card == row.card and r.number != row.number for r in rows)
    ]
    one = random.Random(seed).choice(shared)
    table.fill([row for row in rows if row.at != one.at or row.number == one.number])
    assert table.of()[one.number] == before[one.number]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_range_of_days_is_computed_as_in_the_whole(table: Features, seed: int) -> None:
    """A restated day reads as far back as its rows look."""
    rows = dense(seed, table.opened)
    table.fill(rows)
    whole = table.of()
    first = FIRST + timedelta(days=random.Random(seed).randrange(260))
    last = min(LAST, first + timedelta(days=seed))
    assert table.of(first, last) == {row.number: whole[row.number] for row in rows if first <= row.day <= last}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_changed_day_is_felt_as_long_as_declared_and_no_longer(table: Features, seed: int) -> None:
    """What build restates after a late day: as many days as @look_back says, after two days of which pairs may change."""
    declared = (ROOT / "models" / "features" / "transaction_features.sql").read_text()
    felt = timedelta(days=int(declared.partition("@look_back(")[2].partition(")")[0]))
    assert felt >= HORIZON
    rows = dense(seed, table.opened)
    table.fill(rows)
    before = table.of()
    day = random.Random(seed).choice([row.day for row in rows if row.day < FIRST + timedelta(days=120)])
    table.fill([row for row in rows if not day <= row.day <= day + timedelta(days=3)])
    after = table.of()
    changed = {before[number]["transacted_on"] for number, row in after.items() if row != before[number]}
    assert changed
    assert min(changed) > day
    assert max(changed) <= day + timedelta(days=3) + CERTAIN + felt
