"""One value and one row are told from none, and a relation is there under exactly its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from foundation.queries import first_row, one_row, relations_exist, scalar


@pytest.fixture
def cursor(database_url: str) -> Iterator[Cursor]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as opened:
        yield opened


def test_a_query_without_a_row_has_no_value(cursor: Cursor) -> None:
    assert scalar(cursor, "SELECT 1 WHERE false") is None
    assert scalar(cursor, "SELECT NULL") is None
    assert scalar(cursor, "SELECT %s + 1, 'the second'", (1,)) == 2
    assert scalar(cursor, "SELECT '100 %'") == "100 %"


def test_the_first_row_may_be_missing_and_the_one_row_may_not(cursor: Cursor) -> None:
    assert first_row(cursor, "SELECT 1, 2 WHERE false") is None
    assert first_row(cursor, "VALUES (1, 2), (3, 4)") == (1, 2)
    assert one_row(cursor, "SELECT count(*), max(oid) FROM pg_class WHERE false") == (0, None)
    with pytest.raises(AssertionError):
        one_row(cursor, "SELECT 1 WHERE false")


def test_relations_exist_when_all_of_them_do(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE public.one (); CREATE VIEW public.other AS SELECT 1")
    assert relations_exist(cursor, "public.one", "public.other")
    assert not relations_exist(cursor, "public.one", "public.neither")
    assert not relations_exist(cursor, "nowhere.one")
