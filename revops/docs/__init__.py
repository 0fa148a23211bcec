"""The documentation of the data: one page, made from the models, with what a database at hand says of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from foundation import private_files
from foundation.errors import DatabaseUnavailable, UsageError
from revops import status
from revops.docs import page, project

if TYPE_CHECKING:
    from revops.settings import Settings

FILE = Path("build/docs.html")


def write(settings: Settings, out: Path, with_database: bool = True) -> bool:
    """Writes the page; the same project gives the same bytes where no database is asked.

    Args:
        settings: which project, and which database.
        out: the file.
        with_database: ask the selected database for its state, if it runs.

    Returns:
        Whether a database was asked.

    Raises:
        CheckFailed: a file of the project cannot be read; names it.
        UsageError: the file cannot be written.
    """
    relations = project.read(settings)
    state = _state(settings) if with_database else None
    text = page.of(relations, project.definitions(settings.root), state)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with private_files.replacing(out) as stream:
            stream.write(text.encode())
        os.chmod(out, 0o644)  # it holds no row of data
    except OSError as error:
        raise UsageError(f"Cannot write {str(out)!r}: {error.strerror}.\n  Name another file with --out.") from error
    return state is not None


def _state(settings: Settings) -> project.State | None:
    """What the database says, None where it does not run or holds no warehouse."""
    try:
        found = status.status(settings)
        return project.state(settings, found) if found["server"]["running"] else None
    except DatabaseUnavailable:
        return None
