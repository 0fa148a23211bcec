"""Owns the memory of files' SHA-256: a file that was not written to since it was read is not read again.

Like git's index it trusts a file's status: what writes to a file sets its ctime, which no program can set back.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path

from foundation import private_files
from loaders.protect import mask_card_numbers

FILE = "checksums.json"
MOST_FILES = 20_000
SETTLED_AFTER_NS = 10 * 10**9
"""A file is remembered if it was last written to longer before it was read than this. File systems count time in steps,
FAT in steps of 2 s, and a second write within one step is invisible; the clock of a file server may also differ from ours."""

_BLOCK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """What changes when a file is written to or replaced; times in nanoseconds."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


@dataclass(frozen=True)
class Seen:
    """The status of a file, and whether any write after it was taken gives the file another one."""

    status: Status
    is_settled: bool


def look_at(file: Path | int) -> Seen:
    """Take the status of a file, given by its path or its descriptor.

    Raises:
        OSError: it is gone, or may not be looked at.
    """
    now = time.time_ns()
    found = os.stat(file)
    status = Status(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return Seen(status, max(status.modified, status.changed) < now - SETTLED_AFTER_NS)


@dataclass
class Checksums:
    """The SHA-256 of files as they are on disk, packed or not, by their paths. Used by one landing, on several threads.

    Attributes:
        path: the file that keeps them for later landings, None for none.
        is_trusted: whether to believe what an earlier landing kept; else each file is read once.
    """

    path: Path | None = None
    is_trusted: bool = True
    _kept: dict[str, tuple[Status, str]] = field(init=False, repr=False)
    _of_this_landing: dict[str, tuple[Status, str]] = field(init=False, repr=False, default_factory=dict)
    _is_new: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        self._kept = _read(self.path) if self.path is not None else {}

    def of(self, file: Path) -> str:
        """Return a file's SHA-256, in hexadecimal; reads the file only where that is not known.

        Raises:
            OSError: it cannot be read.
        """
        before = look_at(file)
        name = os.path.abspath(file)
        for known in (self._of_this_landing, self._kept if self.is_trusted else {}):
            status, sha256 = known.get(name, (None, ""))
            if status == before.status:
                return sha256
        sha256 = sha256_of(file)
        self.note(file, before, sha256)
        return sha256

    def note(self, file: Path, before: Seen, sha256: str) -> None:
        """Keep the SHA-256 of a file that has just been read whole, if nobody wrote to it meanwhile.

        Args:
            file: its path.
            before: what was seen of it before the first byte was read.
            sha256: of all its bytes.
        """
        with suppress(OSError):
            if look_at(file).status != before.status:
                return
            name = os.path.abspath(file)
            self._of_this_landing[name] = before.status, sha256
            if before.is_settled and self.path is not None and mask_card_numbers(name) == name:
                self._is_new |= self._kept.pop(name, None) != (before.status, sha256)
                self._kept[name] = before.status, sha256  # last: the first ones go where there are too many

    def save(self) -> None:
        """Write down what is new for later landings; without it they only read the files again, so nothing is raised."""
        if self.path is None or not self._is_new:
            return
        kept = list(self._kept.items())[-MOST_FILES:]
        entries = {name: [*astuple(status), sha256] for name, (status, sha256) in kept}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            private_files.write_private(self.path, json.dumps(entries))
        except OSError as error:
            _log.debug("%s cannot be written (%s): files will be read again", self.path, error.strerror)
        self._is_new = False


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(file, "rb") as raw:
        while block := raw.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _read(path: Path) -> dict[str, tuple[Status, str]]:
    """What earlier landings kept; nothing where that is missing or damaged."""
    try:
        return {name: _entry(*values) for name, values in json.loads(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        _log.debug("%s cannot be used (%s): files are read again", path, type(error).__name__)
        return {}


def _entry(
    device: object, inode: object, size: object, modified: object, changed: object, sha256: object
) -> tuple[Status, str]:
    numbers = [each for each in (device, inode, size, modified, changed) if type(each) is int]
    if len(numbers) != 5 or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError
    return Status(*numbers), sha256
