"""What a landing tells: progress in figures, plain log lines."""

from __future__ import annotations

import logging

import pytest

from loaders.errors import InputRefused
from loaders.reporting import FileOutcome, LogReporter, Progress

pytestmark = pytest.mark.unit


def test_progress_knows_its_rate_and_what_is_left() -> None:
    progress = Progress("a.csv", "users", rows=10, bytes_done=3_000_000, bytes_total=12_000_000, seconds=2.0)
    assert progress.megabytes_per_second == 1.5
    assert progress.eta_seconds == 6.0
    begun = Progress("a.csv", "users", rows=0, bytes_done=0, bytes_total=12, seconds=0.0)
    assert (begun.megabytes_per_second, begun.eta_seconds) == (0.0, None)


def test_log_lines_are_few_and_say_what_became_of_a_file(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reporter = LogReporter(every_seconds=10)
    reporter.started(Progress("a.csv", "users", 0, 0, 12_000_000, 0.0))
    for second in range(25):
        reporter.progressed(Progress("a.csv", "users", second, second * 100_000, 12_000_000, float(second)))
    reporter.finished(FileOutcome("a.csv", "users", "landed", 1, 12, 11, 1, seconds=25.0, note="made"))
    reporter.refused("b.csv", InputRefused("b.csv", "it is bad", "Mend it."))
    assert [record.message for record in caplog.records] == [
        "loading a.csv (12.0 MB) into raw.users",
        "a.csv: 10 rows, 0 MB/s, 110 s left",
        "a.csv: 20 rows, 0 MB/s, 100 s left",
        "a.csv: landed, 11 rows loaded, 1 rejected, 25.0 s (made)",
        "b.csv: refused: 'b.csv': it is bad\n  Mend it.",
    ]
