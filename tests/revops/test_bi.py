"""Files for BI tools: each column, key and measure in them is there in a built warehouse, and says what SQL says."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from click.testing import CliRunner
from sqlglot import exp, parse_one
from sqlmesh.utils.yaml import load as load_yaml

from foundation.errors import CheckFailed
from revops import bi, cli, sqlmesh_project
from revops import settings as revops_settings
from revops.bi import measures, powerbi, star, superset
from revops.bi.measures import MEASURES, in_sql
from revops.bi.star import Star, Where
from tests.conftest import ROOT, RunningServer
from tests.oracle import built
from tests.oracle.built import Built

SUMMARY = "serving.monthly_executive_summary"
FACT = "serving.fct_transaction"
ELSEWHERE = Where("db.example", 6543, "warehouse", "alice")
# A property of TMDL, or the head of an object.
TMDL = re.compile(
    r"(?:///? .+|(?:table|column|partition|measure|relationship|expression|model|database|ref table)\b.*"
    r"|\w+(?:: .+| =)?)$"
)


@pytest.fixture(scope="module")
def warehouse(server: RunningServer) -> Built:
    return built.generated(server)


@pytest.fixture(scope="module")
def of(warehouse: Built) -> Star:
    with warehouse.as_revops() as settings:
        return star.read(settings)


@pytest.fixture(scope="module")
def files(of: Star) -> dict[str, bytes]:
    return dict(bi.files(of, ELSEWHERE))


def by_month(warehouse: Built, expressions: dict[str, str], source: str = FACT) -> list[dict[str, Any]]:
    """The value of each expression in each month, asked as the analyst."""
    selected = ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())
    with closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE revops_analyst")
        cursor.execute(
            f"SELECT date_trunc('month', transacted_on)::date AS month_start, {selected} FROM {source} GROUP BY 1 ORDER BY 1"
        )
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def columns_of(warehouse: Built, table: str) -> list[str]:
    found = warehouse.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'serving'"
        f" AND table_name = '{table}' ORDER BY ordinal_position"
    )
    return [row["column_name"] for row in found]


def test_the_star_is_one_fact_and_all_its_keys_lead_to_a_dimension(warehouse: Built, of: Star) -> None:
    assert of.fact.name == "fct_transaction"
    assert [table.name for table in of.dimensions] == [
        "dim_card", "dim_category", "dim_client", "dim_date", "dim_merchant", "dim_place",
    ]  # fmt: skip
    led_to = {each.dimension for each in of.relationships if each.is_active}
    assert led_to == {table.name for table in of.dimensions}
    assert of.day == "transacted_on"
    for table in of.tables:
        assert [column.name for column in table.columns] == columns_of(warehouse, table.name)


def test_each_key_is_unique_and_each_row_has_its_partner(warehouse: Built, of: Star) -> None:
    for table in of.tables:
        (found,) = warehouse.rows(
            f"SELECT count(*) AS rows, count(DISTINCT {table.key}) AS keys FROM serving.{table.name}"
        )
        assert found["rows"] == found["keys"] > 0, table.name
    assert len(of.relationships) > len(of.dimensions)
    for each in of.relationships:
        alone = warehouse.rows(
            f"SELECT count(*) AS rows FROM serving.{each.table} AS many WHERE NOT EXISTS (SELECT FROM"
            f" serving.{each.dimension} AS one WHERE one.{each.key} = many.{each.column})"
        )
        assert alone == [{"rows": 0}], each


def test_a_reference_that_leads_nowhere_is_refused(of: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    def model(name: str, grain: str, *references: str) -> SimpleNamespace:
        parsed = [SimpleNamespace(name=each, columns=[each]) for each in (grain, *references)]
        return SimpleNamespace(
            tags=["star"], grains=[parse_one(grain)], all_references=parsed, description="", columns_to_types={}
        )

    found = {"serving.fct_x": model("fct_x", "x_id", "y_id"), "serving.dim_z": model("dim_z", "z_id")}
    context = SimpleNamespace(models=found, close=lambda: None)
    monkeypatch.setattr(sqlmesh_project, "context", lambda settings: context)
    with pytest.raises(CheckFailed, match="fct_x references y_id, the key of no dimension"):
        star.read(revops_settings.load({}, ROOT))
    del found["serving.fct_x"]
    with pytest.raises(CheckFailed, match="have 0"):
        star.read(revops_settings.load({}, ROOT))


def test_each_measure_is_what_the_report_of_its_name_says_of_each_month(warehouse: Built) -> None:
    reported = columns_of(warehouse, "monthly_executive_summary")
    names = [measure.name for measure in MEASURES]
    assert set(names) - set(reported) == {"approval_rate_bp"}
    found = by_month(warehouse, {measure.name: in_sql(measure) for measure in MEASURES})
    for row in found:
        by_hand = Decimal(10000) * row["approved_count"] / row["transaction_count"]
        assert row.pop("approval_rate_bp") == round(by_hand, 2)
    shown = ", ".join(name for name in names if name in reported)
    expected = warehouse.rows(f"SELECT month_start, {shown} FROM {SUMMARY} ORDER BY month_start")
    assert len(expected) > 100
    assert found == expected


def test_only_what_a_measure_sums_may_be_summed(of: Star) -> None:
    assert {column.name for column in of.fact.columns} >= measures.ADDITIVE
    kept = [column.name for column in of.fact.columns if column.type == "DECIMAL"]
    assert set(kept) - measures.ADDITIVE == {"amount"}, "of attempts, and no volume"


def test_superset_gets_a_dataset_whose_query_and_metrics_run_and_no_password(
    warehouse: Built, files: dict[str, bytes]
) -> None:
    with zipfile.ZipFile(io.BytesIO(files[f"superset/{superset.ARCHIVE}"])) as archive:
        texts = {name.removeprefix("warehouse/"): archive.read(name) for name in archive.namelist()}
    assert texts == {
        name.removeprefix("superset/"): content
        for name, content in files.items()
        if name.startswith("superset/") and not name.endswith(".zip")
    }
    metadata, database, dataset = (
        load_yaml(texts[name].decode(), render_jinja=False)
        for name in ("metadata.yaml", "databases/warehouse.yaml", "datasets/warehouse/card_transactions.yaml")
    )
    assert metadata["type"] == "SqlaTable"
    assert database["sqlalchemy_uri"] == "postgresql+psycopg2://alice:XXXXXXXXXX@db.example:6543/warehouse"
    assert dataset["database_uuid"] == database["uuid"]
    source = f"({dataset['sql']}) AS virtual"
    with closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {source} LIMIT 0")
        names = [column.name for column in cursor.description or ()]
    assert [column["column_name"] for column in dataset["columns"]] == names
    assert len(set(names)) == len(names)
    assert next(column for column in dataset["columns"] if column["column_name"] == dataset["main_dttm_col"])["is_dttm"]
    metrics = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
    assert list(metrics) == [measure.name for measure in MEASURES]
    assert by_month(warehouse, metrics, source) == by_month(warehouse, {m.name: in_sql(m) for m in MEASURES})


def in_sql_of_cube(model: dict[str, Any], name: str) -> str:
    """What Cube makes of a measure, as its documentation says."""
    measure = next(each for each in model["measures"] if each["name"] == name)
    filters = " AND ".join(f"({each['sql']})" for each in measure.get("filters", ()))
    rows = f" FILTER (WHERE {filters})" if filters else ""
    inner = measure.get("sql", "*")
    made = {
        "sum": f"SUM({inner}){rows}",
        "count": f"COUNT(*){rows}",
        "count_distinct": f"COUNT(DISTINCT {inner}){rows}",
    }
    text = made.get(measure["type"], inner).replace("{CUBE}.", "")
    return re.sub(r"\{(\w+)\}", lambda found: in_sql_of_cube(model, found[1]), text)


def test_cube_gets_cubes_whose_sql_runs(warehouse: Built, of: Star, files: dict[str, bytes]) -> None:
    cubes = {
        cube["name"]: cube
        for cube in load_yaml(files["cube/model/warehouse.yml"].decode(), render_jinja=False)["cubes"]
    }
    assert list(cubes) == [table.name for table in of.tables]
    for table in of.tables:
        cube = cubes[table.name]
        assert [each["name"] for each in cube["dimensions"] if each.get("primary_key")] == [table.key]
        shown = ", ".join(each["sql"].replace("{CUBE}.", "") for each in cube["dimensions"])
        assert warehouse.rows(f"SELECT {shown} FROM {cube['sql_table']} LIMIT 1")
    fact = cubes[of.fact.name]
    for join in fact["joins"]:
        condition = join["sql"].replace("{CUBE}", "own").replace(f"{{{join['name']}}}", "other")
        counted = f"SELECT count(*) AS rows FROM {fact['sql_table']} AS own"
        joined = f"{counted} JOIN {cubes[join['name']]['sql_table']} AS other ON {condition}"
        assert warehouse.rows(joined) == warehouse.rows(counted)
    found = by_month(warehouse, {measure.name: in_sql_of_cube(fact, measure.name) for measure in MEASURES})
    expected = by_month(warehouse, {measure.name: in_sql(measure) for measure in MEASURES})
    assert [{name: value or 0 for name, value in row.items()} for row in found] == [
        {name: value or 0 for name, value in row.items()} for row in expected
    ]


def objects(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each line of TMDL with the heads above it; a line may be one level deeper than the one before, M apart."""
    heads: list[str] = []
    in_m = False
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip("\t"))
        content = line.strip()
        if not content or (in_m and depth > 2):
            continue
        in_m = content == "source ="
        assert TMDL.match(content), line
        assert depth <= len(heads), line
        del heads[depth:]
        yield tuple(heads), content
        if not content.startswith("///"):
            heads.append(content)


def test_power_bi_gets_a_model_whose_tables_columns_relationships_and_measures_are_there(
    of: Star, files: dict[str, bytes]
) -> None:
    folder = f"powerbi/{powerbi.MODEL}/definition"
    parsed = {
        name.removeprefix(f"{folder}/"): list(objects(content.decode()))
        for name, content in files.items()
        if name.endswith(".tmdl")
    }
    assert set(parsed) == {
        "database.tmdl", "model.tmdl", "expressions.tmdl", "relationships.tmdl",
        *(f"tables/{table.name}.tmdl" for table in of.tables),
    }  # fmt: skip
    assert [line for _, line in parsed["model.tmdl"] if line.startswith("ref")] == [
        f"ref table {table.name}" for table in of.tables
    ]
    for table in of.tables:
        lines = parsed[f"tables/{table.name}.tmdl"]
        names = [
            line.removeprefix("column ") for heads, line in lines if len(heads) == 1 and line.startswith("column ")
        ]
        assert names == [column.name for column in table.columns]
        for name in names:
            own = {line for heads, line in lines if heads[1:] == (f"column {name}",)}
            assert f"sourceColumn: {name}" in own
            summed = table is of.fact and name in measures.ADDITIVE
            assert f"summarizeBy: {'sum' if summed else 'none'}" in own, name
    ends = [
        (heads, *line.removeprefix(f"{side}Column: ").split("."))
        for side in ("from", "to")
        for heads, line in parsed["relationships.tmdl"]
        if line.startswith(side)
    ]
    assert len(ends) == 2 * len(of.relationships)
    known = {(table.name, column.name) for table in of.tables for column in table.columns}
    assert {(table, column) for _, table, column in ends} <= known
    active = [each for each in parsed["relationships.tmdl"] if each[1] == "isActive: false"]
    assert len(active) == len(of.relationships) - len(of.dimensions)


def test_dax_refers_to_columns_and_measures_that_are_there(of: Star) -> None:
    labels = {measure.label for measure in MEASURES}
    assert len(labels) == len(MEASURES)
    names = {column.name for column in of.fact.columns}
    for measure in MEASURES:
        text = measures.in_dax(measure, of.fact.name)
        assert text.count("(") == text.count(")")
        read = re.findall(r"(\w*)\[([^\]]+)\]", text)
        assert {column for table, column in read if table} <= names
        assert {label for table, label in read if not table} <= labels
        assert read or text == f"COUNTROWS ( {of.fact.name} )"
        in_dax = {column for table, column in read if table}
        if not isinstance(measure.computed, measures.Ratio):
            assert in_dax == {
                column.name for column in parse_one(in_sql(measure), read="postgres").find_all(exp.Column)
            }


def test_power_bi_connects_to_the_server_as_it_is_reached(files: dict[str, bytes]) -> None:
    (connection,) = json.loads(files["powerbi/warehouse.pbids"])["connections"]
    assert connection["details"]["protocol"] == "postgresql"
    assert connection["details"]["address"] == {"server": "db.example:6543", "database": "warehouse"}
    assert '"db.example:6543"' in files[f"powerbi/{powerbi.MODEL}/definition/expressions.tmdl"].decode()


def test_the_same_project_gives_the_same_bytes(of: Star, files: dict[str, bytes]) -> None:
    assert dict(bi.files(of, ELSEWHERE)) == files


def test_the_command_writes_them_and_says_where_it_cannot(
    warehouse: Built, files: dict[str, bytes], tmp_path: Path
) -> None:
    with warehouse.as_revops(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DB_CONNECTION_STRING", warehouse.url)
        arguments = ["--host", "db.example", "--port", "6543", "--login", "alice"]
        done = CliRunner().invoke(cli.cli, ["bi", "--out", str(tmp_path / "bi"), *arguments])
        assert done.exit_code == 0, done.output
        written = {
            path.relative_to(tmp_path / "bi").as_posix(): path.read_bytes()
            for path in (tmp_path / "bi").rglob("*")
            if path.is_file()
        }
        database = warehouse.url.rpartition("/")[2].encode()
        assert set(written) == set(files)
        assert b"6543/" + database in written["superset/databases/warehouse.yaml"]
        (tmp_path / "taken").write_text("")
        refused = CliRunner().invoke(cli.cli, ["bi", "--out", str(tmp_path / "taken" / "bi")])
        assert refused.exit_code != 0
        assert "Cannot write" in str(refused.exception)
