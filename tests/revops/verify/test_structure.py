"""Whether two queries are one, as PostgreSQL plans them."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from psycopg2 import sql

from revops.verify import structure

A_QUERY = "(SELECT a.x, b.y || ' a.x' AS y FROM t AS a JOIN u AS b ON b.x = a.x) AS query"


@pytest.mark.parametrize(
    ("other", "is_alike"),
    [
        ("(SELECT t.x, u.y || ' a.x' AS y FROM t JOIN u ON u.x = t.x) AS query", True),
        (
            """(SELECT "T 1".x, "it""s".y || ' a.x' AS y FROM t AS "T 1" JOIN u AS "it""s" ON "it""s".x = "T 1".x) AS q""",
            True,
        ),
        ("(SELECT b.x, a.y || ' a.x' AS y FROM t AS b JOIN u AS a ON a.x = b.x) AS query", True),
        ("(SELECT u.x, u.y || ' a.x' AS y FROM t JOIN u ON u.x = t.x) AS query", False),
        ("(SELECT t.x, u.y || ' t.x' AS y FROM t JOIN u ON u.x = t.x) AS query", False),
        ("(SELECT t.x, u.y || ' a.x' AS y FROM t JOIN u ON u.x = t.x WHERE t.x > 0) AS query", False),
        ("(SELECT t.x, t.y || ' a.x' AS y FROM t JOIN u ON u.x = t.x) AS query", False),
        ("(SELECT a.x, b.y || ' a.x' AS y FROM u AS a JOIN t AS b ON b.x = a.x) AS query", False),
    ],
)
def test_plans_are_alike_whatever_the_relations_are_called(database_url: str, other: str, is_alike: bool) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE t (x INT, y TEXT); CREATE TEMPORARY TABLE u (x INT, y TEXT)")
        one, another = (structure.plan_of(cursor, sql.SQL(query)) for query in (A_QUERY, other))
        assert (one == another) == is_alike
        connection.rollback()
