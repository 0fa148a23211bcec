"""CSV as it comes: line ends, quotes, headers, damaged lines. The fast path and the slow path agree on every input."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loaders.errors import InputRefused
from loaders.formats import csv_rows
from loaders.formats.csv_rows import LONGEST_LINE
from loaders.protect import Tokenizer
from loaders.rows import LONGEST_FIELD, Tally
from tests.loaders.made import (
    CARDS,
    CARDS_HEADER,
    HEADER,
    TRANSACTIONS,
    card,
    card_number,
    file_of,
    read,
    transaction,
)

pytestmark = pytest.mark.unit


def key(line: str) -> list[str]:
    """File id, line number without the zeros before it, whether it is regular, and the rest of a line for COPY."""
    file_id, line_number, regular, rest = line.split(",", 3)
    return [file_id, line_number.lstrip("0"), regular, rest]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
def test_rows_are_numbered_by_their_line_whatever_the_line_end(end: bytes, block: int) -> None:
    data = file_of(transaction(1), transaction(2), transaction(3), end=end)
    lines, rejects, tally = read(data, block)
    rest = "2010-01-01 00:01:00,1556,2972,$-77.00,Swipe Transaction,59935,Beulah,ND,58523.0,5499,"
    assert [key(line) for line in lines] == [["9", str(n + 1), "t", f"{n},{rest}"] for n in (1, 2, 3)]
    assert rejects == []
    assert tally.cents == -23100
    assert tally.days == {"2010-01-01"}


def test_mixed_line_ends_blank_lines_a_bom_and_a_missing_last_line_end_lose_nothing() -> None:
    data = b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n" + transaction(1).encode() + b"\n\r\n" + transaction(2).encode()
    data += b"\r" + transaction(3).encode() + b"\n" + transaction(4).encode()
    lines, rejects, _ = read(data)
    assert [line.split(",")[1:4:2] for line in lines] == [["2", "1"], ["4", "2"], ["5", "3"], ["6", "4"]]
    assert rejects == []


def test_compound_errors_stay_one_field() -> None:
    lines, _, _ = read(file_of(transaction(errors='"Bad PIN,Insufficient Balance"'), transaction()))
    assert lines[0].endswith("5499,Bad PIN\\,Insufficient Balance")
    assert lines[1].endswith("5499,")


def test_a_quoted_line_end_belongs_to_its_row() -> None:
    data = file_of(transaction(1, merchant_city='"New\nTown, ""X"""'), transaction(2))
    for block in (1, 60, 1 << 20):
        lines, rejects, _ = read(data, block)
        assert 'New\\nTown\\, "X"' in lines[0]
        assert lines[1].split(",")[1].lstrip("0") == "4"
        assert rejects == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_a_block_of_many_lines_is_read_in_pieces_as_at_once(
    end: bytes, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = transaction(errors='"Bad PIN' + end.decode() + ',Bad CVV"')
    data = file_of(*[transaction(1), quoted, "", "bad", '"', *[transaction(2)] * 30, quoted, "x", quoted] * 3, end=end)
    whole = read(data)
    monkeypatch.setattr(csv_rows, "_MOST_LINES_AT_ONCE", at_once)
    assert read(data)[:2] == whole[:2]
    assert read(data.rstrip(end))[:2] == whole[:2]


def test_a_stray_quote_costs_its_own_line_only() -> None:
    rows = [transaction(n) for n in range(300)]
    rows[10] = transaction(10, merchant_city='"Beulah')
    rows[200] = transaction(200, merchant_city='Beu"lah')
    for block in (50, 1000, 1 << 20):
        lines, rejects, _ = read(file_of(*rows), block)
        assert [line for line, _ in rejects] == [12, 202]
        assert len(lines) == 298


@pytest.mark.parametrize("block", [64, 1 << 20])
def test_a_quote_that_the_end_of_the_file_leaves_open_is_a_reject(block: int) -> None:
    lines, rejects, _ = read(file_of(transaction(1), transaction(2, errors='"Bad PIN'), ""), block)
    assert len(lines) == 1
    assert rejects == [(3, "a quote is not closed")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (transaction() + ",x", "13 fields instead of 12"),
        (transaction() + ",", "13 fields instead of 12"),
        ("1,2,3", "3 fields instead of 12"),
        (transaction(merchant_city="Beu\0lah"), "NUL"),
        (transaction().encode().replace(b"Beulah", b"Z\xfcrich"), "UTF-8"),
        (transaction(merchant_city="x" * (LONGEST_FIELD + 1)), "merchant_city is longer"),
        (transaction(merchant_city="x" * (3 * LONGEST_LINE)), "the line is longer"),
        (transaction(id="7.475327E+06"), "id is in scientific notation"),
        (transaction(merchant_id="5.9935e+4"), "merchant_id is in scientific notation"),
        (transaction(merchant_city=card_number(2)), "merchant_city holds a card number"),
        (transaction(errors="4" + card_number(2)[1:4] + " 1234-x " + card_number(4)), "errors holds a card number"),
        (transaction(date=card_number(2, 19)), "date holds a card number"),
        (transaction(merchant_city='"a"b'), "a quote"),
    ],
)
@pytest.mark.parametrize("block", [64, 1 << 20])
def test_a_row_that_cannot_be_landed_is_rejected_with_its_reason(row: str | bytes, reason: str, block: int) -> None:
    lines, rejects, tally = read(file_of(transaction(1), row, transaction(2)), block)
    assert len(lines) == 2
    assert [line for line, _ in rejects] == [3]
    assert reason in rejects[0][1]
    assert tally.rows_read == 3


@pytest.mark.parametrize(
    "row",
    [
        transaction(amount=amount)
        for amount in (
            "$1,234.50",
            '"$1,23.50"',
            "12.005",
            "NaN",
            "1e309",
            "",
            "$",
            "$-",
            "$1.2.3",
            "$--1.00",
            "$1234567890123.00",
        )
        if "," not in amount or '"' in amount
    ]
    + [transaction(date=date) for date in ("2010-02-30 00:00:00", "9999-99-99 00:00:00", "", "01/02/2010", "2010-1-1")]
    + [transaction(zip="12345-6789"), transaction(id=""), transaction(id="x"), transaction(merchant_city="=1+1")],
)
def test_a_value_that_does_not_cast_lands_as_it_is(row: str) -> None:
    lines, rejects, tally = read(file_of(row))
    assert len(lines) == 1
    assert rejects == []
    assert (tally.uncounted_amounts, tally.cents) in ((1, 0), (0, -7700))


def test_backslashes_and_unicode_land_as_they_are() -> None:
    lines, rejects, _ = read(
        file_of(transaction(merchant_city="\\N\\.\\"), transaction(merchant_city="São Paulo 東京"))
    )
    assert "\\\\N\\\\.\\\\" in lines[0]
    assert "São Paulo 東京" in lines[1]
    assert rejects == []


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", "column id: the header has no such column"),
        (HEADER.replace(",errors", ""), "column errors: the header has no such column, it begins 'id,date,"),
        (HEADER + ",id", "column id: the header has this column twice"),
        (transaction(), "column id: the header has no such column"),
        (card_number(3) + ",b,c", "begins '************" + card_number(3)[-4:] + ",b,c'"),
    ],
)
def test_a_header_without_a_column_refuses_the_file(header: str, told: str) -> None:
    with pytest.raises(InputRefused) as caught:
        read(file_of(transaction(), header=header))
    assert caught.value.line == 1
    assert told in str(caught.value)
    assert HEADER in caught.value.cure


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused):
        read(data)


def test_a_header_alone_is_a_file_without_rows() -> None:
    assert read(HEADER.encode())[2] == Tally()
    assert read(file_of())[2] == Tally()


def test_a_card_lands_as_token_and_last_four() -> None:
    pan = card_number(7)
    written = f"{pan[:4]} {pan[4:8]}-{pan[8:12]} {pan[12:]}"
    lines, rejects, _ = read(file_of(card(1, pan), card(2, written), header=CARDS_HEADER), source=CARDS)
    token = Tokenizer(b"k" * 32).token(pan)
    assert lines == [
        f"9,{n + 1},{n},825,Visa,Debit,{token},{pan[-4:]},12/2022,YES,2,$24295,09/2002,2008,No" for n in (1, 2)
    ]
    assert rejects == []


@pytest.mark.parametrize("pan", ["4.34468E+15", "12345", "4344x676951950444", "*444", "434467695195044 ****"])
def test_a_card_with_a_damaged_number_is_rejected(pan: str) -> None:
    lines, rejects, _ = read(file_of(card(1, pan), header=CARDS_HEADER), source=CARDS)
    assert lines == []
    assert "card_number" in rejects[0][1]


ODD = st.sampled_from(
    [
        "", ",", '"', '""', "\n", "\r", "\r\n", "\0", "\\", "\\.", "é", "\u00a0", "+", "E+", "1E+15", "$", "-", ".", "$-0.00",
        "$12.34", "$9999999999.99", "2010-01-01 00:01:00", "2012-02-30 10:00:00", card_number(1), card_number(2, 13), " ",
        card_number(3)[:4] + " " + card_number(3)[4:8] + " " + card_number(3)[8:12] + " " + card_number(3)[12:], "x" * 30,
    ]
)  # fmt: skip
LINE = st.one_of(
    st.builds(transaction, st.integers(0, 10**9)),
    st.dictionaries(st.sampled_from(TRANSACTIONS.columns), st.lists(ODD, max_size=3).map("".join), max_size=3).map(
        lambda changed: transaction(**changed)
    ),
    st.lists(ODD, max_size=20).map("".join),
    st.text(max_size=40),
    st.binary(max_size=30),
)


FIRST_ROWS = 60  # more than are joined with the header: with them, blocks end anywhere among the rows drawn


@settings(max_examples=400, deadline=None)
@given(
    st.lists(LINE, max_size=25),
    st.sampled_from([b"\n", b"\r\n"]),
    st.integers(1, 3000),
    st.sampled_from([0, FIRST_ROWS]),
)
@example(rows=['"', transaction(), '"'], end=b"\n", block=5, before=FIRST_ROWS)
@example(rows=["+" + transaction(), ""], end=b"\n", block=3000, before=0)
@example(rows=[transaction(errors=",")], end=b"\n", block=1, before=0)  # each row ends with a separator
def test_quick_and_careful_agree_and_no_row_is_lost(
    rows: list[str | bytes], end: bytes, block: int, before: int
) -> None:
    rows = [row.encode("utf-8", "surrogatepass") if isinstance(row, str) else row for row in rows]
    rows = [transaction(10**10 + n).encode() for n in range(before)] + rows
    data = file_of(*rows, end=end)
    quick_lines, quick_rejects, quick = read(data, block)
    lines, rejects, careful = read(data, 1 << 20, quick=False)
    assert list(map(key, quick_lines)) == list(map(key, lines))
    assert quick_rejects == rejects
    quick.first_reject = careful.first_reject = None
    assert quick == careful
    if b'"' not in data:  # then a row is a line that is more than blanks and separators
        assert careful.rows_read == sum(1 for line in data.splitlines()[1:] if line.strip(b", \t\n\r\x0b\x0c"))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.text(alphabet='ab,"\n 1é', max_size=6), min_size=12, max_size=12), max_size=20),
    st.integers(1, 400),
)
def test_what_a_csv_writer_writes_lands_whole(rows: list[list[str]], block: int) -> None:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    lines, rejects, _ = read(file_of() + out.getvalue().encode(), block)
    assert rejects == []
    assert len(lines) == sum(1 for row in rows if "".join(row).strip(" "))
