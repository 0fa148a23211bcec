"""What a build settles first: which relations have landed something since the last time, and the indexes of large files."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path

import psycopg2
import pytest

from loaders import file_landing
from loaders.landing import land
from loaders.manifest import FIRST_LARGE_FILE_ID
from loaders.protect import KeyStore
from loaders.replay import replay
from revops import bootstrap
from revops.ledger import landings
from tests.loaders.made import CARDS_HEADER, card, csv_file, transaction
from tests.revops.processes import ask


def test_a_landing_and_a_replay_are_settled_once(database_url: str, tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "pan.key", {})
    folder = csv_file(tmp_path / "data", "cards_data.csv", [card(1), card(2, "12345")], header=CARDS_HEADER).parent
    land(database_url, folder, max_rejects=1, pan_key=keys)
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(f"_file,_line_number,{CARDS_HEADER}\ncards_data.csv,3,{card(2)}\n")
    with closing(psycopg2.connect(database_url)) as connection:
        bootstrap.prepare(connection)
        for change in (lambda: None, lambda: replay(database_url, corrected, pan_key=keys)):
            change()
            assert landings.settle(connection)
            assert not landings.settle(connection)
    changes = "SELECT array_agg(DISTINCT relation) FROM ops.changes WHERE starts_on IS NULL AND columns IS NULL"
    assert ask(database_url, changes) == ["raw.cards"]


def test_the_days_of_superseded_rows_are_noted(database_url: str, tmp_path: Path) -> None:
    for name, day in (("transactions_a.csv", "2010-01-01"), ("transactions_b.csv", "2011-02-03")):
        csv_file(tmp_path / "data", name, [transaction(1).replace("2010-01-01", day)])
        land(database_url, tmp_path / "data")
    with closing(psycopg2.connect(database_url)) as connection:
        bootstrap.prepare(connection)
        landings.settle(connection)
        landings.settle(connection)
    superseded = "SELECT array_agg(starts_on) FROM ops.changes WHERE cause = 'superseded'"
    assert ask(database_url, superseded) == [date(2010, 1, 1)]


def test_the_days_of_large_files_are_indexed_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes = "SELECT array_agg(tablename::text ORDER BY tablename) FROM pg_indexes WHERE indexdef ~ 'brin'"
    monkeypatch.setattr(file_landing, "LARGE_FILE_BYTES", 0)
    known: list[str] = []
    with closing(psycopg2.connect(database_url)) as connection:
        for month in range(1, 4):
            name = f"transactions_{month}.csv"
            csv_file(tmp_path / "data", name, [transaction(month)])
            land(database_url, tmp_path / "data")
            bootstrap.prepare(connection)
            connection.commit()
            assert ask(database_url, indexes) == (known or None), "landing takes no time for it"
            known.append(f"transactions_f{FIRST_LARGE_FILE_ID + month - 1}")
            for _ in range(2):
                landings.settle(connection)
                assert ask(database_url, indexes) == known
