"""Owns landing corrected rejects: rows from a file of corrections take their places in the files they came from."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from loaders import manifest, postgres
from loaders.errors import InputRefused, UsageError
from loaders.file_landing import days_of
from loaders.inputs import printable_name
from loaders.manifest import LandedFile
from loaders.protect import KeyStore, Tokenizer
from loaders.reporting import FileOutcome, LogReporter, Reporter
from loaders.rows import Chunk, RowEncoder, Tally
from loaders.sources import SOURCES, Source

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

PLACE_COLUMNS = ("_file", "_line_number")
"""What comes before the published columns in a file of corrections: which rejected row the rest stands for."""

_CURE = "Its first line must be _file,_line_number and then the published columns of one relation."
_LONGEST_VALUE = 1 << 20


@dataclass(frozen=True)
class _Correction:
    """A corrected row: where it stands in the file of corrections, and which rejected row it stands for."""

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

    Args:
        dsn: where the warehouse is.
        corrections: the file of corrections.
        report: who is told; plain log lines by default.
        pan_key: where the key for card tokens is, as for `land`.

    Returns:
        One outcome per file that the rejects came from; rows_loaded is what was replayed of it.

    Raises:
        InputRefused: the file is not as described, a row is still bad, or it stands for no rejected row.
    """
    report = report or LogReporter()
    name = printable_name(corrections.name)
    source, rows = _read(corrections, name)
    outcomes: list[FileOutcome] = []
    with postgres.connected(dsn) as conn:
        postgres.create_tables(conn)
        tokenizer = _tokenizer(conn, source, pan_key or KeyStore())
        for file, group in groupby(sorted(rows, key=lambda row: (row.file, row.line_number)), lambda row: row.file):
            outcome = _replay_file(conn, source, tokenizer, name, file, list(group))
            report.finished(outcome)
            outcomes.append(outcome)
    return outcomes


def _read(corrections: Path, name: str) -> tuple[Source, list[_Correction]]:
    csv.field_size_limit(_LONGEST_VALUE)
    try:
        with open(corrections, newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, strict=True)
            header = tuple(next(reader, []))
            source = next((s for s in SOURCES.values() if header == PLACE_COLUMNS + s.columns), None)
            if source is None:
                raise InputRefused(name, "it is no file of corrections", _CURE, 1)
            return source, list(_corrections(name, source, reader))
    except OSError as error:
        raise UsageError(f"the file {name!r} cannot be opened ({error.strerror})\n  Check its name.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputRefused(
            name, f"it is no valid CSV in UTF-8 ({type(error).__name__})", "Save it as CSV in UTF-8."
        ) from error


def _corrections(name: str, source: Source, reader: Iterator[list[str]]) -> Iterator[_Correction]:
    seen: set[tuple[str, str]] = set()
    for number, values in enumerate(reader, 2):
        if not values:
            continue
        if len(values) != len(PLACE_COLUMNS) + len(source.columns):
            expected = len(PLACE_COLUMNS) + len(source.columns)
            raise InputRefused(name, f"{len(values)} fields instead of {expected}", "Correct the row.", number)
        file, line_number, *fields = values
        if not line_number.isascii() or not line_number.isdigit():
            raise InputRefused(name, "it is no line number", "Take it from ops.rejected_rows.", number, "_line_number")
        if (file, line_number) in seen:
            raise InputRefused(name, "a second correction of the same row", "Leave one of them out.", number)
        seen.add((file, line_number))
        yield _Correction(number, file, int(line_number), tuple(fields))


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
    """Return the corrections that stand for rejects; those that have landed already are passed over."""
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
    days = days_of([*chunk.days, *([None] if chunk.undated else [])]) if source.date_column else []
    manifest.touch_days(cur, source.relation, landed.file_id, days, "replayed")
