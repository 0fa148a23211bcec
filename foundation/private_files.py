"""Files that take the place of others in one step, and the owner of what root makes in another user's folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def write_private(path: Path, text: str) -> None:
    """Writes a new file of mode 600 in one step; no other user can read it at any moment."""
    with replacing(path) as stream:
        stream.write(text.encode())


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream into a file of mode 600 beside `path`, which takes its place once the block has ended without an error."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp: mode 600
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        hand_over(Path(temporary), path if path.exists() else path.parent)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def hand_over(path: Path, like: Path) -> None:
    """Where root works in another user's folder, gives a new file or folder to the owner of `like`."""
    owner = like.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid)
