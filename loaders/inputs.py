"""Owns finding input files and reading their bytes: folders, globs, gz, zst, zip. Knows no rows and no database."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Protocol

from loaders.errors import InputRefused, UsageError
from loaders.protect import mask_card_numbers

Packing = Literal["plain", "gz", "zst", "zip"]

BLOCK = 1 << 20
_PACKED_ENDINGS: dict[str, Packing] = {".gz": "gz", ".zst": "zst", ".zip": "zip"}
_GLOB_MARKS = frozenset("*?[")
# A stream may unpack to this many bytes freely; beyond, at most the ratio. Published files pack about 1:8.
_BOMB_FLOOR = 1 << 30
_BOMB_RATIO = 100


@dataclass(frozen=True)
class InputFile:
    """One file to land: a file on disk, or a member of a zip archive.

    Attributes:
        name: its identity: the path relative to the data folder, printable, card numbers masked; archive/member in zip.
        path: where it lies.
        packing: how its bytes are packed.
        member: the member of the archive, None outside one.
        size: bytes as it lies there (of a member: unpacked).
    """

    name: str
    path: Path
    packing: Packing
    member: str | None
    size: int

    @property
    def plain_name(self) -> str:
        """The last part of the name, lower case, without the ending of a compression."""
        base = PurePosixPath(self.name).name.lower()
        return base.rsplit(".", 1)[0] if self.packing in ("gz", "zst") else base

    @property
    def is_parquet(self) -> bool:
        """Whether the name says that it is a parquet file."""
        return self.plain_name.endswith(".parquet")


def discover(data: Sequence[Path] | Path) -> list[InputFile]:
    """Return the input files in folders, files and globs, in the order of their names.

    Raises:
        UsageError: nothing is there, or two files would have the same name.
        InputRefused: an archive is damaged or hostile.
    """
    paths = [data] if isinstance(data, Path) else list(data)
    found: dict[str, InputFile] = {}
    for given in paths:
        for base, path in _expand(given):
            for file in _inputs_of(path, printable_name(path.relative_to(base).as_posix())):
                other = found.setdefault(file.name, file)
                if (other.path, other.member) != (file.path, file.member):
                    raise UsageError(
                        f"two files would both be named {file.name!r}\n  Name a folder that holds both, or rename one."
                    )
    return [found[name] for name in sorted(found)]


def printable_name(name: str) -> str:
    """Return a file name as it may be stored and shown: valid Unicode, no control characters, card numbers masked."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return mask_card_numbers(text)


def _expand(given: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (base folder, file) for a folder, a file or a glob."""
    if given.is_dir():
        for folder, folders, names in os.walk(given):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(folder, name)
                if not name.startswith(".") and path.is_file():
                    yield given, path
    elif given.exists():
        if not given.is_file():
            raise UsageError(f"{printable_name(str(given))!r} is no file\n  Name a folder, a file or a glob.")
        yield given.parent, given
    elif _GLOB_MARKS & set(str(given)):
        parts = given.parts
        fixed = next(i for i, part in enumerate(parts) if _GLOB_MARKS & set(part))
        base = Path(*parts[:fixed]) if fixed else Path()
        matches = sorted(path for path in base.glob(str(Path(*parts[fixed:]))) if path.is_file())
        if not matches:
            raise UsageError(f"no file matches {printable_name(str(given))!r}\n  Check the pattern, and quote it.")
        for path in matches:
            yield base, path
    else:
        raise UsageError(f"there is no {printable_name(str(given))!r}\n  Name a folder, a file or a glob that exists.")


def _inputs_of(path: Path, name: str) -> Iterator[InputFile]:
    packing = _PACKED_ENDINGS.get(path.suffix.lower(), "plain")
    if packing != "zip":
        yield InputFile(name, path, packing, None, path.stat().st_size)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, ValueError) as error:
        raise InputRefused(name, "the archive cannot be read", "Download or pack it again.") from error
    seen: set[str] = set()
    for member in members:
        shown = printable_name(member.filename)
        _check_member(name, member, shown)
        if shown in seen:
            raise InputRefused(name, f"the archive holds {shown!r} twice", "Pack it again with each file once.")
        seen.add(shown)
        if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(shown).parts):
            yield InputFile(f"{name}/{shown}", path, "zip", member.filename, member.file_size)


def _check_member(name: str, member: zipfile.ZipInfo, shown: str) -> None:
    parts = PurePosixPath(member.filename.replace("\\", "/"))
    original = getattr(member, "orig_filename", member.filename)
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0] or "\0" in original:
        raise InputRefused(
            name, f"its member {shown!r} points outside the archive", "Pack it again from a plain folder."
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputRefused(name, f"its member {shown!r} is a link", "Pack the file itself.")
    if member.flag_bits & 0x1:
        raise InputRefused(name, f"its member {shown!r} is encrypted", "Pack it again without a password.")
    if member.file_size > max(_BOMB_FLOOR, _BOMB_RATIO * member.compress_size):
        raise InputRefused(name, f"its member {shown!r} unpacks to {member.file_size:,} bytes", "Unpack it by hand.")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class ByteStream:
    """The unpacked bytes of one input file, read once from start to end.

    Attributes:
        bytes_done: bytes of the file (packed where it is packed) read so far, for progress.
    """

    def __init__(self, file: InputFile, raw: IO[bytes], unpacked: _Readable) -> None:
        self._file = file
        self._raw = raw
        self._unpacked = unpacked
        self._before = os.fstat(raw.fileno())
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
        if self._file.packing in ("gz", "zst") and self._out > max(_BOMB_FLOOR, _BOMB_RATIO * max(1, self._raw.tell())):
            raise InputRefused(self._file.name, f"it unpacks to over {self._out:,} bytes", "Unpack it by hand.")
        self._digest.update(block)
        return block

    @property
    def bytes_done(self) -> int:
        """Bytes of the file read so far."""
        return self._out if self._file.packing in ("plain", "zip") else self._raw.tell()

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
            now = os.stat(self._file.path)
        except FileNotFoundError:
            now = None
        if (
            now is None
            or _version(now) != _version(self._before)
            or _version(os.fstat(self._raw.fileno())) != _version(self._before)
        ):
            raise InputRefused(
                self._file.name, "it changed while it was being read", "Load it again when it is complete."
            )


def _version(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


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
        if file.packing == "gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield ByteStream(file, raw, unpacked)
        elif file.packing == "zst":
            from loaders.zstd import ZstdReader

            yield ByteStream(file, raw, ZstdReader(raw))
        elif file.packing == "zip":
            try:
                with zipfile.ZipFile(raw) as archive, archive.open(file.member or "") as unpacked:
                    yield ByteStream(file, raw, unpacked)
            except (zipfile.BadZipFile, KeyError, NotImplementedError) as error:
                raise InputRefused(
                    file.name, f"the archive is damaged ({_short(error)})", "Download or pack it again."
                ) from error
        else:
            yield ByteStream(file, raw, raw)


def _damages() -> tuple[type[Exception], ...]:
    from loaders.zstd import ZstdError

    return EOFError, OSError, zlib.error, zipfile.BadZipFile, ZstdError


def _short(error: Exception) -> str:
    return mask_card_numbers(str(error).splitlines()[0]) if str(error) else type(error).__name__
