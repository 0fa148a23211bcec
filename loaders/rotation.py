"""Owns rotating the key for card tokens: every file with card numbers lands again under a new key, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foundation.errors import UsageError
from loaders import manifest, postgres
from loaders.checksums import Checksums
from loaders.file_landing import Job, land_in_transaction
from loaders.inputs import discover
from loaders.protect import KeyStore
from loaders.recognise import in_order
from loaders.reporting import FileOutcome, LogReporter, Reporter
from loaders.sources import SOURCES


def rotate_pan_key(
    dsn: str,
    data: Sequence[Path] | Path,
    *,
    max_rejects: float = 0.001,
    report: Reporter | None = None,
    pan_key: KeyStore | None = None,
) -> list[FileOutcome]:
    """Give every card a new token, from the files it came from: the database alone cannot.

    The new key is the one in the environment, else a new one that takes the place of the key file once all is committed;
    after a kill in between the next landing finds it. Corrected rejects of these files must be replayed again. A file that
    has not landed yet is left to the next landing.

    Args:
        dsn: where the warehouse is.
        data: folders, files or globs with all landed files that hold card numbers.
        max_rejects: as for `land`.
        report: receives the progress; plain log lines by default.
        pan_key: where the key is, as for `land`.

    Returns:
        One outcome per file.

    Raises:
        UsageError: there are no tokens yet, a landed file is not in `data`, or the key is still the old one.
        InputRefused: a file is not as declared. Nothing has changed.
    """
    report = report or LogReporter()
    keys = pan_key or KeyStore()
    relations = {source.relation for source in SOURCES.values() if source.pan_column}
    files, _ = in_order(discover(data), relations)
    with postgres.connected(dsn) as conn:
        postgres.create_tables(conn)
        with conn, conn.cursor() as cur:
            known = manifest.known_fingerprint(cur)
            if known is None:
                raise UsageError("there are no card tokens yet, and so no key to rotate\n  Load the files first.")
            there = {(source.relation, file.name): (file, source) for file, source in files}
            landed = [
                (relation, names[0]) for relation in relations for names in manifest.names(cur, relation).values()
            ]
            for relation, name in landed:
                if (relation, name) not in there:
                    raise UsageError(
                        f"the landed file {name!r} is not there: its cards would keep their old tokens\n"
                        "  Name a folder that holds all files with card numbers."
                    )
            tokenizer = keys.successor()
            if tokenizer.made(known):
                raise UsageError("the key is still the same\n  Set REVOPS_PAN_KEY to the new one, or unset it.")
            manifest.forget_fingerprint(cur)
            checksums = Checksums()
            outcomes = [
                land_in_transaction(
                    cur, Job(file, source, tokenizer, max_rejects, report, again=True, checksums=checksums)
                )
                for file, source in (there[key] for key in sorted(landed))
            ]
    keys.adopt()
    for outcome in outcomes:
        report.finished(outcome)
    return outcomes
