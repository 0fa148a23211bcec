"""How long work is shown: bars with rows, rate and time left on a terminal, log lines elsewhere. Counts nothing."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from loaders.reporting import LogReporter, Reporter
from revops.terminal import logs

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from loaders.reporting import FileOutcome, Progress

BAR_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0

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


class Builds:
    """Says what a build does: which of how many models, since when, and how long it took the last time.

    SQLMesh calls it from several threads. A model that is evaluated over many ranges is one model, and one line.
    """

    def __init__(self, bars: Bars | None = None) -> None:
        self._bars = bars
        self._task = bars.add_task("building", total=None, rows="") if bars is not None else None
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._left: dict[str, int] = {}
        self._took: dict[str, float] = {}
        self._audits: dict[str, tuple[int, int]] = {}
        self._since: dict[str, float] = {}
        self._total = 0
        self._phase = ("", time.monotonic())

    def expect(self, last: Mapping[str, float]) -> None:
        """How many seconds each model took the last time."""
        self._last = dict(last)

    def phase(self, what: str) -> None:
        """Says what is done while no model is evaluated."""
        self._phase = (what, time.monotonic())
        _log.info("%s", what)

    def begin(self, batches: Mapping[str, int]) -> None:
        """So many models follow, each in so many batches."""
        with self._lock:
            self._left = {model: count for model, count in batches.items() if count}
            self._total = len(self._left)
            self._took, self._audits, self._since = {}, {}, {}
            self._phase = ("", time.monotonic())

    def start(self, model: str) -> None:
        """A batch of a model begins."""
        with self._lock:
            self._since.setdefault(model, time.monotonic())
        self.show()

    def end(self, model: str, seconds: float | None, passed: int, failed: int) -> float | None:
        """A batch of a model has ended; returns the seconds of all of them after the last one."""
        with self._lock:
            self._left[model] = self._left.get(model, 1) - 1
            self._took[model] = self._took.get(model, 0.0) + (seconds or 0.0)
            before = self._audits.get(model, (0, 0))
            self._audits[model] = (before[0] + passed, before[1] + failed)
            if self._left[model] > 0 and seconds is not None:
                return None
            self._since.pop(model, None)
            audits, took = self._audits[model], self._took[model]
            done = sum(left <= 0 for left in self._left.values())
        line = [f"{done} of {self._total}: {model}"]
        line += [f"in {took:.1f} s{self._told_last(model)}"] if seconds is not None else ["failed"]
        line = [" ".join(line)]
        line += [f"{audits[0]} audits passed"] if audits[0] else []
        line += [f"{audits[1]} FAILED"] if audits[1] else []
        _log.info("%s", ", ".join(line))
        self.show()
        return took if seconds is not None else None

    def pause(self) -> None:
        """The models are evaluated; what follows is not counted."""
        with self._lock:
            self._since = {}
        self._phase = ("keys, indexes and views", time.monotonic())

    def running(self, most: int | None = None) -> str:
        """What runs now, since when, and how long it took the last time; empty where nothing does.

        Args:
            most: name so many models, those that have run longest, and say how many more there are; None for all.
        """
        now = time.monotonic()
        with self._lock:
            models = sorted(self._since.items(), key=lambda item: item[1])
        told = [f"{model} for {now - since:.0f} s{self._told_last(model)}" for model, since in models]
        more = f" +{len(told) - most}" if most is not None and len(told) > most else ""
        what, since = self._phase
        return ", ".join(told[:most]) + more or (f"{what} for {now - since:.0f} s" if what else "")

    def show(self) -> None:
        """Moves the bar, where there is one."""
        if self._bars is None or self._task is None:
            return
        with self._lock:
            done, total = sum(left <= 0 for left in self._left.values()), self._total
        count = f"{done} of {total} " if total else ""
        self._bars.update(self._task, completed=done, total=total or None, rows=count + self.running(most=1))

    def heartbeat(self) -> None:
        """Shows that time passes: moves the bar, or logs what runs."""
        if self._bars is not None:
            self.show()
        elif running := self.running():
            _log.info("running: %s", running)

    def _told_last(self, model: str) -> str:
        return f" (last time {self._last[model]:.1f} s)" if model in self._last else ""


@contextmanager
def building(quiet: bool = False) -> Iterator[Builds]:
    """What a build reports to: one bar on a terminal, log lines elsewhere or when `quiet` (the log level decides)."""
    with ExitStack() as stack:
        bars = None
        if not quiet and on_terminal():
            bars = stack.enter_context(_one_bar())
            stack.enter_context(_logging_above())
        builds = Builds(bars)
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BAR_SECONDS if bars is not None else HEARTBEAT_SECONDS):
                builds.heartbeat()

        beating = threading.Thread(target=beat, name="heartbeat", daemon=True)
        beating.start()
        try:
            yield builds
        finally:
            over.set()
            beating.join()


@contextmanager
def _logging_above() -> Iterator[None]:
    """Has log lines appear above the bars: they redirect `sys.stderr`, which handlers have kept from before."""
    handlers = {
        handler
        for name in logs.LOGGERS
        for handler in logging.getLogger(name).handlers
        if type(handler) is logging.StreamHandler
    }
    before = [(handler, handler.setStream(sys.stderr)) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in before:
            if stream is not None:
                handler.setStream(stream)


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


def _one_bar() -> Bars:
    """A bar that leaves most of a line to what is said."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    return Progress(
        BarColumn(bar_width=12),
        TextColumn("{task.fields[rows]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=Console(stderr=True, markup=False),
        transient=True,
    )


def _plain(text: str) -> str:
    """Text whose control characters (a file may be named anything) cannot reach the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
