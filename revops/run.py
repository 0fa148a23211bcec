"""The whole way in one call: find or generate files, land, build, verify, sum up. Owns the order, no step's work."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaders.errors import CheckFailed, UsageError
from revops import database, progress

if TYPE_CHECKING:
    from revops.settings import Settings

RAW = Path("data/raw")
DEMO = Path("data/demo")
DEMO_SCALE = 0.05
SYNTHETIC = "Synthetic demo data, made by revops generate: no row of it is real."
MARK = "SELECT obj_description(to_regnamespace('raw'), 'pg_namespace')"

_log = logging.getLogger(__name__)


def run(
    settings: Settings,
    dsn: str,
    data: Path | None,
    scale: float | None = None,
    seed: int = 42,
    quiet: bool = False,
    max_rejects: float | None = None,
) -> str:
    """Loads, builds and verifies; returns a one-screen summary.

    Args:
        settings: where the project is.
        dsn: the warehouse; the caller holds its lock.
        data: the folder, file or glob to land; None for `data/raw`, and a demo set where that has no files.
        scale: size of the demo set, 0.05 where None; given, it asks for the demo set even after an earlier one.
        seed: its seed.
        quiet: no progress.
        max_rejects: the share of bad rows from which on a file is refused; the loaders' where None.

    Raises:
        CheckFailed: the warehouse was built, but does not reconcile.
    """
    import importlib

    from revops import summary

    land_files(settings, dsn, data, scale, seed, quiet, max_rejects)
    importlib.import_module("revops.build").build(settings, "prod")
    results: Sequence[Any] = importlib.import_module("revops.verify").verify(settings)
    text = summary.of(dsn, results, synthetic=is_synthetic(dsn))
    failed = [result.name for result in results if not result.passed]
    if failed:
        _log.warning("%s", text)
        raise CheckFailed(
            f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}\n  Details: revops verify"
        )
    return text


def land_files(
    settings: Settings,
    dsn: str,
    data: Path | None,
    scale: float | None,
    seed: int,
    quiet: bool,
    max_rejects: float | None = None,
) -> None:
    """Lands the user's files, or a demo set where there are none; never one beside or over the other."""
    synthetic = is_synthetic(dsn)
    folder = data if data is not None else settings.root / RAW
    if data is not None or _has_files(folder):
        if not _has_files(folder):
            raise UsageError(f"There are no files in {str(folder)!r}.\n  Name the folder with the published files.")
        is_demo = folder.resolve() == (settings.root / DEMO).resolve()
        if synthetic and not is_demo:
            _log.warning("The synthetic demo rows make way for the files in %s", folder)
        land(settings, dsn, folder, prune=synthetic, max_rejects=max_rejects, quiet=quiet)
        mark_synthetic(dsn, is_demo)
        return
    if _has_landed(dsn) and not synthetic:
        _log.warning("There are no files in %s: going on with what landed before", folder)
        return
    demo = settings.root / DEMO
    _log.warning("There are no files in %s: using SYNTHETIC demo data (%s)", folder, demo)
    _demo_set(demo, scale or DEMO_SCALE, seed)
    mark_synthetic(dsn, True)
    land(settings, dsn, demo, prune=synthetic, quiet=quiet)


def land(
    settings: Settings,
    dsn: str,
    data: Path,
    only: Sequence[str] = (),
    prune: bool = False,
    max_rejects: float | None = None,
    quiet: bool = False,
) -> None:
    """Lands files, with progress."""
    from loaders import landing
    from loaders.protect import KeyStore

    share = landing.MAX_REJECTS if max_rejects is None else max_rejects
    key = KeyStore(settings.home / "pan.key")
    with progress.reporting(quiet) as report:
        landing.land(dsn, data, only=only or None, prune=prune, max_rejects=share, report=report, pan_key=key)


def replay(settings: Settings, dsn: str, corrections: Path, quiet: bool = False) -> None:
    """Lands corrected rejects, with progress."""
    from loaders import replay as replaying
    from loaders.protect import KeyStore

    with progress.reporting(quiet) as report:
        replaying.replay(dsn, corrections, report=report, pan_key=KeyStore(settings.home / "pan.key"))


def rotate_key(settings: Settings, dsn: str, data: Path, max_rejects: float, quiet: bool = False) -> None:
    """Lands all files with card numbers again under a new key, with progress."""
    from loaders import rotation
    from loaders.protect import KeyStore

    key = KeyStore(settings.home / "pan.key")
    with progress.reporting(quiet) as report:
        rotation.rotate_pan_key(dsn, data, max_rejects=max_rejects, report=report, pan_key=key)


def generate_files(out: Path, scale: float, seed: int) -> None:
    """Writes synthetic files, with progress."""
    from loaders.generator import generate

    with progress.counting("generating") as count:
        generate(out, scale, seed, count)


def is_synthetic(dsn: str) -> bool:
    """Whether the warehouse says of itself that it holds demo data: a comment on its schema raw, for all to see."""
    return _ask(dsn, MARK) == SYNTHETIC


def mark_synthetic(dsn: str, synthetic: bool) -> None:
    """Writes that comment, before a demo row lands, or takes it away, after the last one left."""
    if synthetic == is_synthetic(dsn):
        return
    connection = database.connect(dsn, "revops run", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS raw")
            cursor.execute("COMMENT ON SCHEMA raw IS %s", (SYNTHETIC if synthetic else None,))
    finally:
        connection.close()


def _has_landed(dsn: str) -> bool:
    if _ask(dsn, "SELECT to_regclass('ops.load_files') IS NOT NULL") is not True:
        return False
    return _ask(dsn, "SELECT EXISTS (SELECT 1 FROM ops.load_files)") is True


def _ask(dsn: str, query: str) -> object:
    connection = database.connect(dsn, "revops run", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
            return row[0] if row is not None else None
    finally:
        connection.close()


def _has_files(folder: Path) -> bool:
    if folder.is_dir():
        from loaders import inputs

        return bool(inputs.discover(folder))
    return folder.name != RAW.name or folder.exists()  # a file or a glob: the loaders say what is wrong with it


def _demo_set(folder: Path, scale: float, seed: int) -> None:
    """Generates beside the final place, so that a killed run leaves no half set; keeps a finished one."""
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
