"""Values in the forms that people write: each is read as what it means, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loaders import duplicates, postgres
from loaders.errors import InputRefused
from loaders.forms import READERS
from loaders.reporting import FileOutcome
from loaders.rows import FEW_ROWS, RowEncoder
from loaders.sources import SOURCES, Form, Source
from tests.loaders.made import CARDS_HEADER, card, csv_file, transaction
from tests.loaders.staging import create_view
from tests.loaders.warehouse import Query

READ: dict[Form, dict[str, str]] = {
    "dollars": {
        "$-77.00": "$-77.00", "-$77.00": "$-77.00", "-77": "$-77.00", "($77.00)": "$-77.00", "(77)": "$-77.00", "77": "$77.00",
        "$77.5": "$77.50", "77.500": "$77.50", "1,234.50": "$1234.50", "$1,000,000": "$1000000.00", " 77.00 ": "$77.00",
        ".5": "$0.50", "-0.0": "$-0.00", "0": "$0.00", "\u22127.25": "$-7.25", "$ 12.00": "$12.00", "007.10": "$7.10",
        "- $5": "$-5.00", "77.": "$77.00", "$-1000000.00": "$-1000000.00",
    },
    "whole_dollars": {
        "$24295": "$24295", "24295": "$24295", "$24,295": "$24295", "24295.0": "$24295", "$24,295.00": "$24295", "-5": "$-5",
        "$0": "$0",
    },
    "moment": {
        "2010-01-01 00:01:00": "2010-01-01 00:01:00", "2010-01-01T00:01:00": "2010-01-01 00:01:00",
        "2010-01-01 00:01": "2010-01-01 00:01:00", "2010-01-01 9:05:07": "2010-01-01 09:05:07",
        "2010-01-01 00:01:00.000000": "2010-01-01 00:01:00", "2010/01/01 00:01:00": "2010-01-01 00:01:00",
        "2010-1-1 0:01": "2010-01-01 00:01:00", "1/2/2010 0:01": "2010-01-02 00:01:00",
        "12/31/2010 23:59:58": "2010-12-31 23:59:58", "1/2/2010 12:01:00 AM": "2010-01-02 00:01:00",
        "1/2/2010 1:01 pm": "2010-01-02 13:01:00", " 2010-01-01 00:01:00 ": "2010-01-01 00:01:00",
    },
    "channel": {
        "swipe": "Swipe Transaction", "CHIP": "Chip Transaction", "online transaction": "Online Transaction",
        "Swipe_Transaction": "Swipe Transaction", " Chip  Transaction ": "Chip Transaction",
    },
    "number": {"5499.0": "5499", " 5499 ": "5499", "-5": "-5", "-05": "-5", "-0": "0", "007": "007",
               "2147483647": "2147483647", "00000000000000000000005": "00000000000000000000005"},
    "id": {"7475327.0": "7475327", "9223372036854775807": "9223372036854775807"},
    "zip": {
        "58523.0": "58523.0", "58523": "58523.0", "8523": "8523.0", "08523": "08523.0", "58523.00": "58523.0", "nan": "", "": "",
        " ": "", "58523-1234": "58523-1234",
    },
    "state": {"ND": "ND", "nan": "", "None": "", "Italy": "Italy", "\\N": ""},
    "errors": {
        "nan": "", "NaN": "", "No Error": "", "no error": "", "None": "", "null": "", "Bad PIN": "Bad PIN", "bad pin": "Bad PIN",
        "OK": "", "0": "", "False": "", "NA": "", "-": "",
        "Bad PIN, Insufficient Balance,": "Bad PIN,Insufficient Balance",
    },
    "label": {
        "Yes": "Yes", "NO": "No", "true": "Yes", "False": "No", "1": "Yes", "0": "No", "1.0": "Yes", "Fraud": "Yes",
        "Not Fraud": "No", "non-fraud": "No", "Legit": "No", " y ": "Yes",
    },
    "yes_no": {"YES": "YES", "No": "No", "true": "Yes", "0": "No", " yes ": "yes"},
    "month": {
        "09/2002": "09/2002", "9/2002": "09/2002", "2002-09": "09/2002", "2002-09-01": "09/2002", "2002-09-30": "09/2002",
        "2002-09-01 00:00:00": "09/2002", "9/1/2002": "09/2002", "Sep-02": "09/2002", "Sep-97": "09/1997", "Sep 2002": "09/2002",
    },
    "birth_year": {"1966": "1966", "1966.0": "1966", "1966-11-05": "1966-11-05", "1900": "1900", "2020": "2020"},
    "credit_score": {"300": "300", "850": "850", "702.0": "702"},
    "latitude": {"34.15": "34.15", " -34.15 ": "-34.15", "90": "90", "+34.15": "34.15", "90.049999": "90.049999"},
    "longitude": {"-117.76": "-117.76", "180.0": "180.0", "180.0000004": "180.0000004"},
    "some_text": {"Tolls": "Tolls"},
}  # fmt: skip
NOT_READ: dict[Form, list[str]] = {
    "dollars": [
        "", "$", "abc", "77,00", "1,23.50", "12,34", "1,2345.00", "77.001", "0.30000000000000004", "$--7", "-$-7", "(-7)",
        "1e5", "NaN", "12345678901", "EUR 7.00", "7.00 USD", "7 7", "$7.0x", "1.234,50",
    ],
    "whole_dollars": ["", "$24295.50", "24.295", "abc", "$"],
    "moment": [
        "", "2010-01-01", "2010-01-01T00:01:00Z", "2010-01-01 00:01:00+02:00", "2010-01-01 00:01:00 UTC", "31/1/2010 0:01",
        "2010-02-30 00:00", "2010-01-01 24:00:00", "2010-01-01 00:01:00.5", "1/1/10 0:01", "1.1.2010 0:01", "soon",
        "1/2/2010 13:00 PM", "2010-01/01 00:01", "1999-12-31 23:59:59", "1262304060",
    ],
    "channel": ["", "tap", "swipe swipe", "transaction", "Swipe Transaction Transaction"],
    "number": ["", "5499.5", "1e3", "2147483648", "x", "+5", "1,234", "0x10", "١"],
    "id": ["", "9223372036854775808", "12345678901234567.0", "-9223372036854775809"],
    "zip": ["123456", "K1A 0B6", "58523.1", "-8523"],
    "label": ["", "maybe", "2", "nan", "-1", "_1", "-0", "1-"],
    "yes_no": ["", "maybe"],
    "month": ["", "13/2002", "2002-09-15", "12/22", "Foo-02", "09/02/02", "2002-00"],
    "birth_year": ["", "66", "1966.5", "196"],
    "credit_score": ["", "299", "851", "good"],
    "latitude": ["", "91", "34,15", "NaN", "90.05", "90.0499999"],
    "longitude": ["", "180.5", "W 12", "180.04"],
    "some_text": ["", "  "],
}  # fmt: skip


@pytest.mark.unit
@pytest.mark.parametrize(
    ("form", "text", "published"), [(form, *pair) for form, pairs in READ.items() for pair in pairs.items()]
)
def test_a_value_is_read_as_what_it_means(form: Form, text: str, published: str) -> None:
    assert READERS[form](text) == (published, "", "")


@pytest.mark.unit
@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in NOT_READ.items() for text in texts])
def test_a_value_with_no_exact_published_form_is_left_as_it_is(form: Form, text: str) -> None:
    read = READERS[form](text)
    assert (read.text, bool(read.fault)) == (text, True)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("form", "text", "published", "fault"),
    [
        ("dollars", "1,000,000.01", "$1000000.01", "plausible"),
        ("dollars", "-$9999999999.99", "$-9999999999.99", "plausible"),
        ("birth_year", "1899.0", "1899", "1900 to 2020"),
        ("birth_year", "2021-01-01", "2021-01-01", "1900 to 2020"),
    ],
)
def test_an_implausible_value_is_read_and_cannot_be_used(form: Form, text: str, published: str, fault: str) -> None:
    read = READERS[form](text)
    assert read.text == published
    assert fault in read.fault


@pytest.mark.unit
def test_every_form_is_tried_in_both_ways_and_every_column_has_one() -> None:
    assert READ.keys() == READERS.keys()
    assert NOT_READ.keys() == READERS.keys() - {"state", "errors"}  # of these, everything is taken
    assert all(len(source.forms) == len(source.columns) for source in SOURCES.values())


@pytest.fixture
def staged(database_url: str, query: Query) -> Iterator[Query]:
    """A function that queries, after staging's views have been made."""
    with postgres.connected(database_url) as conn:
        postgres.create_tables(conn)
    query(duplicates.DDL)
    for relation in SOURCES:
        query(create_view(relation))
    yield query
    query("DROP SCHEMA staging CASCADE")


@st.composite
def _row(draw: st.DrawFn, source: Source) -> list[str]:
    """A row with at most one value that cannot be read; every value may be in any form."""
    bad = draw(st.integers(-len(source.columns), len(source.columns) - 1))
    row = []
    for place, form in enumerate(source.forms):
        if form not in READERS:
            row.append("4" * 3 + "*" * 9 + "1234" if form == "card_number" else "Ada")
        elif place == bad and form in NOT_READ:
            row.append(draw(st.sampled_from(NOT_READ[form]) | st.text("0123456789$-./: YNaos", max_size=12)))
        else:
            row.append(draw(st.sampled_from(sorted(READ[form]))))
    return row


def _quoted(row: list[str]) -> str:
    return ",".join(f'"{value}"' for value in row)


@pytest.mark.parametrize("relation", SOURCES)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would land files for minutes
)
@given(data=st.data())
def test_what_the_loader_has_read_is_sound_in_staging_and_what_it_has_not_is_in_quarantine(
    relation: str, data: st.DataObject, load: Callable[..., list[FileOutcome]], staged: Query, tmp_path: Path
) -> None:
    source = SOURCES[relation]
    rows = data.draw(st.lists(_row(source), min_size=20, max_size=60))
    encoder = RowEncoder(source, None, None)
    unusable = [not encoder.can_use(row) for row in rows]
    path = csv_file(tmp_path / "next", f"{relation}_data.csv", list(map(_quoted, rows)), ",".join(source.columns))
    if relation == "fraud_labels":
        path = path.rename(path.with_name("labels.csv"))
    elif relation == "mcc_codes":
        path = path.rename(path.with_name("mcc_codes.csv"))
    load(path, max_rejects=1, replace=True)
    found = staged(
        f"SELECT _line_number, row_fault FROM staging.stg_{relation} JOIN ops.load_files ON file_id = _file_id"
        " WHERE name = %s ORDER BY 1",
        path.name,
    )
    faults = dict(found)  # without those that are rejects: a value may pass for a card number
    differ = [
        (row, faults[line])
        for line, (row, is_bad) in enumerate(zip(rows, unusable, strict=True), 2)
        if line in faults and is_bad is not (faults[line] is not None)
    ]
    assert differ == []
    assert len(faults) > len(rows) / 4


def test_values_in_other_forms_are_equal_in_staging_to_the_published_ones(
    load: Callable[..., list[FileOutcome]], staged: Query, tmp_path: Path
) -> None:
    other = {
        "date": "1/1/2010 0:01", "amount": '"-1,077.5"', "use_chip": "chip", "zip": "8523", "mcc": "5499.0",
        "client_id": "1556.0", "merchant_state": "nan", "errors": '"bad pin, insufficient balance"',
    }  # fmt: skip
    published = {
        "amount": "$-1077.50", "use_chip": "Chip Transaction", "zip": "8523.0", "merchant_state": "",
        "errors": '"Bad PIN,Insufficient Balance"',
    }  # fmt: skip
    (outcome,) = load(
        csv_file(tmp_path, "transactions.csv", [transaction(7, **other), transaction(7, **published), transaction(8)])
    )
    columns = "transacted_at, amount, channel, zip, mcc, client_id, merchant_state, errors, row_fault"
    first, second, _ = staged(f"SELECT {columns} FROM staging.stg_transactions ORDER BY _line_number")
    assert first == second
    assert first[1:4] == (pytest.approx(-1077.5), "chip", "08523")
    assert staged("SELECT bool_and(_is_regular) FROM raw.transactions WHERE _line_number > 1") == [(True,)]
    assert "amount: 1 value read from another form, such as '-1,077.5' as '$-1077.50'" in outcome.note
    assert str(outcome.amount_sum) == "-2232.00"


@pytest.mark.parametrize(
    ("column", "value"),
    [("amount", "seventy"), ("date", "2010-01-01"), ("use_chip", "tap"), ("mcc", "x"), ("date", "31/1/2010 0:01")],
)
def test_a_file_of_which_nothing_can_be_used_is_refused(
    load: Any, query: Query, tmp_path: Path, column: str, value: str
) -> None:
    path = csv_file(tmp_path, "transactions.csv", [transaction(n, **{column: value}) for n in range(1000)])
    with pytest.raises(InputRefused, match="rows cannot be used, the first: ") as caught:
        load(path)
    assert (caught.value.line, caught.value.column, caught.value.exit_code) == (2, column, 3)
    assert repr(value) in caught.value.reason
    assert "--max-rejects" in caught.value.cure
    assert query("SELECT count(*) FROM ops.load_files") == [(0,)]
    assert load(path, max_rejects=1)[0].rows_loaded == 1000


@pytest.mark.parametrize(("bad", "good", "lands"), [(1, 99, True), (FEW_ROWS, 95, True), (6, 94, False), (1, 0, False)])
def test_a_few_rows_that_cannot_be_used_refuse_no_file_unless_they_are_all(
    load: Any, tmp_path: Path, bad: int, good: int, lands: bool
) -> None:
    rows = [transaction(n, amount="x") for n in range(bad)] + [transaction(bad + n) for n in range(good)]
    path = csv_file(tmp_path, "transactions.csv", rows)
    if lands:
        (outcome,) = load(path)
        assert f"{bad} of 100 rows cannot be used" in outcome.note
    else:
        with pytest.raises(InputRefused, match=f"{bad} of {bad + good} rows cannot be used"):
            load(path)


def test_errors_of_which_most_are_unknown_are_refused_and_a_new_one_is_said(load: Any, tmp_path: Path) -> None:
    rows = [transaction(n, errors="All Good") for n in range(51)] + [transaction(51 + n) for n in range(49)]
    path = csv_file(tmp_path, "transactions.csv", rows)
    with pytest.raises(
        InputRefused, match="51 of 100 values are in doubt, the first: 'All Good' is no known error"
    ) as e:
        load(path)
    assert (e.value.line, e.value.column) == (2, "errors")
    (outcome,) = load(path, max_rejects=1)
    assert outcome.rows_loaded == 100
    (outcome,) = load(csv_file(tmp_path, "transactions.csv", [*rows[:50], *rows[51:], transaction(7)]))
    assert "errors: 50 of 100 values in doubt, the first: 'All Good' is no known error" in outcome.note


def test_a_card_that_expires_before_it_was_opened_cannot_be_used(load: Any, tmp_path: Path) -> None:
    rows = [card(n, acct_open_date="2020-03", expires="02/2020") for n in range(10)]
    with pytest.raises(InputRefused, match="'##/####' is after expires, '##/####'") as caught:
        load(csv_file(tmp_path, "cards.csv", rows, CARDS_HEADER))
    assert caught.value.column == "acct_open_date"
    (outcome,) = load(csv_file(tmp_path, "cards.csv", [card(1), card(2, acct_open_date="12/2022")], CARDS_HEADER))
    assert "cannot be used" not in outcome.note


def test_no_value_of_a_card_or_a_user_is_shown(load: Any, tmp_path: Path) -> None:
    rows = [card(n, credit_limit="about 5000") for n in range(10)]
    with pytest.raises(InputRefused) as caught:
        load(csv_file(tmp_path, "cards.csv", rows, CARDS_HEADER))
    assert "'about ####' is not written like $24295" in str(caught.value)
