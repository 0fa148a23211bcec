"""Which of two files comes later follows from their names alone, and with it which row of a repeated key counts."""

from __future__ import annotations

import itertools
import json
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loaders import duplicates
from loaders.ranking import date_in, rank
from loaders.reporting import FileOutcome
from loaders.sources import SOURCES
from tests.loaders.made import CARDS_HEADER, card, card_number, csv_file, transaction
from tests.loaders.staging import create_view, row_faults
from tests.loaders.warehouse import Query

Load = Callable[..., list[FileOutcome]]

IN_ORDER = [
    "b.csv",
    "part2.csv",
    "part10.csv",
    "transactions_data.csv",
    "transactions_data (1).csv",
    "transactions_data (2).csv",
    "transactions_data (10).csv",
    "z/transactions_data.csv",
    "transactions_2013-05.csv",
    "archive.zip/20130514_transactions.csv",
    "2013/05/15/transactions.csv",
    "2013-05-16/part2.csv",
    "2013-05-16/part10.csv",
    "transactions_2013_05_17.csv.gz",
    "2013-05-16/transactions_2013-05-18.csv",
    "a_2019-01-01_2019-12-31.csv",
]


@pytest.mark.unit
def test_files_are_ranked_by_date_then_by_name() -> None:
    shuffled = random.Random(1).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(shuffled, key=rank) == IN_ORDER


@pytest.mark.unit
@pytest.mark.parametrize(
    "text",
    ["transactions.csv", "a_2013-13-01.csv", "a_2013-02-30.csv", "1234567890", "a20130514123.csv", "v1.2013", ""],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert date_in(text) is None


@pytest.mark.unit
@pytest.mark.parametrize("relation", list(SOURCES))
def test_the_faults_that_marking_looks_for_are_those_of_staging(relation: str) -> None:
    found = (duplicates.ROW_FAULTS / f"{relation}.sql").read_text()
    assert found == row_faults(relation), "staging has changed: python -m tests.loaders.staging"


@pytest.fixture
def counted(database_url: str, query: Query) -> Callable[[str], set[tuple[str, ...]]]:
    """A function that marks a relation and returns the rows that are left: by file, line and all they hold."""

    def call(relation: str) -> set[tuple[str, ...]]:
        with closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(duplicates.DDL)
            duplicates.mark(cursor, relation)
        found = query(
            f"SELECT (to_jsonb(landed) - '_file_id' - '_loaded_at')::text FROM raw.{relation} AS landed WHERE NOT EXISTS ("
            " SELECT FROM raw.superseded_rows AS s WHERE s.relation = %s AND s._file_id = landed._file_id"
            " AND s._line_number = landed._line_number)",
            relation,
        )
        assert len(found) == len(set(found))
        return set(found)

    return call


FILES = {
    "transactions_data.csv": [transaction(1, amount="$1.00"), transaction(2), transaction(3)],
    "transactions_data (1).csv": [transaction(2, amount="$2.00"), transaction(3, amount="much")],
    "2013-05-16/part2.csv": [transaction(1, amount="$3.00"), transaction(4, date="soon"), transaction(4, mcc="?")],
    "2013-05-16/part10.csv": [transaction(1, amount="$4.00"), transaction("x"), transaction("x", amount="$5.00")],  # type: ignore[arg-type]
    "2013-05-17/copy.csv": [transaction(1, amount="$1.00"), transaction(2), transaction(3)],  # the first file again
}
ORDERS = list(itertools.permutations(FILES))


def test_every_order_of_landing_counts_the_same_rows(
    load: Load, query: Query, counted: Callable[[str], set[Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    seen = set()
    for order in random.Random(7).sample(ORDERS, 24):
        shutil.rmtree(folder, ignore_errors=True)
        query("DROP SCHEMA IF EXISTS raw, ops CASCADE")
        for name in order:
            path = folder / name
            csv_file(path.parent, path.name, FILES[name])
            load(folder)
            if random.Random(name).random() < 0.3:
                counted("transactions")
        seen.add(frozenset(counted("transactions")))
    (rows,) = seen
    amounts = {(row["id"], row["amount"]) for row in (json.loads(text) for (text,) in rows)}
    assert {amount for key, amount in amounts if key == "1"} == {"$1.00"}, "the copy of the 17th is the last word"
    assert {amount for key, amount in amounts if key == "2"} == {"$-77.00"}
    assert {amount for key, amount in amounts if key == "3"} == {"$-77.00"}, "a faulty row gives way to a sound one"


def test_history_leaves_no_trace(load: Load, query: Query, counted: Callable[[str], set[Any]], tmp_path: Path) -> None:
    """Files change, come, go, are renamed and copied: what counts is what counts in a warehouse made of the files now."""
    generator = random.Random(3)
    folder = tmp_path / "in"
    names = [*FILES, "transactions_2013-05.csv", "part1.csv"]
    for step in range(40):
        path = folder / generator.choice(names)
        others = [other for other in folder.rglob("*.csv") if other != path]
        match generator.choice(["write", "write", "copy", "remove", "rename"]):
            case "copy" if others:
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(generator.choice(others), path)
            case "rename" if others:
                path.parent.mkdir(parents=True, exist_ok=True)
                generator.choice(others).rename(path)
            case "remove" if others:
                path.unlink(missing_ok=True)
            case _:
                rows = [
                    transaction(generator.randrange(6), amount=generator.choice(["$1.00", "$2.00", "?"]))
                    for _ in range(generator.randrange(1, 5))
                ]
                csv_file(path.parent, path.name, [transaction(0, merchant_city=str(step % 3)), *rows])
        for left in {*folder.rglob("2*")}:  # of an empty folder nothing is pruned
            if left.is_dir() and not any(left.iterdir()):
                left.rmdir()
        load(folder, prune=True)
        now = counted("transactions")
        if step % 5 == 4:
            names_now = query("SELECT name FROM ops.load_files UNION ALL SELECT name FROM ops.load_aliases ORDER BY 1")
            assert [name for (name,) in names_now] == sorted(
                other.relative_to(folder).as_posix() for other in folder.rglob("*.csv")
            )
            query("ALTER SCHEMA raw RENAME TO raw_before")
            query("ALTER SCHEMA ops RENAME TO ops_before")
            load(folder)
            assert counted("transactions") == now, step
            query("DROP SCHEMA raw, ops CASCADE")
            query("ALTER SCHEMA raw_before RENAME TO raw")
            query("ALTER SCHEMA ops_before RENAME TO ops")


def test_a_file_that_changes_leaves_its_old_bytes_to_another_file_that_has_them(
    load: Load, query: Query, tmp_path: Path, size: str
) -> None:
    one = csv_file(tmp_path, "transactions_1.csv", [transaction(1)])
    shutil.copyfile(one, tmp_path / "transactions_2.csv")
    load(tmp_path)
    csv_file(tmp_path, "transactions_1.csv", [transaction(9)])
    load(one)
    assert query(
        "SELECT f.name, t.id FROM raw.transactions AS t JOIN ops.load_files AS f ON f.file_id = t._file_id"
    ) == [
        ("transactions_2.csv", "1"),
        ("transactions_1.csv", "9"),
    ]


@pytest.mark.parametrize("relation", ["cards", "fraud_labels"])
def test_a_sound_row_never_gives_way_to_a_faulty_one(
    relation: str, load: Load, query: Query, counted: Callable[[str], set[Any]], tmp_path: Path
) -> None:
    if relation == "cards":
        rows = [card(7, card_number(1)), card(7, card_number(2), credit_limit="lots"), card(7, card_number(3), cvv="1")]
        csv_file(tmp_path / "in", "cards_1.csv", [rows[0], rows[2]], CARDS_HEADER)
        csv_file(tmp_path / "in", "cards_2.csv", [rows[1]], CARDS_HEADER)
    else:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "labels_1.json").write_text('{"target": {"7": "Yes"}}')
        (tmp_path / "in" / "labels_2.json").write_text('{"target": {"07": "perhaps"}}')
    load(tmp_path / "in", max_rejects=1)
    query("CREATE SCHEMA IF NOT EXISTS staging")
    ((found,),) = counted(relation)
    assert json.loads(found)["_line_number"] == (3 if relation == "cards" else 1)
    query(create_view(relation))
    faults = [fault for (fault,) in query(f"SELECT row_fault FROM staging.stg_{relation}")]
    assert faults.count(None) == 1
    query("DROP SCHEMA staging CASCADE")
