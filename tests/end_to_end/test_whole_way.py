"""`revops run` from raw files to a verified warehouse, as a user types it, on the published rows and on generated ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import ROOT

PAN_KEY = "5a" * 32


def revops(url: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a process of its own on the database at `url`."""
    environ = {
        **os.environ,
        "DB_CONNECTION_STRING": url,
        "REVOPS_HOME": str(home),
        "REVOPS_ENV_FILE": str(home / "no.env"),
        "REVOPS_PAN_KEY": PAN_KEY,
    }
    command = [sys.executable, "-m", "loaders", *arguments]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


def answer(url: str, query: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


@pytest.mark.real
def test_the_published_rows_are_accounted_for_to_the_row_and_the_cent(
    database_url: str, real_data: Path, tmp_path: Path
) -> None:
    ran = revops(database_url, tmp_path, "run", "--data", str(real_data))
    assert ran.returncode == 0, ran.stderr
    rows = (
        "SELECT 'users', count(*) FROM raw.users UNION ALL SELECT 'cards', count(*) FROM raw.cards"
        " UNION ALL SELECT 'mcc', count(*) FROM raw.mcc_codes UNION ALL SELECT 'labels', count(*) FROM raw.fraud_labels"
    )
    published = (real_data / "transactions_data.csv").read_text().splitlines()[1:]
    cents = sum(int(line.split("$")[1].split(",")[0].replace(".", "")) for line in published)
    served = answer(database_url, "SELECT count(*), (sum(amount) * 100)::bigint FROM serving.enriched_transactions")
    assert served == [(len(published), cents)]
    assert dict(answer(database_url, rows)) == {
        "users": len((real_data / "users_data.csv").read_text().splitlines()) - 1,
        "cards": len((real_data / "cards_data.csv").read_text().splitlines()) - 1,
        "mcc": len(json.loads((real_data / "mcc_codes.json").read_text())),
        "labels": len(json.loads((real_data / "train_fraud_labels.json").read_text())["target"]),
    }

    before = answer(database_url, "SELECT relation, count(*) FROM ops.load_history GROUP BY 1 ORDER BY 1")
    again = revops(database_url, tmp_path, "run", "--data", str(real_data))
    assert again.returncode == 0, again.stderr
    assert answer(database_url, "SELECT relation, count(*) FROM ops.load_history GROUP BY 1 ORDER BY 1") == before

    verified = revops(database_url, tmp_path, "verify", "--json")
    assert verified.returncode == 0
    assert all(check["passed"] for check in json.loads(verified.stdout))


def test_a_broken_warehouse_is_noticed(warehouse_url: str, tmp_path: Path) -> None:
    connection = psycopg2.connect(warehouse_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE facts.fct_transactions SET amount = amount + 0.01"
            " WHERE transaction_id = (SELECT min(transaction_id) FROM facts.fct_transactions)"
        )
    connection.close()
    verified = revops(warehouse_url, tmp_path, "verify")
    assert verified.returncode == 1
    assert "FAILED  raw = facts + quarantine" in verified.stdout
    assert "FAILED  facts = served" in verified.stdout
