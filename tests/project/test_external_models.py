"""What models read of the loaders' own tables is declared as the loaders make it. Of the five relations see test_sources."""

from __future__ import annotations

import psycopg2
import pytest
import yaml

from foundation import ops
from loaders import duplicates
from revops.desk import decisions
from revops.scoring import scorecards
from tests.conftest import ROOT

SHORT = {"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp", "integer": "int"}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("ops.yaml", "ops.load_files"),
        ("raw.yaml", "raw.superseded_rows"),
        ("desk.yaml", "desk.decisions"),
        ("desk.yaml", "desk.scorecards"),
    ],
)
def test_the_declared_columns_are_in_the_table_as_declared(file: str, name: str, database_url: str) -> None:
    written = yaml.safe_load((ROOT / "external_models" / file).read_text())
    declared = next(table["columns"] for table in written if table["name"] == name)
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA raw")
        ops.create_for_landings(cursor)
        cursor.execute(duplicates.DDL)
        decisions.create(cursor)
        scorecards.create(cursor)
        cursor.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (name,),
        )
        found = {column: SHORT.get(column_type, column_type) for column, column_type in cursor.fetchall()}
    connection.close()
    assert declared
    assert {column: found.get(column) for column in declared} == declared
