"""Owns landing corrected rejects: rows from a file of corrections take their places in the files they came from.

Such a file has the place of each row and the published columns; or it is ops.rejected_rows itself, corrected in raw_line.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UsageError
from loaders import manifest, postgres
from loaders.errors import InputRefused
from loaders.inputs import printable_name
from loaders.manifest import LandedFile
from loaders.protect import KeyStore, Tokenizer
from loaders.removal import days_of
from loaders.reporting import FileOutcome, LogReporter, Reporter
from loaders.rows import Chunk, RowEncoder, Tally
from loaders.sources import SOURCES, Source

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

PLACE_COLUMNS = ("_file", "_line_number")
"""What comes before the published columns in a file of corrections: which rejected row the rest corrects."""

REJECTS_COLUMNS = ("file_name", "line_number", "reason", "raw_line")
"""The columns of ops.rejected_rows in the file that the documentation's \\copy writes."""

_CURE = (
    "Its first line must be _file,_line_number and then the published columns of one relation,"
    f" or {','.join(REJECTS_COLUMNS)}."
)
_LONGEST_VALUE = 1 << 20


@dataclass(frozen=True)
class _Correction:
    """A corrected row: its line in the file of corrections, and the rejected row that it corrects."""

    here: int
    file: str
    line_number: int
    fields: tuple[str, ...]


def replay(
    dsn: str, corrections: Path, *, report: Reporter | None = None, pan_key: KeyStore | None = None
) -> list[FileOutcome]:
    """Land corrected rejects, one transaction per file they came from.

    The corrections are a CSV file with the columns `_file` and `_line_number` as in ops.rejected_rows, then the published
    columns of one relation. A corrected row gets the file id and line number of the reject, which goes; the manifest
    counts it as loaded from then on. Corrections that have landed before are passed over, so a second run does nothing.
    A copy of ops.rejected_rows with the lines corrected is taken as well; lines that are still bad are passed over.

    Args:
        dsn: where the warehouse is.
        corrections: the file of corrections.
        report: receives the progress; plain log lines by default.
        pan_key: where the key for card tokens is, as for `land`.

    Returns:
        One outcome per file that the rejects came from; rows_loaded is what was replayed of it.

    Raises:
        InputRefused: the file is not as described, a row is still bad, or it corrects no rejected row.
    """
    report = report or LogReporter()
    name = printable_name(corrections.name)
    batches = _read(corrections, name)
    outcomes: list[FileOutcome] = []
    with postgres.connected(dsn) as conn:
        postgres.create_tables(conn)
        if isinstance(batches, list):
            batches = _by_relation(conn, name, batches, report)
        for source, rows in batches.items():
            tokenizer = _tokenizer(conn, source, pan_key or KeyStore())
            for file, group in groupby(sorted(rows, key=lambda row: (row.file, row.line_number)), lambda row: row.file):
                outcome = _replay_file(conn, source, tokenizer, name, file, list(group))
                report.finished(outcome)
                outcomes.append(outcome)
    return outcomes


def _read(corrections: Path, name: str) -> dict[Source, list[_Correction]] | list[_Correction]:
    """Return the corrections by relation; as they are, each with its line as one field, from a copy of the rejects."""
    csv.field_size_limit(_LONGEST_VALUE)
    try:
        with open(corrections, newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, strict=True)
            header = tuple(next(reader, []))
            if header == REJECTS_COLUMNS:
                rows = ([file, line, raw] for file, line, _, raw in _of_length(name, reader, len(header)))
                return list(_corrections(name, 1, rows))
            source = next((s for s in SOURCES.values() if header == PLACE_COLUMNS + s.columns), None)
            if source is None:
                raise InputRefused(name, "it is no file of corrections", _CURE, 1)
            return {source: list(_corrections(name, len(source.columns), reader))}
    except OSError as error:
        raise UsageError(f"the file {name!r} cannot be opened ({error.strerror})\n  Check its name.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputRefused(
            name, f"it is no valid CSV in UTF-8 ({type(error).__name__})", "Save it as CSV in UTF-8."
        ) from error


def _of_length(name: str, reader: Iterator[list[str]], length: int) -> Iterator[list[str]]:
    for number, values in enumerate(reader, 2):
        if len(values) != length:
            raise InputRefused(name, f"{len(values)} fields instead of {length}", "Correct the row.", number)
        yield values


def _corrections(name: str, count: int, reader: Iterator[list[str]]) -> Iterator[_Correction]:
    seen: set[tuple[str, str]] = set()
    for number, values in enumerate(reader, 2):
        if not values:
            continue
        if len(values) != len(PLACE_COLUMNS) + count:
            expected = len(PLACE_COLUMNS) + count
            raise InputRefused(name, f"{len(values)} fields instead of {expected}", "Correct the row.", number)
        file, line_number, *fields = values
        if not line_number.isascii() or not line_number.isdigit():
            raise InputRefused(name, "it is no line number", "Take it from ops.rejected_rows.", number, "_line_number")
        if (file, line_number) in seen:
            raise InputRefused(name, "a second correction of the same row", "Leave one of them out.", number)
        seen.add((file, line_number))
        yield _Correction(number, file, int(line_number), tuple(fields))


def _by_relation(
    conn: connection, name: str, rows: Sequence[_Correction], report: Reporter
) -> dict[Source, list[_Correction]]:
    """Cut the lines of a copy of the rejects into fields, and pass over those that are no better than they were."""
    with conn, conn.cursor() as cur:
        sources: dict[str, list[Source]] = {}
        for file in manifest.landed_files(cur):
            sources.setdefault(file.name, []).append(SOURCES[file.relation])
    found: dict[Source, list[_Correction]] = {}
    passed_over: list[tuple[int, str]] = []
    for row in rows:
        if row.file not in sources:
            raise InputRefused(
                name, "its file has not landed", "Take it from ops.rejected_rows.", row.here, "file_name"
            )
        fields = _fields(row.fields[0])
        faults = [(RowEncoder(source, 0, None).fault(fields), source) for source in sources[row.file]]
        fault, source = next((each for each in faults if each[0] is None), faults[0])  # a file may be of several
        if fault is None:
            found.setdefault(source, []).append(replace(row, fields=fields))
        else:
            passed_over.append((row.here, fault))
    if passed_over:
        here, fault = passed_over[0]
        report.note(
            f"{name}: {len(passed_over):,} of {len(rows):,} rows are passed over, they still cannot be landed;"
            f" the first on line {here}: {fault}"
        )
    return found


def _fields(line: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([line], strict=True), ()))
    except csv.Error:
        return ()


def _tokenizer(conn: connection, source: Source, keys: KeyStore) -> Tokenizer | None:
    if source.pan_column is None:
        return None
    with conn, conn.cursor() as cur:
        return keys.tokenizer(manifest.known_fingerprint(cur))


def _replay_file(
    conn: connection, source: Source, tokenizer: Tokenizer | None, name: str, file: str, rows: Sequence[_Correction]
) -> FileOutcome:
    began = time.monotonic()
    with conn, conn.cursor() as cur:
        landed = manifest.landed_file(cur, source.relation, file)
        if landed is None:
            raise InputRefused(
                name, "its _file has not landed", "Take it from ops.rejected_rows.", rows[0].here, "_file"
            )
        waiting = _still_rejected(cur, source, name, landed, rows)
        chunk = _encoded(source, tokenizer, name, landed, waiting)
        if chunk.rows:
            _land(cur, source, landed, waiting, chunk)
    return FileOutcome(
        name=file,
        relation=source.relation,
        action="replayed" if chunk.rows else "unchanged",
        file_id=landed.file_id,
        rows_read=len(rows),
        rows_loaded=chunk.rows,
        seconds=time.monotonic() - began,
        note=f"{landed.rows_rejected - chunk.rows:,} rejects are left",
    )


def _still_rejected(
    cur: cursor, source: Source, name: str, landed: LandedFile, rows: Sequence[_Correction]
) -> list[_Correction]:
    """Return the corrections of rejects; those that have landed already are skipped."""
    rejected = manifest.rejected_lines(cur, landed.file_id)
    others = [row for row in rows if row.line_number not in rejected]
    there = postgres.landed_lines(cur, source, landed.file_id, [row.line_number for row in others])
    for row in others:
        if row.line_number not in there:
            raise InputRefused(
                name,
                f"line {row.line_number} is no rejected row of its file",
                "Take it from ops.rejected_rows.",
                row.here,
            )
    return [row for row in rows if row.line_number in rejected]


def _encoded(
    source: Source, tokenizer: Tokenizer | None, name: str, landed: LandedFile, rows: Sequence[_Correction]
) -> Chunk:
    encoder = RowEncoder(source, landed.file_id, tokenizer)
    chunk = Chunk()
    lines: list[str] = []
    for row in rows:
        fault = encoder.fault(row.fields)
        if fault is not None:
            raise InputRefused(name, f"the row still cannot be landed: {fault}", "Correct it.", row.here)
        encoder.add(chunk, lines, row.fields, row.line_number, "")
    chunk.copy = "".join(f"{line}\n" for line in lines).encode()
    return chunk


def _land(cur: cursor, source: Source, landed: LandedFile, rows: Sequence[_Correction], chunk: Chunk) -> None:
    blocks = iter([chunk.copy])
    postgres.copy_rows(cur, source, landed.file_id, lambda _: next(blocks, b""))
    tally = Tally()
    tally.add(chunk)
    manifest.replayed(cur, landed.file_id, tally, [row.line_number for row in rows], source.amount_column is not None)
    days = days_of([*chunk.days, *([None] if chunk.undated or chunk.unusable else [])]) if source.date_column else []
    manifest.touch_days(cur, source.relation, landed.file_id, days, "replayed")
