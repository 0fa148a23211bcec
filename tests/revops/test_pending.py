"""What waits for a build: files that landed, and rows that were replayed into files that had been built."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2

from loaders.landing import land
from loaders.protect import KeyStore
from loaders.replay import replay
from revops import bootstrap, pending
from tests.loaders.made import CARDS_HEADER, card, csv_file


def test_a_replayed_row_makes_its_relation_pending_once(database_url: str, tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "pan.key", {})
    folder = csv_file(tmp_path / "data", "cards_data.csv", [card(1), card(2, "12345")], header=CARDS_HEADER).parent
    land(database_url, folder, max_rejects=1, pan_key=keys)
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(f"_file,_line_number,{CARDS_HEADER}\ncards_data.csv,3,{card(2)}\n")
    with closing(psycopg2.connect(database_url)) as connection:
        bootstrap.prepare(connection)
        for change in (lambda: None, lambda: replay(database_url, corrected, pan_key=keys)):
            change()
            found = pending.find(connection)
            assert found.relations == {"cards"}
            pending.mark_built(connection, found)
            assert pending.find(connection).relations == set()
            connection.commit()
