"""Names fit into PostgreSQL's 63 bytes and stay apart, whatever letters they are made of."""

from __future__ import annotations

import pytest

from meshkeys import names
from meshkeys.catalog import Relation
from meshkeys.declarations import Index

pytestmark = pytest.mark.unit

INDEX, OTHER = Index(("day",)), Index(("day",), include=("amount",))


@pytest.mark.parametrize("name", ["paid__1", "p" * 63, "ü" * 31, "日" * 21, "a" + "😀" * 15])
def test_a_name_fits_and_tells_its_table_and_what_it_is_of(name: str) -> None:
    table = Relation("s", name)
    made = [
        names.of_index(table, INDEX),
        names.of_index(table, OTHER),
        names.of_primary_key(table),
        names.of_foreign_key(table, "user_id"),
        names.of_foreign_key(table, "card_id"),
    ]
    assert max(len(each.encode()) for each in made) <= 63
    assert len(set(made)) == len(made)
    assert names.is_of_ours(table, made[0])
    assert names.is_of_ours(table, made[1])
    assert not names.is_of_ours(table, "theirs")


def test_a_name_that_fits_is_only_joined() -> None:
    assert names.bounded_name("paid__1", "pk") == "paid__1__pk"
    assert names.bounded_name("ü" * 30, "x") == "ü" * 30 + "__x"


def test_digests_are_written_without_a_digit() -> None:
    assert names.in_letters("0123456789abcdef") == "ghijklmnopabcdef"
