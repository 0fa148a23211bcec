"""Progress: bars on a terminal, lines elsewhere, and a file's name cannot play tricks with either."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TextColumn

from loaders.reporting import FileOutcome, LogReporter, Progress
from revops.terminal import logs, progress

pytestmark = pytest.mark.unit
beat = progress.Builds.heartbeat


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _outcome(name: str) -> FileOutcome:
    return FileOutcome(name, "users", "landed", 1, rows_read=1234567, rows_loaded=1234565, rows_rejected=2, seconds=1.5)


def test_elsewhere_than_on_a_terminal_there_are_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.reporting() as reporter:
        assert isinstance(reporter, LogReporter)


def test_on_a_terminal_there_are_bars_unless_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.reporting() as reporter:
        assert isinstance(reporter, progress.BarReporter)
    with progress.reporting(quiet=True) as reporter:
        assert isinstance(reporter, LogReporter)


def test_a_bar_shows_rows_and_rate_and_a_line_stays() -> None:
    shown = io.StringIO()
    bars = Bars(TextColumn("{task.fields[rows]}"), console=Console(file=shown, markup=False, width=100))
    reporter = progress.BarReporter(bars)
    reporter.started(Progress("a.csv", "users", 0, 0, 1000, 0.0))
    reporter.progressed(Progress("a.csv", "users", 3000, 500, 1000, 2.0))
    assert bars.tasks[0].fields["rows"] == "3,000 rows, 1,500 rows/s"
    assert bars.tasks[0].percentage == 50
    reporter.finished(_outcome("a.csv"))
    assert bars.tasks == []
    assert shown.getvalue() == "a.csv: landed, 1,234,565 rows, 2 rejected in 1.5 s\n"


def test_a_hostile_name_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    name = "[red]x\x1b[2J\r.csv"
    with progress.reporting() as reporter:
        reporter.started(Progress(name, "users", 0, 0, 1000, 0.0))
        reporter.finished(_outcome(name))
    assert "[red]x?[2J?.csv: landed" in terminal.getvalue()
    assert "\x1b[2J\r" not in terminal.getvalue()


def test_counting_says_its_end_in_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with caplog.at_level(logging.INFO), progress.counting("generating") as count:
        count("users.csv", 1, 2000)
        count("users.csv", 2000, 2000)
    assert [record.getMessage() for record in caplog.records] == ["generating: users.csv: 2,000 of 2,000 rows"]


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_build_says_which_of_how_many_and_how_long_it_took_the_last_time(caplog: pytest.LogCaptureFixture) -> None:
    builds = progress.Builds()
    builds.expect({"facts.a": 19.0})
    builds.begin({"facts.a": 1, "facts.b": 1, "facts.nothing": 0})
    with caplog.at_level(logging.INFO):
        builds.start("facts.a")
        assert builds.running() == "facts.a for 0 s (last time 19.0 s)"
        assert builds.end("facts.a", 21.04, 3, 0) == 21.04
        builds.start("facts.b")
        assert builds.end("facts.b", None, 0, 0) is None
        assert builds.running() == ""
    assert _lines(caplog) == [
        "1 of 2: facts.a in 21.0 s (last time 19.0 s), 3 audits passed",
        "2 of 2: facts.b failed",
    ]


def test_the_bar_names_the_model_that_has_run_longest_and_how_many_more_run() -> None:
    builds = progress.Builds()
    builds.phase("planning prod")
    builds.begin({"facts.a": 1, "facts.b": 1, "facts.c": 1})
    assert builds.running() == ""
    for model in "abc":
        builds.start(f"facts.{model}")
    assert builds.running(most=1) == "facts.a for 0 s +2"
    builds.pause()
    assert builds.running(most=1) == "keys, indexes and views for 0 s"


def test_a_model_of_many_ranges_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    builds = progress.Builds()
    builds.begin({"facts.a": 3})
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            builds.start("facts.a")
            builds.end("facts.a", 1.5, 2, 1)
    assert _lines(caplog) == ["1 of 1: facts.a in 4.5 s, 6 audits passed, 3 FAILED"]


def test_while_a_build_goes_on_it_says_what_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.001)
    said = threading.Event()
    monkeypatch.setattr(progress.Builds, "heartbeat", lambda builds: (beat(builds), said.set()))
    with caplog.at_level(logging.INFO), progress.building() as builds:
        builds.phase("planning prod")
        builds.begin({"facts.a": 1})
        said.clear()
        builds.start("facts.a")
        assert said.wait(30)
        said.clear()
        assert said.wait(30)
    assert "running: facts.a for 0 s" in _lines(caplog)


def test_on_a_terminal_log_lines_appear_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure(logging.INFO)
    handler = logging.getLogger("revops").handlers[0]
    with progress.building() as builds:
        builds.begin({"facts.a": 2, "facts.b": 1})
        assert handler.stream is not terminal
        builds.start("facts.b")
        builds.end("facts.b", 1.0, 0, 0)
    assert handler.stream is terminal
    assert "1 of 2: facts.b in 1.0 s" in terminal.getvalue()
    assert "1 of 2 " in terminal.getvalue()
    with progress.building(quiet=True):
        assert handler.stream is terminal
