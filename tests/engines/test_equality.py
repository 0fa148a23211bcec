"""The same model files give the same rows on PostgreSQL and on Spark, to the last cell: at first, and after changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningServer, fresh_database
from tests.engines import awkward, both, comparison
from tests.engines.both import OnBoth
from tests.engines.conftest import Engine

# Of these a generated set with awkward rows has none, so that nothing is proven of them.
MAY_BE_EMPTY: set[str] = set()


@pytest.fixture(scope="module")
def built(server: RunningServer, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnBoth]:
    with fresh_database(server) as url:
        made = both.built(url, engine, tmp_path_factory.mktemp("on_both"))
        made.build_on_spark()
        yield made


def test_every_relation_is_equal_and_none_is_empty(built: OnBoth) -> None:
    counts = comparison.row_counts(built.warehouse.url, built.names)
    assert {name for name, count in counts.items() if count == 0} == MAY_BE_EMPTY
    built.assert_equal()


def test_a_second_build_with_nothing_new_evaluates_nothing(built: OnBoth) -> None:
    before = built.evaluated()
    built.build_on_spark()
    assert built.evaluated() == before


def test_a_late_and_a_vanished_day_a_changed_card_and_corrections_are_followed(built: OnBoth) -> None:
    awkward.vanish_arrive_and_change(built.warehouse.data)
    built.land()
    built.warehouse.build()
    built.build_on_spark()
    built.assert_equal()


def test_a_changed_card_is_followed_where_no_build_on_postgresql_has_said_which_days(built: OnBoth) -> None:
    awkward.change_a_card(built.warehouse.data, "Amex")
    built.land()
    built.build_on_spark()
    built.warehouse.build()
    built.assert_equal()


def test_no_card_number_and_no_cvv_is_in_the_lake(built: OnBoth) -> None:
    numbers = _secrets(built.warehouse.data)
    assert len(numbers) > 1000
    tables = [*built.engine.warehouse.rglob("*.parquet"), *(built.warehouse.settings.home / "lake").rglob("*.parquet")]
    assert len(tables) > len(built.names)
    for path in tables:
        names, held = _read(path)
        assert not names & {"card_number", "cvv"}, f"{path} has such a column"
        assert not held & numbers, f"{path} holds a card number"


def _secrets(folder: Path) -> set[str]:
    import csv

    found = set()
    for path in folder.glob("cards_data*.csv"):
        with path.open(newline="") as file:
            found |= {row["card_number"] for row in csv.DictReader(file)}
    return found


def _read(path: Path) -> tuple[set[str], set[str]]:
    """The names of the columns of a file, and each run of 13 or more digits in its values."""
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()
    values = (str(value) for column in table.columns for value in column.unique().to_pylist())
    return set(table.column_names), {run for value in values for run in re.findall(r"[0-9]{13,}", value)}
