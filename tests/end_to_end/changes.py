"""What tests of plans and runs change: models, files and who reads, each by one call."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import psycopg2

from tests.end_to_end.warehouse import Warehouse

DIM_USERS = "models/dimensions/dim_users.sql"
DIM_CARDS = "models/dimensions/dim_cards.sql"
FACTS = "models/facts/fct_transactions.sql"
ENRICHED = "models/serving/enriched_transactions.sql"
HEADER = "id,date,client_id,card_id,amount,use_chip,merchant_id,merchant_city,merchant_state,zip,mcc,errors"
WAITING = """
SELECT query FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE NOT l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation = %s::regclass
"""


def keep_clients(data: Path, count: int) -> None:
    """Leaves of a generated set the clients with most transactions: reports of clients take as long as there are clients."""

    def lines_of(name: str) -> list[str]:
        return (data / name).read_text().splitlines()

    header, *transactions = lines_of("transactions_data.csv")
    by_client = Counter(line.split(",")[2] for line in transactions)
    kept = {client for client, _ in by_client.most_common(count)}
    transactions = [line for line in transactions if line.split(",")[2] in kept]
    ids = {line.split(",")[0] for line in transactions}
    (data / "transactions_data.csv").write_text("\n".join([header, *transactions]) + "\n")
    for name, place in (("users_data.csv", 0), ("cards_data.csv", 1)):
        header, *lines = lines_of(name)
        lines = [line for line in lines if line.split(",")[place] in kept]
        (data / name).write_text("\n".join([header, *lines]) + "\n")
    labels = json.loads((data / "train_fraud_labels.json").read_text())["target"]
    left = {key: label for key, label in labels.items() if key in ids}
    (data / "train_fraud_labels.json").write_text(json.dumps({"target": left}))


def land_a_new_user(warehouse: Warehouse) -> None:
    """A user, a card and a purchase that nobody has seen before, in files of their own."""
    users = (warehouse.data / "users_data.csv").read_text().splitlines()
    cards = (warehouse.data / "cards_data.csv").read_text().splitlines()
    purchases = (warehouse.data / "transactions_data.csv").read_text().splitlines()
    fields = users[1].split(",")
    (warehouse.data / "users_data_new.csv").write_text("\n".join([users[0], ",".join(["99999", *fields[1:]])]) + "\n")
    fields = cards[1].split(",")
    (warehouse.data / "cards_data_new.csv").write_text(
        "\n".join([cards[0], ",".join(["88888", "99999", *fields[2:]])]) + "\n"
    )
    fields = purchases[-1].split(",")
    assert date.fromisoformat(fields[1][:10])
    fields[0], fields[2], fields[3] = "99000001", "99999", "88888"
    (warehouse.data / "transactions_data_new.csv").write_text("\n".join([purchases[0], ",".join(fields)]) + "\n")
    warehouse.load()


def behind(warehouse: Warehouse, schema: str, view: str) -> str:
    """The name of the table behind a view of prod."""
    return str(
        warehouse.query(
            "SELECT DISTINCT table_name FROM information_schema.view_table_usage WHERE view_schema = %s AND view_name = %s",
            (schema, view),
        )[0][0]
    )


def write_purchases(warehouse: Warehouse, name: str, *purchases: str) -> Path:
    path = warehouse.data / name
    path.write_text("\n".join([HEADER, *purchases]) + "\n")
    return path


def purchase(warehouse: Warehouse, number: int, day: str, amount: str = "$10.00", **fields: str) -> str:
    """A line like one that has landed, with another id, day and amount."""
    like = (warehouse.data / "transactions_data.csv").read_text().splitlines()[1].split(",")
    values = dict(zip(HEADER.split(","), like, strict=False))
    values |= {"id": str(number), "date": f"{day} 12:00:00", "amount": amount, "errors": "", **fields}
    return ",".join(values[column] for column in HEADER.split(","))


def change_a_dimension(warehouse: Warehouse) -> None:
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")


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


def wait_for_its_backends(warehouse: Warehouse) -> None:
    deadline = time.monotonic() + 60
    alive = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name ~ '^(revops|sqlmesh)'"
    )
    while warehouse.query(alive) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.05)
