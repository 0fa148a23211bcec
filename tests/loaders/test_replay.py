"""Corrected rejects land in their places, once, and the books stay even."""

from __future__ import annotations

import csv
import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loaders.errors import InputRefused
from loaders.protect import KeyStore
from loaders.replay import PLACE_COLUMNS, replay
from loaders.sources import SOURCES, Source
from tests.conftest import ROOT
from tests.loaders.made import CARDS, CARDS_HEADER, TRANSACTIONS, card, card_number, csv_file, transaction
from tests.loaders.warehouse import JAN_3, assert_reconciled, days, everything


def corrections(folder: Path, rows: list[tuple[str, int, str]], source: Source = TRANSACTIONS) -> Path:
    path = folder / "corrections.csv"
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(PLACE_COLUMNS + source.columns)
        writer.writerows([file, line, *row.split(",")] for file, line, row in rows)
    return path


@pytest.fixture
def damaged(load: Any, query: Any, tmp_path: Path, size: str) -> str:
    """A landed file with rejects on the lines 3 and 4."""
    rows = [transaction(1), transaction(2, date="2010-01-03 00:00:00") + ",", "bad", transaction(4)]
    csv_file(tmp_path / "data", "transactions.csv", rows)
    load(tmp_path / "data", max_rejects=1.0)
    days(query)
    return "transactions.csv"


def test_corrected_rejects_land_once(damaged: str, database_url: str, query: Any, tmp_path: Path) -> None:
    path = corrections(tmp_path, [(damaged, 3, transaction(2, date="2010-01-03 00:00:00", amount="$1.50"))])
    (outcome,) = replay(database_url, path)
    assert (outcome.action, outcome.rows_loaded) == ("replayed", 1)
    assert query("SELECT rows_read, rows_loaded, rows_rejected, amount_sum::text FROM ops.load_files") == [
        (4, 3, 1, "-152.50")
    ]
    assert query("SELECT id FROM raw.transactions ORDER BY _line_number") == [("1",), ("2",), ("4",)]
    assert query("SELECT max_date FROM ops.load_files") == [(JAN_3,)]
    assert days(query) == [JAN_3]
    assert_reconciled(query)
    before = everything(query)
    assert [outcome.action for outcome in replay(database_url, path)] == ["unchanged"]
    assert everything(query) == before


def test_the_file_itself_is_still_known_after_a_replay(
    damaged: str,
    database_url: str,
    query: Any,
    load: Any,
    tmp_path: Path,
) -> None:
    replay(database_url, corrections(tmp_path, [(damaged, 3, transaction(2)), (damaged, 4, transaction(3))]))
    assert [outcome.action for outcome in load(tmp_path / "data")] == ["unchanged"]
    assert query("SELECT count(*) FROM raw.transactions") == [(4,)]
    assert query("SELECT count(*) FROM ops.rejected_rows") == [(0,)]


@pytest.mark.parametrize(
    ("file", "line", "row", "reason"),
    [
        ("transactions.csv", 3, transaction(id="1E+9"), "still cannot be landed"),
        ("transactions.csv", 99, transaction(), "no rejected row"),
        ("transactions.csv", 3, "1,2", "4 fields instead of 14"),
        ("x'; drop table ops.load_files; --", 3, transaction(), "has not landed"),
    ],
)
def test_what_stands_for_no_reject_is_refused_and_nothing_lands(
    damaged: str,
    database_url: str,
    query: Any,
    tmp_path: Path,
    file: str,
    line: int,
    row: str,
    reason: str,
) -> None:
    before = everything(query)
    path = corrections(tmp_path, [("transactions.csv", 4, transaction(3)), (file, line, row)])
    with pytest.raises(InputRefused, match=reason) as caught:
        replay(database_url, path)
    assert caught.value.line in (2, 3)
    if file == "transactions.csv":
        assert everything(query) == before


def test_a_corrected_card_lands_as_a_token(database_url: str, load: Any, query: Any, tmp_path: Path) -> None:
    csv_file(tmp_path / "data", "cards.csv", [card(1), card(2) + ","], header=CARDS_HEADER)
    load(tmp_path / "data", max_rejects=1.0)
    pan = card_number(5)
    path = corrections(tmp_path, [("cards.csv", 3, card(2, pan, cvv="8642"))], CARDS)
    replay(database_url, path, pan_key=KeyStore(tmp_path / "key" / "pan.key", {}))
    assert query("SELECT id, card_last4 FROM raw.cards ORDER BY 1") == [("1", card_number(1)[-4:]), ("2", pan[-4:])]
    assert pan not in str(everything(query))
    assert "8642" not in str(everything(query))
    assert_reconciled(query)


def test_the_file_that_copy_writes_is_read_and_what_is_still_bad_is_passed_over_and_said(
    database_url: str, load: Any, query: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [transaction(1), transaction(2, errors='"Bad PIN,Bad CVV"') + ",", "bad", transaction(4)]
    csv_file(tmp_path / "data", "transactions.csv", rows)
    csv_file(tmp_path / "data", "cards.csv", [card(1), card(2) + ","], header=CARDS_HEADER)
    load(tmp_path / "data", max_rejects=1.0)
    documented = next(
        line for line in (ROOT / "docs" / "loading.md").read_text().splitlines() if line.startswith("\\copy")
    )
    statement = documented.removeprefix("\\copy ").replace("'rejects.csv'", "STDOUT")
    path = tmp_path / "rejects.csv"
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor, path.open("w") as out:
        cursor.copy_expert(f"COPY {statement}", out)
    for corrected in (False, True):
        if corrected:
            path.write_text(path.read_text().replace('Bad CVV"",', 'Bad CVV""'))
        with caplog.at_level(logging.INFO):
            outcomes = replay(database_url, path, pan_key=KeyStore(tmp_path / "key" / "pan.key", {}))
        assert [(outcome.name, outcome.rows_loaded) for outcome in outcomes] == [("transactions.csv", 1)] * corrected
        assert f"{2 if corrected else 3} of 3 rows are passed over" in caplog.text
    assert query("SELECT errors FROM raw.transactions WHERE id = '2'") == [("Bad PIN,Bad CVV",)]
    assert query("SELECT file_name, line_number FROM ops.rejected_rows ORDER BY 1") == [
        ("cards.csv", 3),
        ("transactions.csv", 4),
    ]
    assert [outcome.action for outcome in replay(database_url, path)] == ["unchanged"]
    assert_reconciled(query)


@pytest.mark.unit
@pytest.mark.parametrize("data", [b"", b"id\n1\n", b"\xff", b'"'])
def test_what_is_no_file_of_corrections_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c.csv").write_bytes(data)
    with pytest.raises(InputRefused):
        replay("postgresql://127.0.0.1:1/none", tmp_path / "c.csv")
    assert set(SOURCES)
