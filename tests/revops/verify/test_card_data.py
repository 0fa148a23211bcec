"""What `revops verify` takes for a card number, and where it looks for one."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from meshkeys.catalog import Relation
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
def test_a_card_number_is_found_however_common_it_is(common: int, rare: int, found: int, database_url: str) -> None:
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
        result = card_data.check(cursor)
    assert result.passed is not bool(found)
    assert (f"public.places.place ({found} values)" in result.detail) is bool(found)


def test_a_relation_whose_rows_are_proven_is_not_searched_again(database_url: str) -> None:
    ask(
        database_url,
        f"CREATE TABLE places AS SELECT '{card_number(4, 16)}' AS place",
        "CREATE TABLE copied AS SELECT place FROM places",
    )
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        result = card_data.check(cursor, {Relation("public", "copied")})
    assert "public.places.place (1 values)" in result.detail
    assert "copied" not in result.detail


def test_of_an_untouched_relation_a_stretch_is_searched_for_card_numbers(database_url: str) -> None:
    ask(
        database_url,
        "CREATE TABLE places AS SELECT repeat('The United States ', 40) AS place FROM generate_series(1, 2000)",
        f"UPDATE places SET place = '{card_number(4, 16)}'",
        "VACUUM FULL places",
    )
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        counts = []
        for intact in (set(), {Relation("public", "places")}):
            detail = card_data.check(cursor, frozenset(), intact).detail
            counts.append(int(detail.split("public.places.place (")[1].split(" ")[0]))
    assert counts[0] == 2000
    assert 0 < counts[1] < 2000
