"""A reader that takes its time, while the warehouse changes: others are not held up behind it, and the change goes through."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest

from tests.end_to_end.changes import DIM_CARDS, ENRICHED, FACTS, a_long_transaction, behind, land_a_new_user
from tests.end_to_end.warehouse import Reader, Warehouse

SERVED = "serving.enriched_transactions"


def test_a_version_is_promoted_around_a_long_transaction(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
    warehouse.edit(ENRICHED, "clients.gender::TEXT, /*", "LOWER(clients.gender)::TEXT AS gender, /*")
    with Reader(warehouse.url) as reader, a_long_transaction(warehouse, SERVED, awaited=SERVED) as waited:
        warehouse.plan()
    assert waited, "nothing had to wait for the long transaction: it tested nothing"
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


OTHERS = (
    "CREATE SCHEMA reports",
    "CREATE VIEW reports.spent AS SELECT card_id, card_brand, amount FROM serving.enriched_transactions",
    "CREATE VIEW reports.by_brand AS SELECT card_brand, sum(amount) AS spent FROM reports.spent GROUP BY 1",
    "CREATE VIEW reports.both AS SELECT count(*) AS rows FROM reports.spent JOIN dimensions.dim_cards USING (card_id)",
    "CREATE MATERIALIZED VIEW reports.kept AS SELECT * FROM reports.by_brand",
)
GENDER = "  clients.gender::TEXT, /*"


@pytest.mark.parametrize("columns", ["stay", "change"])
def test_views_of_others_are_read_while_versions_are_promoted(warehouse: Warehouse, columns: str) -> None:
    """Whoever reads such a view locks it first, and ours after it: a promotion that locks in the other order deadlocks."""
    for statement in OTHERS:
        warehouse.query(statement)
    parts = "SELECT count(*) FROM pg_matviews WHERE schemaname LIKE 'sqlmesh%'"
    expected = warehouse.query(parts)
    spent = "SELECT sum(spent) FROM reports.by_brand"
    rows = "SELECT rows FROM reports.both"
    before = (warehouse.query(spent)[0], warehouse.query(rows)[0])
    brand, gender = "card_brand::TEXT, /*", GENDER
    with (
        Reader(warehouse.url, pause=0.05, query=spent) as first,
        Reader(warehouse.url, pause=0.1, query=spent) as second,
        Reader(warehouse.url, pause=0.05, query=rows) as third,
        refreshing(warehouse, "reports.kept"),
    ):
        for number in range(5):
            if columns == "stay":
                new = f"(card_brand || '{number}')::TEXT AS card_brand, /*"
                warehouse.edit(DIM_CARDS, brand, new)
                brand = new
            else:
                new = f"  clients.gender::TEXT AS gender_{number}, /*"
                warehouse.edit(ENRICHED, gender, new)
                gender = new
            warehouse.plan()
    for reader, state in ((first, before[0]), (second, before[0]), (third, before[1])):
        reader.assert_undisturbed(state)
    assert warehouse.query(parts) == expected
    warehouse.assert_sound()


@contextmanager
def refreshing(warehouse: Warehouse, view: str) -> Iterator[None]:
    """Refreshes a materialized view of somebody else's again and again."""
    is_over = threading.Event()
    failures: list[str] = []

    def refresh() -> None:
        while not is_over.wait(0.2):
            try:
                warehouse.query(f"REFRESH MATERIALIZED VIEW {view}")
            except psycopg2.Error as error:
                failures.append(str(error))

    thread = threading.Thread(target=refresh)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    assert not failures, failures[0]


def test_new_rows_come_in_around_a_long_transaction(warehouse: Warehouse) -> None:
    before = warehouse.served()
    composing = f'sqlmesh__serving."{behind(warehouse, "serving", "enriched_transactions")}"'
    read = (SERVED, "facts.fct_transactions", "dimensions.dim_cards", "dimensions.dim_users")
    with Reader(warehouse.url) as reader, a_long_transaction(warehouse, *read, awaited=composing) as waited:
        land_a_new_user(warehouse)
        warehouse.build()
    assert waited, "nothing had to wait for the long transaction: it tested nothing"
    reader.assert_undisturbed(before, warehouse.served())
    warehouse.assert_sound()


def test_readers_on_a_busy_machine_wait_for_moments_only(warehouse: Warehouse) -> None:
    """Each statement and each commit takes longer there: what is done under a lock that readers want must be one of each."""
    before = warehouse.served()
    with (
        busy_loops(2),
        Reader(warehouse.url, query="SELECT 1") as control,
        Reader(warehouse.url) as reader,
    ):
        land_a_new_user(warehouse)
        warehouse.build()
        after = warehouse.served()
        warehouse.refresh("swap")
        warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
        warehouse.plan()
        warehouse.edit(ENRICHED, GENDER, "  clients.gender::TEXT AS gender_of_client, /*")
        warehouse.plan()
    reader.assert_undisturbed(before, after)
    assert reader.found["longest"] < control.found["longest"] + 0.5
    warehouse.assert_sound()


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keeps processors busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_primary_key_that_is_declared_later_is_added_while_the_table_is_read(warehouse: Warehouse) -> None:
    table = f'sqlmesh__facts."{behind(warehouse, "facts", "fct_transactions")}"'
    warehouse.edit(FACTS, "@primary_key(transaction_id);\n", "")
    warehouse.plan()
    assert not keys_of(warehouse, table)
    warehouse.edit(FACTS, "@foreign_key(client_id", "@primary_key(transaction_id);\n\n@foreign_key(client_id")
    facts = f"SELECT count(*), sum(amount), count(mcc) FROM {table}"
    with (
        Reader(warehouse.url, query=facts) as reader,
        a_long_transaction(warehouse, table, awaited=table) as waited,
    ):
        warehouse.plan()
    assert waited, "nothing had to wait for the long transaction: it tested nothing"
    reader.assert_undisturbed(warehouse.query(facts)[0])
    assert keys_of(warehouse, table) == [("p", "PRIMARY KEY (transaction_id)")]
    warehouse.assert_sound()


def keys_of(warehouse: Warehouse, table: str) -> list[tuple[object, ...]]:
    """The table's primary key and checks, of which it should have none."""
    return warehouse.query(
        "SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype IN ('p', 'c')",
        (table,),
    )
