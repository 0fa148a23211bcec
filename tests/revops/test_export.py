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
from revops.export import export
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
