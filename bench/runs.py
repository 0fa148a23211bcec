"""Owns what the measurements of `revops run` share: their options, a database for each run, and what a run's log tells."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import parse_dsn

from bench import machine
from bench.load import fresh_database
from bench.project import ROOT
from revops import settings
from revops.embedded import server


@dataclass(frozen=True)
class Run:
    """A `revops run`: its seconds, and the lines of its log, each with the seconds from the start until it came."""

    seconds: float
    lines: tuple[tuple[float, str], ...]

    def passed(self, beginning: str) -> float:
        """The seconds from the start until a line with this beginning came; all, where none did."""
        return next((moment for moment, line in self.lines if line.startswith(beginning)), self.seconds)


def started(description: str | None) -> tuple[str, argparse.Namespace]:
    """Reads the options, starts the server that revops selects and prints the machine; returns the URL and the options."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, nargs="+", default=[0.1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(".cache/bench"), help="where generated data is kept")
    chosen = parser.parse_args()
    dsn = server.up(settings.load())
    print(machine.described(dsn), end="")
    return dsn, chosen


@contextmanager
def fresh_url(dsn: str) -> Iterator[str]:
    """The URL of a new database on the server of this one, dropped afterwards."""
    with fresh_database(dsn) as database:
        yield dsn.rpartition("/")[0] + "/" + parse_dsn(database)["dbname"]


def revops_run(url: str, data: Path, home: Path, root: Path = ROOT) -> Run:
    """`revops run` on the files in a folder, with the project at `root`."""
    environ = {
        **os.environ,
        "DB_CONNECTION_STRING": url,
        "REVOPS_HOME": str(home),
        "REVOPS_ENV_FILE": str(home / "no.env"),
        "REVOPS_ROOT": str(root),
    }
    lines = []
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "loaders", "run", "--data", str(data)],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append((time.perf_counter() - began, line))
    seconds = time.perf_counter() - began
    assert process.returncode == 0, "".join(line for _, line in lines)
    return Run(seconds, tuple(lines))
