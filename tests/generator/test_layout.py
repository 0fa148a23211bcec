"""The layout of the five files, byte for byte. Every check runs on generated files and, where at hand, on the real ones:
a check that the real files fail is wrong, however well the generated ones pass it."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from generator import generate, writers

MONTH = r"(0[1-9]|1[0-2])/(19|20)\d\d"
DOLLARS = r"\$(0|[1-9]\d*)"
COORDINATE = r"(0|[1-9]\d*)\.(\d|\d[1-9])"
ERROR = r"(Insufficient Balance|Technical Glitch|Bad (PIN|CVV|Expiration|Card Number|Zipcode))"

USER = re.compile(
    rf"\d{{1,4}},\d\d\d?,\d\d,\d{{4}},([1-9]|1[0-2]),(Female|Male),(0|[1-9]\d*) [A-Za-z0-9 ]+,{COORDINATE},-{COORDINATE},"
    rf"{DOLLARS},{DOLLARS},{DOLLARS},\d{{3}},[1-9]"
)
CARD = re.compile(
    rf"\d{{1,4}},\d{{1,4}},(Amex,Credit,3\d{{14}}|Discover,Credit,6\d{{15}}|(Mastercard,(Debit|Credit|Debit \(Prepaid\)),5"
    rf"|Visa,(Debit|Credit|Debit \(Prepaid\)),4)\d{{15}}),{MONTH},(0|[1-9]\d{{0,2}}),(YES|NO),[1-3],{DOLLARS},{MONTH},"
    r"(19|20)\d\d,No"
)
TRANSACTION = re.compile(
    r"[1-9]\d{6,7},20[01]\d-\d\d-\d\d \d\d:\d\d:00,\d{1,4},\d{1,4},"
    r"\$((0|[1-9]\d*)\.\d\d|-(0|[1-9]\d*)\.00),(Swipe|Chip|Online) Transaction,[1-9]\d{0,5},"
    r"(ONLINE,,|[^,\"]+,([A-Z]{2},[1-9]\d{2,4}\.0|(?![A-Z]{2},)[^,\"]+,)),\d{4},"
    rf'({ERROR}|"{ERROR}(,{ERROR})+")?'
)
LABEL = re.compile(r'"[1-9]\d{6,7}": "(Yes|No)"')


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("generated")
    generate(made, 0.01, 4)
    return made


@pytest.fixture(scope="module", params=["generated", pytest.param("real", marks=pytest.mark.real)])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue("real_data" if request.param == "real" else "generated")
    return found


def lines(path: Path, end: str) -> list[str]:
    text = path.read_bytes().decode()
    assert text.endswith(end)
    assert text.count("\n") == text.count(end)
    assert text.count("\r") == end.count("\r") * text.count("\n")
    return text[: -len(end)].split(end)


def misfits(pattern: re.Pattern[str], rows: list[str]) -> list[str]:
    return [row for row in rows if not pattern.fullmatch(row)][:3]


def test_users_are_plain_csv_with_lf_and_whole_dollars(folder: Path) -> None:
    header, *rows = lines(folder / "users_data.csv", "\n")
    assert header == writers.USERS_HEADER
    assert misfits(USER, rows) == []
    assert len(rows) == 2000


def test_cards_have_crlf_and_cvvs_without_leading_zeros(folder: Path) -> None:
    header, *rows = lines(folder / "cards_data.csv", "\r\n")
    assert header == writers.CARDS_HEADER
    assert misfits(CARD, rows) == []
    cvvs = [row.split(",")[6] for row in rows]
    assert {len(cvv) for cvv in cvvs} == {1, 2, 3}


def test_cards_follow_the_users_order(folder: Path) -> None:
    users = [row.split(",")[0] for row in lines(folder / "users_data.csv", "\n")[1:]]
    owners = [row.split(",")[1] for row in lines(folder / "cards_data.csv", "\r\n")[1:]]
    assert list(dict.fromkeys(owners)) == users
    assert sorted(map(int, users)) == list(range(2000))


def test_categories_are_indented_json_with_crlf_and_no_last_line_end(folder: Path) -> None:
    text = (folder / "mcc_codes.json").read_bytes().decode()
    codes = json.loads(text)
    body = ",\r\n".join(f'    "{code}": "{name}"' for code, name in codes.items())
    assert text == "{\r\n" + body + "\r\n}"
    assert codes == writers.categories(), "the published codes, in the published order"
    assert codes["3722"] == codes["4112"] == "Passenger Railways"
    assert (len(codes), len(set(codes.values()))) == (109, 108)


def test_transactions_are_csv_with_lf_that_quotes_compound_errors_only(folder: Path) -> None:
    header, *rows = lines(folder / "transactions_data.csv", "\n")
    assert header == writers.TRANSACTIONS_HEADER
    assert misfits(TRANSACTION, rows) == []
    assert any(re.search(r",\d{4}\.0,\d{4},", row) for row in rows), "a zip that lost its leading zero"
    assert any(",$-" in row for row in rows)


def test_labels_are_one_line_of_nested_json_with_default_separators(folder: Path) -> None:
    text = (folder / "train_fraud_labels.json").read_bytes().decode()
    head, body, tail = text[:12], text[12:-2], text[-2:]
    assert (head, tail) == ('{"target": {', "}}")
    assert misfits(LABEL, body.split(", ")) == []
    assert text == json.dumps(json.loads(text))


def test_the_rare_spellings_are_in_every_set(generated: Path) -> None:
    text = (generated / "transactions_data.csv").read_text()
    assert ",$-0.00," in text
    assert re.search(r'"(Bad PIN,Insufficient Balance|Insufficient Balance,Technical Glitch)"\n', text)
    assert ",ONLINE,,," in text
    assert re.search(r",(Mexico|Canada),,\d{4},", text)


def test_labels_come_in_no_order_and_each_belongs_to_a_transaction(generated: Path) -> None:
    labels = [int(key) for key in json.loads((generated / "train_fraud_labels.json").read_text())["target"]]
    rows = (generated / "transactions_data.csv").read_text().splitlines()[1:]
    ids = [int(row.partition(",")[0]) for row in rows]
    assert len(set(ids)) == len(ids)
    assert set(labels) <= set(ids)
    assert len(set(labels)) == len(labels)
    rising = sum(a < b for a, b in itertools.pairwise(labels)) / len(labels)
    assert rising == pytest.approx(0.5, abs=0.01)
