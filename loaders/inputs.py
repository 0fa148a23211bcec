"""Owns finding input files and reading their bytes: folders, globs, what is packed. Knows no rows and no database."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO

from foundation.errors import UsageError, first_line
from loaders.checksums import Seen, Status, look_at
from loaders.errors import InputRefused
from loaders.formats import archives
from loaders.formats.archives import ARCHIVE_ERRORS, ENDINGS, Compression, Hostile, Kind, Packing, Readable
from loaders.protect import mask_card_numbers

BLOCK = 1 << 20
_GLOB_MARKS = frozenset("*?[")
_LEFTOVERS = (
    "~", ".bak", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".orig", ".old", ".swp",
)  # fmt: skip
# A day, a month or, for folders in folders, a year; with a name before it, as partitioned data sets have it.
_DATED_FOLDER = re.compile(r"(?:[a-z_]+=)?(?:19|20)[0-9]{2}(?:[-_.]?[0-9]{2}[-_.]?[0-9]{2}|[-_.][0-9]{2})?")
_DEEPEST_DATE = 4  # year/month/day/folder


@dataclass(frozen=True)
class InputFile:
    """One file to land: a file on disk, or a member of an archive.

    Attributes:
        name: its identity: the path relative to the data folder, or from the dated folder on, printable, card numbers
            masked; archive/member in an archive.
        path: its place on disk.
        packing: how its bytes are packed.
        member: the member of the archive, None outside one.
        size: bytes on disk (of a member: unpacked).
        compression: of a tar, how all of it is compressed.
        not_read: what kind of file it is, such as a workbook, if that kind is not read; else empty.
        is_named: it was named itself, not found in a folder.
        beginning: its first bytes, where they are known already.
    """

    name: str
    path: Path
    packing: Packing
    member: str | None
    size: int
    compression: Compression = "plain"
    not_read: str = ""
    is_named: bool = False
    beginning: bytes | None = None

    @property
    def inner(self) -> Compression:
        """How a member of an archive is compressed itself."""
        return ENDINGS.get(PurePosixPath(self.name).suffix.lower(), "plain") if self.member is not None else "plain"

    @property
    def plain_name(self) -> str:
        """The last part of the name, lower case, without the ending of a compression."""
        base = PurePosixPath(self.name).name.lower()
        is_compressed = PurePosixPath(base).suffix in ENDINGS and (
            self.packing in ENDINGS.values() or self.inner != "plain"
        )
        return base.rsplit(".", 1)[0] if is_compressed else base

    @property
    def is_parquet(self) -> bool:
        """Whether the name says that it is a parquet file."""
        return self.plain_name.endswith(".parquet")


@dataclass
class Found:
    """What there is to land.

    Attributes:
        files: the files, in the order of their names.
        refused: what cannot be read, such as a damaged archive or a folder that may not be entered.
        passed_over: names of what is left out, and why.
        empty_folders: names of folders with nothing in them.
    """

    files: list[InputFile] = field(default_factory=list)
    refused: list[InputRefused] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    empty_folders: list[str] = field(default_factory=list)


def discover(data: Sequence[Path] | Path) -> list[InputFile]:
    """Return the input files in folders, files and globs, in the order of their names.

    Raises:
        UsageError: nothing is there, or two files would have the same name.
        InputRefused: something cannot be read, such as a damaged archive.
    """
    found = look(data)
    if found.refused:
        raise found.refused[0]
    return found.files


def look(data: Sequence[Path] | Path, prefix: str = "") -> Found:
    """Find the input files in folders, files and globs, and what is there beside them.

    Args:
        data: folders, files, globs.
        prefix: what each name begins with.

    Raises:
        UsageError: nothing is there, or two files would have the same name.
    """
    search = _Search(prefix)
    for given in [data] if isinstance(data, Path) else data:
        search.expand(given)
    search.found.files = [search.files[name] for name in sorted(search.files)]
    return search.found


def printable_name(name: str) -> str:
    """Return a file name as it may be stored and shown: valid Unicode, no control characters, card numbers masked."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return mask_card_numbers(text)


class _Search:
    """One look at folders, files and globs."""

    def __init__(self, prefix: str) -> None:
        self.found = Found()
        self.files: dict[str, InputFile] = {}
        self._prefix = prefix
        self._seen_folders: set[tuple[int, int]] = set()

    def expand(self, given: Path) -> None:
        """Take in a folder, a file or a glob."""
        try:
            status = given.stat()
        except OSError:
            status = None
        if status is not None and stat.S_ISDIR(status.st_mode):
            self._folder(given, given)
        elif status is not None:
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{printable_name(str(given))!r} is no file\n  Name a folder, a file or a glob.")
            self._file(given.parent, given, is_named=True)
        elif _GLOB_MARKS & set(str(given)):
            self._glob(given)
        else:
            raise UsageError(
                f"there is no {printable_name(str(given))!r}\n  Name a folder, a file or a glob that exists."
            )

    def _glob(self, pattern: Path) -> None:
        parts = pattern.parts
        fixed = next(i for i, part in enumerate(parts) if _GLOB_MARKS & set(part))
        base = Path(*parts[:fixed]) if fixed else Path()
        matches = sorted(base.glob(str(Path(*parts[fixed:]))))
        for path in matches:
            if path.is_dir():
                self._folder(base, path)
            else:
                self._file(base, path)
        if not matches:
            raise UsageError(f"no file matches {printable_name(str(pattern))!r}\n  Check the pattern, and quote it.")

    def _folder(self, base: Path, start: Path) -> None:
        """Take in a folder with its subfolders, linked ones too, each once."""

        def refuse(error: OSError) -> None:
            name = self._name(base, Path(error.filename or start))
            self.found.refused.append(
                InputRefused(
                    name,
                    f"the folder cannot be read ({error.strerror})",
                    "Check its permissions, or that it is mounted.",
                )
            )

        for folder, folders, names in os.walk(start, onerror=refuse, followlinks=True):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in self._seen_folders:
                folders[:] = []
                continue
            self._seen_folders.add((status.st_dev, status.st_ino))
            if not folders and not names:
                self.found.empty_folders.append(self._name(base, Path(folder)))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    self._file(base, Path(folder, name))

    def _name(self, base: Path, path: Path) -> str:
        parts = [self._prefix, _dated_part(base), path.relative_to(base).as_posix()]
        return printable_name("/".join(part for part in parts if part and part != ".")) or "."

    def _file(self, base: Path, path: Path, is_named: bool = False) -> None:
        name = self._name(base, path)
        if not is_named and (path.name.lower().endswith(_LEFTOVERS) or path.name.startswith(("~$", "#"))):
            self.found.passed_over.append((name, "its name is that of a leftover or an unfinished download"))
            return
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                self.found.passed_over.append((name, "it is no regular file"))
                return
            kind = archives.kind_of(path)
        except FileNotFoundError:
            self._refuse(name, "it is a link to a file that is not there", "Put the file there, or remove the link.")
        except OSError as error:
            self._refuse(name, f"it cannot be opened ({error.strerror})", "Check that it exists and is readable.")
        else:
            if kind.packing in ("zip", "tar"):
                self._archive(name, path, kind)
            else:
                self._add(InputFile(name, path, kind.packing, None, status.st_size, "plain", kind.not_read, is_named))

    def _archive(self, name: str, path: Path, kind: Kind) -> None:
        try:
            members = archives.members(path, kind)
        except Hostile as error:
            reason, _, cure = str(error).partition("\n  ")
            self._refuse(name, mask_card_numbers(reason), cure)
        except ARCHIVE_ERRORS:
            self._refuse(name, "the archive cannot be read", "Download or pack it again.")
        else:
            for member in members:
                shown = f"{name}/{printable_name(member.name)}"
                if member.name.lower().endswith(_LEFTOVERS):
                    self.found.passed_over.append((shown, "its name is that of a leftover or an unfinished download"))
                    continue
                file = InputFile(shown, path, kind.packing, member.name, member.size, kind.compression, member.not_read)
                self._add(file if file.inner != "plain" else replace(file, beginning=member.beginning))

    def _refuse(self, name: str, reason: str, cure: str) -> None:
        self.found.refused.append(InputRefused(name, reason, cure))

    def _add(self, file: InputFile) -> None:
        other = self.files.setdefault(file.name, file)
        if (other.path, other.member) != (file.path, file.member):
            raise UsageError(
                f"two files would both be named {file.name!r}\n  Name a folder that holds both, or rename one."
            )


def _dated_part(base: Path) -> str:
    """The end of a folder's path from a dated folder on, so that a file's name does not depend on the folder given."""
    parts = base.resolve().parts[-_DEEPEST_DATE:]
    for place, part in enumerate(parts):
        if _DATED_FOLDER.fullmatch(part.lower()):
            return "/".join(parts[place:])
    return ""


class ByteStream:
    """The unpacked bytes of one input file, read once from start to end.

    Attributes:
        bytes_done: bytes of the file (packed where it is packed) read so far, for progress.
        seen: what was seen of the file before it was read.
    """

    def __init__(
        self, file: InputFile, raw: IO[bytes], unpacked: Readable, packed_so_far: Callable[[], int] | None = None
    ) -> None:
        self._file = file
        self._raw = raw
        self._unpacked = unpacked
        self._packed_so_far = packed_so_far
        self.seen = look_at(raw.fileno())
        self._digest = hashlib.sha256()
        self._out = 0

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes, at most `size`; empty at the end.

        Raises:
            InputRefused: the packed data is damaged, truncated or unpacks to an absurd size.
        """
        try:
            block = self._unpacked.read(size)
        except _damages() as error:
            raise InputRefused(
                self._file.name,
                f"its packed data is damaged or ends too early ({_short(error)})",
                "Get or pack the file again.",
            ) from error
        self._out += len(block)
        if self._packed_so_far is not None and archives.is_bomb(self._out, self._packed_so_far()):
            raise InputRefused(self._file.name, f"it unpacks to over {self._out:,} bytes", "Unpack it by hand.")
        self._digest.update(block)
        return block

    @property
    def bytes_done(self) -> int:
        """Bytes of the file read so far."""
        is_raw = self._file.packing == "plain" or (self._file.member is not None and self._file.inner == "plain")
        return self._out if is_raw else min(self._raw.tell(), self._file.size)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the unpacked bytes read so far, in hexadecimal."""
        return self._digest.hexdigest()

    def check_unchanged(self) -> None:
        """Refuse the file if it was written to or replaced since it was opened.

        Raises:
            InputRefused: it was.
        """
        try:
            now = [look_at(self._file.path), look_at(self._raw.fileno())]
        except FileNotFoundError:
            now = []
        if not now or any(_version(each) != _version(self.seen) for each in now):
            raise InputRefused(
                self._file.name, "it changed while it was being read", "Load it again when it is complete."
            )


def _version(seen: Seen) -> Status:
    return replace(seen.status, changed=0)  # another link to a file, or other permissions, are no other bytes


@contextmanager
def opened(file: InputFile) -> Iterator[ByteStream]:
    """Open a file's unpacked bytes.

    Raises:
        InputRefused: it cannot be opened or is not packed as its name says.
    """
    try:
        raw = open(file.path, "rb")  # noqa: SIM115 - closed by the with statement below
    except OSError as error:
        raise InputRefused(
            file.name, f"it cannot be opened ({error.strerror})", "Check that it exists and is readable."
        ) from error
    with raw:
        if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
            raise InputRefused(file.name, "it is no regular file", "Name a file.")
        if file.packing == "plain":
            yield ByteStream(file, raw, raw)
        elif file.packing == "zip" or file.packing == "tar":
            kind = Kind(file.packing, file.compression)
            try:
                with archives.opened_member(raw, kind, file.member or "") as (packed, so_far):
                    yield ByteStream(file, raw, archives.unpacker(packed, file.inner), so_far)
            except (zipfile.BadZipFile, tarfile.TarError, KeyError, NotImplementedError) as error:
                raise InputRefused(
                    file.name, f"the archive is damaged ({_short(error)})", "Download or pack it again."
                ) from error
        else:
            yield ByteStream(file, raw, archives.unpacker(raw, file.packing), raw.tell)


def _damages() -> tuple[type[Exception], ...]:
    from loaders.formats.zstd import ZstdError

    return (*ARCHIVE_ERRORS, ZstdError)


def _short(error: Exception) -> str:
    return mask_card_numbers(first_line(error))
