"""The synthetic demo set: made, kept in its folder, and marked in the warehouse that holds it."""

from __future__ import annotations

import shutil
from pathlib import Path

from foundation import database
from revops.terminal import progress

FOLDER = Path("data/demo")
SCALE = 0.05
SYNTHETIC = "Synthetic demo data, made by revops generate: no row of it is real."
MARK = "SELECT obj_description(to_regnamespace('raw'), 'pg_namespace')"


def make(folder: Path, scale: float, seed: int) -> None:
    """Generates a demo set beside its final place, so that a killed run leaves no half set; keeps a finished one."""
    mark = folder / ".generated"  # hidden: the loaders pass over it
    wanted = f"scale {scale:g} seed {seed}\n"
    if mark.is_file() and mark.read_text(encoding="ascii") == wanted:
        return
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    generate_files(new, scale, seed)
    (new / mark.name).write_text(wanted, encoding="ascii")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def generate_files(out: Path, scale: float, seed: int) -> None:
    """Writes synthetic files, with progress."""
    from generator import generate

    with progress.counting("generating") as count:
        generate(out, scale, seed, count)


def is_synthetic(dsn: str) -> bool:
    """Whether the warehouse is marked as holding demo data, by a comment on its schema raw."""
    return database.ask(dsn, MARK) == SYNTHETIC


def mark(dsn: str, synthetic: bool) -> None:
    """Writes that comment before a demo row lands, or removes it after the last one is gone."""
    if synthetic == is_synthetic(dsn):
        return
    connection = database.connect(dsn, "revops run", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS raw")
            cursor.execute("COMMENT ON SCHEMA raw IS %s", (SYNTHETIC if synthetic else None,))
    finally:
        connection.close()
