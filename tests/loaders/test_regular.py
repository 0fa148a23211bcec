"""Rows that the loader calls regular: SQL finds no fault in them, and what it asks of other rows would change no value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaders import duplicates, postgres
from loaders.csv_rows import CsvReader
from loaders.forms import READERS
from loaders.reporting import FileOutcome
from loaders.rows import RowEncoder
from loaders.sources import SHAPES, Shape
from tests.loaders.made import HEADER, TRANSACTIONS, Bytes, csv_file, gathered, transaction
from tests.loaders.staging import create_view
from tests.loaders.warehouse import Query

RIGHT: dict[Shape, list[str]] = {
    "id": ["0", "7", "007", "7475327", "12345678", "123456789", "1234567890123456", "999999999999999999"],
    "moment": ["2000-01-01 00:00:00", "2012-02-29 23:59:59", "2019-10-31 19:00:09", "9999-12-31 20:30:40"],
    "number": ["0", "1556", "09", "99999999", "999999999"],
    "dollars": ["$0.00", "$-0.00", "$14.57", "$-77.00", "$999999.99", "$-999999.99", "$007.10"],
    "channel": ["Swipe Transaction", "Chip Transaction", "Online Transaction"],
    "zip": ["", "0.0", "501.0", "58523.0", "00501.0"],
    "text": ["", "a", "La Verne", "São Paulo", "x  y", "\t", "Ü"],
    "state": ["", "ND", "Italy", "Niue", "Nepal", "NA", "nano"],
    "errors": ["", "Bad PIN", "Bad Zipcode", "Insufficient Balance"],
    "label": ["Yes", "No"],
}
ALMOST: dict[Shape, list[str]] = {
    "id": ["", "-1", "+1", "1.0", "1e3", "7475327 ", " 7", "1234567890123456789", "9223372036854775808", "7x", "12345:78",
           "/1", "١"],
    "moment": [
        "", "1999-12-31 23:59:59", "2019-02-29 00:00:00", "2019-10-32 00:00:00", "2019-10-31 24:00:00", "2019-10-31 23:60:00",
        "2019-10-31 23:59:60", "2019-10-31T23:59:00", "2019-10-31 3:59:000", "2019-10-31 23:59", "2019-10-31 23:59:0x",
        "2019-10-31 23:59:00 ", " 2019-10-31 23:59:00", "2019/10/31 23:59:00", "2019-10-31 2a:59:00", "2019-10-31 29:59:00",
        "2019-10-31 23.59:00", "2019-10-31 23:59:00Z", "2019-10-31 00:00:0/", "0000-00-00 00:00:00", "20190-10-31 23:59:00",
    ],
    "number": ["", "-5", "1556.0", "1234567890", "2147483648", "5 ", " 5", "5a", "5;"],
    "dollars": ["", "77.00", "$77", "$77.0", "$ 7.00", "$7.00 ", "$.50", "$-.50", "$--7.00", "$7-7.00", "$1000000.00",
                "$-1000000.01", "$1234567890.00", "$12345678901.00", "$1e5.00", "$7,00", "$NaN", "-$7.00", "$7.0x", "$:7.00"],
    "channel": ["", "swipe transaction", "Swipe Transaction ", "Swipe  Transaction", "Ship Transaction", "Online Transactiom",
                "Chip Transaction2", "Swipe Tranzaction", "Chap Transaction", "Transaction", "Chip"],
    "zip": ["58523", "58523.1", "58523.00", "123456.0", "-8523.0", " 8523.0", ".0", "0", "K1A 0B6", "12345-6789", "x.0",
            "8523.0 "],
    "text": [" ", "  ", " a", "a ", " a b "],
    "state": [" ", " ND", "ND ", "nan", "NaN", "None", "null", "<NA>", "#N/A"],
    "errors": [" ", "nan", "No Error", "None", "Bad PIN ", "bad pin", "Bad", "Bad PINs"],
    "label": ["", "yes", "1", "true", "N", "Yess", "o", "Fraud", "Legit"],
}  # fmt: skip


@st.composite
def _row(draw: st.DrawFn) -> str:
    """A row with at most two fields that are only almost right; every field may be any of the right ones."""
    wrong = draw(st.lists(st.sampled_from(range(12)), max_size=2))
    changed = {
        column: draw(st.sampled_from((ALMOST if place in wrong else RIGHT)[shape]))
        for place, (column, shape) in enumerate(zip(TRANSACTIONS.columns, TRANSACTIONS.shapes, strict=True))
    }
    return transaction(**{name: f'"{value}"' if "," in value else value for name, value in changed.items()})


def _read(data: bytes, quick: bool) -> list[list[str]]:
    reader = CsvReader(Bytes(data), "made.csv", RowEncoder(TRANSACTIONS, 9, None))  # type: ignore[arg-type]
    if not quick:
        reader._checker = None
    return [line.split(",", 3) for line in gathered(reader.chunks())[0]]


@pytest.mark.unit
@settings(max_examples=80, deadline=None)
@given(st.lists(_row(), min_size=4, max_size=40))
def test_the_quick_look_at_columns_calls_the_same_rows_regular_as_the_patterns(rows: list[str]) -> None:
    data = "\n".join([HEADER, *rows, ""]).encode()
    quick, careful = _read(data, quick=True), _read(data, quick=False)
    assert [(line[2], line[3]) for line in quick] == [(line[2], line[3]) for line in careful]


@pytest.mark.unit
@pytest.mark.parametrize(("column", "shape"), list(zip(TRANSACTIONS.columns, TRANSACTIONS.shapes, strict=True)))
@pytest.mark.parametrize("quick", [True, False])
def test_each_shape_is_told_from_what_is_almost_right(column: str, shape: Shape, quick: bool) -> None:
    right, almost = ([value for value in values[shape] if "," not in value] for values in (RIGHT, ALMOST))
    rows = [transaction(), *(transaction(**{column: value}) for value in [*right, *almost]), *[transaction()] * 4]
    found = [line[2] for line in _read("\n".join([HEADER, *rows, ""]).encode(), quick)]
    # What is almost right is regular where it is read from another form.
    expected = ["t" if _becomes_right(shape, value) else "f" for value in almost]
    assert found == ["t"] * (1 + len(right)) + expected + ["t"] * 4
    assert all(re.fullmatch(SHAPES[shape], value) for value in right)


def _becomes_right(shape: Shape, value: str) -> bool:
    text, fault, _ = READERS[shape](value) if shape in READERS else (value, "", "")
    return not fault and re.fullmatch(SHAPES[shape], text) is not None


@pytest.mark.unit
def test_quoted_errors_do_not_make_a_row_irregular() -> None:
    rows = [transaction(), transaction(errors='"Bad PIN,Insufficient Balance"'), *[transaction()] * 4]
    assert [line[2] for line in _read("\n".join([HEADER, *rows, ""]).encode(), quick=True)] == ["t"] * 6


@pytest.fixture
def staged(database_url: str, query: Query) -> Iterator[Query]:
    """A function that queries, after staging's views of what can be regular have been made."""
    with postgres.connected(database_url) as conn:
        postgres.create_tables(conn)
    query(duplicates.DDL)
    for relation in ("transactions", "fraud_labels"):
        query(create_view(relation))
    yield query
    query("DROP SCHEMA staging CASCADE")


def _assert_asking_changes_nothing(query: Query, relation: str) -> None:
    everything = f"SELECT * FROM staging.stg_{relation} ORDER BY _file_id, _line_number"
    found = query(everything)
    assert query(
        f"SELECT count(*) FROM staging.stg_{relation} AS s JOIN raw.{relation} AS r USING (_file_id, _line_number)"
        " WHERE r._is_regular AND NOT s.row_fault IS NULL"
    ) == [(0,)]
    query(f"UPDATE raw.{relation} SET _is_regular = NULL")
    assert query(everything) == found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_row(), min_size=20, max_size=120))
def test_postgresql_finds_no_fault_in_regular_rows_and_the_same_values_either_way(
    rows: list[str], load: Callable[..., list[FileOutcome]], staged: Query, tmp_path: Path
) -> None:
    load(csv_file(tmp_path / "next", "transactions_next.csv", [*rows, transaction()]), max_rejects=1)
    _assert_asking_changes_nothing(staged, "transactions")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=st.dictionaries(
        st.sampled_from([*RIGHT["id"], *ALMOST["id"]]) | st.integers(0, 10**18).map(str),
        st.sampled_from(["Yes", "No", "yes", "", "No ", "true"]),
        max_size=60,
    )
)
def test_the_same_holds_for_labels(
    labels: dict[str, str], load: Callable[..., list[FileOutcome]], staged: Query, tmp_path: Path
) -> None:
    path = tmp_path / "labels_next.json"
    path.write_text(json.dumps({"target": {**labels, "1": "Yes"}}))
    load(path, max_rejects=1)
    _assert_asking_changes_nothing(staged, "fraud_labels")


@pytest.mark.real
def test_all_real_rows_are_regular(
    load: Callable[..., list[FileOutcome]], staged: Query, real_data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    (folder / "transactions_data.csv").symlink_to(real_data / "transactions_data.csv")
    load(folder, only=["transactions"])
    rows = staged("SELECT count(*), count(*) FILTER (WHERE _is_regular) FROM raw.transactions")[0]
    assert rows[0] == rows[1] > 0
    _assert_asking_changes_nothing(staged, "transactions")
