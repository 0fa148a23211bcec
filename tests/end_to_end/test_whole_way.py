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
from tests.loaders import made_tabformer
from tests.revops.processes import ask_all

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
    served = ask_all(database_url, "SELECT count(*), (sum(amount) * 100)::bigint FROM serving.enriched_transactions")
    assert served == [(len(published), cents)]
    assert dict(ask_all(database_url, rows)) == {
        "users": len((real_data / "users_data.csv").read_text().splitlines()) - 1,
        "cards": len((real_data / "cards_data.csv").read_text().splitlines()) - 1,
        "mcc": len(json.loads((real_data / "mcc_codes.json").read_text())),
        "labels": len(json.loads((real_data / "train_fraud_labels.json").read_text())["target"]),
    }

    before = ask_all(database_url, "SELECT relation, count(*) FROM ops.load_history GROUP BY 1 ORDER BY 1")
    again = revops(database_url, tmp_path, "run", "--data", str(real_data))
    assert again.returncode == 0, again.stderr
    assert ask_all(database_url, "SELECT relation, count(*) FROM ops.load_history GROUP BY 1 ORDER BY 1") == before

    verified = revops(database_url, tmp_path, "verify", "--json")
    assert verified.returncode == 0
    assert all(check["passed"] for check in json.loads(verified.stdout))


def test_the_files_of_tabformer_become_a_labelled_and_verified_warehouse(database_url: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    rows = made_tabformer.sample(data)
    stranger = f"{max(int(row.split(',')[0]) for row in rows)},"
    known = [row for row in rows if not row.startswith(stranger)]
    early = [made_tabformer.purchase(1, 0, year="1996", time=f"10:{minute}") for minute in range(10, 40)]
    made_tabformer.written(data, made_tabformer.FILES[0], made_tabformer.TRANSACTIONS_HEADER, [*rows, *early])
    ran = revops(database_url, tmp_path, "run", "--data", str(data))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    amounts = [row.split("$")[1].split(",")[0] for row in known]
    cents = sum(int(amount.replace(".", "")) for amount in amounts)
    served = "SELECT count(*), (sum(amount) * 100)::bigint, count(is_fraud), count(*) FILTER (WHERE is_fraud) FROM {}"
    yes = sum(row.endswith(",Yes") for row in known)
    assert ask_all(database_url, served.format("serving.enriched_transactions")) == [
        (len(known), cents, len(known), yes)
    ]
    quarantined = "SELECT reason, count(*) FROM quality.quarantined_transactions GROUP BY 1 ORDER BY 1"
    assert ask_all(database_url, quarantined) == [
        ("client_id is of no known user", len(rows) - len(known)),
        ("date is before 2000", len(early)),
    ]
    odd = (
        "SELECT count(*) FILTER (WHERE amount = -99 AND is_refund), count(*) FILTER (WHERE has_bad_pin AND"
        " has_insufficient_balance AND NOT is_approved), count(*) FILTER (WHERE channel = 'online' AND zip IS NULL AND"
        " merchant_country IS NULL), count(*) FILTER (WHERE merchant_country = 'Italy'), count(DISTINCT mcc_description)"
        " FROM serving.enriched_transactions"
    )
    refunds, declined, online, italian, descriptions = ask_all(database_url, odd)[0]
    assert refunds == sum("$-99.00" in row for row in known) > 0
    assert declined == sum("Bad PIN,Insufficient" in row for row in known) > 0
    assert online == sum("ONLINE" in row for row in known) > 0
    assert italian == sum("Italy" in row for row in known) > 0
    assert descriptions == len({row.split(",")[-3] for row in known if '"' not in row})
    verified = revops(database_url, tmp_path, "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    again = revops(database_url, tmp_path, "run", "--data", str(data))
    assert again.returncode == 0, again.stdout + again.stderr
    assert ask_all(database_url, served.format("serving.enriched_transactions")) == [
        (len(known), cents, len(known), yes)
    ]


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
