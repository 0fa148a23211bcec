"""Whose turn it is, of days that nothing was noted about."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from unittest.mock import MagicMock

import psycopg2
import pytest

from foundation import ops
from loaders import postgres
from meshkeys.catalog import Relation
from revops.verify import written


@pytest.mark.unit
@pytest.mark.parametrize("first", [date(2000, 1, 1), date(2010, 1, 1), date(2019, 10, 30)])
def test_each_day_has_its_turn_once_in_so_many_runs(first: date) -> None:
    last = date(2026, 11, 26)
    seen: list[date] = []
    for turn in range(7, 7 + written.RUNS):
        for start, end in written.share(turn, first, last):
            seen += [start + timedelta(days=i) for i in range((end - start).days + 1)]
    assert sorted(seen) == [first + timedelta(days=i) for i in range((last - first).days + 1)]


@pytest.mark.unit
def test_a_day_keeps_its_turn_when_history_grows() -> None:
    day = date(2015, 3, 1)
    before = [turn for turn in range(written.RUNS) if written.share(turn, day, day)]
    for last in (date(2015, 3, 2), date(2030, 1, 1)):
        spans = written.share(before[0], date(2000, 1, 1), last)
        assert any(start <= day <= end for start, end in spans)


def test_what_prod_shows_no_more_is_told_from_what_it_shows(database_url: str) -> None:
    relations = ("a.old", "a.now", "raw.transactions")
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        postgres.create_tables(connection)
        ops.create_for_builds(cursor)
        for relation in relations:
            cursor.execute("INSERT INTO ops.sealed (relation, up_to) VALUES (%s, 1)", (relation,))
        model = MagicMock(physical=Relation("a", "now"))
        model.declared.materialized_view = None
        assert written.superseded(cursor, {"a.model": model}) == {Relation("a", "old")}
        connection.rollback()
