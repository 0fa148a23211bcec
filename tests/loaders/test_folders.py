"""What lies in a folder beside good files: each thing lands, is refused or is passed over, and is said by name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaders import inputs
from loaders.errors import InputRefused, UsageError
from loaders.inputs import discover, look, opened
from loaders.recognise import in_order
from loaders.reporting import FileOutcome, LogReporter
from loaders.sources import SOURCES
from tests.loaders.made import CARDS_HEADER, HEADER, card, csv_file, transaction
from tests.loaders.warehouse import Query, assert_reconciled

CSV = "\n".join([HEADER, transaction(1), transaction(2), ""]).encode()
Load = Callable[..., list[FileOutcome]]


class Told(LogReporter):
    """Keeps the remarks of a landing."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good file."""
    return csv_file(tmp_path / "in", "transactions_data.csv", [transaction(1), transaction(2)]).parent


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def lying_zip(path: Path, size: int) -> Path:
    """A zip whose directory says another size of its member, with the checksum of so many bytes of it."""
    zipped(path, {"transactions.csv": CSV})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, size)
    struct.pack_into("<I", data, directory + 16, zlib.crc32(CSV[:size]))
    path.write_bytes(data)
    return path


def nameless_zip(path: Path) -> Path:
    zipped(path, {"x": CSV})
    data = path.read_bytes()
    local, directory = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    head = (
        data[local : local + 26] + struct.pack("<H", 0) + data[local + 28 : local + 30] + data[local + 31 : directory]
    )
    entry = data[directory : directory + 28] + struct.pack("<H", 0) + data[directory + 30 : directory + 46]
    tail = data[end : end + 12] + struct.pack("<II", len(entry), len(head)) + data[end + 20 :]
    path.write_bytes(head + entry + tail)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


PACKED: dict[str, Callable[[Path], object]] = {
    "transactions.csv.xz": lambda path: path.write_bytes(lzma.compress(CSV)),
    "transactions.csv.bz2": lambda path: path.write_bytes(bz2.compress(CSV)),
    "transactions_of_gz": lambda path: path.write_bytes(gzip.compress(CSV)),
    "download": lambda path: zipped(path, {"a/transactions.csv": CSV}),
    "all.tar": lambda path: tarred(path, {"a/transactions.csv": CSV}, "w"),
    "all.tar.gz": lambda path: tarred(path, {"readme.md": b"x", "./b/transactions.csv": CSV}, "w:gz"),
    "all.tgz": lambda path: tarred(path, {"1.csv": CSV}, "w:gz"),
    "all.tar.xz": lambda path: tarred(path, {"transactions.csv": CSV}, "w:xz"),
    "gz_inside.zip": lambda path: zipped(path, {"transactions.csv.gz": gzip.compress(CSV)}),
    "xz_inside.tar": lambda path: tarred(path, {"transactions.csv.xz": lzma.compress(CSV)}, "w"),
}


@pytest.mark.parametrize("name", list(PACKED))
def test_what_is_packed_lands_the_same_rows(name: str, load: Load, query: Query, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    PACKED[name](tmp_path / "in" / name)
    (outcome,) = load(tmp_path / "in")
    assert (outcome.relation, outcome.rows_loaded) == ("transactions", 2)
    assert [outcome.action for outcome in load(tmp_path / "in")] == ["unchanged"]
    assert_reconciled(query)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "bad.zip": (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "archive cannot be read"),
    "bad.tar.gz": (lambda path: path.write_bytes(gzip.compress(b"x" * 2000)), "archive cannot be read"),
    "short.zip": (lambda path: lying_zip(path, 20), "another size|Bad CRC"),
    "long.zip": (lambda path: lying_zip(path, len(CSV) + 9), "another size|Bad CRC"),
    "nameless.zip": (nameless_zip, "without a name"),
    "nameless.tar": (lambda path: tarred(path, {"": CSV}, "w"), "without a name"),
    "bomb.tar.gz": (
        lambda path: path.write_bytes(gzip.compress(tar_head("transactions.csv", 1 << 36) + bytes(40 << 20))),
        "archive cannot be read|unpacks to",
    ),
    "bomb.csv.gz": (lambda path: path.write_bytes(gzip.compress(CSV + bytes(80 << 20))), "unpacks to over"),
    "nested.zip": (lambda path: zipped(path, {"transactions.zip": b"PK"}), "archive inside an archive"),
    "unsaid.zip": (
        lambda path: zipped(path, {"in.dat": b"PK\x03\x04" + bytes(99)}),
        "an archive inside an archive, under",
    ),
    "unsaid.tar": (lambda path: tarred(path, {"transactions": gzip.compress(CSV)}, "w"), "a gz file inside an archive"),
    "outside.tar": (lambda path: tarred(path, {"../transactions.csv": CSV}, "w"), "outside"),
    "transactions.csv.7z": (lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c..."), "a 7z archive"),
    "cards.xlsx": (
        lambda path: zipped(path, {"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}),
        "an Excel workbook",
    ),
    "transactions.csv": (  # as other programs write it: the member that tells is the last one, far from the first bytes
        lambda path: zipped(
            path, {"docProps/app.xml": b"<x/>" * 99, "xl/workbook.xml": b"", "[Content_Types].xml": b""}
        ),
        "an Excel workbook",
    ),
    "cards.zip": (
        lambda path: zipped(path, {"xl/sheet1.xml": b"<x/>", "[Content_Types].xml": b"<x/>"}),
        "an Excel workbook",
    ),
    "data.csv": (
        lambda path: zipped(path, {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b""}),
        "it is an OpenDocument file",
    ),
    "export.json": (lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600)), "it is an old Excel workbook"),
    "users_data.csv": (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
    "xab": (lambda path: path.write_text(f"{transaction(8)}\n{transaction(9)}\n"), "no header"),
    "xac": (lambda path: path.write_text(f"0.00,Swipe\n{transaction(9)}\n"), "no header"),
    "xad": (lambda path: path.write_text(f"{card(1)}\n"), "rows of cards, and no header"),
    "xae": (lambda path: path.write_text('"7": "No", "8": "Yes"'), "fraud_labels, and not from the beginning"),
    "all_cards.tsv": (lambda path: path.write_text("a\tb\n"), "its name belongs to cards"),
    "other_cards.csv": (
        lambda path: path.write_text(f"{','.join('abcdefghijklm')}\n{card(1)}\n"),
        "it does not begin like a file of cards",
    ),
    "all.zip": (lambda path: zipped(path, {"inner.zip": b"PK"}), "it is an archive inside an archive"),
    "data.7z": (lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c..."), "it is a 7z archive"),
    "transactions.feather": (lambda path: path.write_bytes(b"ARROW1\0\0"), "its name belongs to transactions"),
    "gone.csv": (lambda path: path.symlink_to("nowhere"), "a link to a file that is not there"),
}


def test_a_text_file_of_labels_is_known_by_its_name_and_other_names_of_its_columns(
    load: Load, query: Query, folder: Path
) -> None:
    (folder / "labels.txt").write_text("id,label\n1,Yes\n2,0\n")
    (folder / "labels_readme.txt").write_text("Labels come weekly, by id\n")
    load(folder)
    assert query("SELECT transaction_id, is_fraud FROM raw.fraud_labels ORDER BY 1") == [("1", "Yes"), ("2", "No")]


def tar_head(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf()


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_belongs_and_cannot_be_read_is_refused_by_name_and_the_others_land(
    name: str, load: Load, query: Query, folder: Path
) -> None:
    make, reason = REFUSED[name]
    make(folder / name)
    (folder / "another.zip").write_bytes(b"")
    with pytest.raises(InputRefused, match=reason) as caught:
        load(folder)
    assert caught.value.exit_code == 3
    assert name in str(caught.value), "the error at the end names it"
    assert "another.zip" in str(caught.value), "and the other one"
    assert query("SELECT name FROM ops.load_files") == [("transactions_data.csv",)]


@pytest.mark.parametrize(
    "name",
    ["transactions_data.csv.bak", "transactions_data.csv~", "transactions_2.csv.crdownload", "transactions_2.csv.part",
     "transactions_data.csv.orig", "transactions.tmp", "~$transactions.csv", "sample/transactions_data.csv",
     "transactions_sample.csv", "output/enriched_transactions.csv"],
)  # fmt: skip
def test_leftovers_samples_and_outputs_are_passed_over_with_a_note(
    name: str, load: Load, query: Query, folder: Path
) -> None:
    path = csv_file((folder / name).parent, Path(name).name, [transaction(1, amount="$0.01")])
    told = Told()
    load(folder, report=told)
    assert query("SELECT name FROM ops.load_files") == [("transactions_data.csv",)]
    assert any(name in note and "passed over" in note for note in told.notes)
    if "sample" in path.name:  # one that is all there is, or is named, is taken
        (folder / "transactions_data.csv").unlink()
        load(path)
        assert query("SELECT count(*) FROM ops.load_files") == [(2,)]


@pytest.mark.unit
def test_content_decides_where_the_name_says_another_relation(tmp_path: Path) -> None:
    csv_file(tmp_path, "users_transactions.csv", [transaction(1)])
    csv_file(tmp_path, "transactions_cards.csv", [card(1)], CARDS_HEADER)
    found, unknown = in_order(discover(tmp_path), SOURCES)
    assert [(file.name, source.relation) for file, source in found] == [
        ("transactions_cards.csv", "cards"),
        ("users_transactions.csv", "transactions"),
    ]
    assert unknown == []


@pytest.mark.unit
def test_linked_folders_are_read_once_and_unreadable_ones_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = csv_file(tmp_path / "other", "transactions_2.csv", []).parent
    (folder / "linked").symlink_to(other)
    (other / "round").symlink_to(folder)
    assert [file.name for file in discover(folder)] == ["linked/transactions_2.csv", "transactions_data.csv"]
    scan = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("linked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(inputs.os, "scandir", scandir)
    (refused,) = look(folder).refused
    assert "linked" in str(refused)
    assert "folder cannot be read" in str(refused)


@pytest.mark.unit
def test_a_file_that_may_not_be_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kind_of(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(inputs.archives, "kind_of", kind_of)
    (refused,) = look(folder).refused
    assert "transactions_data.csv" in str(refused)


@pytest.mark.unit
@pytest.mark.parametrize(
    "dated", ["2026-11-27", "20261127", "2026_11_27", "2026-11", "date=2026-11-27", "2026/11/27", "2026/11"]
)
def test_a_dated_folder_is_part_of_the_name_from_wherever_it_is_landed(dated: str, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "in" / dated / "issuer", "transactions.csv", [])
    names = {
        file.name
        for given in (
            path,
            path.parent,
            path.parent.parent,
            tmp_path / "in",
            path.parent / "*.csv",
            tmp_path / "in" / "*",
        )
        for file in discover(given)
    }
    assert names == {f"{dated}/issuer/transactions.csv"}


def test_the_same_names_in_two_dated_folders_are_two_files(load: Load, query: Query, tmp_path: Path) -> None:
    for day in (26, 27):
        rows = [transaction(100 * day + n, date=f"2026-11-{day} 10:00:00") for n in range(3)]
        load(csv_file(tmp_path / f"2026-11-{day}", "transactions_data.csv", rows).parent)
    assert query("SELECT name, rows_loaded FROM ops.load_files ORDER BY 1") == [
        ("2026-11-26/transactions_data.csv", 3),
        ("2026-11-27/transactions_data.csv", 3),
    ]


def test_a_replacement_says_what_goes_and_comes_and_one_without_a_common_id_is_refused(
    load: Load, query: Query, tmp_path: Path, size: str
) -> None:
    rows = [transaction(n, date=f"2010-01-0{1 + n % 2} 00:00:00") for n in range(6)]
    path = csv_file(tmp_path / "in", "transactions_data.csv", rows)
    load(path)
    csv_file(tmp_path / "in", "transactions_data.csv", rows[:5])
    (outcome,) = load(path)
    assert outcome.note == "3 rows of 2010-01-02 go, 2 rows of 2010-01-02 come"
    csv_file(
        tmp_path / "in", "transactions_data.csv", [transaction(n, date="2010-02-01 00:00:00") for n in range(90, 93)]
    )
    with pytest.raises(
        InputRefused, match=r"none of the 5 keys.*5 rows of 2010-01-01 to 2010-01-02 go.*\n.*dated folder"
    ):
        load(path)
    assert query("SELECT rows_loaded FROM ops.load_files") == [(5,)]
    load(path, replace=True)
    assert query("SELECT count(*) FROM raw.transactions") == [(3,)]
    assert_reconciled(query)


def test_two_versions_of_one_file_are_said_with_which_of_them_counts(load: Load, folder: Path) -> None:
    csv_file(folder, "transactions_data (1).csv", [transaction(1, amount="$5.00"), transaction(2)])
    csv_file(folder, "transactions_other.csv", [transaction(2), transaction(3)])
    told = Told()
    load(folder, report=told)
    assert [note for note in told.notes if "versions" in note] == [
        "transactions_data (1).csv and transactions_data.csv are versions of one file, by their keys:"
        " the rows of transactions_data (1).csv count, as the later one by its name"
    ]


def test_pruning_takes_nothing_for_an_empty_folder_after_a_refusal_or_with_a_relation_missing(
    load: Load, query: Query, folder: Path
) -> None:
    csv_file(folder / "mounted", "transactions_2.csv", [transaction(3)])
    csv_file(folder, "cards_data.csv", [card(1)], CARDS_HEADER)
    load(folder)
    names = query("SELECT name FROM ops.load_files ORDER BY 1")
    (folder / "mounted" / "transactions_2.csv").unlink()
    with pytest.raises(InputRefused, match="folder 'mounted' is empty"):
        load(folder, prune=True)
    (folder / "mounted").rmdir()
    (folder / "bad.zip").write_bytes(b"")
    with pytest.raises(InputRefused, match="archive cannot be read"):
        load(folder, prune=True)
    (folder / "bad.zip").unlink()
    (folder / "cards_data.csv").rename(folder.parent / "cards_data.csv")
    with pytest.raises(InputRefused, match=r"no file of cards \(published as cards_data.csv\)"):
        load(folder, prune=True)
    assert query("SELECT name FROM ops.load_files ORDER BY 1") == names
    load(folder, prune=True, partial=True)
    assert query("SELECT name FROM ops.load_files") == [("transactions_data.csv",)]
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(UsageError):
        load(folder, prune=True, partial=True)
    assert query("SELECT count(*) FROM raw.transactions") == [(2,)]


@pytest.mark.unit
def test_a_bomb_is_refused_after_little_of_it(tmp_path: Path) -> None:
    bomb = zlib.compressobj(9, wbits=31)
    (tmp_path / "transactions.csv.gz").write_bytes(
        bomb.compress(CSV) + b"".join(bomb.compress(bytes(1 << 20)) for _ in range(400))
    )
    (file,) = discover(tmp_path)
    with opened(file) as stream, pytest.raises(InputRefused, match=r"unpacks to over 3[0-9],"):
        deque(iter(stream.read, b""), maxlen=0)
