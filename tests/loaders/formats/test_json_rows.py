"""Labels and codes: the published layouts, other layouts of the same JSON, damaged files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.errors import InputRefused
from loaders.formats import json_rows
from loaders.formats.json_rows import CodesReader, LabelsReader
from loaders.rows import RowEncoder
from loaders.sources import SOURCES
from tests.loaders.made import Bytes, card_number, gathered

pytestmark = pytest.mark.unit


def labels(data: bytes, block: int = 1 << 20) -> Any:
    encoder = RowEncoder(SOURCES["fraud_labels"], 9, None)
    return gathered(LabelsReader(Bytes(data, block), "labels.json", encoder).chunks())  # type: ignore[arg-type]


def codes(data: bytes) -> Any:
    encoder = RowEncoder(SOURCES["mcc_codes"], 9, None)
    return gathered(CodesReader(Bytes(data), "codes.json", encoder).chunks())  # type: ignore[arg-type]


def published(pairs: list[tuple[str, str]]) -> bytes:
    inner = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs)
    return f'{{"target": {{{inner}}}}}'.encode()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**11), st.sampled_from(["Yes", "No"])), max_size=60), st.integers(1, 400))
def test_every_label_lands_once_and_in_order_whatever_the_blocks(pairs: list[tuple[int, str]], block: int) -> None:
    lines, rejects, _ = labels(published([(str(key), value) for key, value in pairs]), block)
    assert [line.split(",")[2:] for line in lines] == [["t", str(key), value] for key, value in pairs]
    assert [int(line.split(",")[1]) for line in lines] == list(range(1, len(pairs) + 1))
    assert rejects == []


ODD_ID = st.one_of(
    st.integers(0, 10**20).map(str),
    st.sampled_from(["", "1x2", "12,No", "No", "1E+15", "-1", "1 2", "é", card_number(1)]),
)
ODD_VALUE = st.sampled_from(["Yes", "No", "Yes1", "1No", "", "yes", "No,No", "N", "o", "Yes\n"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ODD_ID, ODD_VALUE), max_size=8), st.integers(20, 400))
def test_the_quick_way_agrees_with_the_careful_one(pairs: list[tuple[str, str]], block: int) -> None:
    data = published(pairs)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LabelsReader, "_quick", lambda self, block: None)
        lines, rejects, careful = labels(data)
    quick_lines, quick_rejects, quick = labels(data, block)
    assert [line.split(",", 2)[2] for line in quick_lines] == [line.split(",", 2)[2] for line in lines]
    assert quick_rejects == rejects
    assert quick == careful
    assert careful.rows_read == len(pairs)


def test_the_published_layout_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    careful = LabelsReader._entries
    monkeypatch.setattr(LabelsReader, "_entries", lambda self, block: (seen.append(block), careful(self, block))[1])
    labels(published([(str(number), "No") for number in range(5000)]), 4096)
    assert max(map(len, seen)) < 100


@pytest.mark.parametrize("indent", [None, 0, 4])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\r\n", " :\t")])
@pytest.mark.parametrize("block", [3, 50, 1 << 20])
def test_other_layouts_of_the_same_labels_land_too(indent: int, separators: tuple[str, str], block: int) -> None:
    pairs = {str(number): "Yes" if number % 7 else "No" for number in range(1000, 1050)}
    text = json.dumps({"target": pairs}, indent=indent, separators=separators)
    for data in (text.encode(), b"\xef\xbb\xbf \n" + text.encode() + b"\n"):
        lines, rejects, _ = labels(data, block)
        assert dict(line.split(",")[3:] for line in lines) == pairs
        assert rejects == []


def test_strange_values_land_as_text_and_hopeless_ones_are_rejected() -> None:
    data = (
        b'{"target": {"1": "maybe", "2": true, "x": "No", "3": "a\\u00e9\\n", "4": "\\u0000", "5": "\xff", "6": "\\ud800",'
        b' "1E+7": "No", "7": "a,b", "%s": "No", "8": null}}' % card_number(1).encode()
    )
    lines, rejects, tally = labels(data)
    assert [line.split(",", 2)[2] for line in lines] == [
        "f,1,maybe",
        "t,2,Yes",
        "f,x,No",
        "f,3,aé\\n",
        "f,7,a\\,b",
        "f,8,null",
    ]
    assert [line for line, _ in rejects] == [5, 6, 7, 8, 10]
    assert tally.rows_read == 11


def test_every_truncation_is_refused_and_the_whole_lands() -> None:
    data = published([(str(number), "No") for number in range(40)])
    assert len(labels(data, 64)[0]) == 40
    for cut in range(len(data)):
        with pytest.raises(InputRefused):
            labels(data[:cut], 64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"[]",
        b'{"other": {}}',
        b'{"target": []}',
        b'{"target": {"1": {"2": "No"}}}',
        b'{"target": {"1": "No"}, "more": {}}',
        b'{"target": {"1": "No",}}',
        b'{"target": {"1": "No"}} trailing',
        b'{"target": {"1": "No" "2": "No"}}',
        b'{"target": {"1": "No", x, "2": "No"}}',
        b'{"target": {1: "No"}}',
    ],
)
@pytest.mark.parametrize("block", [5, 1 << 20])
def test_what_is_no_labels_file_is_refused(data: bytes, block: int) -> None:
    with pytest.raises(InputRefused):
        labels(data, block)


def test_an_endless_value_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "BLOCK", 1000)
    with pytest.raises(InputRefused):
        labels(b'{"target": {"1": "' + b"x" * 10**6, 1000)


def test_no_labels_is_a_file_without_rows() -> None:
    assert labels(b'{"target": {}}')[0] == []


def test_codes_land_in_order_duplicates_too() -> None:
    lines, rejects, _ = codes(b'\xef\xbb\xbf{\r\n  "5812": "Eating, Places",\r\n  "5541": "A",\r\n  "5541": "B"\r\n}')
    assert lines == ["9,1,5812,Eating\\, Places", "9,2,5541,A", "9,3,5541,B"]
    assert rejects == []


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"{", b'{"1": "a"', b"[]", b'["a"]', b'{"1": 2}', b'{"1": {"a": "b"}}', b"\xff{}", b"[" * 100_000],
)
def test_what_is_no_codes_file_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused):
        codes(data)
