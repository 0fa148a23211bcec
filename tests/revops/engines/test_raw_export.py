"""Raw as Parquet: the same rows and types, NULL apart from an empty text, nothing written twice, files whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow
import pytest
from psycopg2 import sql
from pyarrow import parquet

from foundation.errors import UsageError
from loaders.landing import land
from revops import bootstrap, export
from revops.engines import raw_export
from revops.ledger import landings
from tests.conftest import RunningServer, fresh_database
from tests.end_to_end.changes import HEADER

USERS = (
    "id,current_age,retirement_age,birth_year,birth_month,gender,address,latitude,longitude,per_capita_income,yearly_income,"
    "total_debt,credit_score,num_credit_cards"
)
LINES = (
    "1,2010-01-02 03:04:00,5,6,$-7.00,Chip Transaction,8,,NY,10001.0,5411,",
    '2,x,,6,$7.00,,8,"a, ""b""",\\N,,5411,\'',
)


@pytest.fixture
def url(server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("REVOPS_PAN_KEY", "11" * 32)
    with fresh_database(server) as url:
        files = tmp_path / "files"
        files.mkdir()
        (files / "users_data.csv").write_text(
            f"{USERS}\n7,53,66,1966,11,Female,1 Rose Lane,34.1,-117.7,$1,$2,$3,787,5\n"
        )
        write(files, "transactions_data.csv", *LINES)
        land(url, files, max_rejects=1.0)
        yield url


def write(files: Path, name: str, *lines: str) -> None:
    (files / name).write_text("\n".join([HEADER, *lines]) + "\n")


def exported(url: str, folder: Path) -> raw_export.Exported:
    with closing(psycopg2.connect(url)) as connection:
        bootstrap.prepare(connection)
        landings.settle(connection)
        return raw_export.export_raw(connection, folder)


def rows_in(folder: Path, relation: str) -> list[tuple[Any, ...]]:
    tables = [parquet.read_table(path) for path in sorted((folder / relation.replace(".", "/")).glob("*.parquet"))]
    return [tuple(row.values()) for row in pyarrow.concat_tables(tables).to_pylist()]


def rows_of(url: str, relation: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*relation.split("."))))
        return cursor.fetchall()


def change(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def test_every_relation_has_the_rows_and_values_of_the_database(url: str, tmp_path: Path) -> None:
    change(url, "UPDATE raw.transactions SET merchant_state = NULL, zip = '' WHERE id = '2'")
    exported(url, tmp_path / "lake")
    for relation in (
        "raw.transactions",
        "raw.users",
        "raw.cards",
        "raw.mcc_codes",
        "raw.fraud_labels",
        "ops.load_files",
    ):
        assert sorted(rows_in(tmp_path / "lake", relation), key=repr) == sorted(rows_of(url, relation), key=repr)
    second = [row for row in rows_in(tmp_path / "lake", "raw.transactions") if row[0] == "2"]
    assert second[0][8:10] == (None, "")


def test_columns_have_the_types_of_the_database(url: str, tmp_path: Path) -> None:
    found = exported(url, tmp_path / "lake")
    assert found.columns["raw.superseded_rows"] == {
        "relation": "STRING",
        "_file_id": "BIGINT",
        "_line_number": "BIGINT",
    }
    assert found.columns["raw.transactions"]["_is_regular"] == "BOOLEAN"
    assert found.columns["ops.load_files"]["amount_sum"] == "DECIMAL(38, 2)"
    schema = parquet.read_schema(next((tmp_path / "lake/raw/transactions").glob("*.parquet")))
    assert schema.field("_loaded_at").type == pyarrow.timestamp("us", "UTC")
    assert schema.field("amount").type == pyarrow.string()


def test_what_has_not_changed_is_not_written_again(url: str, tmp_path: Path) -> None:
    first = exported(url, tmp_path / "lake")
    assert first.written == sum(map(len, first.files.values()))
    again = exported(url, tmp_path / "lake")
    assert again.written == 0
    assert again.kept == first.written


def test_a_changed_file_replaces_its_own_and_a_retired_one_goes(url: str, tmp_path: Path) -> None:
    write(tmp_path / "files", "transactions_data_more.csv", LINES[0].replace("1,", "9,", 1))
    land(url, tmp_path / "files", max_rejects=1.0)
    exported(url, tmp_path / "lake")
    write(tmp_path / "files", "transactions_data.csv", LINES[0].replace("$-7.00", "$-8.00"))
    (tmp_path / "files" / "transactions_data_more.csv").unlink()
    land(url, tmp_path / "files", max_rejects=1.0, prune=True, replace=True)
    found = exported(url, tmp_path / "lake")
    assert len(found.files["raw.transactions"]) == 1
    assert [row[4] for row in rows_in(tmp_path / "lake", "raw.transactions")] == ["$-8.00"]


def test_an_export_that_dies_leaves_no_file_that_looks_whole(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(cursor: Any, source: Any, columns: Any, stream: Any) -> int:
        stream.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(export, "write_parquet", die)
        with pytest.raises(KeyboardInterrupt):
            exported(url, tmp_path / "lake")
    assert [path for path in (tmp_path / "lake").rglob("*") if path.is_file()] == []
    exported(url, tmp_path / "lake")
    assert len(rows_in(tmp_path / "lake", "raw.transactions")) == len(LINES)


def test_a_folder_with_other_files_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letters.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"letters\.txt"):
        exported(url, tmp_path / "mine")
