"""How long work is shown: bars with rows, rate and time left on a terminal, log lines elsewhere. Counts nothing."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from loaders.reporting import LogReporter, Reporter

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from loaders.reporting import FileOutcome, Progress

_log = logging.getLogger(__name__)


def on_terminal() -> bool:
    """Whether stderr is a terminal: progress goes there, results to stdout."""
    return sys.stderr.isatty()


def reporting(quiet: bool = False) -> AbstractContextManager[Reporter]:
    """A reporter for a landing: bars on a terminal, log lines elsewhere or when `quiet` (the log level decides)."""
    return nullcontext(LogReporter()) if quiet or not on_terminal() else _bar_reporting()


@contextmanager
def _bar_reporting() -> Iterator[Reporter]:
    with _bars() as bars:
        yield BarReporter(bars)


class BarReporter:
    """Draws one bar per file while it lands, and leaves one line when it has. Called from several threads."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def started(self, progress: Progress) -> None:
        """A bar appears."""
        with self._lock:
            self._tasks[progress.name] = self._bars.add_task(
                _plain(progress.name), total=progress.bytes_total, rows="0 rows"
            )

    def progressed(self, progress: Progress) -> None:
        """The bar moves."""
        with self._lock:
            task = self._tasks.get(progress.name)
            if task is not None:
                rate = progress.rows / progress.seconds if progress.seconds else 0
                self._bars.update(
                    task, completed=progress.bytes_done, rows=f"{progress.rows:,} rows, {rate:,.0f} rows/s"
                )

    def finished(self, outcome: FileOutcome) -> None:
        """The bar goes, its result stays."""
        self._end(outcome.name)
        rejected = f", {outcome.rows_rejected:,} rejected" if outcome.rows_rejected else ""
        note = f" ({outcome.note})" if outcome.note else ""
        what = f"{outcome.rows_loaded:,} rows{rejected} in {outcome.seconds:.1f} s"
        self._line(f"{outcome.name}: {outcome.action}, {what}{note}")

    def refused(self, name: str, error: Exception) -> None:
        """The bar goes; why stays."""
        self._end(name)
        self._line(f"{name}: refused: {error}")

    def note(self, message: str) -> None:
        """A line above the bars."""
        self._line(message)

    def _end(self, name: str) -> None:
        with self._lock:
            task = self._tasks.pop(name, None)
            if task is not None:
                self._bars.remove_task(task)

    def _line(self, text: str) -> None:
        self._bars.console.print(_plain(text), highlight=False)


@contextmanager
def counting(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """A function `(what, done, total)` for work that counts rows itself, such as the generator."""
    if on_terminal():
        with _bars() as bars:
            tasks: dict[str, TaskID] = {}

            def draw(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(_plain(what), total=total, rows="")
                bars.update(tasks[what], completed=done, total=total, rows=f"{done:,} of {total:,} rows")

            yield draw
        return
    said = {"at": time.monotonic()}

    def log(what: str, done: int, total: int) -> None:
        if done >= total or time.monotonic() - said["at"] >= 10:
            said["at"] = time.monotonic()
            _log.info("%s: %s: %s of %s rows", title, what, f"{done:,}", f"{total:,}")

    yield log


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%", markup=False),
        TextColumn("{task.fields[rows]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True, markup=False),
        transient=True,
    )


def _plain(text: str) -> str:
    """Text whose control characters (a file may be named anything) cannot reach the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
