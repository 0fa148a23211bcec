"""The synthetic demo set: made, kept in its folder, and marked, with its size, in the warehouse that holds it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from foundation import database
from revops.terminal import progress

FOLDER = Path("data/demo")
SCALE = 0.05
SEED = 42
SYNTHETIC = "Synthetic demo data, made by revops generate: no row of it is real."
OF_FOLDER = ".generated"
"""The file of a demo folder with its size; hidden, so that the loaders pass over it."""
MARK = "SELECT obj_description(to_regnamespace('raw'), 'pg_namespace')"


@dataclass(frozen=True)
class Size:
    """What a demo set is made by: its scale (1 is the published data set), and a seed."""

    scale: float = SCALE
    seed: int = SEED

    def __str__(self) -> str:
        return f"scale {self.scale!r} seed {self.seed}"

    @classmethod
    def parse(cls, text: str) -> Size | None:
        """From a text that ends with what `str` makes of it; None for any other."""
        found = re.search(r"scale ([0-9.e+-]+) seed (-?\d+)\W*$", text)
        return cls(float(found[1]), int(found[2])) if found else None


def make(folder: Path, size: Size) -> None:
    """Generates a demo set beside its final place, so that a killed run leaves no half set; keeps a finished one."""
    if size_of(folder) == size:
        return
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    generate_files(new, size)
    (new / OF_FOLDER).write_text(f"{size}\n", encoding="ascii")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def size_of(folder: Path) -> Size | None:
    """The size of the finished demo set of a folder; None where there is none."""
    mark = folder / OF_FOLDER
    return Size.parse(mark.read_text(encoding="ascii")) if mark.is_file() else None


def generate_files(out: Path, size: Size) -> None:
    """Writes synthetic files, with progress."""
    from generator import generate

    with progress.counting("generating") as count:
        generate(out, size.scale, size.seed, count)


def is_synthetic(dsn: str) -> bool:
    """Whether the warehouse is marked as holding demo data, by a comment on its schema raw."""
    return says_synthetic(database.ask(dsn, MARK))


def says_synthetic(comment: object) -> bool:
    """Whether that comment is the mark."""
    return str(comment).startswith(SYNTHETIC)


def size_in(dsn: str) -> Size | None:
    """The size of the demo set that the warehouse holds; None where it holds none, or is not marked with one."""
    return Size.parse(str(database.ask(dsn, MARK)))


def mark(dsn: str, size: Size) -> None:
    """Writes that comment: before a demo row lands."""
    _comment(dsn, f"{SYNTHETIC} ({size})")


def unmark(dsn: str) -> None:
    """Removes it: after the last demo row is gone."""
    if is_synthetic(dsn):
        _comment(dsn, None)


def _comment(dsn: str, text: str | None) -> None:
    connection = database.connect(dsn, "revops run", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS raw")
            cursor.execute("COMMENT ON SCHEMA raw IS %s", (text,))
    finally:
        connection.close()
