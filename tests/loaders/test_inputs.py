"""Finding files and reading their bytes: folders, globs, archives, hostile names, damaged packing."""

from __future__ import annotations

import gzip
import os
import stat
import zipfile
from pathlib import Path

import pytest
import zstandard

from loaders.errors import InputRefused, UsageError
from loaders.inputs import discover, opened, printable_name
from loaders.recognise import recognise
from tests.loaders.made import HEADER, card_number, csv_file, transaction

pytestmark = pytest.mark.unit

DATA = b"one,two\n" * 50_000


def content(path: Path) -> bytes:
    (file,) = discover(path)
    with opened(file) as stream:
        blocks = list(iter(lambda: stream.read(4096), b""))
        stream.check_unchanged()
    return b"".join(blocks)


def packed(folder: Path, packing: str, data: bytes = DATA) -> Path:
    path = folder / f"transactions.csv.{packing}"
    if packing == "gz":
        path.write_bytes(gzip.compress(data))
    elif packing == "zst":
        half = len(data) // 2
        compress = zstandard.ZstdCompressor().compress
        path.write_bytes(compress(data[:half]) + compress(data[half:]))
    else:
        path = folder / "archive.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("transactions.csv", data)
    return path


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
def test_packed_files_are_read_whole(tmp_path: Path, packing: str) -> None:
    assert content(packed(tmp_path, packing)) == DATA


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
@pytest.mark.parametrize("kept", [0.3, 0.99])
def test_truncated_packed_files_are_refused(tmp_path: Path, packing: str, kept: float) -> None:
    path = packed(tmp_path, packing, os.urandom(100_000) + DATA)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(InputRefused):
        content(path)


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
def test_damaged_packed_files_are_refused(tmp_path: Path, packing: str) -> None:
    path = packed(tmp_path, packing, os.urandom(100_000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    if packing == "zst":  # its frames carry no checksum here: only the length can tell, and it is right
        return
    with pytest.raises(InputRefused):
        content(path)


@pytest.mark.parametrize("name", ["transactions.csv.gz", "transactions.csv.zst", "archive.zip"])
def test_a_file_that_is_not_packed_as_it_says_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"id,date\n1,2\n" * 100)
    with pytest.raises(InputRefused):
        content(tmp_path / name)


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
def test_a_decompression_bomb_is_refused(tmp_path: Path, packing: str) -> None:
    path = packed(tmp_path, packing, b"0" * 50_000_000)
    with pytest.raises(InputRefused, match="unpacks to"):
        content(path)


@pytest.mark.parametrize(
    "member", ["../transactions.csv", "/etc/transactions.csv", "a/../../t.csv", "..\\t.csv", "C:/t.csv"]
)
def test_an_archive_that_points_outside_itself_is_refused(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr(member, DATA)
    with pytest.raises(InputRefused, match="outside"):
        discover(tmp_path)


def test_an_archive_with_a_link_or_two_members_of_one_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        link = zipfile.ZipInfo("transactions.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputRefused, match="link"):
        discover(tmp_path)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("transactions.csv", "a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("transactions.csv", "b")
    with pytest.raises(InputRefused, match="twice"):
        discover(tmp_path)


def test_names_are_relative_to_what_was_given_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    for name in ("b.csv", "sub/a.csv", ".hidden.csv", ".git/c.csv"):
        csv_file((tmp_path / name).parent, Path(name).name, [])
    assert [file.name for file in discover(tmp_path)] == ["b.csv", "sub/a.csv"]
    assert [file.name for file in discover(tmp_path / "sub" / "a.csv")] == ["a.csv"]
    assert [file.name for file in discover(tmp_path / "*" / "*.csv") if file.name[0] != "."] == ["sub/a.csv"]
    assert [file.name for file in discover([tmp_path / "b.csv", tmp_path / "b.csv"])] == ["b.csv"]


def test_two_files_of_one_name_and_files_that_are_not_there_are_errors(tmp_path: Path) -> None:
    one, two = csv_file(tmp_path / "1", "a.csv", []), csv_file(tmp_path / "2", "a.csv", [])
    with pytest.raises(UsageError, match="two files"):
        discover([one, two])
    for missing in (tmp_path / "no", tmp_path / "*.no", Path("/dev/null")):
        with pytest.raises(UsageError):
            discover(missing)


@pytest.mark.parametrize("name", ['x"; drop table y;--.csv', "a\nb.csv", "ünï 東京.csv", "a'b$(rm).csv", "%s {0}.csv"])
def test_hostile_names_are_data(tmp_path: Path, name: str) -> None:
    csv_file(tmp_path, name, [transaction()])
    (file,) = discover(tmp_path)
    assert file.name.isprintable()
    assert [source.relation for source in recognise(file).sources] == ["transactions"]


def test_names_that_are_no_unicode_or_hold_a_card_number_are_shown_safely() -> None:
    assert printable_name(os.fsdecode(b"a\xff.csv")) == "a\\xff.csv"
    assert card_number(1) not in printable_name(f"cards {card_number(1)}.csv")


@pytest.mark.parametrize(
    ("name", "relation"),
    [
        ("transactions_data.csv", "transactions"),
        ("Transactions_2013-05.CSV.GZ", "transactions"),
        ("card_transactions.csv", "transactions"),
        ("cards_data.csv", "cards"),
        ("users_data.csv", "users"),
        ("mcc_codes.json", "mcc_codes"),
        ("train_fraud_labels.json.zst", "fraud_labels"),
        ("labels_2013.json", "fraud_labels"),
        ("transactions.parquet", "transactions"),
        ("notes.txt", None),
    ],
)
def test_a_relation_is_recognised_by_the_name(tmp_path: Path, name: str, relation: str | None) -> None:
    (tmp_path / name).write_bytes(b"?")
    (file,) = discover(tmp_path)
    assert [source.relation for source in recognise(file).sources] == ([relation] if relation else [])


def test_a_relation_is_recognised_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n1")
    (tmp_path / "2").write_bytes(gzip.compress(b"?"))
    (tmp_path / "3.json").write_bytes(b'{ "target":\n {"1": "No"}}')
    assert [[source.relation for source in recognise(file).sources] for file in discover(tmp_path)] == [
        ["transactions"],
        [],
        ["fraud_labels"],
    ]


def test_a_file_that_grows_or_is_replaced_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "transactions.csv", [transaction()])
    for change in (
        lambda: path.open("ab").write(b"x"),
        lambda: csv_file(tmp_path, "new", ["x"]).replace(path),
        path.unlink,
    ):
        (file,) = discover(path)
        with opened(file) as stream:
            stream.read(10)
            change()
            with pytest.raises(InputRefused, match="changed while"):
                stream.check_unchanged()
