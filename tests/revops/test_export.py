"""Exports: the right rows and types, no cell that a spreadsheet runs, whole files or none, serving and nothing else."""

from __future__ import annotations

import csv
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import psycopg2
import pytest
from pyarrow import parquet

from foundation.errors import UsageError
from revops import export as exporting
from revops.export import Selection, export
from tests.conftest import ROOT, RunningServer, fresh_database

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
HARMLESS = ["a=b", "", " =1", "'=1", 'a "quoted", cell', "two\nlines", "日本"]
TABLE = """
CREATE SCHEMA serving;
CREATE TABLE serving.things (
    thing_id bigint, label text, amount numeric(12, 2), ratio double precision, is_good boolean, seen_on date,
    seen_at timestamp, noted_at timestamptz, "odd ""name" text, parts text[]);
CREATE VIEW serving.many AS SELECT n AS thing_id, repeat('x', 200) AS label FROM generate_series(1, 400000) AS n;
CREATE TABLE serving.none (thing_id int);
CREATE VIEW serving.failing AS SELECT n, 1 / (n - 300000) AS label FROM generate_series(1, 400000) AS n;
CREATE TABLE public.secret (thing_id int);
CREATE SCHEMA ops;
CREATE TABLE ops.declarations (model text, declared jsonb);
INSERT INTO ops.declarations VALUES
    ('serving.days', '{"primary_key": ["month_start", "b"], "foreign_keys": [], "indexes": [], "materialized_view": null}');
CREATE TABLE serving.days (a int, "b" text, month_start date, transacted_on date);
INSERT INTO serving.days VALUES (1, 'y', '2010-02-01', '2010-01-01'), (2, 'x', '2010-02-01', '2010-01-01'),
    (3, 'z', '2010-01-01', '2010-01-01'), (4, 'z', '2010-03-01', '2010-01-01');
CREATE ROLE export_reader; GRANT USAGE ON SCHEMA serving TO export_reader; GRANT SELECT ON serving.days TO export_reader;
"""
ROW = [
    -5, "x", Decimal("-77.10"), 0.25, True, date(2010, 1, 2), datetime(2010, 1, 2, 3, 4),
    datetime(2010, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "=odd", ["=a", "b"],
]  # fmt: skip


@pytest.fixture(scope="module")
def url(server: RunningServer) -> Iterator[str]:
    with fresh_database(server) as url:
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute(TABLE)
            values = ", ".join(["%s"] * len(ROW))
            cursor.execute(f"INSERT INTO serving.things VALUES ({values})", ROW)
            for text in [*FORMULAS, *HARMLESS, None]:
                cursor.execute("INSERT INTO serving.things (label) VALUES (%s)", (text,))
        connection.close()
        yield url
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute("DROP OWNED BY export_reader; DROP ROLE export_reader")
        connection.close()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_text_that_a_spreadsheet_would_run_is_text_and_numbers_stay_numbers(url: str, tmp_path: Path) -> None:
    out = tmp_path / "things.csv"
    assert export(url, "serving.things", str(out)) == 1 + len(FORMULAS) + len(HARMLESS) + 1
    rows = rows_of(out)
    assert [row["label"] for row in rows[1:-1]] == [*("'" + text for text in FORMULAS), *HARMLESS]
    assert list(rows[0].values()) == [
        "-5", "x", "-77.10", "0.25", "t", "2010-01-02", "2010-01-02 03:04:00", "2010-01-02 03:04:05+00", "'=odd", "{=a,b}",
    ]  # fmt: skip


def test_parquet_keeps_types_values_and_the_difference_of_null_and_empty(url: str, tmp_path: Path) -> None:
    out = tmp_path / "things.parquet"
    assert export(url, "things", str(out)) == 1 + len(FORMULAS) + len(HARMLESS) + 1
    table = parquet.read_table(out)
    assert list(table.to_pylist()[0].values()) == [*ROW[:-1], "{=a,b}"]
    assert table.column("label").to_pylist()[1:] == [*FORMULAS, *HARMLESS, None]
    assert table.column("amount").to_pylist()[1:] == [None] * (len(FORMULAS) + len(HARMLESS) + 1)


@pytest.mark.parametrize("file_format", exporting.FORMATS)
def test_a_relation_without_rows_is_a_file_with_its_columns(url: str, tmp_path: Path, file_format: str) -> None:
    out = tmp_path / "none"
    assert export(url, "none", str(out), file_format) == 0
    assert out.stat().st_size > 0
    assert b"thing_id" in out.read_bytes()


@pytest.mark.parametrize(
    "relation",
    ["public.secret", "secret", "pg_catalog.pg_authid", 'things"; DROP TABLE serving.things; --', "", "a.b.things"],
)
def test_nothing_but_serving_is_exported(url: str, tmp_path: Path, relation: str) -> None:
    with pytest.raises(UsageError, match="no relation of serving"):
        export(url, relation, str(tmp_path / "out.csv"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", exporting.FORMATS)
def test_a_file_is_replaced_whole_or_not_at_all_and_private(url: str, tmp_path: Path, file_format: str) -> None:
    out = tmp_path / f"out.{file_format}"
    export(url, "things", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()
    with pytest.raises(psycopg2.errors.DivisionByZero):
        export(url, "failing", str(out))
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_place_that_cannot_be_written_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        export(url, "things", str(tmp_path / "no" / "out.csv"))


@pytest.mark.parametrize("file_format", exporting.FORMATS)
def test_memory_does_not_grow_with_the_rows(url: str, tmp_path: Path, file_format: str) -> None:
    program = (
        "import resource, sys; from revops.export import export\n"
        "export(sys.argv[1], 'none', sys.argv[2], sys.argv[3]); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(export(sys.argv[1], 'many', sys.argv[2], sys.argv[3]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    command = [sys.executable, "-c", program, url, str(tmp_path / "out"), file_format]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows, grown = map(int, done.stdout.split())
    assert rows == 400_000
    kilobytes = 1024 if sys.platform == "darwin" else 1
    assert grown / kilobytes < 60_000  # the rows are 84 MB of text


def column(path: Path, name: str) -> list[str]:
    return [row[name] for row in rows_of(path)]


def test_rows_come_in_the_order_of_the_key_or_of_named_columns(url: str, tmp_path: Path) -> None:
    out = tmp_path / "days.csv"
    export(url, "days", str(out))
    assert column(out, "a") == ["3", "2", "1", "4"]
    export(url, "days", str(out), selection=Selection(order_by=("b", "-a")))
    assert column(out, "a") == ["2", "1", "4", "3"]


def test_days_are_those_of_the_day_column_and_both_ends_are_included(url: str, tmp_path: Path) -> None:
    out = tmp_path / "days.parquet"
    for since, until, expected in (
        (date(2010, 2, 1), None, [2, 1, 4]),
        (None, date(2010, 2, 1), [3, 2, 1]),
        (date(2010, 2, 1), date(2010, 2, 27), [2, 1]),
    ):
        export(url, "days", str(out), selection=Selection(since, until))
        assert parquet.read_table(out).column("a").to_pylist() == expected
    with pytest.raises(UsageError, match="of no day"):
        export(url, "none", str(out), selection=Selection(since=date(2010, 1, 1)))


def test_columns_are_chosen_by_name_and_names_are_never_sql(url: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    export(url, "things", str(out), selection=Selection(columns=('odd "name', "thing_id"), order_by=('odd "name',)))
    assert list(rows_of(out)[0]) == ['odd "name', "thing_id"]
    out.unlink()
    for selection in (Selection(columns=("a; DROP TABLE serving.days",)), Selection(order_by=("1",))):
        with pytest.raises(UsageError, match=r"has no column '.*'\.\n  It has: a, b, month_start, transacted_on"):
            export(url, "days", str(out), selection=selection)
    assert not out.exists()


def test_an_analyst_who_reads_no_declarations_exports_too(url: str, tmp_path: Path) -> None:
    as_reader = url + "?options=-c%20role%3Dexport_reader"
    assert export(as_reader, "days", str(tmp_path / "out.csv")) == 4


def test_relations_are_listed_with_their_key_and_day(url: str) -> None:
    found = {row.pop("relation"): row for row in exporting.listed(url)}
    assert found["serving.days"] == {"columns": 4, "day": "month_start", "key": "month_start, b"}
    assert found["serving.none"] == {"columns": 1, "day": None, "key": None}


@pytest.mark.unit
@pytest.mark.parametrize(
    ("out", "named", "written"),
    [
        ("-", None, "csv"),
        ("a/b", None, "csv"),
        ("A.CSV", None, "csv"),
        ("b.parquet", None, "parquet"),
        ("x.txt", "csv", "csv"),
    ],
)
def test_the_ending_says_the_format(out: str, named: str | None, written: str) -> None:
    assert exporting.format_of(out, named) == written


@pytest.mark.unit
@pytest.mark.parametrize(("out", "named"), [("x.xlsx", None), ("x.csv.gz", None), ("x.csv", "parquet")])
def test_an_ending_that_is_not_written_is_refused(out: str, named: str | None) -> None:
    with pytest.raises(UsageError, match="ends in"):
        exporting.format_of(out, named)


def test_the_command_writes_to_standard_output_and_refuses_what_is_not_serving(url: str, tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "DB_CONNECTION_STRING": url,
        "REVOPS_HOME": str(tmp_path),
        "REVOPS_ENV_FILE": str(tmp_path / "no.env"),
    }

    def revops(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "loaders", "export", *arguments]
        return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)

    done = revops("none", "--out", "-")
    assert (done.returncode, done.stdout) == (0, "thing_id\n")
    refused = revops("public.secret", "--out", str(tmp_path / "out.csv"))
    assert refused.returncode == UsageError.exit_code
    assert len(refused.stderr.splitlines()) == 2
    assert revops("none", "--out", "out.xlsx").returncode == UsageError.exit_code
    assert revops("none").returncode == UsageError.exit_code
    listed = revops("--list")
    assert (listed.returncode, "serving.days" in listed.stdout) == (0, True)
    ordered = revops("days", "--out", "-", "--since", "2010-02-01", "--columns", "a,b", "--order-by", "-a")
    assert ordered.stdout == "a,b\n4,z\n2,x\n1,y\n"
