"""Owns the measurement of the same models on PostgreSQL and on Spark Connect: what a build of each costs.

    python -m bench.engines [--scale 0.01 0.1] [--rounds 1]

The same files land once in an empty database of the embedded server; then both engines build in turn, first everything, then
with nothing new. On Spark: Sail on this machine, with Delta tables in an empty folder (`make test-engines` installs it).
Printed for each: seconds of the command, CPU seconds and peak memory of the server's processes (shared buffers once, as those of
its largest process), and the files and megabytes that are left. A build on Spark includes the export of `raw`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import psutil

from bench import machine
from bench.load import generated
from bench.project import ROOT
from bench.runs import fresh_url, started
from foundation import database
from revops import settings
from revops.embedded.server import Server

POSTGRES, SPARK = "PostgreSQL", "Spark (Sail)"
SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Build:
    """A build: seconds, CPU seconds and peak megabytes of the server, files and megabytes that are left afterwards."""

    seconds: float
    cpu: float
    memory: float
    files: int
    size: float

    def __str__(self) -> str:
        return (
            f"{self.seconds:8.1f} s {self.cpu:8.1f} s CPU {self.memory:7.0f} MB memory"
            f" {self.files:6d} files {self.size:8.1f} MB"
        )


def environment(url: str, home: Path, engine: str) -> dict[str, str]:
    """What a command sees."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("REVOPS_SPARK_")},
        "DB_CONNECTION_STRING": url,
        "REVOPS_HOME": str(home),
        "REVOPS_ENV_FILE": str(home / "no.env"),
        "REVOPS_ENGINE": "spark" if engine == SPARK else "postgres",
    }


def measured(url: str, home: Path, engine: str, postmaster: int) -> Build:
    """`revops build` on an engine, with its server watched."""
    before = _cpu_of([psutil.Process(postmaster)])
    cpu = memory = 0.0
    with tempfile.TemporaryFile("w+") as log:
        began = time.perf_counter()
        command = psutil.Popen(
            [sys.executable, "-m", "loaders", "build"],
            env=environment(url, home, engine), cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
        while command.poll() is None:
            with suppress(psutil.NoSuchProcess):  # it ends while it is looked at
                processes = [psutil.Process(postmaster)] if engine == POSTGRES else command.children()
                cpu, memory = max(cpu, _cpu_of(processes)), max(memory, _memory_of(processes))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - began
        log.seek(0)
        assert command.returncode == 0, log.read()
    if engine == POSTGRES:
        cpu = _cpu_of([psutil.Process(postmaster)]) - before
        asked = "SELECT count(*)::int FROM pg_class WHERE relfilenode <> 0"
        return Build(
            seconds, cpu, memory, int(database.ask(url, asked)),
            float(database.ask(url, "SELECT pg_database_size(current_database()) / 1e6")),
        )  # fmt: skip
    paths = [path for folder in ("lake", "spark") for path in (home / folder).rglob("*") if path.is_file()]
    return Build(seconds, cpu, memory, len(paths), sum(path.stat().st_size for path in paths) / 1e6)


def _cpu_of(servers: Sequence[psutil.Process]) -> float:
    """CPU seconds of processes, those of their children that have ended included."""
    total = 0.0
    for process in _with_children(servers):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += (
                times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
            )
    return total


def _memory_of(servers: Sequence[psutil.Process]) -> float:
    """Megabytes of processes, what they share counted once."""
    found = []
    for process in _with_children(servers):
        with suppress(psutil.NoSuchProcess):
            info = process.memory_info()
            found.append((info.rss - getattr(info, "shared", 0), getattr(info, "shared", 0)))
    return (sum(own for own, _ in found) + max((shared for _, shared in found), default=0)) / 1e6


def _with_children(servers: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    for server in servers:
        with suppress(psutil.NoSuchProcess):
            yield server
            yield from server.children(recursive=True)


def compare(dsn: str, scale: float, rounds: int, folder: Path) -> dict[str, Build]:
    """Measures both engines at a scale, prints them, and returns the median of the first builds of each."""
    server = Server(settings.load())
    postmaster = server.pid()
    assert postmaster is not None, "the embedded server is measured: unset DB_CONNECTION_STRING"
    data = generated(folder, scale)
    firsts: dict[str, list[Build]] = {POSTGRES: [], SPARK: []}
    for _ in range(rounds):
        with fresh_url(dsn) as url, tempfile.TemporaryDirectory() as home:
            command = [sys.executable, "-m", "loaders", "load", "--data", str(data)]
            subprocess.run(
                command, env=environment(url, Path(home), POSTGRES), cwd=ROOT, check=True, capture_output=True
            )
            rows = database.ask(url, "SELECT count(*) FROM raw.transactions")
            print(f"\nscale {scale:g}: {rows:,} transactions")
            for engine, found in firsts.items():
                found.append(measured(url, Path(home), engine, postmaster))
                print(f"  {engine:<13} {'all':<12} {found[-1]}")
                print(f"  {engine:<13} {'nothing new':<12} {measured(url, Path(home), engine, postmaster)}", flush=True)
    for engine, found in firsts.items():
        print(f"  {engine}: {statistics.median(build.seconds for build in found):.1f} s", end="")
        print(machine.verdict([build.seconds for build in found]))
    return {engine: sorted(found, key=lambda build: build.seconds)[len(found) // 2] for engine, found in firsts.items()}


def growth(found: Mapping[float, Mapping[str, Build]]) -> Iterator[str]:
    """How seconds, CPU, memory and size grow from one scale to the next."""
    scales = sorted(found)
    for small, large in pairwise(scales):
        for engine in found[small]:
            less, more = found[small][engine], found[large][engine]
            factors = (
                f"{what} x {getattr(more, name) / max(getattr(less, name), 0.01):.1f}"
                for what, name in (("seconds", "seconds"), ("CPU", "cpu"), ("memory", "memory"), ("size", "size"))
            )
            yield f"rows x {large / small:g}, {engine}: {', '.join(factors)}"


def main() -> None:
    """Measures at each scale and prints how figures grow."""
    dsn, chosen = started(__doc__)
    print(f"pysail {metadata.version('pysail')}, pyspark-client {metadata.version('pyspark-client')}")
    found = {scale: compare(dsn, scale, chosen.rounds, chosen.folder) for scale in chosen.scale}
    print("\n".join(["", *growth(found)]))


if __name__ == "__main__":
    main()
