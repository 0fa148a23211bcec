"""The project's `.env`: reading it, and the one line in it that `revops up` keeps. Owns nothing else in that file."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

from foundation import private_files
from foundation.connection import EMBEDDED_URL
from foundation.errors import UsageError

MARK = "  # kept by `revops up`, removed by `revops down`"
HEADER = "# Made by `revops up`, so that plain `sqlmesh` finds the embedded server. Never commit this file.\n"

_SECRETS = ("PASSWORD", "_KEY", "DB_CONNECTION_STRING", EMBEDDED_URL)

_log = logging.getLogger(__name__)
_warned: set[Path] = set()


def read(path: Path) -> dict[str, str]:
    """The variables of an env file, read as SQLMesh reads them; empty where there is no file.

    A file that its group or others may read is warned about once where it holds no secret.

    Raises:
        UsageError: others may read the file, and it holds a secret.
    """
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    found = {name: value for name, value in dotenv_values(path).items() if value is not None}
    if is_open(path):
        secrets = sorted(name for name, value in found.items() if value and name.endswith(_SECRETS))
        if secrets:
            raise UsageError(
                f"{path} holds {', '.join(secrets)} and can be read by other users: it is not used.\n  chmod 600 {path}"
            )
        if path not in _warned:
            _warned.add(path)
            _log.warning("%s can be read by other users: run  chmod 600 %s", path, path)
    return found


def is_open(path: Path) -> bool:
    """Whether the group or others may read or write a file."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def keep_embedded_url(path: Path, url: str | None) -> None:
    """Writes (or with None removes) the marked line with the embedded server's URL, and touches no other line.

    The file is replaced in one step and readable by its owner only. A file of ours with nothing else in it is removed.
    """
    path = path.resolve()
    before = path.read_text(encoding="utf-8") if path.exists() else None
    lines = [line for line in (before or "").splitlines(keepends=True) if not _is_ours(line)]
    if url is not None:
        if before is None:
            lines = [HEADER]
        elif lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{EMBEDDED_URL}={url}{MARK}\n")
    after = "".join(lines)
    if url is None and after == HEADER:
        path.unlink(missing_ok=True)
    elif after != (before or ""):
        private_files.write_private(path, after)


def _is_ours(line: str) -> bool:
    return line.startswith(f"{EMBEDDED_URL}=") and line.rstrip("\n").endswith(MARK.strip())
