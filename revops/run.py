"""The whole way in one call: find or generate files, land, build, verify, sum up. Owns the order, no step's work."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation import database
from foundation.errors import CheckFailed, UsageError
from loaders.errors import InputRefused
from revops import demo_set
from revops.terminal import progress

if TYPE_CHECKING:
    from loaders import inputs
    from revops.settings import Settings

RAW = Path("data/raw")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What a run is to land.

    Attributes:
        data: the folder, file or glob to land; None for `data/raw`, and a demo set where that has no files.
        demo: replace all that has landed by a demo set.
        scale: size of the demo set; None for that of the one that has landed, and a small one where none has.
        seed: its seed; None likewise.
        partial: relations may be missing.
        replace: a changed file may replace rows with which it has no key in common.
        max_rejects: the share of a file's rows that may be rejected; None for the usual one.
        rehash: read files that look unchanged as well.
    """

    data: Path | None = None
    demo: bool = False
    scale: float | None = None
    seed: int | None = None
    partial: bool = False
    replace: bool = False
    max_rejects: float | None = None
    rehash: bool = False


def run(settings: Settings, dsn: str, wanted: Wanted, quiet: bool = False) -> str:
    """Loads, builds and verifies; returns a one-screen summary.

    Args:
        settings: where the project is.
        dsn: the warehouse; the caller holds its lock.
        wanted: what to land.
        quiet: no progress.

    Raises:
        CheckFailed: the warehouse was built, but does not reconcile.
        InputRefused: a file cannot be landed, or a relation is missing; nothing was built.
    """
    import importlib

    from revops.engines import settings as engines
    from revops.terminal import summary

    if engines.is_spark():
        return _run_on_spark(settings, dsn, wanted, quiet)
    land_files(settings, dsn, wanted, quiet)
    importlib.import_module("revops.build").build(settings, "prod", quiet)
    verification = importlib.import_module("revops.verify")
    results: Sequence[Any] = verification.verify_and_note(settings, since_last=True)
    text = summary.of(dsn, results, synthetic=demo_set.is_synthetic(dsn))
    failed = [result.name for result in results if not result.passed]
    if failed:
        _log.warning("%s", text)
        raise CheckFailed(
            f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}\n  Details: revops verify"
        )
    return text


def _run_on_spark(settings: Settings, dsn: str, wanted: Wanted, quiet: bool) -> str:
    from revops.engines import build as building

    chosen = building.reach()
    land_files(settings, dsn, wanted, quiet)
    building.build_on_spark(settings, "prod", quiet)
    where = f" in {chosen.warehouse}" if chosen.warehouse else ""
    return f"Built by {chosen.server}: its tables{where} were audited, and declared keys checked."


def land_files(settings: Settings, dsn: str, wanted: Wanted, quiet: bool) -> None:
    """Lands the user's files, or a demo set where there are none; never one beside or over the other."""
    folder = wanted.data if wanted.data is not None else settings.root / RAW
    demo = settings.root / demo_set.FOLDER
    synthetic, landed = demo_set.is_synthetic(dsn), _has_landed(dsn)
    found = _look(folder)
    has_own = wanted.data is not None or found is not None
    _check_usage(
        wanted,
        folder,
        has_own,
        found is not None,
        holds_own=landed and not synthetic,
        is_demo=folder.resolve() == demo.resolve(),
    )
    size = _size(wanted, None if wanted.demo else demo_set.size_in(dsn))
    if wanted.demo or not has_own:
        if landed and not synthetic and not wanted.demo:
            _log.warning("There are no files in %s: using the data already loaded", folder)
            return
        reason = "As asked for" if wanted.demo else f"There are no files in {folder}"
        _log.warning("%s: using SYNTHETIC demo data (%s)", reason, demo)
        demo_set.make(demo, size)
        folder = demo
    if folder.resolve() == demo.resolve():
        if landed and not synthetic:
            _log.warning(
                "The demo set takes the place of all files that have landed; the files themselves are not touched"
            )
        demo_set.mark(dsn, demo_set.size_of(demo) or size)
        land(
            settings, dsn, demo, prune=landed, whole=True, replace=True, prefix=demo_set.FOLDER.name,
            rehash=wanted.rehash, quiet=quiet,
        )  # fmt: skip
        return
    options: dict[str, Any] = {
        "whole": not wanted.partial,
        "partial": wanted.partial,
        "max_rejects": wanted.max_rejects,
        "rehash": wanted.rehash,
        "quiet": quiet,
        "found": found if folder.is_dir() else None,
    }
    if not synthetic:
        land(settings, dsn, folder, replace=wanted.replace, **options)
        return
    _log.warning("The files in %s take the place of the synthetic demo rows, once they have all landed", folder)
    before = _landed_names(dsn)
    try:
        land(settings, dsn, folder, prune=True, replace=True, **options)
    except InputRefused:
        _take_back(dsn, before)
        _log.warning("The synthetic demo rows are still there, without the files in %s", folder)
        raise
    demo_set.unmark(dsn)


def _size(wanted: Wanted, landed: demo_set.Size | None) -> demo_set.Size:
    """The size of a demo set: as asked for, else as it has landed, so that a second run changes nothing."""
    usual = landed if landed is not None and wanted.scale is None else demo_set.Size()
    return demo_set.Size(wanted.scale or usual.scale, usual.seed if wanted.seed is None else wanted.seed)


def _check_usage(wanted: Wanted, folder: Path, has_own: bool, has_files: bool, holds_own: bool, is_demo: bool) -> None:
    if wanted.demo and wanted.data is not None:
        raise UsageError("--demo and --data exclude each other\n  Leave one of them out.")
    if wanted.data is not None and not has_files:
        raise UsageError(f"There are no files in {str(folder)!r}.\n  Name the folder with the published files.")
    if is_demo and holds_own and not wanted.demo:
        raise UsageError("The warehouse holds files of yours.\n  To put a demo set in their place: revops run --demo.")
    if wanted.scale is not None and not wanted.demo and (holds_own or (has_own and not is_demo)):
        where = "the warehouse holds files of yours" if holds_own else f"there are files in {folder}"
        raise UsageError(
            f"--scale is the size of a demo set, and {where}.\n"
            "  Leave it out (and SCALE), or say --demo to put a demo set in their place."
        )


def land(
    settings: Settings,
    dsn: str,
    data: Path,
    only: Sequence[str] = (),
    prune: bool = False,
    max_rejects: float | None = None,
    whole: bool = False,
    partial: bool = False,
    replace: bool = False,
    prefix: str = "",
    rehash: bool = False,
    quiet: bool = False,
    found: inputs.Found | None = None,
) -> None:
    """Lands files, with progress. The options are those of `loaders.landing.land`; `rehash` reads unchanged files as well."""
    from loaders import checksums, landing
    from loaders.protect import KeyStore

    known = checksums.Checksums(settings.home / checksums.FILE, is_trusted=not rehash)
    share = landing.MAX_REJECTS if max_rejects is None else max_rejects
    key = KeyStore(settings.home / "pan.key")
    with progress.reporting(quiet) as report:
        landing.land(
            dsn, data, only=only or None, prune=prune, whole=whole, partial=partial, replace=replace, prefix=prefix,
            max_rejects=share, report=report, pan_key=key, found=found, checksums=known,
        )  # fmt: skip


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


def _has_landed(dsn: str) -> bool:
    if database.ask(dsn, "SELECT to_regclass('ops.load_files')") is None:
        return False
    return database.ask(dsn, "SELECT EXISTS (SELECT 1 FROM ops.load_files)") is True


def _landed_names(dsn: str) -> set[tuple[str, str]]:
    from loaders import manifest, postgres

    with postgres.connected(dsn) as connection:
        postgres.create_tables(connection)
        with connection, connection.cursor() as cursor:
            return {(file.relation, file.name) for file in manifest.landed_files(cursor)}


def _take_back(dsn: str, before: set[tuple[str, str]]) -> None:
    """Removes what has landed since then; otherwise the next build would mix demo rows with others."""
    from loaders import manifest, postgres, removal
    from loaders.sources import SOURCES

    with postgres.connected(dsn) as connection:
        with connection, connection.cursor() as cursor:
            landed = manifest.landed_files(cursor)
        for file in reversed(landed):
            if (file.relation, file.name) not in before:
                removal.retire_file(connection, SOURCES[file.relation], file)


def _look(folder: Path) -> inputs.Found | None:
    """What there is to land, None where there is nothing; an empty one for a file or a glob, which the loaders look for."""
    from loaders import inputs

    if folder.is_dir():
        found = inputs.look(folder)
        return found if found.files or found.refused else None
    return inputs.Found() if folder.name != RAW.name or folder.exists() else None
