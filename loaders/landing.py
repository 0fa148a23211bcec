"""Owns a landing as a whole: which files, in what order, on how many connections, what is gone."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UsageError
from loaders import duplicates, manifest, postgres
from loaders.checksums import Checksums
from loaders.errors import InputRefused
from loaders.file_landing import Job, Stopped, land_file
from loaders.inputs import Found, InputFile, look, printable_name
from loaders.protect import KeyStore, Tokenizer
from loaders.recognise import PUBLISHED, in_order
from loaders.removal import retire_file
from loaders.reporting import FileOutcome, LogReporter, Reporter
from loaders.sources import SOURCES, Source

if TYPE_CHECKING:
    from psycopg2.extensions import connection

MAX_REJECTS = 0.001
_WORKERS = 2
_MOST_COMPARED = 20
WORTH_A_CONNECTION = 4 << 20
"""Bytes of a relation's files from which on a second connection pays."""


def land(
    dsn: str,
    data: Sequence[Path] | Path,
    *,
    only: Collection[str] | None = None,
    prune: bool = False,
    whole: bool = False,
    partial: bool = False,
    replace: bool = False,
    prefix: str = "",
    max_rejects: float = MAX_REJECTS,
    report: Reporter | None = None,
    pan_key: KeyStore | None = None,
    found: Found | None = None,
    checksums: Checksums | None = None,
) -> list[FileOutcome]:
    """Land files into the schema raw, each in one transaction with its manifest row.

    Args:
        dsn: where the warehouse is; the schemas raw and ops are created if absent.
        data: folders, files or globs.
        only: land just these relations.
        prune: remove the rows of landed files that are not in `data` any more, once all others have landed. Files of a folder
            that cannot be read or is empty are kept, and nothing is removed after a refusal.
        whole: every chosen relation must have a file in `data` or have landed before; nothing lands if one has not.
        partial: relations may be missing, or be emptied by pruning.
        replace: a changed file may replace rows although it has no key in common with them.
        prefix: a folder that is put before each file's name.
        max_rejects: the share of a file's rows that may be rejected; beyond it nothing of the file lands.
        report: receives the progress; plain log lines by default.
        pan_key: where the key for card tokens is; the environment, then .warehouse/pan.key by default.
        found: what `inputs.look` found in `data`, where that has been done already.
        checksums: what earlier landings knew of the bytes of files; by default all files are read.

    Returns:
        One outcome per file, in the order in which they were landed.

    Raises:
        InputRefused: a file is not as declared, or too many of its rows are bad; the other files have landed. Or a
            relation is missing; nothing has landed.
        UsageError: nothing to land, or the key for card tokens is missing or wrong.
        DatabaseUnavailable: the database cannot be reached or was lost.
    """
    report = report or LogReporter()
    chosen = _chosen(only)
    if prune and not replace and any(path.is_file() for path in _paths(data)):
        raise UsageError("pruning removes what is not in the data: name a folder, not a file\n  Or leave --prune out.")
    found = found or look(data, prefix)
    refusals = list(found.refused)
    files, unknown = in_order(found.files, chosen, refusals, report.note)
    for name, why in found.passed_over:
        report.note(f"{name}: passed over, {why}")
    for file in unknown:
        report.note(f"{file.name}: left out, neither its name nor its first line belongs to a relation")
    for refusal in refusals:
        report.refused(refusal.file, refusal)
    if unknown and not files and not refusals and not any(path.is_dir() for path in _paths(data)):
        published = " or ".join(PUBLISHED.values())
        reason = "neither its name nor its first line belongs to a relation"
        refusals.append(InputRefused(unknown[0].name, reason, f"Name it like the published file: {published}."))
    if not files and refusals:
        raise _all_of(refusals)
    if not files:
        raise UsageError(f"no file to land was found\n  The published names are {', '.join(PUBLISHED.values())}.")
    with postgres.connected(dsn) as conn:
        postgres.create_tables(conn)
        if not partial and not refusals:
            _check_complete(conn, data, chosen, {source.relation for _, source in files}, whole, prune)
        if not prune:
            _check_numbering(conn, files, chosen)
        tokenizer = _tokenizer(conn, pan_key or KeyStore(), files)
    landing = _Landing(dsn, report, refusals=refusals)
    checksums = checksums or Checksums()
    batches = []
    for source, pairs in groupby(files, key=lambda pair: pair[1]):
        key = tokenizer if source.pan_column else None
        batches.append(
            [
                Job(file, source, key, max_rejects, report, landing.stop, replace=replace, checksums=checksums)
                for file, _ in pairs
            ]
        )
    try:
        landing.land_all(batches)
    finally:
        checksums.save()
    if prune and not landing.refusals:
        landing.retire({(source.relation, file.name) for file, source in files}, chosen, found.empty_folders)
    elif prune:
        report.note("nothing was removed of files that are gone, because others were refused")
    if any(outcome.changed for outcome in landing.outcomes):
        landing.make_durable()
        landing.tell_versions()
    if landing.refusals:
        raise _all_of(landing.refusals)
    return landing.outcomes


def _all_of(refusals: list[InputRefused]) -> InputRefused:
    first, *others = refusals
    first.others = tuple(others)
    return first


def _check_complete(
    conn: connection,
    data: Sequence[Path] | Path,
    chosen: set[str],
    present: set[str],
    whole: bool,
    prune: bool,
) -> None:
    """Refuse data that leaves relations missing, or that pruning would leave empty.

    Raises:
        InputRefused: it names them.
    """
    with conn, conn.cursor() as cur:
        landed = {file.relation for file in manifest.landed_files(cur)}
    needed = (chosen if whole else set()) - (set() if prune else landed)
    missing = [
        relation for relation in SOURCES if relation in (needed | (landed if prune else set())) & chosen - present
    ]
    if missing:
        shown = ", ".join(printable_name(str(path)) for path in _paths(data))
        files = ", ".join(PUBLISHED[relation] for relation in missing)
        raise InputRefused(
            shown,
            f"there is no file of {', '.join(missing)} (published as {files})",
            "Put it there, or say --partial if it is meant to be missing. Nothing has landed.",
        )


def _check_numbering(conn: connection, files: list[tuple[InputFile, Source]], chosen: set[str]) -> None:
    """Refuse transactions of TabFormer beside published ones that have landed, and the other way round.

    Raises:
        InputRefused: it names one of each.
    """
    if not {"transactions", "fraud_labels"} <= chosen:
        return  # what tells them apart was not asked for
    with conn, conn.cursor() as cur:
        landed = {(file.relation, file.name) for file in manifest.landed_files(cur)}
    coming = {(source.relation, file.name) for file, source in files}
    mapped, published = _of_both_kinds(coming)
    mapped_before, published_before = (names - mapped - published for names in _of_both_kinds(landed))
    for names, others in ((mapped, published_before), (published, mapped_before)):
        if names and others:
            raise InputRefused(
                min(names),
                f"one of it and {printable_name(min(others))}, which has landed, is one of IBM's TabFormer files,"
                " whose users have other numbers",
                "Land the two sets into a warehouse each, or replace what has landed with --prune.",
            )


def _of_both_kinds(files: set[tuple[str, str]]) -> tuple[set[str], set[str]]:
    """The names of TabFormer's transactions and of the published ones; only the former are labels too."""
    transactions, labels = ({name for each, name in files if each == of} for of in ("transactions", "fraud_labels"))
    return transactions & labels, transactions - labels


@dataclass
class _Landing:
    """One call of `land`: what is to stop it, and what has come of it."""

    dsn: str
    report: Reporter
    stop: threading.Event = field(default_factory=threading.Event)
    outcomes: list[FileOutcome] = field(default_factory=list)
    refusals: list[InputRefused] = field(default_factory=list)
    connections: list[connection] = field(default_factory=list)

    def land_all(self, batches: list[list[Job]]) -> None:
        """Land batches of files, one relation each: in parallel where there is enough to do.

        Files of one relation go one after the other: replacing one needs its table to itself.
        """
        batches.sort(key=lambda batch: -sum(job.file.size for job in batch))
        sizes = [sum(job.file.size for job in batch) for batch in batches]
        if len(batches) < 2 or sizes[1] < WORTH_A_CONNECTION:
            for batch in reversed(batches):
                self._land(batch)
            return
        waiting = iter(batches)
        turn = threading.Lock()

        def work() -> None:
            while not self.stop.is_set():
                with turn:
                    batch = next(waiting, None)
                if batch is None:
                    return
                self._land(batch)

        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="landing") as pool:
            self._await([pool.submit(work) for _ in range(_WORKERS)])

    def _await(self, workers: list[Future[None]]) -> None:
        try:
            done, _ = wait(workers, return_when=FIRST_EXCEPTION)
            for worker in done:
                worker.result()
        except BaseException:
            self.stop.set()
            for conn in self.connections:
                if not conn.closed:
                    conn.cancel()
            raise

    def _land(self, batch: list[Job]) -> None:
        with postgres.connected(self.dsn) as conn:
            self.connections.append(conn)
            postgres.commit_lazily(conn)
            for job in batch:
                try:
                    outcome = land_file(conn, job)
                except InputRefused as error:
                    self.report.refused(job.file.name, error)
                    self.refusals.append(error)
                except Stopped:
                    return
                else:
                    self.report.finished(outcome)
                    self.outcomes.append(outcome)

    def make_durable(self) -> None:
        """Wait until what has landed is on disk."""
        with postgres.connected(self.dsn) as conn, conn, conn.cursor() as cur:
            manifest.make_durable(cur)

    def tell_versions(self) -> None:
        """Say which of the files that have just landed are another version of a landed one, and which of the two counts."""
        new = [each for each in self.outcomes if each.action in ("landed", "replaced") and each.file_id is not None]
        told: set[frozenset[str]] = set()
        with postgres.connected(self.dsn) as conn, conn, conn.cursor() as cur:
            for outcome in new[-_MOST_COMPARED:]:
                for name, later in duplicates.versions(cur, outcome.relation, outcome.file_id or 0):
                    if frozenset((name, outcome.name)) in told:
                        continue
                    told.add(frozenset((name, outcome.name)))
                    self.report.note(
                        f"{outcome.name} and {name} are versions of one file, by their keys:"
                        f" the rows of {later} count, as the later one by its name"
                    )

    def retire(self, present: set[tuple[str, str]], chosen: set[str], empty_folders: list[str]) -> None:
        """Retire the landed files of the chosen relations that are not present any more, unless their folder is empty."""
        with postgres.connected(self.dsn) as conn:
            with conn, conn.cursor() as cur:
                landed = manifest.landed_files(cur)
            for file in reversed(landed):  # further names of a file's bytes before the one in the manifest
                if file.relation not in chosen or (file.relation, file.name) in present:
                    continue
                empty = next((folder for folder in empty_folders if file.name.startswith(f"{folder}/")), None)
                if empty is not None:
                    reason = f"it is gone, and the folder {empty!r} is empty: nothing of it was removed"
                    cure = "Mount the folder; or remove it, if its files are gone for good."
                    self.refusals.append(InputRefused(file.name, reason, cure))
                    self.report.refused(file.name, self.refusals[-1])
                else:
                    outcome = retire_file(conn, SOURCES[file.relation], file)
                    self.report.finished(outcome)
                    self.outcomes.append(outcome)


def _paths(data: Sequence[Path] | Path) -> list[Path]:
    return [data] if isinstance(data, Path) else list(data)


def _chosen(only: Collection[str] | None) -> set[str]:
    unknown = set(only or ()) - set(SOURCES)
    if unknown:
        raise UsageError(f"there is no relation {sorted(unknown)[0]!r}\n  They are: {', '.join(SOURCES)}.")
    return set(only or SOURCES)


def _tokenizer(conn: connection, keys: KeyStore, files: list[tuple[InputFile, Source]]) -> Tokenizer | None:
    if not any(source.pan_column for _, source in files):
        return None
    with conn, conn.cursor() as cur:
        return keys.tokenizer(manifest.known_fingerprint(cur))
