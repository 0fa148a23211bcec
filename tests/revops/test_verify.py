"""What `revops verify` takes for a card number."""

from __future__ import annotations

import itertools
from contextlib import closing
from decimal import Decimal
from unittest.mock import Mock

import psycopg2
import pytest

from revops import verify
from revops.verify import _shows_card_number
from tests.loaders.made import card_number
from tests.revops.processes import ask

NUMBER = card_number(1)
GROUPED = " ".join(NUMBER[i : i + 4] for i in range(0, 16, 4))


@pytest.mark.unit
@pytest.mark.parametrize("text", [NUMBER, f"call {NUMBER}", GROUPED, f'{{"name": "{NUMBER}"}}', card_number(2, 13)])
@pytest.mark.parametrize("is_sqlmeshs", [True, False])
def test_what_passes_luhn_is_one_wherever_it_stands(text: str, is_sqlmeshs: bool) -> None:
    assert _shows_card_number(text, is_sqlmeshs)


@pytest.mark.unit
def test_what_only_begins_like_a_published_number_is_one_in_our_own_relations() -> None:
    for seed in range(5):
        like_one = "4" + card_number(seed, 15)[1:] + "0"
        other = card_number(seed, 16, luhn=False)
        assert _shows_card_number(like_one, False)
        assert not _shows_card_number(other, False)
        assert not _shows_card_number(other, True)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("raw", "facts", "quarantined", "passes"),
    [(10, 7, 3, True), (10, 0, 10, False), (10, 7, 2, False), (0, 0, 0, True), (10, 10, 0, True)],
)
def test_a_warehouse_in_which_no_transaction_can_be_used_does_not_pass(
    raw: int, facts: int, quarantined: int, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {"facts.fct_transactions": facts, "quality.quarantined_transactions": quarantined}
    monkeypatch.setattr(verify, "_landed", lambda cursor: {1: (raw, Decimal(0))})
    monkeypatch.setattr(verify, "_files", lambda cursor, landed: verify.Result("files", True, ""))
    monkeypatch.setattr(verify, "_rows_and_dollars", lambda cursor, relation: (counted[relation], Decimal(0)))
    cursor = Mock(**{"fetchall.return_value": [("transactions", 1)]})
    _, found, *_ = itertools.islice(verify._accounted(cursor), 2)
    assert (found.name, found.passed) == ("raw = facts + quarantine", passes)
    assert ("not one transaction" in found.detail) is (raw > 0 and facts == 0)


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
    assert not any(_shows_card_number(text, is_sqlmeshs) for text in texts)


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
        (result,) = verify._card_data(cursor)
    assert result.passed is not bool(found)
    assert (f"public.places.place ({found} values)" in result.detail) is bool(found)
