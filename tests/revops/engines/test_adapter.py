"""The adapter: what would overwrite more than the days asked for is never sent; a query's WITH stays behind INSERT."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from sqlglot import exp, parse_one
from sqlmesh.utils.errors import SQLMeshError

from revops.engines.adapter import SparkAdapter

pytestmark = pytest.mark.unit


class Sent:
    """A cursor that keeps what it is told to execute."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, statement: str, *args: Any) -> None:
        self.statements.append(statement)

    def cursor(self) -> Sent:
        return self

    def close(self) -> None:
        pass


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def adapter(sent: Sent) -> SparkAdapter:
    return SparkAdapter(
        lambda: sent, dialect="spark", default_catalog="lake", catalog_support=None, warehouse="/tables"
    )


def test_insert_overwrite_is_refused_before_it_is_sent(adapter: SparkAdapter, sent: Sent) -> None:
    with pytest.raises(SQLMeshError, match="REPLACE WHERE"):
        adapter.execute(exp.insert(parse_one("SELECT 1 AS x"), "t", overwrite=True))
    assert sent.statements == []


def test_a_range_of_days_is_replaced_in_one_statement(adapter: SparkAdapter, sent: Sent) -> None:
    adapter.insert_overwrite_by_time_partition(
        "facts.t",
        parse_one("WITH a AS (SELECT 1 AS x, CAST('2020-01-02' AS DATE) AS day) SELECT x, day FROM a"),
        start="2020-01-01",
        end="2020-01-03",
        time_formatter=lambda moment, types: exp.cast(exp.Literal.string(str(moment)[:10]), "DATE"),
        time_column="day",
        target_columns_to_types={"x": exp.DataType.build("int"), "day": exp.DataType.build("date")},
    )
    assert len(sent.statements) == 1
    assert sent.statements[0].startswith(
        "INSERT INTO `facts`.`t` REPLACE WHERE `day` BETWEEN CAST('2020-01-01' AS DATE) AND CAST('2020-01-03' AS DATE)"
        " WITH `a` AS"
    )


def test_tables_are_of_delta_and_without_partitions(adapter: SparkAdapter, sent: Sent) -> None:
    adapter.create_table("facts.t", {"day": exp.DataType.build("date")}, partitioned_by=[exp.column("day")])
    assert sent.statements == ["CREATE TABLE IF NOT EXISTS `facts`.`t` (`day` DATE) USING DELTA"]


def test_schemas_are_in_the_warehouse(adapter: SparkAdapter, sent: Sent) -> None:
    adapter.create_schema("facts")
    assert sent.statements == ["CREATE SCHEMA IF NOT EXISTS `facts` LOCATION '/tables/facts.db'"]


class Meeting(Sent):
    """A statement ends once another is under way as well, or after a while alone; notes whether two ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.both = threading.Barrier(2)
        self.met = False

    def execute(self, statement: str, *args: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            self.both.wait(1)
            self.met = True


@pytest.mark.parametrize(("tables", "meet"), [(("facts.t", "facts.t"), False), (("facts.t", "facts.u"), True)])
def test_days_of_one_table_are_written_one_after_the_other(tables: tuple[str, str], meet: bool) -> None:
    meeting = Meeting()
    made = SparkAdapter(
        lambda: meeting, dialect="spark", default_catalog="lake", catalog_support=None, warehouse="/tables"
    )
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                made.execute, (f"/* PLAN: 1 */ INSERT INTO {table} REPLACE WHERE TRUE SELECT 1" for table in tables)
            )
        )
    assert meeting.met is meet
