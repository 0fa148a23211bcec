"""Columns are found by their names, whatever their order, case, company and separator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loaders.errors import InputRefused
from loaders.protect import Tokenizer
from loaders.sources import SOURCES
from meshkeys.names import in_letters
from tests.loaders.made import CARDS, CARDS_HEADER, HEADER, TRANSACTIONS, card, card_number, file_of, read, transaction

pytestmark = pytest.mark.unit

NAMES = HEADER.split(",")
ROWS = [transaction(n, errors="Bad PIN" if n % 2 else "") for n in range(40)]
TOKEN = Tokenizer(b"k" * 32).token


def landed(data: bytes, source: object = TRANSACTIONS) -> list[str]:
    """The rows as they land, without file and line; none is rejected or unusable."""
    lines, rejects, tally = read(data, source=source)
    assert rejects == []
    assert tally.unusable == 0
    return [line.split(",", 2)[2] for line in lines]


PUBLISHED = [
    f"t,{n},2010-01-01 00:01:00,1556,2972,$-77.00,Swipe Transaction,59935,Beulah,ND,58523.0,5499,"
    + ("Bad PIN" if n % 2 else "")
    for n in range(40)
]


def each_line(change: Callable[[list[str]], list[str]], separator: str = ",") -> bytes:
    return "".join(separator.join(change(line.split(","))) + "\n" for line in [HEADER, *ROWS]).encode()


@pytest.mark.parametrize(
    "data",
    [
        each_line(lambda fields: fields[::-1]),
        each_line(lambda fields: [*fields[:3], "more", *fields[3:], "1"]),
        each_line(lambda fields: ["" if fields[0] == "id" else "7", *fields]),
        each_line(lambda fields: ["Unnamed: 0" if fields[0] == "id" else "7", *fields]),
        each_line(lambda fields: [f" {field.upper()} " if "id" in fields else field for field in fields]),
        each_line(lambda fields: [*fields, ""]),
        each_line(lambda fields: fields, ";"),
        each_line(lambda fields: fields, "\t"),
        each_line(lambda fields: fields, "|"),
        b"sep=;\r\n" + each_line(lambda fields: fields, ";"),
        b'"sep=,"\n' + each_line(lambda fields: fields),
        file_of(*(f"{row}," for row in ROWS)),
        file_of(*ROWS, "," * 11, ' , ,,"",,', *["," * 11] * 300),
        file_of(*ROWS, header=HEADER.replace("_", " ").title().replace("Errors", "Errors?")),
        file_of(*ROWS, header=",".join(f'"{name}"' for name in NAMES)),
        file_of(*ROWS, header=HEADER.replace("id,", "transaction_id,", 1)),
    ],
)
def test_the_same_rows_land_however_the_columns_are_written(data: bytes) -> None:
    assert landed(data) == PUBLISHED


def test_a_published_header_keeps_the_quick_way_and_every_other_names_what_is_not_read() -> None:
    _, _, tally = read(file_of(*ROWS))
    assert tally.notes == []
    _, _, tally = read(each_line(lambda fields: [*fields, "extra" if "id" in fields else "7", ""]))
    assert tally.notes == ["columns not read: extra, one without a name"]


def test_lines_are_numbered_in_the_file_also_after_a_line_for_spreadsheets() -> None:
    lines, rejects, _ = read(b"sep=;\n" + HEADER.replace(",", ";").encode() + b"\n" + b"1;2\n" + b"\n;;\n3\n")
    assert lines == []
    assert [line for line, _ in rejects] == [3, 6]


def test_a_shifted_row_is_no_row_with_a_trailing_comma() -> None:
    """An unquoted comma in a text gives one field more, and without an error the last one is empty."""
    rows = [transaction(1, merchant_city="La, Verne"), *ROWS]
    lines, rejects, _ = read(file_of(*rows))
    assert [reason for _, reason in rejects] == ["13 fields instead of 12"]
    assert len(lines) == 40
    assert read(file_of(rows[0]))[0] == []


SAFE_CARDS = [
    (card_number(5), TOKEN(card_number(5)), card_number(5)[-4:]),
    (card_number(5, 15) + ".0", TOKEN(card_number(5, 15)), card_number(5, 15)[-4:]),
    ("**** **** **** 1234", "", "1234"),
    ("************1234", "", "1234"),
    ("4344-67XX-XXXX-0444", "", "0444"),
    ("434467******0444", "", "0444"),
    ("****************", "", ""),
    ("0444", "", "0444"),
    ("", "", ""),
    ("nan", "", ""),
    ("ab" * 32, in_letters("ab" * 32), ""),
    ("0123456789ABCDEF" * 2, in_letters("0123456789abcdef" * 2), ""),
    ("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", in_letters("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"), ""),
    ("tok_1NnQxZ2eZvKYlo2C", "tok_1NnQxZ2eZvKYlo2C", ""),
    (f"tok_{card_number(5)}", TOKEN(f"tok_{card_number(5)}"), ""),
]


@pytest.mark.parametrize(("number", "token", "last4"), SAFE_CARDS)
def test_a_card_lands_with_what_is_delivered_of_its_number(number: str, token: str, last4: str) -> None:
    data = file_of(card(1, number or " "), header=CARDS_HEADER)
    rest = "12/2022,YES,2,$24295,09/2002,2008,No"
    assert landed(data, CARDS) == [f"1,825,Visa,Debit,{token},{last4},{rest}"]


@pytest.mark.parametrize("without", [["cvv"], ["card_number"], ["cvv", "card_number"]])
def test_cards_need_neither_number_nor_security_code(without: list[str]) -> None:
    kept = [place for place, name in enumerate(CARDS.columns) if name not in without]
    lines = [CARDS_HEADER, *(card(n, card_number(n)) for n in range(3))]
    data = "".join(",".join(line.split(",")[place] for place in kept) + "\n" for line in lines).encode()
    has_number = "card_number" not in without
    for n, line in enumerate(landed(data, CARDS)):
        number = card_number(n)
        expected = f"{TOKEN(number)},{number[-4:]}" if has_number else ","
        assert line == f"{n},825,Visa,Debit,{expected},12/2022,YES,2,$24295,09/2002,2008,No"


def test_columns_of_tokens_and_last_digits_are_taken() -> None:
    header = CARDS_HEADER.replace("card_number", "card_token").replace("cvv", "last4")
    (line,) = landed(file_of(card(1, "tok_abcdefgh", cvv="44"), header=header), CARDS)
    assert line.startswith("1,825,Visa,Debit,tok_abcdefgh,0044,12/2022")
    header = CARDS_HEADER.replace("cvv", "card_token")
    (line,) = landed(file_of(card(1, "XXXXXXXXXXXX1234", cvv="tok_abcdefgh"), header=header), CARDS)
    assert line.startswith("1,825,Visa,Debit,tok_abcdefgh,1234,12/2022")


@pytest.mark.parametrize(
    ("relation", "header", "row", "expected"),
    [
        ("fraud_labels", "transaction_id,is_fraud", "7,Yes", "t,7,Yes"),
        ("fraud_labels", "id,label", "7,1", "t,7,Yes"),
        ("fraud_labels", ",target", "7,No", "t,7,No"),
        ("fraud_labels", "Transaction ID;Fraud", "7;Not Fraud", "t,7,No"),
        ("fraud_labels", ",id,Is Fraud?", "0,7,false", "t,7,No"),
        ("mcc_codes", "mcc,description", '5812,"Eating, Drinking"', "5812,Eating\\, Drinking"),
        ("mcc_codes", "Code,Description", "5812.0,Bars", "5812,Bars"),
        ("mcc_codes", ",0", "5812,Bars", "5812,Bars"),
    ],
)
def test_labels_and_codes_are_read_from_csv_too(relation: str, header: str, row: str, expected: str) -> None:
    assert landed(file_of(*[row] * 300, header=header), SOURCES[relation]) == [expected] * 300


def test_a_header_of_another_relation_is_refused() -> None:
    with pytest.raises(InputRefused) as caught:
        read(file_of("1,2", header="id,label"))
    assert caught.value.column == "date"
