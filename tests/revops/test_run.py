"""The whole run: whose files it takes, that demo rows never mix with the user's, and what it says at the end."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foundation.errors import CheckFailed, UsageError
from loaders.errors import InputRefused
from loaders.sources import SOURCES
from revops import demo_set, run
from revops.settings import Settings
from revops.terminal import display, summary
from revops.verify import Result
from tests.revops.processes import ask


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    users = ["1,50,66,1969,11,Female,1 Main Street,34.15,-117.76,$1,$2,$3,787,5", "2" + ",0" * 13]
    cards = ["10,1,Visa,Debit,4111111111111111,12/2022,623,YES,2,$24295,09/2002,2008,No"]
    transactions = ["100,2010-01-01 00:01:00,1,10,$-77.00,Swipe Transaction,59935,Beulah,ND,58523.0,5499,"]
    for relation, rows in (("users", users), ("cards", cards), ("transactions", transactions)):
        lines = [",".join(SOURCES[relation].columns), *rows]
        (folder / f"{relation}_data.csv").write_text("\n".join(lines) + "\n")
    (folder / "mcc_codes.json").write_text('{"5499": "Food"}')
    (folder / "train_fraud_labels.json").write_text('{"target": {"100": "No"}}')
    return folder


@pytest.fixture
def generated(files: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The scales for which demo files were made; a copy of `files` stands for each."""
    scales: list[float] = []

    def copy(out: Path, size: demo_set.Size) -> None:
        scales.append(size.scale)
        shutil.copytree(files, out, dirs_exist_ok=True)

    monkeypatch.setattr(demo_set, "generate_files", copy)
    return scales


@pytest.fixture
def land(database_url: str, tmp_path: Path) -> Callable[..., None]:
    """Lands as `revops run` does, in a project of its own."""
    settings = Settings(root=tmp_path, home=tmp_path / ".warehouse", env_file=tmp_path / ".env")
    settings.home.mkdir()

    def call(data: Path | None = None, **wanted: Any) -> None:
        run.land_files(settings, database_url, run.Wanted(data, **wanted), quiet=True)

    return call


def _rows(url: str) -> tuple[int, int]:
    return ask(url, "SELECT (SELECT count(*) FROM raw.transactions), (SELECT count(*) FROM raw.users)")  # type: ignore[no-any-return]


def _names(url: str) -> str:
    return str(ask(url, "SELECT string_agg(name, ' ' ORDER BY name) FROM ops.load_files"))


def test_without_files_a_demo_set_is_generated_once_and_called_synthetic(
    land: Callable[..., None],
    generated: list[float],
    database_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        land()
    assert "SYNTHETIC demo data" in caplog.text
    assert generated == [0.05]
    assert demo_set.is_synthetic(database_url)
    before = _rows(database_url)
    assert before[0] > 0
    land()
    assert generated == [0.05], "the same set is not made again"
    assert _rows(database_url) == before
    land(scale=0.2)
    assert generated == [0.05, 0.2]
    shutil.rmtree(tmp_path / "data")
    land()
    assert generated == [0.05, 0.2, 0.2], "a set that has landed keeps its size"
    demo_set.make(tmp_path / demo_set.FOLDER, demo_set.Size(0.3, 7))
    land(tmp_path / demo_set.FOLDER)
    assert demo_set.size_in(database_url) == demo_set.Size(0.3, 7)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["demo"]


def test_the_users_files_replace_demo_rows_whole(
    land: Callable[..., None], generated: list[float], files: Path, database_url: str, tmp_path: Path
) -> None:
    land()
    own = tmp_path / "own"
    shutil.copytree(files, own)
    (own / "users_data.csv").write_text((files / "users_data.csv").read_text().replace("2,0", "3,0"))
    land(own)
    assert _rows(database_url) == (1, 2)
    assert (
        _names(database_url)
        == "cards_data.csv mcc_codes.json train_fraud_labels.json transactions_data.csv users_data.csv"
    )
    assert not demo_set.is_synthetic(database_url)
    land()
    assert _rows(database_url) == (1, 2), "no demo rows beside the user's"
    assert generated == [0.05]


@pytest.mark.parametrize("refused", ["missing", "damaged"])
def test_demo_rows_stay_until_all_that_replaces_them_has_landed(
    refused: str, land: Callable[..., None], generated: list[float], files: Path, database_url: str, tmp_path: Path
) -> None:
    land()
    before = _names(database_url), ask(database_url, "SELECT string_agg(u::text, ' ' ORDER BY id) FROM raw.users AS u")
    own = tmp_path / "own"
    shutil.copytree(files, own)
    (own / "users_data.csv").write_text((files / "users_data.csv").read_text().replace("2,0", "3,0"))
    cards = own / "cards_data.csv"
    if refused == "missing":
        cards.unlink()
    else:
        cards.write_text("id,what\n")
    with pytest.raises(InputRefused, match="cards"):
        land(own)
    assert (
        _names(database_url),
        ask(database_url, "SELECT string_agg(u::text, ' ' ORDER BY id) FROM raw.users AS u"),
    ) == before
    assert demo_set.is_synthetic(database_url)
    shutil.copy(files / "cards_data.csv", cards)
    land(own)
    assert "demo" not in _names(database_url)


def test_relations_that_are_missing_are_named_and_refused_unless_they_are_meant_to_be(
    land: Callable[..., None], files: Path, database_url: str, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(files / "users_data.csv", own)
    shutil.copy(files / "mcc_codes.json", own)
    with pytest.raises(InputRefused, match=r"no file of cards, fraud_labels, transactions .*\n.*--partial"):
        land(own)
    land(own, partial=True)
    assert _rows(database_url) == (0, 2)
    for name in ("cards_data.csv", "train_fraud_labels.json", "transactions_data.csv"):
        shutil.copy(files / name, own)
    land(own)
    for path in list(own.iterdir())[1:]:
        path.unlink()
    land(own)  # the others have landed before, and nothing takes them away
    assert _rows(database_url) == (1, 2)


def test_the_way_back_to_a_demo_set(
    land: Callable[..., None], generated: list[float], files: Path, database_url: str, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(files, own)
    (own / "users_data.csv").write_text((files / "users_data.csv").read_text().replace("2,0", "3,0"))
    land(own)
    for refused in ({"scale": 0.1}, {"data": own, "scale": 0.1}, {"data": own, "demo": True}):
        with pytest.raises(UsageError, match="--demo"):
            land(**refused)
    assert generated == []
    land(demo=True, scale=0.1)
    assert generated == [0.1]
    assert demo_set.is_synthetic(database_url)
    assert {name.split("/")[0] for name in _names(database_url).split()} == {"demo"}
    with pytest.raises(UsageError, match="--demo"):
        land(own, scale=0.1)
    land(own)
    assert not demo_set.is_synthetic(database_url)
    with pytest.raises(UsageError, match="--demo"):
        land(tmp_path / "data" / "demo")


def test_files_in_data_raw_are_taken_without_being_named(
    land: Callable[..., None], generated: list[float], files: Path, database_url: str, tmp_path: Path
) -> None:
    shutil.copytree(files, tmp_path / "data" / "raw")
    land()
    assert generated == []
    assert not demo_set.is_synthetic(database_url)


def test_the_demo_folder_named_by_hand_stays_synthetic(
    land: Callable[..., None], generated: list[float], database_url: str, tmp_path: Path
) -> None:
    land()
    land(tmp_path / "data" / "demo")
    assert demo_set.is_synthetic(database_url)


def test_a_named_folder_without_files_is_refused(
    land: Callable[..., None], generated: list[float], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no files"):
        land(tmp_path / "empty")
    assert generated == []


def test_a_killed_generator_leaves_no_half_set(
    land: Callable[..., None], generated: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = demo_set.generate_files

    def die(out: Path, size: demo_set.Size) -> None:
        (out / "users_data.csv").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_set, "generate_files", die)
    with pytest.raises(KeyboardInterrupt):
        land()
    assert not (tmp_path / "data" / "demo").exists()
    monkeypatch.setattr(demo_set, "generate_files", whole)
    land()
    assert generated == [0.05]


def test_what_does_not_reconcile_is_an_error_after_the_summary(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, database_url: str, tmp_path: Path
) -> None:
    results = [Result("rows", True, "5 = 5"), Result("dollars", False, "1.00 <> 2.00")]
    steps = {
        "revops.build": SimpleNamespace(build=lambda settings, environment, quiet: None),
        "revops.verify": SimpleNamespace(verify_and_note=lambda settings, since_last: results),
    }
    monkeypatch.setattr("importlib.import_module", steps.__getitem__)
    monkeypatch.setattr(run, "land_files", lambda *arguments: None)
    settings = Settings(root=tmp_path, home=tmp_path, env_file=tmp_path / ".env")
    with caplog.at_level(logging.WARNING), pytest.raises(CheckFailed, match="1 of 2 checks failed: dollars"):
        run.run(settings, database_url, run.Wanted())
    assert "1.00 <> 2.00" in caplog.text


def test_the_summary_counts_each_layer_and_hides_the_password(database_url: str) -> None:
    for statement in (
        "CREATE SCHEMA serving",
        "CREATE SCHEMA raw",
        'CREATE VIEW serving."odd ""name" AS SELECT 1 AS a',
        "CREATE VIEW serving.fct_transaction AS SELECT 1 AS a",  # rows of a fact again: not counted a second time
    ):
        ask(database_url, statement)
    ask(database_url, "CREATE TABLE raw.users AS SELECT generate_series(1, 1234) AS id")
    ask(database_url, "CREATE TABLE raw.cards AS SELECT 1 AS id")
    results = [Result("rows", True, "", {"raw.cards": 4321})]  # as counted by a check: not counted again
    text = summary.of(database_url, results, synthetic=True)
    lines = [line.split() for line in text.splitlines()]
    assert ["raw.users", "1,234"] in lines
    assert ["raw.cards", "4,321"] in lines
    assert lines.index(["raw.users", "1,234"]) < lines.index(["serving.odd", '"name', "1"])
    assert "fct_transaction" not in text
    assert "SYNTHETIC" in text
    assert "1 of 1 checks hold" in text
    assert database_url.split(":")[2].split("@")[0] not in text
    assert len(lines) < 40


def test_the_summary_says_what_is_served_nowhere_and_why(database_url: str) -> None:
    assert summary.not_used_lines(database_url) == []
    for statement in (
        "CREATE SCHEMA ops",
        "CREATE SCHEMA quality",
        "CREATE TABLE ops.load_files AS SELECT 1000 AS rows_read, 0 AS uncounted_amounts",
        "CREATE TABLE ops.rejected_rows (reason text)",
        "CREATE TABLE quality.quarantined_transactions (reason text)",
    ):
        ask(database_url, statement)
    assert summary.not_used_lines(database_url) == []
    for statement in (
        "UPDATE ops.load_files SET uncounted_amounts = 12",
        "INSERT INTO quality.quarantined_transactions SELECT CASE WHEN n < 30 THEN 'mcc is of no known category' ELSE"
        " 'reason ' || n END FROM generate_series(1, 35) AS n",
        "INSERT INTO ops.rejected_rows VALUES ('3 fields instead of 12')",
    ):
        ask(database_url, statement)
    text = "\n".join(summary.not_used_lines(database_url))
    assert "35 rows are quarantined (3.50% of the rows read), see quality.quarantined_transactions:" in text
    assert "29  mcc is of no known category" in text
    assert "and 2 more reasons" in text
    assert "1 rows are rejected (0.10% of the rows read), see ops.rejected_rows:" in text
    assert "12 amounts cannot be read and count as nothing" in text
    assert summary.of(database_url, [], synthetic=False).count("Not served") == 1


@pytest.mark.unit
def test_a_table_is_aligned_and_numbers_stand_right() -> None:
    rows = [{"name": "a", "rows": 1}, {"name": "long", "rows": 1234567}, {"name": "b\x1b[31m", "rows": None}]
    assert display.table(rows) == [
        "name         rows",
        "a               1",
        "long    1,234,567",
        "b?[31m          -",
    ]
