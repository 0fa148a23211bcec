"""What a plan without evaluations leaves as up to date as it was, on notes as a plan makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from foundation import ops
from revops.ledger import ledger, models
from revops.ledger.graph import Node


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    """On a database in which nothing is noted."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as made:
        connection.autocommit = True
        ops.create_for_builds(made)
        yield made


TODAY = date(2026, 11, 27)


def nodes_with(users: str) -> list[Node]:
    """Users in one version of their table or another, and what keeps its table over them: one made whole, one of days."""
    return [
        Node("dimensions.users", users, by_days=False, parents=("raw.users",)),
        Node("dimensions.cards", "physical.cards_1", by_days=False, parents=("dimensions.users",)),
        Node("facts.seen", f"{users}_seen", by_days=True, parents=("raw.seen",)),
        Node("facts.paid", "physical.paid_1", by_days=True, parents=("facts.seen",)),
    ]


def evaluate(cursor: Cursor, *relations: str) -> None:
    for relation in relations:
        by_days = relation.endswith(("_seen", "paid_1"))
        cursor.execute(
            "INSERT INTO ops.evaluations (relation, starts_on, ends_on) VALUES (%s, %s, %s)",
            (relation, *((ledger.FIRST_DAY, TODAY) if by_days else (None, None))),
        )


def note_change(cursor: Cursor, relation: str, day: date) -> None:
    ops.create_for_landings(cursor)
    cursor.execute(
        "INSERT INTO ops.changes (relation, starts_on, ends_before, cause) VALUES (%s, %s, %s::date + 1, 'landed')",
        (relation, day, day),
    )


def test_what_is_kept_while_its_parent_moves_is_as_up_to_date_as_it_was(cursor: Cursor) -> None:
    late = date(2013, 5, 2)
    before, now = nodes_with("physical.users_1"), nodes_with("physical.users_2")
    evaluate(cursor, "physical.users_1", "physical.users_1_seen", "physical.cards_1", "physical.paid_1")
    note_change(cursor, "raw.seen", late)
    evaluate(cursor, "physical.users_2", "physical.users_2_seen")
    found = ledger.read(cursor, now, TODAY)
    assert found.whole == {"dimensions.cards"}
    assert len(found.days["facts.paid"]) > 1000
    models._record_kept_readers(cursor, before, {node.model: node for node in now})
    assert ledger.read(cursor, now, TODAY) == ledger.OutOfDate({"facts.paid": [late]}, frozenset())


def test_what_was_out_of_date_before_its_parent_moved_still_is(cursor: Cursor) -> None:
    before, now = nodes_with("physical.users_1"), nodes_with("physical.users_2")
    evaluate(cursor, "physical.users_1", "physical.cards_1")
    note_change(cursor, "raw.users", date(2013, 5, 2))
    evaluate(cursor, "physical.users_2", "physical.users_2_seen", "physical.paid_1")
    models._record_kept_readers(cursor, before, {node.model: node for node in now})
    assert ledger.read(cursor, now, TODAY).whole == {"dimensions.cards"}
