"""Owns the progress and the outcome that a landing reports. Draws nothing: a command line does."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

Action = Literal["landed", "replaced", "unchanged", "duplicate", "renamed", "retired", "replayed"]

logger = logging.getLogger("revops.load")


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file.

    Attributes:
        name: the file's name, relative to the data folder; of a member of an archive: archive/member.
        relation: the relation of the schema raw it belongs to.
        action: landed (new), replaced (its bytes changed), unchanged (same name, same bytes), duplicate (same bytes
            under another name), renamed (gone, but its bytes are there under another name), retired (pruned), replayed (corrected
            rejects of it have landed).
        file_id: the id of the manifest row; that of the other file for a duplicate.
        rows_read: rows in the file = rows_loaded + rows_rejected.
        rows_loaded: rows landed in raw.
        rows_rejected: rows in ops.rejected_rows.
        amount_sum: dollars of the loaded rows, None for relations without amounts.
        bytes: size of the file on disk.
        seconds: how long it took.
        note: one line for the user, empty where the action says it all.
    """

    name: str
    relation: str
    action: Action
    file_id: int | None
    rows_read: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    amount_sum: Decimal | None = None
    bytes: int = 0
    seconds: float = 0.0
    note: str = ""

    @property
    def changed(self) -> bool:
        """Whether the warehouse holds other rows than before."""
        return self.action in ("landed", "replaced", "retired", "replayed")


@dataclass(frozen=True)
class Progress:
    """How far one file is.

    Attributes:
        name: the file.
        relation: its relation.
        rows: rows read so far.
        bytes_done: bytes of the file read so far.
        bytes_total: bytes of the file.
        seconds: since its landing began.
    """

    name: str
    relation: str
    rows: int
    bytes_done: int
    bytes_total: int
    seconds: float

    @property
    def megabytes_per_second(self) -> float:
        """Millions of bytes of the file per second so far."""
        return self.bytes_done / 1e6 / self.seconds if self.seconds else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Seconds still to go at the rate so far, None before anything is known."""
        if not self.bytes_done:
            return None
        return max(0.0, (self.bytes_total - self.bytes_done) * self.seconds / self.bytes_done)


class Reporter(Protocol):
    """Receives the progress of a landing. Methods are called from several threads, at most a few times per second and file."""

    def started(self, progress: Progress) -> None:
        """Reading a file begins."""

    def progressed(self, progress: Progress) -> None:
        """A file is so far."""

    def finished(self, outcome: FileOutcome) -> None:
        """A file is done."""

    def refused(self, name: str, error: Exception) -> None:
        """A file was refused; nothing of it has landed. The error is raised at the end."""

    def note(self, message: str) -> None:
        """Something worth a line, such as a file that was left out."""


class LogReporter:
    """Reports by plain log lines, at most one per file and ten seconds while it runs."""

    def __init__(self, every_seconds: float = 10.0) -> None:
        self.every_seconds = every_seconds
        self._next: dict[str, float] = {}

    def started(self, progress: Progress) -> None:
        """Log that a file begins."""
        logger.info("loading %s (%.1f MB) into raw.%s", progress.name, progress.bytes_total / 1e6, progress.relation)

    def progressed(self, progress: Progress) -> None:
        """Log how far a file is, if it is time."""
        if progress.seconds < self._next.get(progress.name, self.every_seconds):
            return
        self._next[progress.name] = progress.seconds + self.every_seconds
        eta = progress.eta_seconds
        logger.info(
            "%s: %s rows, %.0f MB/s, %s left",
            progress.name,
            f"{progress.rows:,}",
            progress.megabytes_per_second,
            "unknown" if eta is None else f"{eta:.0f} s",
        )

    def finished(self, outcome: FileOutcome) -> None:
        """Log what became of a file."""
        self._next.pop(outcome.name, None)
        logger.info(
            "%s: %s, %s rows loaded, %s rejected, %.1f s%s",
            outcome.name,
            outcome.action,
            f"{outcome.rows_loaded:,}",
            f"{outcome.rows_rejected:,}",
            outcome.seconds,
            f" ({outcome.note})" if outcome.note else "",
        )

    def refused(self, name: str, error: Exception) -> None:
        """Log that a file was refused."""
        logger.error("%s: refused: %s", name, error)

    def note(self, message: str) -> None:
        """Log a remark."""
        logger.info("%s", message)
