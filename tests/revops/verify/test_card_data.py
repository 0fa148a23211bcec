"""What `revops verify` takes for a card number, and where it looks for one."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from meshkeys.catalog import Relation
from revops.result import Result
from revops.verify import card_data
from revops.verify.card_data import shows_card_number
from tests.loaders.made import card_number
from tests.revops.processes import ask

NUMBER = card_number(1)
GROUPED = " ".join(NUMBER[i : i + 4] for i in range(0, 16, 4))


@pytest.mark.unit
@pytest.mark.parametrize("text", [NUMBER, f"call {NUMBER}", GROUPED, f'{{"name": "{NUMBER}"}}', card_number(2, 13)])
@pytest.mark.parametrize("is_sqlmeshs", [True, False])
def test_what_passes_luhn_is_one_wherever_it_stands(text: str, is_sqlmeshs: bool) -> None:
    assert shows_card_number(text, is_sqlmeshs)


@pytest.mark.unit
def test_what_only_begins_like_a_published_number_is_one_in_our_own_relations() -> None:
    for seed in range(5):
        like_one = "4" + card_number(seed, 15)[1:] + "0"
        other = card_number(seed, 16, luhn=False)
        assert shows_card_number(like_one, False)
        assert not shows_card_number(other, False)
        assert not shows_card_number(other, True)


@pytest.mark.unit
@pytest.mark.parametrize("last", range(10))
@pytest.mark.parametrize("is_sqlmeshs", [True, False])
def test_times_identifiers_and_amounts_are_none(last: int, is_sqlmeshs: bool) -> None:
    texts = ["2010-01-01 00:01:00", "$-77.00", "7475327", f"12345678901{last}"]
    if is_sqlmeshs:
        texts += [
            f'"updated_ts": 179547840000{last}',
            f'{{"id": "a{last}94671234567890123b4567890123456", "unpaused_ts": 179547840001{last}}}',
            f"0a{last}94671-2345-6789-0123-b45678901234",
        ]
    assert not any(shows_card_number(text, is_sqlmeshs) for text in texts)


@pytest.mark.parametrize(("common", "rare", "found"), [(0, 1, 1), (1, 0, 900), (1, 1, 901), (0, 0, 0)])
@pytest.mark.parametrize("many", [0, 10**9])
def test_a_card_number_is_found_however_common_it_is(
    common: int, rare: int, found: int, many: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_data, "_MANY_BLOCKS", many)
    number = card_number(4, 16)
    ask(
        database_url,
        "CREATE TABLE places AS SELECT 'The United States' AS place FROM generate_series(1, 1000)",
        f"INSERT INTO places SELECT 'Call {number if common else 'us, all of you'}' FROM generate_series(1, 900)",
        f"INSERT INTO places VALUES ('At {number if rare else 'home, where else'}')",
        "ANALYZE places",
    )
    common_values = ask(database_url, "SELECT most_common_vals::text FROM pg_stats WHERE tablename = 'places'")
    assert "Call" in common_values
    assert "At" not in common_values
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        result = _searched(cursor)
    assert result.passed is not bool(found)
    assert (f"public.places.place ({found} values)" in result.detail) is bool(found)


def test_a_relation_whose_rows_are_proven_is_not_searched_again(database_url: str) -> None:
    ask(
        database_url,
        f"CREATE TABLE places AS SELECT '{card_number(4, 16)}' AS place",
        "CREATE TABLE copied AS SELECT place FROM places",
    )
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        result = _searched(cursor, {Relation("public", "copied")})
    assert "public.places.place (1 values)" in result.detail
    assert "copied" not in result.detail


def test_of_an_untouched_relation_a_stretch_is_searched_for_card_numbers(database_url: str) -> None:
    _make_places(database_url, 4000, "number > 0")
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        assert _hits(_searched(cursor)) == 4000
        hits = [_hits(_searched(cursor, intact={Relation("public", "places")}, turn=turn)) for turn in (0, 20, None)]
    assert 0 < hits[0] == hits[1]
    assert max(hits) < 2 * 4000 / card_data.STRETCHES


@pytest.mark.parametrize("rows", [1, 100, 4000])
@pytest.mark.parametrize("at", [0, 0.5, 1])
def test_each_stretch_of_an_untouched_relation_has_its_turn(rows: int, at: float, database_url: str) -> None:
    _make_places(database_url, rows, f"number = {max(int(rows * at), 1)}")
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        turns = range(7, 7 + card_data.STRETCHES)
        hits = [_hits(_searched(cursor, intact={Relation("public", "places")}, turn=turn)) for turn in turns]
    assert any(hits)
    assert all(hits) is (rows == 1)


def test_relations_of_one_shape_are_told_apart(database_url: str) -> None:
    """They are searched by one query."""
    text = "'{}' AS first, '{}' AS second, 1 AS number"
    ask(
        database_url,
        f"CREATE TABLE one AS SELECT {text.format('harmless', card_number(1))}",
        f"CREATE TABLE other AS SELECT {text.format('a' * 40, '0123456789abcdef' * 2)}",
        f"CREATE TABLE third AS SELECT {text.format(card_number(2), card_number(3))}",
        "ALTER TABLE third ALTER first TYPE varchar(40)",
    )
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        found = sum((task(cursor) for task in card_data.plan(cursor)), Counter())
    assert {place: found[place] for place in found if place[0] == "public"} == {
        ("public", "one", "second"): 1,
        ("public", "third", "first"): 1,
        ("public", "third", "second"): 1,
    }


def _make_places(database_url: str, rows: int, has_number: str) -> None:
    """A table with about ten rows a block, some of them with a card number."""
    number = f"CASE WHEN {has_number} THEN '{card_number(4, 16)}' ELSE '' END"
    ask(
        database_url,
        f"CREATE TABLE places AS SELECT {number} || repeat(' United States', 50) AS place"
        f" FROM generate_series(1, {rows}) AS number",
    )


def _searched(cursor: Cursor, *arguments: Any, **named: Any) -> Result:
    return card_data.summed_up(cursor, [task(cursor) for task in card_data.plan(cursor, *arguments, **named)])


def _hits(result: Result) -> int:
    found = re.search(r"public\.places\.place \((\d+) values\)", result.detail)
    return int(found[1]) if found else 0
