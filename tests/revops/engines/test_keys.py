"""Declared keys, checked by queries: each kind of violation is counted, and sound rows pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from sqlglot import exp
from sqlmesh.core.dialect import parse
from sqlmesh.core.model import load_sql_based_model

import meshkeys
from foundation.errors import CheckFailed
from revops.declared import SETTINGS
from revops.engines import keys

pytestmark = pytest.mark.unit

BY_DAY = """
MODEL (name facts.uses, kind INCREMENTAL_BY_TIME_RANGE (time_column used_on), dialect postgres);
SELECT use_id, card_id, used_on FROM dimensions.cards;
@primary_key(use_id);
@foreign_key(card_id, dimensions.cards, card_id)
"""
SOUND = "(1, 10, DATE '2020-01-01'), (2, 10, DATE '2020-01-02'), (3, NULL, DATE '2020-01-02')"
OF_THE_SECOND = ("2020-01-02", "2020-01-02")


class Evaluator:
    """What a check asks of SQLMesh's macro evaluator: an adapter that runs a query, and the tables as they are named."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self.database = database
        self.engine_adapter = self

    def resolve_tables(self, query: Any) -> Any:
        return query

    def fetchone(self, query: Any) -> Any:
        return self.database.execute(query.sql("duckdb")).fetchone()


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        database.execute("CREATE SCHEMA dimensions; CREATE TABLE dimensions.cards AS SELECT 10 AS card_id")
        yield database


def check(database: duckdb.DuckDBPyConnection, rows: str, days: tuple[str, str] | None) -> None:
    database.execute(f"CREATE TABLE uses AS SELECT * FROM (VALUES {rows}) AS v (use_id, card_id, used_on)")
    meshkeys.register(SETTINGS)  # not the defaults, which later tests of this process would see
    model = load_sql_based_model(parse(BY_DAY, default_dialect="postgres"), dialect="postgres")
    evaluator: Any = Evaluator(database)
    keys.check(evaluator, model, exp.to_table("uses"), days)


@pytest.mark.parametrize("days", [OF_THE_SECOND, None])
def test_sound_rows_pass(database: duckdb.DuckDBPyConnection, days: tuple[str, str] | None) -> None:
    check(database, SOUND, days)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("(2, 10, DATE '2020-01-02')", "1 values of use_id occur more than once"),
        ("(NULL, 10, DATE '2020-01-02')", "1 rows are without use_id"),
        ("(4, 11, DATE '2020-01-02')", "1 rows have a card_id that is not in dimensions.cards"),
        ("(1, 10, DATE '2020-01-02')", "1 values of use_id occur more than once"),  # there already, on another day
    ],
)
def test_a_violation_in_the_evaluated_days_fails(database: duckdb.DuckDBPyConnection, row: str, said: str) -> None:
    with pytest.raises(CheckFailed, match=said):
        check(database, f"{SOUND}, {row}", OF_THE_SECOND)


def test_rows_of_other_days_are_not_looked_at(database: duckdb.DuckDBPyConnection) -> None:
    check(database, f"{SOUND}, (5, 11, DATE '2020-01-01')", OF_THE_SECOND)
