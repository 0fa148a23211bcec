"""Rows that give way to another row with their key: found, and only them, and always the same ones of the same files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaders import duplicates
from loaders.keys_seen import KeysSeen
from loaders.reporting import FileOutcome
from tests.loaders.made import csv_file, transaction
from tests.loaders.warehouse import Query

ON_SERVER = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Load = Callable[..., list[FileOutcome]]
Mark = Callable[..., set[str]]


@pytest.fixture
def mark(database_url: str, load: Load, tmp_path: Path) -> Mark:
    """A function that marks a relation, transactions by default, and commits."""
    import psycopg2

    def call(relation: str = "transactions") -> set[str]:
        connection = psycopg2.connect(database_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(duplicates.DDL)
                return duplicates.mark(cursor, relation)
        finally:
            connection.close()

    return call


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, int]]]:
    """The ranges of keys that each marking looked at; nothing is added where it had to read all."""
    seen: list[list[tuple[int, int]]] = []
    find = duplicates.shared_ranges
    monkeypatch.setattr(duplicates, "shared_ranges", lambda files: seen.append(find(files)) or seen[-1])
    return seen


def superseded(query: Query) -> list[tuple[str, int]]:
    """Superseded transactions as file name and line."""
    return query(
        "SELECT f.name, s._line_number FROM raw.superseded_rows AS s JOIN ops.load_files AS f ON f.file_id = s._file_id"
        " WHERE s.relation = 'transactions' ORDER BY 1, 2"
    )


def rows(*keys: int | str, day: str = "2010-01-01") -> list[str]:
    return [transaction(id=str(key), date=f"{day} 10:00:00") for key in keys]


def test_the_later_file_wins_and_going_away_gives_the_row_back(
    load: Load, mark: Mark, query: Query, tmp_path: Path, size: str, read: list[Any]
) -> None:
    load(csv_file(tmp_path, "transactions_a.csv", rows(1, 2, 3, day="2010-01-05")))
    assert mark() == set()
    newer = csv_file(tmp_path, "transactions_b.csv", rows(3, 4, day="2010-01-06"))
    load(tmp_path)
    assert mark() == {"2010-01-05"}
    assert superseded(query) == [("transactions_a.csv", 4)]
    assert mark() == set()
    newer.unlink()
    load(tmp_path, prune=True)
    assert mark() == {"2010-01-05"}
    assert superseded(query) == []
    assert read == [[], [(3, 3)], [(3, 3)], []]


def test_in_one_file_the_last_line_wins(load: Load, mark: Mark, query: Query, tmp_path: Path, size: str) -> None:
    load(csv_file(tmp_path, "transactions_a.csv", rows(*range(100, 200), 7, *range(200, 300), 7, 7)))
    mark()
    assert superseded(query) == [("transactions_a.csv", 102), ("transactions_a.csv", 203)]


def test_files_whose_keys_do_not_meet_are_not_read(
    load: Load, mark: Mark, query: Query, tmp_path: Path, read: list[Any]
) -> None:
    for number in range(4):
        csv_file(tmp_path, f"transactions_{number}.csv", rows(*range(100 * number, 100 * number + 50)))
    load(tmp_path)
    mark()
    assert read == [[]]
    assert query("SELECT count(*) FILTER (WHERE has_repeated_keys IS FALSE), count(*) FROM ops.load_files") == [(4, 4)]


@pytest.mark.parametrize("key", ["x", "", "+5", "-5", "9223372036854775807"])
def test_a_key_that_is_no_plain_number_has_all_rows_read(
    key: str, load: Load, mark: Mark, query: Query, tmp_path: Path, read: list[Any]
) -> None:
    load(csv_file(tmp_path, "transactions_a.csv", rows(*range(10), "005")))
    load(csv_file(tmp_path, "transactions_b.csv", rows(*range(20, 30), key, 3)))
    mark()
    assert read == []
    assert ("transactions_a.csv", 5) in superseded(query)
    assert ("transactions_a.csv", 12) not in superseded(query)  # the number 5 is in no later row


@pytest.mark.parametrize("key", [" 5", "5.0"])
def test_a_key_in_another_form_is_the_number_it_means(
    key: str, load: Load, mark: Mark, query: Query, tmp_path: Path, read: list[Any]
) -> None:
    load(csv_file(tmp_path, "transactions_a.csv", rows(*range(10), "005")))
    load(csv_file(tmp_path, "transactions_b.csv", rows(*range(20, 30), key, 3)))
    mark()
    assert read == [[(0, 9)]]
    assert superseded(query) == [("transactions_a.csv", 5), ("transactions_a.csv", 7), ("transactions_a.csv", 12)]


def test_a_correction_of_few_rows_of_a_large_file_is_found(
    load: Load, mark: Mark, query: Query, tmp_path: Path, size: str
) -> None:
    load(csv_file(tmp_path, "transactions_a.csv", rows(*range(0, 4000, 2))))
    load(csv_file(tmp_path, "transactions_b.csv", rows(2, 1001, 3000, 5001)))
    mark()
    assert superseded(query) == [("transactions_a.csv", 3), ("transactions_a.csv", 1502)]
    load(csv_file(tmp_path, "transactions_c.csv", rows(1001, 9999)))
    mark()
    assert superseded(query) == [("transactions_a.csv", 3), ("transactions_a.csv", 1502), ("transactions_b.csv", 3)]


def test_labels_are_marked_by_the_same_rule(load: Load, mark: Mark, query: Query, tmp_path: Path) -> None:
    for name, keys in (("a", range(1000, 1500)), ("b", range(1499, 2000))):
        text = json.dumps({"target": {str(key): "No" for key in keys}})
        (tmp_path / f"labels_{name}.json").write_text(text)
        load(tmp_path)
    mark("fraud_labels")
    assert query("SELECT relation, _line_number FROM raw.superseded_rows") == [("fraud_labels", 500)]
    assert query("SELECT lowest_key, highest_key, has_repeated_keys FROM ops.load_files ORDER BY name") == [
        (1000, 1499, False),
        (1499, 1999, False),
    ]


FILES = st.lists(
    st.lists(st.integers(0, 60) | st.sampled_from(["07", "0", "12345678901"]), min_size=1, max_size=12),
    min_size=1,
    max_size=5,
)


@ON_SERVER
@given(files=FILES, odd=st.booleans())
def test_the_marked_rows_are_all_but_the_last_of_each_key(
    files: list[list[int | str]], odd: bool, load: Load, mark: Mark, query: Query, tmp_path: Path
) -> None:
    if odd:
        files = [*files, ["x", "x"]]
    folder = tmp_path / "again"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    expected: set[tuple[str, int]] = set()
    newest: dict[str, tuple[str, int]] = {}
    for number, keys in enumerate(files):
        name = f"transactions_{number}.csv"
        csv_file(folder, name, rows(*keys, day=f"2010-01-0{number + 1}"))
        load(folder, prune=True, replace=True, max_rejects=1)  # whatever landed before, and where no key is a number
        for line, key in enumerate(keys, 2):
            number_of = str(int(key)) if str(key).isdigit() else str(key)
            if number_of in newest:
                expected.add(newest[number_of])
            newest[number_of] = (name, line)
    mark()
    landed = {name for (name,) in query("SELECT name FROM ops.load_files")}
    if len(landed) == len(files):  # files with the same bytes land once
        assert set(superseded(query)) == expected


@pytest.mark.unit
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 30), st.booleans()), max_size=60),
)
def test_no_key_outside_the_ranges_can_be_in_two_rows(files: list[tuple[int, int, bool]]) -> None:
    spans = sorted((lowest, lowest + width, repeats) for lowest, width, repeats in files)
    ranges = duplicates.shared_ranges(spans)
    assert len(ranges) <= 20
    assert ranges == sorted(ranges)
    for key in range(340):
        holding = [repeats for lowest, highest, repeats in spans if lowest <= key <= highest]
        if len(holding) > 1 or any(holding):
            assert any(first <= key <= last for first, last in ranges)
        elif len(spans) < 20:
            assert not any(first <= key <= last for first, last in ranges)


@pytest.mark.unit
@given(
    st.lists(st.lists(st.integers(0, 3000) | st.integers(0, 2**27 - 1), max_size=40), max_size=6),
    st.sampled_from([0, 2**28 - 1000, 10**15, 10**18 - 2**27]),
)
def test_what_was_seen_of_the_keys_of_a_file(steps: list[list[int]], first: int) -> None:
    blocks = [[first + step for step in block] for block in steps]
    seen = KeysSeen()
    for place, block in enumerate(blocks):
        if place % 2:
            seen.see(np.array(block, np.uint64))
        else:
            for key in block:
                seen.see_text(f"{key:03d}")
    keys = [key for block in blocks for key in block]
    assert seen.repeats is (max(Counter(keys).values(), default=0) > 1)
    assert (seen.lowest, seen.highest) == ((min(keys), max(keys)) if keys else (None, None))


@pytest.mark.unit
def test_whether_keys_repeat_that_are_too_far_from_each_other_is_not_known() -> None:
    seen = KeysSeen()
    for place in range(257):
        assert seen.repeats is False
        seen.see(np.array([place << 20], np.uint64))
    assert (seen.lowest, seen.highest, seen.repeats) == (0, 2**28, None)
