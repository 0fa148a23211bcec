"""A reader that takes its time, while the warehouse changes: others are not held up behind it, and the change goes through."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from tests.end_to_end.test_transitions import DIM_CARDS, ENRICHED, FACTS, behind, land_a_new_user
from tests.end_to_end.warehouse import Reader, Warehouse

SERVED = "serving.enriched_transactions"
WAITING = """
SELECT query FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE NOT l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation = %s::regclass
"""


@contextmanager
def a_long_transaction(warehouse: Warehouse, *read: str, awaited: str) -> Iterator[list[float]]:
    """Reads relations, and lets go three seconds after somebody first wanted the awaited one for itself, a minute at most."""
    waited: list[float] = []
    is_over = threading.Event()
    has_read = threading.Event()

    def hold() -> None:
        with (
            closing(psycopg2.connect(warehouse.url, application_name="slow")) as connection,
            connection.cursor() as cursor,
        ):
            for relation in read:
                cursor.execute(f"SELECT count(*) FROM {relation}")
            has_read.set()
            end = time.monotonic() + 60
            while not is_over.is_set() and time.monotonic() < end:
                if not waited and warehouse.query(WAITING, (awaited,)):
                    waited.append(time.monotonic())
                    end = waited[0] + 3
                time.sleep(0.02)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert has_read.wait(60)
        yield waited
    finally:
        is_over.set()
        thread.join()


def test_a_version_is_promoted_around_a_long_transaction(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
    warehouse.edit(ENRICHED, "clients.gender::TEXT, /*", "LOWER(clients.gender)::TEXT AS gender, /*")
    with Reader(warehouse.url) as reader, a_long_transaction(warehouse, SERVED, awaited=SERVED) as waited:
        warehouse.plan()
    assert waited, "nothing had to wait for the long transaction: it tested nothing"
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


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
