"""Owns what is packed: how a file is packed by its first bytes, the members of zip and tar, and their bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, Protocol, cast

Compression = Literal["plain", "gz", "zst", "xz", "bz2"]
Packing = Literal["plain", "gz", "zst", "xz", "bz2", "zip", "tar"]

ENDINGS: dict[str, Compression] = {".gz": "gz", ".zst": "zst", ".xz": "xz", ".lzma": "xz", ".bz2": "bz2"}
_TAR_ENDINGS: dict[str, Compression] = {
    ".tar": "plain", ".tgz": "gz", ".tar.gz": "gz", ".tbz2": "bz2", ".tar.bz2": "bz2", ".txz": "xz", ".tar.xz": "xz",
    ".tar.zst": "zst",
}  # fmt: skip
_MAGIC: dict[bytes, Packing] = {
    b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst", b"\xfd7zXZ\0": "xz", b"BZh": "bz2", b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}  # fmt: skip
_NOT_READ = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}
_ARCHIVES = {".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar"}
_FIRST_BYTES = 300
BEGINNING = 4096
"""Bytes by which a file is recognised."""
_MOST_MEMBERS = 100_000
# A stream may unpack to this many bytes freely; beyond, at most the ratio. Published files pack about 1:8.
_BOMB_FLOOR = 32 << 20
BOMB_RATIO = 100

ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, OSError, EOFError, LookupError,
    NotImplementedError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip
"""What reading a damaged or hostile archive may raise."""


class Readable(Protocol):
    """Bytes that can be read once."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; empty at the end."""
        ...


class Hostile(Exception):
    """An archive holds what is refused in any archive; the message says what and, on its second line, the cure."""


@dataclass(frozen=True)
class Kind:
    """How a file is packed.

    Attributes:
        packing: zip, tar or a compression.
        compression: of a tar, how all of it is compressed.
        not_read: what kind of file it is, if that kind is not read; else empty.
    """

    packing: Packing
    compression: Compression = "plain"
    not_read: str = ""


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name as the archive has it, its size, its kind if that is not read, how it begins.

    Only a tar tells how it begins: to look at a member again means to read all before it again.
    """

    name: str
    size: int
    not_read: str = ""
    beginning: bytes | None = None


def kind_of(path: Path) -> Kind:
    """Return how a file is packed: by the end of its name, else by its first bytes."""
    name = path.name.lower()
    for ending, compression in _TAR_ENDINGS.items():
        if name.endswith(ending):
            return Kind("tar", compression)
    if name.endswith(".zip"):
        return _zip_or_document(path)
    with open(path, "rb") as raw:
        first = raw.read(_FIRST_BYTES)
    not_read = next((what for magic, what in _NOT_READ.items() if first.startswith(magic)), "")
    if not_read:
        return Kind("plain", not_read=not_read)
    if path.suffix.lower() in ENDINGS:
        return Kind(ENDINGS[path.suffix.lower()])
    if first[257:262] == b"ustar":
        return Kind("tar")
    packing: Packing = next((packing for magic, packing in _MAGIC.items() if first.startswith(magic)), "plain")
    return _zip_or_document(path) if packing == "zip" else Kind(packing)


def _zip_or_document(path: Path) -> Kind:
    """Tell a zip from a document, by a member that only documents have, at any place in the archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            kind = archive.open("mimetype").read(_FIRST_BYTES) if "mimetype" in names else b""
    except ARCHIVE_ERRORS:
        return Kind("zip")  # damaged: said when its members are listed
    if "[Content_Types].xml" in names:
        is_workbook = any(name.startswith("xl/") for name in names)
        return Kind("plain", not_read="an Excel workbook" if is_workbook else "an Office document")
    return Kind("plain", not_read="an OpenDocument file") if b"opendocument" in kind else Kind("zip")


def packed_again(beginning: bytes) -> str:
    """Say how a member of an archive is packed, by its first bytes; empty where it is not, or is a document."""
    packing = next((packing for magic, packing in _MAGIC.items() if beginning.startswith(magic)), "plain")
    if packing == "zip":
        return "" if b"[Content_Types].xml" in beginning or b"opendocument" in beginning else "an archive"
    return "" if packing == "plain" else f"a {packing} file"


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether so many bytes are more than data of this kind ever unpacks to."""
    return unpacked > max(_BOMB_FLOOR, BOMB_RATIO * packed)


def unpacker(packed: Readable, compression: Compression) -> Readable:
    """Return what reads the bytes behind a compression."""
    raw = cast(IO[bytes], packed)  # all that is used of it is read()
    if compression == "gz":
        return gzip.GzipFile(fileobj=raw)
    if compression == "xz":
        return lzma.LZMAFile(raw)
    if compression == "bz2":
        return bz2.BZ2File(raw)
    if compression == "zst":
        from loaders.formats.zstd import ZstdReader

        return ZstdReader(raw)
    return raw


def members(path: Path, kind: Kind) -> list[Member]:
    """Return the files in an archive, hidden ones left out.

    Raises:
        Hostile: a member has no name, points outside, is a link, is encrypted, is there twice or unpacks to an absurd size.
        ARCHIVE_ERRORS: it is damaged.
    """
    found: dict[str, Member] = {}
    listed = _zip_members(path) if kind.packing == "zip" else _tar_members(path, kind.compression)
    for count, member in enumerate(listed, 1):
        if count > _MOST_MEMBERS:
            raise Hostile(f"it holds over {_MOST_MEMBERS:,} files\n  Unpack it by hand.")
        if member.name in found:
            raise Hostile(f"the archive holds {member.name!r} twice\n  Pack it again with each file once.")
        found[member.name] = member
    return [
        member
        for member in found.values()
        if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(member.name).parts)
    ]


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            original = getattr(info, "orig_filename", info.filename)
            _check_name(info.filename, is_odd="\0" in original)
            if info.is_dir():
                continue
            _check_link(info.filename, stat.S_ISLNK(info.external_attr >> 16))
            if info.flag_bits & 0x1:
                raise Hostile(f"its member {info.filename!r} is encrypted\n  Pack it again without a password.")
            if is_bomb(info.file_size, info.compress_size):
                raise Hostile(f"its member {info.filename!r} unpacks to {info.file_size:,} bytes\n  Unpack it by hand.")
            yield Member(info.filename, info.file_size, _nested(info.filename))


def _tar_members(path: Path, compression: Compression) -> Iterator[Member]:
    with open(path, "rb") as raw, _streamed(raw, compression) as archive:
        for info in archive:
            archive.members = []  # type: ignore[attr-defined]  # else it keeps them all
            _check_name(info.name)
            if info.isdir():
                continue
            _check_link(info.name, not info.isreg())
            unpacked = cast(Readable, archive.extractfile(info))
            yield Member(info.name, info.size, _nested(info.name), unpacked.read(BEGINNING))


def _check_name(name: str, is_odd: bool = False) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name.strip() or (not parts.parts and not name.startswith(".")):
        raise Hostile("it has a member without a name\n  Pack it again from a plain folder.")
    if parts.is_absolute() or ".." in parts.parts or ":" in "".join(parts.parts[:1]) or is_odd:
        raise Hostile(f"its member {name!r} points outside the archive\n  Pack it again from a plain folder.")


def _check_link(name: str, is_link: bool) -> None:
    if is_link:
        raise Hostile(f"its member {name!r} is a link\n  Pack the file itself.")


def _nested(name: str) -> str:
    lower = name.lower()
    endings = {PurePosixPath(lower).suffix, *(ending for ending in _TAR_ENDINGS if lower.endswith(ending))}
    return "an archive inside an archive" if endings & (_ARCHIVES | set(_TAR_ENDINGS)) else ""


@contextmanager
def _streamed(raw: IO[bytes], compression: Compression) -> Iterator[tarfile.TarFile]:
    guarded = _Guarded(unpacker(raw, compression), raw.tell)
    with tarfile.open(fileobj=cast(Any, guarded), mode="r|") as archive:
        yield archive


class _Guarded:
    """Reads on as long as the unpacked bytes are in proportion to the packed ones."""

    def __init__(self, unpacked: Readable, packed_so_far: Callable[[], int]) -> None:
        self._unpacked = unpacked
        self._packed_so_far = packed_so_far
        self._out = 0

    def read(self, size: int) -> bytes:
        block = self._unpacked.read(size)
        self._out += len(block)
        if is_bomb(self._out, self._packed_so_far()):
            raise tarfile.ReadError(f"it unpacks to over {self._out:,} bytes")
        return block


@contextmanager
def opened_member(raw: IO[bytes], kind: Kind, name: str) -> Iterator[tuple[Readable, Callable[[], int]]]:
    """Open a member of an archive; yield its bytes, and what tells how many packed bytes they come from so far."""
    if kind.packing == "tar":
        with _streamed(raw, kind.compression) as archive:
            for entry in archive:
                archive.members = []  # type: ignore[attr-defined]
                if entry.name == name:
                    yield cast(Readable, archive.extractfile(entry)), raw.tell
                    return
            raise KeyError("its member is gone")
    with zipfile.ZipFile(raw) as archive:
        # zipfile stops at the size that the directory says; the member is read to its real end instead.
        info = copy(archive.getinfo(name))
        declared, info.file_size = info.file_size, 1 << 62
        with archive.open(info) as unpacked:
            yield _Declared(unpacked, declared), lambda: info.compress_size


class _Declared:
    """Reads a member that has to have the size that the archive's directory says."""

    def __init__(self, unpacked: Readable, size: int) -> None:
        self._unpacked = unpacked
        self._left = size

    def read(self, size: int = 1 << 16) -> bytes:
        block = self._unpacked.read(size)
        self._left -= len(block)
        if self._left < 0 or (self._left and not block and size):
            raise zipfile.BadZipFile("a member has another size than the archive says")
        return block
