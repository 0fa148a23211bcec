"""Rotating the key: all tokens change, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foundation.errors import UsageError
from loaders.errors import InputRefused
from loaders.protect import KeyStore
from loaders.rotation import rotate_pan_key
from tests.loaders.made import CARDS_HEADER, card, csv_file
from tests.loaders.warehouse import Query, assert_reconciled, everything


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "key" / "pan.key", {})


@pytest.fixture
def folder(tmp_path: Path, load: Any, size: str) -> Path:
    for number in (1, 2):
        csv_file(tmp_path / "data", f"cards_{number}.csv", [card(number)], header=CARDS_HEADER)
    load(tmp_path / "data")
    return tmp_path / "data"


def tokens(query: Query) -> list[Any]:
    return query("SELECT id, card_token FROM raw.cards ORDER BY 1")


def test_every_token_changes_and_nothing_else(
    database_url: str, query: Query, keys: KeyStore, folder: Path, load: Any
) -> None:
    before, old_key = tokens(query), keys.path.read_text()
    rotate_pan_key(database_url, folder, pan_key=keys)
    after = tokens(query)
    assert [card_id for card_id, _ in after] == [card_id for card_id, _ in before]
    assert not {token for _, token in after} & {token for _, token in before}
    assert keys.path.read_text() != old_key
    assert [path.name for path in keys.path.parent.iterdir()] == ["pan.key"]
    assert {outcome.action for outcome in load(folder)} == {"unchanged"}
    assert_reconciled(query)


def test_a_rotation_killed_after_its_commit_is_completed_by_the_next_landing(
    database_url: str, query: Query, keys: KeyStore, folder: Path, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyStore, "adopt", lambda self: None)
    rotate_pan_key(database_url, folder, pan_key=keys)
    monkeypatch.undo()
    monkeypatch.setattr("loaders.file_landing.LARGE_FILE_BYTES", 10**9)
    csv_file(folder, "cards_3.csv", [card(1)], header=CARDS_HEADER)
    load(folder)
    assert len({token for card_id, token in tokens(query) if card_id == "1"}) == 1


def test_nothing_changes_where_a_file_is_missing_or_bad_or_the_key_is_the_same(
    database_url: str, query: Query, keys: KeyStore, folder: Path, load: Any
) -> None:
    before = everything(query)
    with pytest.raises(UsageError, match="not there"):
        rotate_pan_key(database_url, folder / "cards_1.csv", pan_key=keys)
    same = KeyStore(keys.path, {"REVOPS_PAN_KEY": keys.path.read_text().strip()})
    with pytest.raises(UsageError, match="the same"):
        rotate_pan_key(database_url, folder, pan_key=same)
    csv_file(folder, "cards_2.csv", [card(2)], header="wrong")
    with pytest.raises(InputRefused):
        rotate_pan_key(database_url, folder, pan_key=keys)
    assert everything(query) == before
    csv_file(folder, "cards_2.csv", [card(2)], header=CARDS_HEADER)
    assert {outcome.action for outcome in load(folder)} == {"unchanged"}


def test_without_tokens_there_is_nothing_to_rotate(database_url: str, keys: KeyStore, tmp_path: Path) -> None:
    csv_file(tmp_path / "data", "cards.csv", [card()], header=CARDS_HEADER)
    with pytest.raises(UsageError, match="no card tokens yet"):
        rotate_pan_key(database_url, tmp_path / "data", pan_key=keys)
