"""Labels and codes in every layout, and texts in every encoding: the same rows, or a refusal with a cure."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaders.errors import InputRefused
from loaders.formats import json_rows
from loaders.formats import records as records_module
from loaders.formats.readers import encoding_of, reader_of
from loaders.protect import Tokenizer
from loaders.reporting import FileOutcome
from loaders.rows import RowEncoder
from loaders.sources import SOURCES
from tests.loaders.made import HEADER, Bytes, card_number, csv_file, gathered, transaction
from tests.loaders.warehouse import Query

PAIRS = {str(number): "Yes" if number % 7 else "No" for number in range(1000, 1400)}
CODES = {"5812": "Eating, Places", "5541": "Service Stations"}


def read(data: bytes, relation: str, block: int = 1 << 20) -> Any:
    source = SOURCES[relation]
    encoder = RowEncoder(source, 9, Tokenizer(b"k" * 32) if source.pan_column else None)
    return gathered(reader_of("made", encoder, Bytes(data, block)).chunks())  # type: ignore[arg-type]


def records(id_name: str, label_name: str, values: dict[str, object]) -> list[dict[str, object]]:
    return [{id_name: int(key), label_name: values[value]} for key, value in PAIRS.items()]


TEXTS = {"Yes": "Yes", "No": "No"}
LABELS = [
    json.dumps({"target": PAIRS}),
    json.dumps(PAIRS),
    json.dumps(PAIRS, indent=2),
    json.dumps({"is_fraud": {key: value == "Yes" for key, value in PAIRS.items()}}),
    json.dumps({key: int(value == "Yes") for key, value in PAIRS.items()}),
    json.dumps(records("transaction_id", "is_fraud", {**TEXTS})),
    json.dumps(records("id", "target", {"Yes": True, "No": False}), indent=1),
    json.dumps(records("id", "label", {"Yes": 1, "No": 0.0})),
    "\n".join(map(json.dumps, records("id", "label", {"Yes": "Fraud", "No": "Legit"}))),
    "\r\n".join(map(json.dumps, records("target", "id", {**TEXTS}))).replace('"target"', '"x"').replace('"id"', '"label"')
    .replace('"x"', '"id"') + "\r\n",
    "id,label\n" + "".join(f"{key},{value}\n" for key, value in PAIRS.items()),
    "transaction_id\tis_fraud\r\n" + "".join(f"{key}\t{value == 'Yes'}\r\n" for key, value in PAIRS.items()),
]  # fmt: skip


@pytest.mark.unit
@pytest.mark.parametrize("text", LABELS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("block", [100, 1 << 20])
def test_the_same_labels_land_in_every_layout_and_encoding(text: str, encoding: str, block: int) -> None:
    lines, rejects, tally = read(text.encode(encoding), "fraud_labels", block)
    assert [line.split(",")[2:] for line in lines] == [["t", key, value] for key, value in PAIRS.items()]
    assert rejects == []
    assert tally.unusable == 0


@pytest.mark.unit
@pytest.mark.parametrize("text", LABELS)
@pytest.mark.parametrize("at_once", [1, 2, 7, 400])
def test_the_same_labels_land_some_at_a_time(text: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_rows, records_module):
        monkeypatch.setattr(module, "MOST_AT_ONCE", at_once)
    lines, rejects, _ = read(text.encode(), "fraud_labels")
    assert [line.split(",")[2:] for line in lines] == [["t", key, value] for key, value in PAIRS.items()]
    assert rejects == []


@pytest.mark.unit
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CODES),
        json.dumps([{"mcc": key, "description": value} for key, value in CODES.items()]),
        "\n".join(json.dumps({"description": value, "code": int(key), "x": 1}) for key, value in CODES.items()),
        "mcc,description\n" + "".join(f'{key},"{value}"\n' for key, value in CODES.items()),
        ",0\r\n" + "".join(f'{key},"{value}"\r\n' for key, value in CODES.items()),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_same_codes_land_in_every_layout_and_encoding(text: str, encoding: str) -> None:
    lines, rejects, _ = read(text.encode(encoding), "mcc_codes")
    assert [line.split(",", 2)[2] for line in lines] == ["5812,Eating\\, Places", "5541,Service Stations"]
    assert rejects == []


@pytest.mark.unit
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_transactions_land_from_every_encoding(encoding: str) -> None:
    text = "\n".join([HEADER, *(transaction(n, merchant_city="São Paulo") for n in range(300)), ""])
    lines, rejects, _ = read(text.encode(encoding), "transactions", 1000)
    assert lines == read(text.encode(), "transactions")[0]
    assert len(lines) == 300
    assert rejects == []


@pytest.mark.unit
@pytest.mark.parametrize("data", ["", "a", "id,date", "é", "[1]"])
def test_a_short_or_plain_text_is_utf_8(data: str) -> None:
    assert encoding_of(data.encode()) == ("utf-8", 0)


@pytest.mark.unit
@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF16_LE + b"i\0d\0,",
        codecs.BOM_UTF16_LE + "id,\ud800".encode("utf-16-le", "surrogatepass"),
        b"",
        codecs.BOM_UTF8,
        codecs.BOM_UTF16_LE,
        b"\x1f\x8b\x08\x00" + bytes(100),
    ],
)
@pytest.mark.parametrize("relation", SOURCES)
def test_what_is_no_such_text_is_refused(data: bytes, relation: str) -> None:
    with pytest.raises(InputRefused):
        read(data, relation)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "no record"),
        ('[{"id": 1}]', "no such column"),
        ('[{"id": 1, "label": "Yes"}', "after 1 of them"),
        ('[{"id": 1, "label": "Yes"}] more', "after 1 of them"),
        ('[{"id": 1, "label": "Yes"}, 5]', "after 1 of them"),
        ('{"id": 1, "label": "Yes"}\n{"id": 2, "la', "after 1 of them"),
        ('[{"id": 1, "label": "Y' + "x" * 2_000_000, "after 0 of them"),
        ("[" * 100_000, "after 0 of them"),
    ],
)
def test_records_that_are_cut_or_broken_are_refused(text: str, told: str) -> None:
    with pytest.raises(InputRefused, match=told):
        read(text.encode(), "fraud_labels")


@pytest.mark.unit
def test_a_record_without_a_key_and_one_with_a_card_number_are_rejects() -> None:
    number = card_number(3)
    text = f'{{"id": 1, "label": 1}}\n{{"id": 2}}\n{{"id": {number}, "label": 0}}\n{{"id": "\\ud800", "label": 0}}'
    lines, rejects, _ = read(text.encode(), "fraud_labels")
    assert len(lines) == 1
    reasons = [(2, "no key is_fraud"), (3, "column transaction_id holds a card number"), (4, "not valid Unicode")]
    assert rejects == reasons


HUGE = "7" * 1_000_000


@pytest.mark.unit
@pytest.mark.parametrize(
    ("relation", "text"),
    [
        ("mcc_codes", f'{{"5812": {HUGE}}}'),
        ("mcc_codes", f'{{"{HUGE}": 5}}'),
        ("mcc_codes", '{"5812": 1e999999999}'),
        ("mcc_codes", f'{{"5812": {HUGE}.5}}'),
        ("mcc_codes", f'{{"5812": [{HUGE}]}}'),
    ],
)
def test_a_huge_number_in_codes_is_refused(relation: str, text: str) -> None:
    with pytest.raises(InputRefused, match="is no text") as caught:
        read(text.encode(), relation)
    assert len(str(caught.value)) < 400


@pytest.mark.unit
@pytest.mark.parametrize(
    ("relation", "text"),
    [
        ("mcc_codes", f'{{"{HUGE}": "A"}}'),
        ("fraud_labels", f'{{"target": {{"{HUGE}": "No"}}}}'),
        ("fraud_labels", f'{{"target": {{"1": {HUGE}}}}}'),
        ("fraud_labels", f'{{"1": {HUGE}}}'),
        ("fraud_labels", f'[{{"id": {HUGE[:200_000]}, "label": "No"}}]'),
        ("mcc_codes", f'[{{"mcc": {HUGE[:200_000]}, "description": "No"}}]'),
    ],
)
def test_a_huge_key_or_number_is_a_reject_whose_line_is_cut(relation: str, text: str) -> None:
    source = SOURCES[relation]
    (chunk, *_) = [
        chunk
        for chunk in reader_of("made", RowEncoder(source, 9, None), Bytes(text.encode())).chunks()  # type: ignore[arg-type]
        if chunk.rejects
    ]
    assert len(chunk.rejects[0].raw_line) < 10_000


def test_files_with_and_without_a_byte_order_mark_land_the_same_rows(
    load: Callable[..., list[FileOutcome]], query: Query, tmp_path: Path
) -> None:
    (tmp_path / "labels.json").write_text(LABELS[0])
    (tmp_path / "mcc_codes.json").write_text(json.dumps(CODES))
    csv_file(tmp_path, "transactions.csv", [transaction(1)])
    load(tmp_path)
    rows = {name: query(f"SELECT count(*) FROM raw.{name}") for name in ("fraud_labels", "mcc_codes", "transactions")}
    for path in list(tmp_path.iterdir()):
        if path.is_file():
            path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert {outcome.action for outcome in load(tmp_path)} == {"replaced"}
    assert rows == {name: query(f"SELECT count(*) FROM raw.{name}") for name in rows}
    assert rows["fraud_labels"] == [(400,)]


def test_a_file_of_no_known_name_is_recognised_by_its_columns(load: Any, query: Query, tmp_path: Path) -> None:
    text = "\n".join([HEADER.title().replace(",", ";"), *(transaction(n).replace(",", ";") for n in range(3)), ""])
    (tmp_path / "export.txt").write_bytes(text.encode("utf-16"))
    (tmp_path / "answers.csv").write_text("Is Fraud?,Transaction ID\nYes,1\n")
    assert {outcome.relation for outcome in load(tmp_path)} == {"transactions", "fraud_labels"}
    assert query("SELECT count(*) FROM raw.transactions WHERE _is_regular") == [(3,)]


@pytest.mark.parametrize("typed", ["float", "decimal"])
def test_typed_parquet_lands_as_published(load: Any, query: Query, tmp_path: Path, typed: str) -> None:
    import datetime
    from decimal import Decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    at = datetime.datetime(2010, 1, 1, 0, 1)
    amounts = pa.array([-77.0, 14.57, 0.1]) if typed == "float" else pa.array(
        [Decimal("-77"), Decimal("14.57"), Decimal("0.1")], pa.decimal128(20, 9)
    )  # fmt: skip
    table = pa.table({
        "id": [1.0, 2.0, 10_000_000.0], "date": [at] * 3, "client_id": pa.array([1556] * 3, pa.int32()), "card_id": [2972] * 3,
        "amount": amounts, "use_chip": pa.array(["Swipe Transaction"] * 3).dictionary_encode(), "merchant_id": [59935] * 3,
        "merchant_city": ["Beulah"] * 3, "merchant_state": ["ND", None, "ND"], "zip": [58523.0, float("nan"), 501.0],
        "mcc": [5499] * 3, "errors": pa.array([None, None, "Bad PIN"]),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "transactions.parquet")
    pq.write_table(pa.table({"transaction_id": [1, 2], "is_fraud": [True, False]}), tmp_path / "labels.parquet")
    load(tmp_path)
    assert query("SELECT id, date, amount, zip, errors, _is_regular FROM raw.transactions ORDER BY _line_number") == [
        ("1", "2010-01-01 00:01:00", "$-77.00", "58523.0", None, True),
        ("2", "2010-01-01 00:01:00", "$14.57", None, None, True),
        ("10000000", "2010-01-01 00:01:00", "$0.10", "501.0", "Bad PIN", True),
    ]
    assert query("SELECT is_fraud FROM raw.fraud_labels ORDER BY _line_number") == [("Yes",), ("No",)]
    zoned = table.set_column(1, "date", pa.array([at] * 3, pa.timestamp("us", "UTC")))
    pq.write_table(zoned, tmp_path / "transactions_zoned.parquet")
    with pytest.raises(InputRefused, match="time zone UTC"):
        load(tmp_path)


def test_labels_without_anything_around_them_land_from_a_folder(
    load: Callable[..., list[FileOutcome]], query: Query, tmp_path: Path
) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(PAIRS))
    (tmp_path / "download").write_text(json.dumps({f"9{key}": value for key, value in PAIRS.items()}, indent=1))
    assert [outcome.rows_loaded for outcome in load(tmp_path)] == [len(PAIRS)] * 2
