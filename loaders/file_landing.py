"""Owns landing one file in one transaction: new, changed or known; COPY, manifest row, rejects, touched days."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from foundation.errors import first_line
from foundation.queries import scalar
from loaders import identity, manifest, postgres, removal
from loaders.checksums import Checksums
from loaders.duplicates import KEYS
from loaders.errors import InputRefused
from loaders.formats import archives
from loaders.formats.ahead import read_ahead
from loaders.formats.readers import reader_of
from loaders.inputs import ByteStream, InputFile, opened
from loaders.keys_seen import KeysSeen
from loaders.manifest import LandedFile
from loaders.protect import Tokenizer, mask_card_numbers
from loaders.reporting import FileOutcome, Progress, Reporter
from loaders.rows import Chunk, Reject, RowEncoder, Tally
from loaders.sources import UNDATED_DAY, Source

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

LARGE_FILE_BYTES = 16 << 20
"""Files of this size or more get their own partition: see docs/loading.md for the measurement."""

_SOME_KEYS = 1000
_SOME_SHARED = """
SELECT EXISTS (SELECT FROM {after} WHERE _file_id = %(now)s AND {key} = ANY (
    ARRAY(SELECT {key} FROM {before} WHERE _file_id = %(earlier)s LIMIT %(some)s)))
"""
_ANY_SHARED = """
SELECT NOT EXISTS (SELECT FROM {after} WHERE _file_id = %(now)s)
    OR NOT EXISTS (SELECT FROM {before} WHERE _file_id = %(earlier)s)
    OR EXISTS (SELECT {key} FROM {after} WHERE _file_id = %(now)s
               INTERSECT SELECT {key} FROM {before} WHERE _file_id = %(earlier)s)
"""
_REJECTS_AT_ONCE = 1000
_REPORT_EVERY_SECONDS = 0.25
_ROWS_TO_GUESS_FROM = 50_000
_GUESSED_AT_MOST = 4  # times as many rows as what was read of a packed file suggests
_PACKED_GUESS = 6  # a packed file holds about this many times its size


class Stopped(Exception):
    """The landing has to stop; its transaction is rolled back."""


@dataclass(frozen=True)
class Job:
    """A file to land, and what it needs.

    Attributes:
        file: the file.
        source: the relation it belongs to.
        tokenizer: makes card tokens, None where there are no card numbers.
        max_rejects: the share of its rows that may be rejected.
        report: receives the progress.
        stop: set when the landing is to stop.
        again: land the file although the same bytes have landed.
        replace: let it replace rows although it has no key in common with them.
        checksums: what is known of the bytes of files.
    """

    file: InputFile
    source: Source
    tokenizer: Tokenizer | None
    max_rejects: float
    report: Reporter
    stop: threading.Event = field(default_factory=threading.Event)
    again: bool = False
    replace: bool = False
    checksums: Checksums = field(default_factory=Checksums)


def land_file(conn: connection, job: Job) -> FileOutcome:
    """Land one file in one transaction, or find that there is nothing to do."""
    began = time.monotonic()
    try:
        with conn.cursor() as cur:
            outcome = land_in_transaction(cur, job)
        conn.commit()
    except psycopg2.DataError as error:
        conn.rollback()
        reason = mask_card_numbers(first_line(error))
        raise InputRefused(
            job.file.name, f"the database refuses a row: {reason}", "Report this as a defect."
        ) from error
    except BaseException:
        if not conn.closed:
            conn.rollback()
        raise
    return replace(outcome, bytes=job.file.size, seconds=time.monotonic() - began)


def land_in_transaction(cur: cursor, job: Job) -> FileOutcome:
    """Land one file in the caller's transaction, which is rolled back if the file's content turns out to have landed already."""
    file, source = job.file, job.source
    cur.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"revops load {source.relation} {file.name}",)
    )
    started_at = scalar(cur, "SELECT now()")
    assert isinstance(started_at, datetime.datetime)
    earlier = manifest.landed_file(cur, source.relation, file.name)
    same = None if job.again else identity.same_bytes(cur, file, source.relation, earlier, job.checksums)
    if same is not None:
        return identity.take_as_known(cur, file, source, same, earlier, job.checksums)
    file_id = manifest.next_file_id(cur, _is_large(file))
    with _opened(file) as stream:
        tally, keys = _copy(cur, job, stream, file_id)
        stream.check_unchanged()
        sha256 = stream.sha256
        if file.packing == "plain":
            job.checksums.note(file.path, stream.seen, sha256)
    # Perhaps the same content, packed in another way or under another name.
    same = None if job.again else manifest.landed_bytes(cur, source.relation, sha256)
    if same is not None:
        cur.connection.rollback()
        return identity.take_as_known(cur, file, source, same, earlier, job.checksums)
    left_to = None if earlier is None else manifest.take_name(cur, earlier.file_id, file.name)
    replaced = earlier if left_to is None else None
    note = "" if left_to is None else f"the rows that it brought before stay: {left_to} has them too"
    days, changes = _touched_days(cur, source, tally, file_id, replaced)
    if replaced is not None:
        if not (job.again or job.replace) and not _share_a_key(cur, source, replaced, file_id):
            raise InputRefused(
                file.name,
                f"it has none of the {replaced.rows_loaded:,} keys that have landed under this name before ({changes})",
                "To keep both, name it otherwise or put each in a dated folder. To replace all of them: --replace.",
            )
        note = changes
        postgres.remove_rows(cur, source, replaced.file_id)
        manifest.forget(cur, "replaced", replaced.file_id)
    landed = LandedFile(
        file_id, source.relation, file.name, sha256, identity.packed_sha256(file, job.checksums), file.size,
        tally.rows_read, tally.rows_loaded, tally.rows_rejected,
    )  # fmt: skip
    if landed.is_large:
        postgres.attach_partition(cur, source, file_id)
    has_amounts, has_dates = source.amount_column is not None, source.date_column is not None
    manifest.record(cur, "landed", landed, tally, started_at, has_amounts, has_dates, keys)
    manifest.touch_days(cur, source.relation, file_id, days)
    if job.tokenizer is not None:
        job.tokenizer.check(manifest.remembered_fingerprint(cur, job.tokenizer.fingerprint))
    return FileOutcome(
        name=file.name,
        relation=source.relation,
        action="landed" if replaced is None else "replaced",
        file_id=file_id,
        rows_read=tally.rows_read,
        rows_loaded=tally.rows_loaded,
        rows_rejected=tally.rows_rejected,
        amount_sum=tally.dollars if has_amounts else None,
        note="; ".join(filter(None, (note, tally.note))),
    )


def _is_large(file: InputFile) -> bool:
    is_packed = file.packing in archives.ENDINGS.values() or file.inner != "plain"
    size = file.size * _PACKED_GUESS if is_packed else file.size
    return size >= LARGE_FILE_BYTES


@contextmanager
def _opened(file: InputFile) -> Iterator[ByteStream]:
    if file.is_parquet:
        from loaders.formats.parquet import opened_as_csv

        with opened_as_csv(file) as stream:
            yield stream
    else:
        with opened(file) as stream:
            yield stream


def _touched_days(
    cur: cursor, source: Source, tally: Tally, file_id: int, earlier: LandedFile | None
) -> tuple[list[datetime.date], str]:
    """Return the days on which this landing adds, changes or removes rows, and what a replacement changes, in words."""
    if source.date_column is None:
        return [], f"{earlier.rows_loaded:,} rows go, {tally.rows_loaded:,} come" if earlier is not None else ""
    # The date of an unusable row may begin with a valid day and still be no time.
    undated = {UNDATED_DAY} if tally.undated or tally.unusable or tally.earlier else set()
    if earlier is None:
        return sorted({*tally.dates, *undated}), ""
    before = postgres.day_profiles(cur, source, earlier.file_id)
    after = postgres.day_profiles(cur, source, file_id)
    touched = {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)}
    going, coming = (_rows_of(profiles, touched) for profiles in (before, after))
    return sorted({*removal.days_of(touched), *undated}), f"{going} go, {coming} come"


def _rows_of(profiles: dict[str | None, tuple[int, int]], days: set[str | None]) -> str:
    """Say how many rows of which days: `1,000 rows of 2010-01-01 to 2010-01-31`."""
    rows = {day: profiles[day][0] for day in days if day in profiles}
    dated = [str(day) for day in removal.days_of(rows) if day != UNDATED_DAY]
    span = " to ".join(dict.fromkeys([dated[0], dated[-1]])) if dated else ""
    return f"{sum(rows.values()):,} rows{f' of {span}' if span else ''}"


def _share_a_key(cur: cursor, source: Source, earlier: LandedFile, file_id: int) -> bool:
    """Whether a key of an earlier landing is among the rows that are to replace it; true where either has none."""
    names = {
        "key": sql.Identifier(KEYS[source.relation]),
        "before": sql.Identifier("raw", postgres.partition_of(source, earlier.file_id)),
        "after": sql.Identifier("raw", postgres.partition_of(source, file_id)),
    }
    values = {"earlier": earlier.file_id, "now": file_id, "some": _SOME_KEYS}
    # A correction shares its first keys, so the cheap question comes first.
    return any(scalar(cur, sql.SQL(statement).format(**names), values) for statement in (_SOME_SHARED, _ANY_SHARED))


def _copy(cur: cursor, job: Job, stream: ByteStream, file_id: int) -> tuple[Tally, KeysSeen]:
    """COPY a file's rows into its partition and keep its rejects; return what was counted and the keys that were seen.

    Raises:
        InputRefused: the file is not as declared, or too many of its rows are bad.
    """
    large = file_id >= manifest.FIRST_LARGE_FILE_ID
    if large:
        postgres.create_partition(cur, job.source, file_id)
    encoder = RowEncoder(job.source, None if large else file_id, job.tokenizer)
    reader = reader_of(job.file.name, encoder, stream)
    taken = 0
    with read_ahead(reader.chunks()) as chunks:
        feed = _Feed(chunks, job, stream)
        while not feed.at_end:
            taken += postgres.copy_rows(
                cur, job.source, file_id, feed.read, names_file=not large, freeze=large and not feed.tally.rows_loaded
            )
            feed.raise_failure()
            manifest.write_rejects(cur, file_id, job.file.name, feed.take_rejects())
    tally = feed.tally
    if taken != tally.rows_loaded:
        raise InputRefused(
            job.file.name,
            f"{tally.rows_loaded:,} rows were sent, the database took {taken:,}",
            "Report this as a defect.",
        )
    tally.check(job.file.name, job.max_rejects)
    tally.check_any(job.file.name)
    return tally, encoder.keys


class _Feed:
    """What COPY reads from: passes chunks on, counts them, and ends a COPY when rejects are to be written."""

    def __init__(self, chunks: Iterator[Chunk], job: Job, stream: ByteStream) -> None:
        self.tally = Tally()
        self.at_end = False
        self._chunks = chunks
        self._job = job
        self._stream = stream
        self._failure: BaseException | None = None
        self._began = time.monotonic()
        self._next_report = self._began + _REPORT_EVERY_SECONDS
        self._rejects: list[Reject] = []
        job.report.started(self._progress())

    def read(self, size: int) -> bytes:
        """Return the next rows. Never raises: the driver would hide the error and send its text to the server's log."""
        del size
        try:
            while len(self._rejects) < _REJECTS_AT_ONCE:
                if self._job.stop.is_set():
                    raise Stopped
                chunk = next(self._chunks, None)
                if chunk is None:
                    self.at_end = True
                    return b""
                self.tally.add(chunk)
                self._rejects += chunk.rejects
                if chunk.rejects or chunk.unusable:
                    self._give_up_if_hopeless()
                if time.monotonic() >= self._next_report:
                    self._next_report = time.monotonic() + _REPORT_EVERY_SECONDS
                    self._job.report.progressed(self._progress())
                if chunk.copy:
                    return chunk.copy
        except BaseException as failure:  # noqa: BLE001 - raised again by raise_failure
            self._failure = failure
            self.at_end = True
        return b""

    def _give_up_if_hopeless(self) -> None:
        """Refuse the file as soon as its bad rows are too many even if all others are good.

        The rows that a plain file can still have are known from its size; those of a packed one are guessed from what was read.

        Raises:
            InputRefused: they are.
        """
        file, read, done = self._job.file, self.tally.rows_read, max(1, self._stream.bytes_done)
        is_unpacked = file.packing == "plain" or (file.member is not None and file.inner == "plain")
        if is_unpacked and not file.is_parquet:
            rows_at_most = read + (file.size - done) // len(self._job.source.columns) + 1
        elif read < _ROWS_TO_GUESS_FROM:
            return
        else:
            rows_at_most = _GUESSED_AT_MOST * read * max(1, file.size // done)
        self.tally.check(file.name, self._job.max_rejects, rows_at_most)

    def raise_failure(self) -> None:
        """Raise what went wrong while COPY was reading."""
        if self._failure is not None:
            raise self._failure

    def take_rejects(self) -> list[Reject]:
        """Return the rejects since the last time."""
        taken, self._rejects = self._rejects, []
        return taken

    def _progress(self) -> Progress:
        file = self._job.file
        return Progress(
            file.name,
            self._job.source.relation,
            self.tally.rows_read,
            self._stream.bytes_done,
            file.size,
            time.monotonic() - self._began,
        )
