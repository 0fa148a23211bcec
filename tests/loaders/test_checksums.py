"""What is remembered of the bytes of files, and when it is not believed."""

from __future__ import annotations

import gzip
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loaders import checksums
from loaders.checksums import Checksums, look_at, sha256_of
from tests.loaders.made import card_number, csv_file, transaction
from tests.loaders.warehouse import Query, everything

Reads = list[str]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """The names of the files that are read through, as they are."""
    found: Reads = []

    def counted(file: Path) -> str:
        found.append(file.name)
        return sha256_of(file)

    monkeypatch.setattr(checksums, "sha256_of", counted)
    return found


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as written long ago; no test can set a ctime back."""
    monkeypatch.setattr(checksums, "SETTLED_AFTER_NS", -(10**15))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """Where the memory is kept."""
    return tmp_path / "home" / checksums.FILE


@pytest.fixture
def again(memory: Path) -> Callable[..., str]:
    """The SHA-256 of a file, asked by a landing of its own."""

    def asked(file: Path, is_trusted: bool = True) -> str:
        known = Checksums(memory, is_trusted)
        found = known.of(file)
        known.save()
        return found

    return asked


def _rewritten(file: Path, text: str) -> None:
    """Other bytes with the size and mtime of those before, written a tick of the clock later."""
    before = file.stat()
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    while file.stat().st_ctime_ns == before.st_ctime_ns:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_a_file_that_was_not_written_to_is_read_once(
    again: Callable[..., str], reads: Reads, tmp_path: Path, memory: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    assert again(file) == again(file) == sha256_of(file)
    assert reads == ["a.csv"]
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert [each.name for each in memory.parent.iterdir()] == [checksums.FILE]


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_who_does_not_trust_the_memory_reads_each_file_once_a_landing(
    again: Callable[..., str], reads: Reads, tmp_path: Path, memory: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    again(file)
    again(file, is_trusted=False)
    assert reads == ["a.csv"] * 2
    one_landing = Checksums(memory, is_trusted=False)
    assert one_landing.of(file) == one_landing.of(file)
    assert reads == ["a.csv"] * 3


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_other_bytes_of_the_same_size_and_mtime_are_noticed(again: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    before = again(file)
    _rewritten(file, "two")
    assert again(file) == sha256_of(file) != before


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_a_file_in_the_place_of_another_is_noticed(again: Callable[..., str], tmp_path: Path) -> None:
    file, other = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_text("one")
    other.write_text("two")
    for each in (file, other):
        os.utime(each, ns=(10**18, 10**18))
    before = again(file)
    other.replace(file)
    assert again(file) == sha256_of(file) != before


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_a_link_that_points_elsewhere_is_noticed(again: Callable[..., str], tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    link.symlink_to("one")
    before = again(link)
    link.unlink()
    link.symlink_to("two")
    assert again(link) == sha256_of(tmp_path / "two") != before


@pytest.mark.unit
@pytest.mark.parametrize("age", [0, checksums.SETTLED_AFTER_NS // 2, 2 * checksums.SETTLED_AFTER_NS])
def test_a_write_that_the_clock_is_too_coarse_to_show_is_noticed(
    age: int, again: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second write leaves the very status of the first, as within one step of a file system's clock."""
    file = tmp_path / "a.csv"
    file.write_text("one")
    written = file.stat()
    with monkeypatch.context() as frozen:
        frozen.setattr("time.time_ns", lambda: written.st_ctime_ns + age)
        frozen.setattr("os.stat", lambda *_, **__: written)
        first = again(file)
        file.write_text("two")
        second = again(file)
    is_old = age > checksums.SETTLED_AFTER_NS
    assert (second == first) is is_old  # no such write comes long after the first


@pytest.mark.unit
@pytest.mark.parametrize("which", ["mtime", "ctime"])
def test_a_file_with_a_time_to_come_is_not_settled(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    now = file.stat().st_ctime_ns + (10**15 if which == "mtime" else -(10**15))
    os.utime(file, ns=(now - 10**14, now + 10**14 if which == "mtime" else now - 10**14))
    monkeypatch.setattr("time.time_ns", lambda: now)
    assert not look_at(file).is_settled


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_a_file_that_was_written_to_while_it_was_read_is_not_remembered(
    again: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")

    def read_and_written(path: Path) -> str:
        found = sha256_of(path)
        _rewritten(path, "two")
        return found

    with monkeypatch.context() as during:
        during.setattr(checksums, "sha256_of", read_and_written)
        before = again(file)
    assert again(file) == sha256_of(file) != before


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_what_is_read_must_be_what_was_looked_at(
    again: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link points elsewhere only while it is read."""
    link = tmp_path / "link.csv"
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link.symlink_to("one")

    def read_elsewhere(path: Path) -> str:
        path.unlink()
        path.symlink_to("two")
        return sha256_of(path)

    with monkeypatch.context() as during:
        during.setattr(checksums, "sha256_of", read_elsewhere)
        again(link)
    link.unlink()
    link.symlink_to("one")
    assert again(link) == sha256_of(tmp_path / "one")


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "damaged",
    [
        "", "{", "[]", "null", "\x00\xff", "[" * 100_000, '{"a": 1}', '{"a": [1, 2]}', '{"a": [1, 2, 3, 4, "5", "6"]}',
        '{"a": [1, 2, 3, 4, 5, "6"]}', '{"version": 2, "files": {}}',
    ],
)  # fmt: skip
def test_a_damaged_memory_is_none_and_is_written_again(
    damaged: str, again: Callable[..., str], reads: Reads, tmp_path: Path, memory: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    again(file)
    memory.write_text(damaged, encoding="latin-1")
    assert again(file) == again(file) == sha256_of(file)
    assert reads == ["a.csv"] * 2


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("cut", "end"), [(10, b""), (5, b'"]}')])
def test_a_memory_that_was_cut_off_is_none(
    cut: int, end: bytes, again: Callable[..., str], reads: Reads, tmp_path: Path, memory: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    again(file)
    memory.write_bytes(memory.read_bytes()[:-cut] + end)
    again(file)
    assert reads == ["a.csv"] * 2


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("home", ["a file", "read-only"])
def test_where_nothing_can_be_written_files_are_read_again(
    home: str, again: Callable[..., str], reads: Reads, tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    if home == "a file":
        memory.parent.write_text("")
    else:

        def refused(*_: object, **__: object) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr("tempfile.mkstemp", refused)  # root may write everywhere
    assert again(file) == again(file) == sha256_of(file)
    assert reads == ["a.csv"] * 2


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_the_memory_is_bounded_and_the_latest_stay(
    reads: Reads, again: Callable[..., str], tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "MOST_FILES", 2)
    files = [tmp_path / f"{n}.csv" for n in range(3)]
    for file in files:
        file.write_text(file.name)
        again(file)
    assert len(json.loads(memory.read_text())) == 2
    again(files[1])
    again(files[2])
    assert reads == ["0.csv", "1.csv", "2.csv"]


@pytest.mark.unit
@pytest.mark.usefixtures("settled")
def test_names_of_any_bytes_are_kept_and_those_with_a_card_number_are_not(
    again: Callable[..., str], reads: Reads, tmp_path: Path, memory: Path
) -> None:
    odd, numbered = tmp_path / os.fsdecode(b"\xff \n.csv"), tmp_path / f"{card_number(1)}.csv"
    for file in (odd, numbered):
        file.write_text("one")
        assert again(file) == again(file)
    assert reads == [odd.name, numbered.name, numbered.name]
    assert card_number(1) not in memory.read_text()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("packing", ["plain", "gz", "zip", "parquet"])
def test_a_second_landing_reads_no_file_through_and_changes_nothing(
    packing: str, load: Any, query: Query, reads: Reads, tmp_path: Path, memory: Path
) -> None:
    folder = tmp_path / "data"
    plain = csv_file(folder, "transactions.csv", [transaction(n) for n in range(50)])
    if packing == "gz":
        (folder / "transactions.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    elif packing == "zip":
        with zipfile.ZipFile(folder / "all.zip", "w") as archive:
            archive.write(plain, "transactions_1.csv")
            archive.writestr("transactions_2.csv", plain.read_text() + "".join(transaction(99)))
    elif packing == "parquet":
        import pyarrow.csv as pa_csv
        import pyarrow.parquet as pq

        pq.write_table(pa_csv.read_csv(plain), folder / "transactions.parquet")
    if packing != "plain":
        plain.unlink()
    landed = load(folder, checksums=Checksums(memory))
    assert {outcome.action for outcome in landed} == {"landed"}
    before = everything(query)
    reads.clear()
    assert {outcome.action for outcome in load(folder, checksums=Checksums(memory))} == {"unchanged"}
    assert reads == []
    assert {outcome.action for outcome in load(folder, checksums=Checksums(memory, is_trusted=False))} == {"unchanged"}
    assert reads == [next(folder.iterdir()).name]  # the members of an archive share its bytes
    assert everything(query) == before


@pytest.mark.usefixtures("settled")
def test_a_changed_file_lands_though_its_size_and_mtime_are_the_same(
    load: Any, query: Query, tmp_path: Path, memory: Path
) -> None:
    folder = tmp_path / "data"
    file = csv_file(folder, "transactions.csv", [transaction(1, amount="$10.00"), transaction(2)])
    load(folder, checksums=Checksums(memory))
    _rewritten(file, file.read_text().replace("$10.00", "$20.00"))
    (outcome,) = load(folder, checksums=Checksums(memory))
    assert outcome.action == "replaced"
    assert query("SELECT amount FROM raw.transactions WHERE id = '1'") == [("$20.00",)]


@pytest.mark.usefixtures("settled")
def test_what_is_remembered_holds_for_another_database_too(
    load: Any, query: Query, reads: Reads, tmp_path: Path, memory: Path
) -> None:
    """It is about bytes on disk: what has landed of them is asked of the database."""
    csv_file(tmp_path / "data", "transactions.csv", [transaction(n) for n in range(5)])
    load(tmp_path / "data", checksums=Checksums(memory))
    query("DROP SCHEMA raw, ops CASCADE")
    (outcome,) = load(tmp_path / "data", checksums=Checksums(memory))
    assert (outcome.action, outcome.rows_loaded) == ("landed", 5)
    assert reads == []
