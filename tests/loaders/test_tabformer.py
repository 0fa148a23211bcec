"""IBM's TabFormer files land as the published ones do: composed ids, labels of their own, and nobody's name."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaders import tabformer
from loaders.errors import InputRefused
from loaders.formats.readers import reader_of
from loaders.inputs import discover
from loaders.protect import Tokenizer, holds_card_number
from loaders.recognise import in_order, recognise
from loaders.replay import replay
from loaders.reporting import FileOutcome
from loaders.rows import RowEncoder
from loaders.sources import SOURCES
from tests.loaders.made import HEADER, Bytes, csv_file, gathered, transaction
from tests.loaders.made_tabformer import (
    CARDS_HEADER,
    FILES,
    SURNAME,
    TRANSACTIONS_HEADER,
    USERS_HEADER,
    card,
    purchase,
    sample,
    user,
    written,
)
from tests.loaders.warehouse import Query, assert_reconciled

Load = Callable[..., list[FileOutcome]]


def read(relation: str, header: str, *rows: str, end: str = "\n", block: int = 1 << 20) -> Any:
    source = SOURCES[relation]
    encoder = RowEncoder(source, None, Tokenizer(b"k" * 32) if source.pan_column else None)
    data = Bytes((end.join([header, *rows]) + end).encode(errors="surrogateescape"), block)
    return gathered(reader_of("made", encoder, data).chunks())  # type: ignore[arg-type]


def landed(relation: str, header: str, *rows: str, **options: Any) -> list[list[str]]:
    """The rows for COPY, without their place and flag."""
    lines, rejects, tally = read(relation, header, *rows, **options)
    assert (rejects, tally.unusable) == ([], 0)
    skipped = 2 if SOURCES[relation].is_large else 1
    return [re.split(r"(?<!\\),", line)[skipped:] for line in lines]


@pytest.mark.unit
def test_every_column_is_mapped_and_each_mapping_is_of_a_column_that_the_files_have() -> None:
    headers = {"users": USERS_HEADER, "cards": CARDS_HEADER}
    for relation, mapping in tabformer.MAPPINGS.items():
        assert tuple(mapping) == SOURCES[relation].columns
        assert relation in tabformer.relations(headers.get(relation, TRANSACTIONS_HEADER).split(","))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {}),
        ({"amount": "$-99.00"}, {"amount": "$-99.00"}),
        ({"errors": '"Bad PIN,Insufficient Balance,"'}, {"errors": r"Bad PIN\,Insufficient Balance"}),
        ({"errors": "Technical Glitch,"}, None),  # unquoted, it is a column more
        ({"errors": '"Technical Glitch,"'}, {"errors": "Technical Glitch"}),
        (
            {"use_chip": "Online Transaction", "city": "ONLINE", "state": "", "zip": ""},
            {"use_chip": "Online Transaction", "merchant_city": "ONLINE", "merchant_state": "", "zip": ""},
        ),
        (
            {"city": "Rome", "state": "Italy", "zip": ""},
            {"merchant_city": "Rome", "merchant_state": "Italy", "zip": ""},
        ),
        ({"month": "12", "day": "31", "time": "23:59"}, {"date": "2002-12-31 23:59:00"}),
        ({"merchant_name": "-727612092139916043"}, {"merchant_id": str(-727612092139916043 % 999_999_937)}),
    ],
)
def test_a_transaction_becomes_the_published_one(changed: dict[str, str], expected: dict[str, str] | None) -> None:
    if expected is None:
        _, rejects, _ = read("transactions", TRANSACTIONS_HEADER, purchase(825, 3, **changed))
        assert rejects == [(2, "16 fields instead of 15")]
        return
    (row,) = landed("transactions", TRANSACTIONS_HEADER, purchase(825, 3, **changed))
    number, *rest = row
    assert re.fullmatch("[0-9]{1,12}", number)
    published = {
        "date": "2002-09-01 06:21:00",
        "client_id": "825",
        "card_id": "82503",
        "amount": "$134.09",
        "use_chip": "Swipe Transaction",
        "merchant_id": str(3527213246127876953 % 999_999_937),
        "merchant_city": "La Verne",
        "merchant_state": "CA",
        "zip": "91750.0",
        "mcc": "5300",
        "errors": "",
    }
    assert rest == list({**published, **expected}.values())


@pytest.mark.unit
def test_rows_are_regular_and_take_the_quick_way() -> None:
    rows = [purchase(1, 1, time=f"{minute // 60:02d}:{minute % 60:02d}") for minute in range(600)]
    lines, _, tally = read("transactions", TRANSACTIONS_HEADER, *rows)
    assert all(line.split(",")[1] == "t" for line in lines)
    assert tally.cents == 600 * 13409
    assert len({line.split(",")[2] for line in lines}) == 600


@pytest.mark.unit
def test_an_id_follows_from_the_row_alone_not_from_its_place_form_or_company() -> None:
    rows = [purchase(user, 0, amount=f"${user}.00") for user in range(40)]
    ids = {row[2]: row[0] for row in landed("transactions", TRANSACTIONS_HEADER, *rows)}
    names = TRANSACTIONS_HEADER.split(",")
    order = list(range(len(names)))
    random.Random(5).shuffle(order)
    forms = [
        (TRANSACTIONS_HEADER, rows[25:], ",", "\r\n", 100),
        (TRANSACTIONS_HEADER, rows[::-1], ",", "\r", 1 << 20),
        (TRANSACTIONS_HEADER, [row.replace("$", "") for row in rows], ",", "\n", 64),
        (TRANSACTIONS_HEADER, ['"' + row.replace(",", '","') + '"' for row in rows], ",", "\n", 1 << 20),
        (",".join(names[at] for at in order), [",".join(row.split(",")[at] for at in order) for row in rows], ",", "\n", 99),
        (TRANSACTIONS_HEADER.lower(), rows, ";", "\n", 1 << 20),
    ]  # fmt: skip
    for header, part, separator, end, block in forms:
        given = [line.replace(",", separator) for line in (header, *part)]
        found = landed("transactions", given[0], *given[1:], end=end, block=block)
        assert len(found) == len(part)
        assert {row[2]: row[0] for row in found}.items() <= ids.items()
    labels = landed("fraud_labels", TRANSACTIONS_HEADER, *(row.replace("No", "Yes") for row in rows))
    assert labels == [[number, "Yes"] for number in ids.values()]
    changes = {
        "time": "06:22",
        "amount": "$134.10",
        "merchant_name": "7",
        "errors": "Bad PIN",
        "use_chip": "Chip Transaction",
    }
    others = [purchase(0, 1), purchase(1, 0), *(purchase(**{column: value}) for column, value in changes.items())]
    assert len({row[0] for row in landed("transactions", TRANSACTIONS_HEADER, purchase(), *others)}) == 1 + len(others)


@pytest.mark.unit
def test_no_id_passes_for_a_card_number() -> None:
    draw = random.Random(1)
    rows = [purchase(draw.randrange(2000), 1, merchant_name=str(draw.randrange(-(2**63), 2**63))) for _ in range(3000)]
    for row in landed("transactions", TRANSACTIONS_HEADER, *rows):
        assert not any(map(holds_card_number, row))
        assert len(row[0]) <= 12
        assert len(row[6]) <= 9


@pytest.mark.unit
def test_a_user_is_a_place_in_the_file_and_has_no_name() -> None:
    rows = [user(0), "", "a broken row", user(2, address='"9, The Hill"'), user(3)]
    lines, rejects, tally = read("users", USERS_HEADER, *rows)
    assert [line.split(",")[:2] for line in lines] == [["2", "0"], ["5", "2"], ["6", "3"]]
    assert lines[1].endswith(r",9\, The Hill,34.15,-117.76,$29278,$59696,$127613,787,2")
    assert rejects == [(4, "1 fields instead of 18")]
    assert tally.first_reject is not None
    assert "broken" not in tally.first_reject.raw_line
    assert SURNAME not in "".join(lines)


@pytest.mark.unit
@pytest.mark.parametrize("header", [CARDS_HEADER, CARDS_HEADER.replace(",CVV", ",Other")])
def test_a_card_has_an_id_of_its_user_and_its_index_and_only_a_token(header: str) -> None:
    number = card(7, 2).split(",")[4]
    (row,) = landed("cards", header, card(7, 2))
    assert row[:4] == ["702", "7", "Visa", "Debit"]
    assert re.fullmatch("[a-p]{64}", row[4])
    assert row[5:] == [number[-4:], "12/2022", "YES", "2", "$24295", "09/2002", "2008", "No"]
    assert "987" not in row


@pytest.mark.unit
@pytest.mark.parametrize(("given", "index"), [("7", "100"), ("7", "-1"), ("x", "0"), ("7", "")])
def test_a_card_whose_id_cannot_be_composed_is_not_usable(given: str, index: str) -> None:
    row = card(7, 2).split(",", 2)[2]
    _, _, tally = read("cards", CARDS_HEADER, f"{given},{index},{row}")
    assert tally.unusable == 1


@pytest.mark.unit
def test_a_merchant_that_lost_its_digits_is_a_reject() -> None:
    _, rejects, _ = read("transactions", TRANSACTIONS_HEADER, purchase(merchant_name="3.52721E+18"))
    assert rejects == [(2, "column merchant_id is in scientific notation: digits are lost")]


@pytest.mark.unit
def test_the_categories_are_those_of_the_rows_each_once_with_the_published_description() -> None:
    rows = [purchase(mcc=code) for code in ("5300", "5411", "5300", "x", "1234", "")]
    found = landed("mcc_codes", TRANSACTIONS_HEADER, *rows)
    assert found == [
        ["5300", "Wholesale Clubs"],
        ["5411", r"Grocery Stores\, Supermarkets"],
        ["1234", "Category 1234"],
    ]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3", "3 fields instead of 15"),
        (purchase() + ",more", "16 fields instead of 15"),
        (purchase(city='"La'), "a quote is not closed"),
        (purchase(city='L"a"'), "a quote inside an unquoted field"),
        (purchase(city="L\udcff"), "not valid UTF-8"),
        (purchase(city="L\0"), "a NUL byte in the row"),
        (purchase(city="9" * 70_000), "the line is longer than 65536 bytes"),
        (",".join(["1"] * 12), "12 fields instead of 15"),
    ],
)
@pytest.mark.parametrize("block", [77, 1 << 20])
def test_a_broken_line_costs_itself_only_and_is_counted_once(line: str, reason: str, block: int) -> None:
    rows = [purchase(1), line, purchase(2), "", purchase(3)]
    lines, rejects, _ = read("transactions", TRANSACTIONS_HEADER, *rows, block=block)
    assert [text.split(",")[0] for text in lines] == ["2", "4", "6"]
    assert rejects == [(3, reason)]
    for relation in ("fraud_labels", "mcc_codes"):
        _, rejects, _ = read(relation, TRANSACTIONS_HEADER, *rows, block=block)
        assert rejects == []


@pytest.mark.unit
def test_rows_of_before_2000_are_quarantined_and_do_not_refuse_the_file() -> None:
    _, _, tally = read("transactions", TRANSACTIONS_HEADER, *[purchase(year="1995")] * 30, purchase())
    assert (tally.earlier, tally.unusable) == (30, 0)
    tally.check("made", 0.001)
    tally.check_any("made")
    assert "30 of 31 rows are of before 2000" in tally.note
    _, _, tally = read("transactions", TRANSACTIONS_HEADER, *[purchase(year="1995")] * 30)
    with pytest.raises(InputRefused, match="before 2000"):
        tally.check_any("made")


@pytest.mark.unit
def test_a_file_is_told_by_its_columns_and_holds_three_relations(tmp_path: Path) -> None:
    sample(tmp_path)
    (tmp_path / FILES[0]).rename(tmp_path / "cards of users.txt")
    found, unknown = in_order(discover(tmp_path), SOURCES)
    assert [(file.name, source.relation) for file, source in found] == [
        ("cards of users.txt", "mcc_codes"),
        ("sd254_users.csv", "users"),
        ("sd254_cards.csv", "cards"),
        ("cards of users.txt", "fraud_labels"),
        ("cards of users.txt", "transactions"),
    ]
    assert unknown == []
    written(tmp_path, "unlabelled.csv", TRANSACTIONS_HEADER.removesuffix(",Is Fraud?"), [])
    assert [source.relation for source in recognise(discover(tmp_path / "unlabelled.csv")[0]).sources] == [
        "transactions",
        "mcc_codes",
    ]


@pytest.mark.unit
def test_a_file_of_categories_takes_the_place_of_those_of_the_rows(tmp_path: Path) -> None:
    sample(tmp_path)
    (tmp_path / "mcc_codes.json").write_text('{"5300": "Clubs"}')
    found, _ = in_order(discover(tmp_path), SOURCES)
    assert [file.name for file, source in found if source.relation == "mcc_codes"] == ["mcc_codes.json"]


@pytest.mark.unit
def test_published_files_beside_it_are_refused_for_they_number_people_in_another_way(tmp_path: Path) -> None:
    sample(tmp_path)
    csv_file(tmp_path, "transactions_data.csv", [transaction()], HEADER)
    with pytest.raises(InputRefused, match=r"other numbers than those of transactions_data\.csv"):
        in_order(discover(tmp_path), SOURCES)


def test_they_are_refused_where_published_files_have_landed_and_the_other_way_round(
    load: Load, query: Query, tmp_path: Path
) -> None:
    published = csv_file(tmp_path / "published", "transactions_data.csv", [transaction()], HEADER)
    sample(tmp_path / "in")
    load(published.parent)
    with pytest.raises(InputRefused, match=r"transactions_data\.csv, which has landed, is one of"):
        load(tmp_path / "in")
    load(tmp_path / "in", prune=True, partial=True, replace=True)
    assert query("SELECT count(*) FROM raw.transactions WHERE id = '1'") == [(0,)]
    with pytest.raises(InputRefused, match="whose users have other numbers"):
        load(published.parent)
    load(tmp_path / "in")


def test_the_three_files_land_in_parts_as_at_once(load: Load, query: Query, size: str, tmp_path: Path) -> None:
    rows = sample(tmp_path / "all")
    outcomes = load(tmp_path / "all", whole=True)
    assert {each.relation: each.rows_loaded for each in outcomes} == {
        "mcc_codes": 4,
        "users": 6,
        "cards": 12,
        "fraud_labels": len(rows),
        "transactions": len(rows),
    }
    assert_reconciled(query)
    transactions = sorted(query("SELECT id, client_id, date, amount FROM raw.transactions"))
    labels = sorted(query("SELECT transaction_id, is_fraud FROM raw.fraud_labels"))
    assert len(transactions) == len(labels) == len(rows)
    assert {row[0] for row in transactions} == {row[0] for row in labels}
    assert sum(is_fraud == "Yes" for _, is_fraud in labels) == sum(row.endswith(",Yes") for row in rows)
    assert {outcome.action for outcome in load(tmp_path / "all")} == {"unchanged"}

    everything = "".join(
        text
        for table in ("raw.users", "raw.cards", "ops.load_files", "ops.rejected_rows")
        for (text,) in query(f"SELECT t::text FROM {table} AS t")
    )
    assert SURNAME not in everything
    numbers = [line.split(",")[4] for line in (tmp_path / "all" / FILES[2]).read_text().splitlines()[1:]]
    assert not any(number in everything for number in numbers)

    query("DROP SCHEMA raw, ops CASCADE")
    for part in (0, 1):
        written(tmp_path / "parts", f"part{part}.csv", TRANSACTIONS_HEADER, rows[part::2])
    load(tmp_path / "parts")
    assert sorted(query("SELECT id, client_id, date, amount FROM raw.transactions")) == transactions
    assert sorted(query("SELECT transaction_id, is_fraud FROM raw.fraud_labels")) == labels


def test_a_broken_line_is_replayed_in_the_published_form(
    load: Load, query: Query, database_url: str, tmp_path: Path
) -> None:
    rows = sample(tmp_path / "in")
    written(tmp_path / "in", FILES[0], TRANSACTIONS_HEADER, [*rows, purchase(0, 0) + ",more"])
    load(tmp_path / "in", max_rejects=0.1)
    ((name, number, raw),) = query("SELECT file_name, line_number, raw_line FROM ops.rejected_rows")
    assert number == len(rows) + 2
    assert raw.startswith('"0,0,2002,9,1,06:21,')
    assert "3527213246127876953" not in raw
    corrected = transaction(5).replace('"', '""')
    fixed = tmp_path / "fixed.csv"
    fixed.write_text(f'file_name,line_number,reason,raw_line\n{name},{number},"x","{corrected}"\n')
    assert [(each.relation, each.rows_loaded) for each in replay(database_url, fixed)] == [("transactions", 1)]
    assert_reconciled(query)
