"""The query of one period: tables joined on the period's column are read for its days, and no others."""

from __future__ import annotations

from datetime import date

import pytest
import sqlglot

from meshkeys.periods import Period, bounded

pytestmark = pytest.mark.unit

QUARTER = Period("2015q2", date(2015, 4, 1), date(2015, 7, 1))
BOUNDED = "(SELECT * FROM s.b WHERE day >= CAST('2015-04-01' AS DATE) AND day < CAST('2015-07-01' AS DATE)) AS"


def of_quarter(query: str) -> str:
    return bounded(query, "day", QUARTER)


@pytest.mark.parametrize(
    "joined",
    [
        "b.id = a.id AND b.day = a.day",
        "a.day = b.day AND (a.id = b.id AND b.kind = 'x')",
        "(((a.id = b.id) AND (b.day = a.day)))",
    ],
)
@pytest.mark.parametrize("how", ["LEFT JOIN", "JOIN"])
def test_a_table_joined_on_the_periods_column_is_bounded(how: str, joined: str) -> None:
    contents = of_quarter(f"SELECT a.id, CAST(a.day AS DATE) AS day, b.kind FROM s.a AS a {how} s.b AS b ON {joined}")
    assert contents.count("2015-04-01") == 1
    assert f"FROM s.a AS a {how} {BOUNDED} b ON " in contents


def test_as_postgresql_prints_it_and_with_other_tables() -> None:
    contents = of_quarter(
        "SELECT a.id, a.day FROM"
        " ((s.a a LEFT JOIN s.b ON (((a.id = b.id) AND (b.day = a.day)))) LEFT JOIN s.c ON ((c.id = a.id)))"
    )
    assert f"LEFT JOIN {BOUNDED} b ON" in contents
    assert "LEFT JOIN s.c ON" in contents


def test_each_period_has_its_days_and_the_query_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    parse = sqlglot.parse_one
    monkeypatch.setattr(sqlglot, "parse_one", lambda text, **options: read.append(text) or parse(text, **options))
    query = "SELECT a.day FROM s.a AS a JOIN s.b AS b ON b.day = a.day AND b.kind = 'only of this test'"
    for year in (2013, 2014):
        contents = bounded(query, "day", Period(f"{year}", date(year, 1, 1), date(year + 1, 1, 1)))
        assert f"day >= CAST('{year}-01-01' AS DATE) AND day < CAST('{year + 1}-01-01' AS DATE)" in contents
    assert read.count(query) == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a.id, a.day FROM s.a AS a LEFT JOIN s.b AS b ON b.id = a.id",
        "SELECT a.id, a.day FROM s.a AS a LEFT JOIN s.b AS b ON b.id = a.id OR b.day = a.day",
        "SELECT a.id, a.day FROM s.a AS a LEFT JOIN s.b AS b ON b.id = a.id AND b.day <= a.day",
        "SELECT a.id, a.day FROM s.a AS a LEFT JOIN s.b AS b ON b.id = a.id AND b.day = a.paid_on",
        "SELECT a.id, a.day + 1 AS day FROM s.a AS a LEFT JOIN s.b AS b ON b.id = a.id AND b.day = a.day",
        "WITH a AS (SELECT x.id FROM s.x AS x JOIN s.b AS b ON b.day = a.day) SELECT a.id, a.day FROM s.a AS a",
    ],
)
def test_no_other_table_is(query: str) -> None:
    assert "2015" not in of_quarter(query)
