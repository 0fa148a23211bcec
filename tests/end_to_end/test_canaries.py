"""Marked card numbers and security codes in every kind of input, good and broken; then they are looked for everywhere.

None may stand in a file of the server's data folder (its log of changes included: what is never sent cannot be there), in a
log, a cache, an error, an output or an export.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pyarrow
import pytest
import zstandard
from psycopg2 import sql
from pyarrow import parquet

from foundation.errors import CheckFailed
from loaders.sources import SOURCES
from revops import sqlmesh_project
from tests.conftest import RunningServer, fresh_database
from tests.end_to_end.warehouse import ROOT, Warehouse, copy_of_project
from tests.loaders.made import CARDS, CARDS_HEADER, HEADER, TRANSACTIONS, card, card_number, csv_file, transaction

USERS_HEADER = ",".join(SOURCES["users"].columns)


class Canaries:
    """Card numbers and security codes that stand nowhere else, and how each may be written."""

    def __init__(self) -> None:
        self._random = random.Random(4929)
        self.numbers: list[str] = []
        self.codes: list[str] = []

    def number(self, length: int = 16, luhn: bool = True) -> str:
        """A new card number, which passes Luhn; the published ones seldom do."""
        self.numbers.append(card_number(self._random.randrange(10**9), length, luhn))
        return self.numbers[-1]

    def grouped(self, separator: str = " ") -> str:
        """A new card number as people write it."""
        number = self.number()
        return separator.join(number[i : i + 4] for i in range(0, 16, 4))

    def code(self) -> str:
        """A new security code, one of those that no year, amount or id of these files holds."""
        self.codes.append(str(8401 + len(self.codes)))
        return self.codes[-1]

    def card(self, number: int, **changed: str) -> str:
        """A card with a number and a code of their own."""
        pan = changed.pop("pan", None) or self.number(luhn=number % 2 == 0)
        return card(number, pan=pan, cvv=self.code(), **changed)

    def found_in(self, content: bytes) -> set[str]:
        """The card numbers in these bytes, in whatever groups."""
        return {number for number in self.numbers if self._pattern(number).search(content)}

    @staticmethod
    def _pattern(number: str) -> re.Pattern[bytes]:
        return re.compile(rb"[ \-]?".join(digit.encode() for digit in number))

    def codes_in(self, text: str) -> set[str]:
        """The security codes that stand in the text as numbers of their own."""
        without_last_four = re.sub(r"\*{4}[ \-]?[0-9]{4}", "", text)
        return set(re.findall(r"(?<![0-9.])[0-9]{4}(?![0-9])", without_last_four)) & set(self.codes)


def user(number: int, address: str = "1 Main Street") -> str:
    return f'{number},50,66,1970,3,Female,"{address}",40.71,-74.0,$20000,$40000,$1000,700,2'


def plant(folder: Path, canaries: Canaries) -> None:
    """Every kind of file, sound and broken, each with canaries of its own."""
    cards = [canaries.card(number) for number in range(1, 40)]
    cards += [canaries.card(40, pan=canaries.grouped()), canaries.card(41, pan=canaries.grouped("-"))]
    csv_file(folder, "cards_data.csv", cards, header=CARDS_HEADER)
    broken = [
        canaries.card(50) + ",one,more",
        canaries.card(51).replace(",", ";"),
        canaries.card(52).rpartition(",")[0],
        '"' + canaries.card(53),
        canaries.card(54).replace("Visa", 'Vi"sa'),
        canaries.card(55).encode() + b"\xff\xfe",
        canaries.card(56) + "\0",
        canaries.card(57, card_type=canaries.number()),
        canaries.card(58, expires=canaries.grouped()),
        canaries.card(59, card_brand=f"Visa {canaries.grouped('-')}"),
        canaries.card(60, client_id=canaries.number(13)),
        canaries.card(61, pan=f'"{canaries.number(15)}\n{canaries.number()}"'),
        canaries.card(62, pan=canaries.number(19) + "0"),
        canaries.card(63).replace(",", "\t"),
        canaries.card(64, card_brand="x" * 5000),
    ]
    csv_file(folder, "cards_broken.csv", broken, header=CARDS_HEADER)
    csv_file(folder, "cards_crlf.csv", [canaries.card(70), canaries.card(71)], header=CARDS_HEADER, end=b"\r\n")
    (folder / "cards_utf16.csv").write_text("\n".join([CARDS_HEADER, canaries.card(90)]), encoding="utf-16")
    csv_file(folder, "cards_without_header.csv", [canaries.card(73)], header=canaries.card(72))
    csv_file(folder, "cards_other_header.csv", [canaries.card(74)], header=CARDS_HEADER + "," + canaries.number())
    csv_file(folder, f"cards {canaries.number()}.csv", [canaries.card(75)], header=CARDS_HEADER)
    csv_file(folder, f"notes {canaries.grouped()}.txt", [canaries.number()], header=canaries.number())
    (folder / f"cards_{canaries.number()}.csv.gz").write_bytes(
        gzip.compress("\n".join([CARDS_HEADER, canaries.card(76)]).encode())
    )
    (folder / "cards_cut.csv.gz").write_bytes(gzip.compress("\n".join([CARDS_HEADER, canaries.card(77)]).encode())[:-9])
    (folder / "cards_packed.csv.zst").write_bytes(
        zstandard.compress("\n".join([CARDS_HEADER, canaries.card(78)]).encode())
    )
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr(f"cards_{canaries.number()}.csv", "\n".join([CARDS_HEADER, canaries.card(79)]))
    rows = [dict(zip(CARDS.columns, canaries.card(number).split(","), strict=True)) for number in (80, 81)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "cards_text.parquet")
    numbers = [{**row, "card_number": int(canaries.number()), "cvv": int(canaries.code())} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(numbers), folder / "cards_numbers.parquet")

    payments = [transaction(number, client_id="825", card_id=str(number % 40 + 1)) for number in range(1, 3000)]
    payments += [
        transaction(4000, merchant_city=canaries.number()),
        transaction(4001, merchant_city=f"Call {canaries.grouped()} now"),
        transaction(4002, errors=canaries.grouped("-")),
        transaction(4003, zip=canaries.number(15)),
        transaction(4004, merchant_state=canaries.number(13)),
        transaction(4005, amount=canaries.number()),
        transaction(4006, date=canaries.number()),
        transaction(4007, card_id=canaries.number()),
        transaction(4008, merchant_city=f'"{canaries.number()}'),
        transaction(4009, merchant_city=f'a"{canaries.number()}'),
        transaction(4010) + "," + canaries.number(),
        transaction(4011, merchant_city=f'"two\n{canaries.number()}"'),
        transaction(4012, merchant_city=f"id{canaries.number()}x"),
        transaction(4013).replace("4013", canaries.number(19), 1),
    ]
    csv_file(folder, "transactions_data.csv", payments)
    csv_file(
        folder, "transactions_without_header.csv", [transaction(4020)], header=transaction(4021, zip=canaries.number())
    )
    row = dict(zip(TRANSACTIONS.columns, transaction(4030).split(","), strict=True))
    parquet.write_table(
        pyarrow.Table.from_pylist([row, {**row, "id": "4031", "merchant_city": canaries.number()}]),
        folder / "transactions.parquet",
    )
    csv_file(
        folder,
        "users_data.csv",
        [
            user(825),
            user(826, canaries.number()),
            user(827, f"c/o {canaries.grouped()}"),
            user(828, 'x"' + canaries.number()),
        ],
        header=USERS_HEADER,
    )
    codes = {"5499": "Shops", canaries.number(): "number", "5500": f"of {canaries.grouped()}"}
    (folder / "mcc_codes.json").write_text(json.dumps(codes))
    (folder / "mcc_codes_cut.json").write_text(json.dumps({"1": canaries.number()})[:-1])
    labels = {"1": "No", "2": "Yes", canaries.number(): "No", "3": canaries.number(), "4": canaries.grouped()}
    (folder / "train_fraud_labels.json").write_text(json.dumps({"target": labels}))
    (folder / "labels_cut.json").write_text('{"target": {"5": "No", "' + canaries.number())
    (folder / "labels_other.json").write_text('{"target": ["' + canaries.number() + '"]}')


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
