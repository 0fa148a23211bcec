"""Marked card numbers and security codes in every kind of input, good and broken; then they are looked for everywhere.

None may stand in a file of the server's data folder (its log of changes included: what is never sent cannot be there), in a
log, a cache, an error, an output or an export.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2 import sql

from foundation.errors import CheckFailed
from revops import sqlmesh_project
from tests.conftest import RunningServer, fresh_database
from tests.end_to_end.canaries import Canaries, plant
from tests.end_to_end.warehouse import ROOT, Warehouse, copy_of_project
from tests.loaders.made import CARDS_HEADER, HEADER, card_number, csv_file, transaction


@pytest.fixture
def url(server: RunningServer) -> Iterator[str]:
    if server.server is None:
        pytest.skip("a data folder to search in is needed")
    with fresh_database(server) as url:
        yield url


def test_no_card_number_and_no_security_code_is_anywhere(url: str, server: RunningServer, tmp_path: Path) -> None:
    canaries = Canaries()
    data, exports, home = tmp_path / "data", tmp_path / "exports", tmp_path / "home"
    exports.mkdir()
    project = copy_of_project(tmp_path / "project")
    plant(data, canaries)
    secrets = {"password": str(urlsplit(url).password), "key": "k1" * 24, "next key": "k2" * 24}
    environ = {
        **os.environ,
        "DB_CONNECTION_STRING": url,
        "REVOPS_PAN_KEY": secrets["key"],
        "REVOPS_ROOT": str(project),
        "REVOPS_HOME": str(home),
        "REVOPS_ENV_FILE": str(home / "no.env"),
        "PYTHONPATH": str(ROOT),
    }
    printed: dict[str, str] = {}

    def revops(*arguments: str) -> int:
        command = [sys.executable, "-m", "loaders", "--debug", *arguments]
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        printed[arguments[0]] = printed.get(arguments[0], "") + done.stdout + done.stderr
        return done.returncode

    assert revops("load", "--data", str(data), "--max-rejects", "1") == 3, printed["load"]  # some files are refused
    for relation, header, correct in (
        ("transactions", HEADER, lambda line: transaction(5000 + line)),
        ("transactions", HEADER, lambda line: transaction(5000 + line, merchant_city=canaries.number())),
        ("cards", CARDS_HEADER, lambda line: canaries.card(500 + line)),
        ("cards", CARDS_HEADER, lambda line: canaries.card(500 + line, card_type=canaries.number())),
    ):
        rejected = (
            f"SELECT DISTINCT ON (1) file_name, line_number FROM ops.rejected_rows WHERE file_name LIKE '{relation}%'"
        )
        lines = [f"{file},{line},{correct(line)}" for file, line in query(url, rejected)]
        corrections = csv_file(tmp_path / "corrected", f"{relation}.csv", lines, header="_file,_line_number," + header)
        revops("replay", str(corrections))
    assert revops("build") == 0, printed["build"]
    for name in ("enriched_transactions.csv", "enriched_transactions.parquet"):
        assert revops("export", "enriched_transactions", "--out", str(exports / name)) == 0, printed["export"]
    revops("status", "--json")
    environ["REVOPS_PAN_KEY"] = secrets["next key"]
    revops("rotate-key", "--data", str(data), "--max-rejects", "1")
    revops("verify")
    assert "ok      no card data" in printed["verify"], printed["verify"]

    query(url, "CHECKPOINT")
    assert server.server is not None
    places_to_search = [server.server.home, home, project, exports]
    paths = [path for place in places_to_search for path in place.rglob("*")]
    files = {str(path): path.read_bytes() for path in paths if path.is_file()}
    files |= {f"printed by {name}": text.encode() for name, text in printed.items()}
    files |= {f"name {path.name}": path.name.encode() for path in paths}
    assert {where: numbers for where, content in files.items() if (numbers := canaries.found_in(content))} == {}
    assert len(files) > 500
    kept = {str(server.server.home / "password"): {"password"}}
    assert {
        where: names
        for where, content in files.items()
        if (names := {name for name, secret in secrets.items() if secret.encode() in content})
    } == kept
    texts = {**printed, **contents(url), **{str(path): path.read_text() for path in home.rglob("*.log")}}
    assert {f"{where}: {code}" for where, text in texts.items() for code in canaries.codes_in(text)} == set()
    # What was to be found is found where it was: the search itself works.
    searchable = b"".join(path.read_bytes() for path in data.glob("*.csv"))
    assert len(canaries.found_in(searchable)) > 60
    assert canaries.codes_in((data / "cards_data.csv").read_text())
    assert query(url, "SELECT count(*) FROM raw.cards")[0][0] > 40
    assert query(url, "SELECT count(*) FROM ops.rejected_rows")[0][0] > 20


@pytest.mark.parametrize(
    ("written", "is_one"),
    [
        (f"Call {card_number(2, 13)} now", True),
        ("-".join([card_number(4, 19)[i : i + 4] for i in range(0, 19, 4)]), True),
        (card_number(5, luhn=False), False),
        (card_number(7, 20), False),
    ],
)
def test_a_card_number_that_landed_all_the_same_goes_no_further(
    warehouse: Warehouse, written: str, is_one: bool
) -> None:
    ((day,),) = warehouse.query(
        "UPDATE raw.transactions SET merchant_city = %s, _is_regular = false"
        " WHERE ctid = (SELECT min(ctid) FROM raw.transactions) RETURNING left(date, 10)::date",
        (written,),
    )
    refused = pytest.raises(CheckFailed, match="no_card_numbers") if is_one else nullcontext()
    with warehouse.commands(), closing(sqlmesh_project.context(warehouse.settings)) as context, refused:
        sqlmesh_project.evaluate(
            context, "prod", sqlmesh_project.versions(context, "prod"), {"facts.fct_transactions": [(day, day)]}, ()
        )
    if is_one:
        assert "no card data" in {result.name for result in warehouse.verify() if not result.passed}


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def contents(url: str) -> dict[str, str]:
    """The rows of raw and ops, as text."""
    found = {}
    for schema, name in query(url, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('raw', 'ops')"):
        rows = query(url, sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(str(schema), str(name))))  # type: ignore[arg-type]
        found[f"{schema}.{name}"] = "\n".join(str(row[0]) for row in rows)
    return found
