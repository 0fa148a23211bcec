"""Each form that PostgreSQL and Spark read differently, as it is written for Spark."""

from __future__ import annotations

from typing import Any

import pytest
import sqlglot
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify_columns import qualify_columns

from revops.engines.portable import for_spark

pytestmark = pytest.mark.unit

SCHEMA = {
    "t": {
        "day": "date",
        "other": "date",
        "at": "timestamp",
        "n": "int",
        "amount": "decimal(12, 2)",
        "text": "text",
        "digits": "text",
    }
}


def written(query: str) -> str:
    tree: Any = sqlglot.parse_one(query, dialect="postgres")
    tree = annotate_types(qualify_columns(tree, schema=SCHEMA), schema=SCHEMA)  # as SQLMesh does when it renders
    return str(for_spark(tree).sql("spark"))


def test_days_between_dates_are_told_by_their_casts_where_nobody_has_typed_them() -> None:
    tree = sqlglot.parse_one("SELECT 1 FROM t WHERE CAST(day AS DATE) - CAST(other AS DATE) < 7", dialect="postgres")
    expected = "SELECT 1 FROM t WHERE DATEDIFF(CAST(day AS DATE), CAST(other AS DATE)) < 7"
    assert for_spark(tree).sql("spark") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "SELECT CASE WHEN PG_INPUT_IS_VALID(text, 'int') THEN CAST(text AS INT) END AS x FROM t",
            "SELECT CASE WHEN (NOT TRY_CAST(t.text AS INT) IS NULL) THEN TRY_CAST(t.text AS INT) END AS x FROM t",
        ),
        (
            "SELECT CASE WHEN PG_INPUT_IS_VALID(text, 'TIMESTAMP') THEN CAST(text AS TIMESTAMP) END AS x FROM t",
            "SELECT CASE WHEN (NOT TRY_CAST(t.text AS TIMESTAMP_NTZ) IS NULL) THEN TRY_CAST(t.text AS TIMESTAMP_NTZ) END AS x"
            " FROM t",
        ),
        ("SELECT CAST(n AS TEXT) AS x FROM t", "SELECT CAST(t.n AS STRING) AS x FROM t"),
        ("SELECT CAST(at AS TIMESTAMPTZ) AS x FROM t", "SELECT CAST(t.at AS TIMESTAMP_LTZ) AS x FROM t"),
        ("SELECT EXTRACT(EPOCH FROM at) AS x FROM t", "SELECT UNIX_TIMESTAMP(t.at) AS x FROM t"),
        ("SELECT day - other AS x FROM t", "SELECT DATEDIFF(t.day, t.other) AS x FROM t"),
        ("SELECT MAX(day) - MIN(day) AS x FROM t", "SELECT DATEDIFF(MAX(t.day), MIN(t.day)) AS x FROM t"),
        ("SELECT n - 1 AS x FROM t", "SELECT t.n - 1 AS x FROM t"),
        (
            "SELECT at < day + INTERVAL '6 HOURS' AS x FROM t",
            "SELECT t.at < CAST(t.day AS TIMESTAMP_NTZ) + INTERVAL '6' HOURS AS x FROM t",
        ),
        ("SELECT day + INTERVAL '1 MONTH' AS x FROM t", "SELECT t.day + INTERVAL '1' MONTH AS x FROM t"),
        (
            "SELECT COUNT(*) FILTER(WHERE n > 1) OVER (PARTITION BY day) AS x FROM t",
            "SELECT COUNT(CASE WHEN t.n > 1 THEN 1 END) OVER (PARTITION BY t.day) AS x FROM t",
        ),
        (
            "SELECT COUNT(DISTINCT day) AS d, SUM(amount) FILTER(WHERE n > 1) AS x, SUM(n) AS y FROM t",
            "SELECT COUNT(DISTINCT t.day) AS d, CAST(SUM(t.amount) FILTER(WHERE t.n > 1) AS DECIMAL(38, 2)) AS x,"
            " SUM(t.n) AS y FROM t",
        ),
        ("SELECT SUM(amount) AS x FROM t", "SELECT SUM(t.amount) AS x FROM t"),
        (
            "SELECT 'all' AS k, COUNT(*) AS x FROM t UNION ALL SELECT text AS k, COUNT(*) AS x FROM t GROUP BY text",
            "SELECT 'all' AS k, COUNT(*) AS x FROM t UNION ALL SELECT t.text AS k, NULLIF(COUNT(*), 0) AS x FROM t"
            " GROUP BY t.text",
        ),
        (
            "SELECT SUM(n) FILTER(WHERE n > 1) AS x FROM t",
            "SELECT SUM(t.n) FILTER(WHERE t.n > 1) AS x FROM t",
        ),
    ],
)
def test_is_written_for_spark_with_the_same_meaning(query: str, expected: str) -> None:
    assert written(query) == expected


def test_words_begin_after_whatever_is_no_letter_or_digit() -> None:
    found = written("SELECT INITCAP(text) AS x FROM t")
    assert found == (
        "SELECT REPLACE(INITCAP(REGEXP_REPLACE(t.text, '([^0-9A-Za-zÀ-ÖØ-öø-ɏ])', '$1\ue000 ')), '\ue000 ', '') AS x FROM t"
    )


def test_only_the_cast_that_a_check_guards_may_fail_in_silence() -> None:
    query = "SELECT PG_INPUT_IS_VALID(text, 'int') AS x, CAST(text AS INT) AS y, CAST(digits AS INT) AS z FROM t"
    assert "TRY_CAST(t.text AS INT) AS y, CAST(t.digits AS INT) AS z" in written(query)


def test_a_series_in_from_is_exploded() -> None:
    query = """
    SELECT s.value AS x
    FROM GENERATE_SERIES(CAST('2000-01-01' AS DATE), CAST('2000-01-03' AS DATE), INTERVAL '1 DAY') AS s(value)
    """
    found = str(for_spark(sqlglot.parse_one(query, dialect="postgres")).sql("spark"))
    assert found == (
        "SELECT s.value AS x FROM (SELECT EXPLODE(SEQUENCE(CAST('2000-01-01' AS DATE), CAST('2000-01-03' AS DATE),"
        " INTERVAL '1' DAY)) AS `value`) AS s"
    )


def test_rows_of_a_lateral_function_are_a_lateral_view() -> None:
    query = """
    SELECT found.runs[1] AS run, places.place FROM t
    CROSS JOIN LATERAL REGEXP_MATCHES(t.text, '(?<![0-9])[0-9]{3}(?![0-9])', 'g') AS found(runs)
    CROSS JOIN LATERAL GENERATE_SERIES(0, 3) AS places(place)
    """
    found = str(for_spark(sqlglot.parse_one(query, dialect="postgres")).sql("spark"))
    assert "SELECT found.runs AS run, places.place FROM t" in found
    assert "LATERAL VIEW EXPLODE(REGEXP_EXTRACT_ALL(t.text, '[0-9]{3}', 0)) found AS runs" in found
    assert "LATERAL VIEW EXPLODE(SEQUENCE(0, 3)) places AS place" in found


def test_the_statement_itself_is_left_as_it_was() -> None:
    tree = sqlglot.parse_one("SELECT CAST(x AS TIMESTAMP) FROM t", dialect="postgres")
    before = tree.sql("postgres")
    for_spark(tree)
    assert tree.sql("postgres") == before
