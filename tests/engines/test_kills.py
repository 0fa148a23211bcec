"""Killed at any statement, or while raw is exported, the next `revops run` on Spark makes what an undisturbed build makes.

Each command has Sail of its own here, as with `make run ENGINE=spark`: it dies with the command, its catalog with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, RunningServer, fresh_database
from tests.end_to_end.warehouse import Warehouse, copy_of_project
from tests.engines import awkward, comparison

# One after the other, each in the run that is to make the one before good.
KILLS_OF_THE_FIRST_BUILD = (
    "within export 3",
    "during CREATE 40",
    "after INSERT 9",
    "before CREATE_OR_REPLACE 30",
)
KILLS_OF_CHANGES = ("within export 2", "before INSERT 2", "during INSERT 6")
NOT_OF_TABLES = {"sail.log", ".lock"}


@dataclass
class OnALaptop:
    """A warehouse whose models are built by commands that each have Sail of their own."""

    warehouse: Warehouse

    @property
    def home(self) -> Path:
        return self.warehouse.settings.home

    @property
    def tables(self) -> Path:
        return self.home / "spark"

    @property
    def statements(self) -> Path:
        return self.warehouse.root / "statements.txt"

    def run(self, kill_at: str = "") -> int:
        """`revops run`, from files to tables on Spark; returns its exit code."""
        self.statements.write_text("")
        environ = {
            **os.environ,
            "DB_CONNECTION_STRING": self.warehouse.url,
            "REVOPS_ROOT": str(self.warehouse.root),
            "REVOPS_HOME": str(self.home),
            "REVOPS_ENV_FILE": str(self.home / "no.env"),
            "REVOPS_PAN_KEY": "11" * 32,
            "REVOPS_ENGINE": "spark",
            "PYTHONPATH": str(ROOT),
            "STATEMENTS": str(self.statements),
            "KILL_AT": kill_at,
        }
        command = [sys.executable, "-m", "tests.engines.killed_build", "run", "--data", str(self.warehouse.data)]
        done = subprocess.run(
            [*command, "--replace", "--max-rejects", "1"],
            **{"env": environ, "cwd": ROOT, "capture_output": True, "text": True, "timeout": 300, "check": False},
        )
        print(kill_at, done.returncode, done.stderr[-2000:])
        return done.returncode

    def run_killed(self, kills: tuple[str, ...]) -> None:
        for kill in kills:
            assert self.run(kill) == -signal.SIGKILL, f"there was no such moment: {kill}"

    def differences(self) -> list[comparison.Difference]:
        from revops.engines import local
        from revops.engines.connection import session

        names = comparison.relations(self.warehouse.root)
        spark = session("local", None, str(self.tables))
        try:
            return comparison.differences(self.warehouse.url, spark, names)
        finally:
            spark.stop()
            local.stop(self.tables)  # the next command wants the tables

    def files(self) -> dict[str, tuple[int, int]]:
        """Size and time of each file of the lake and of the tables, Delta's logs among them."""
        folders = (self.tables, self.home / "lake")
        paths = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in paths
            if path.name not in NOT_OF_TABLES
        }


@pytest.fixture(scope="module")
def laptop(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnALaptop]:
    from generator import generate

    data = tmp_path_factory.mktemp("files")
    generate(data, scale=0.0003, seed=29)
    awkward.write(data)
    project = copy_of_project(tmp_path_factory.mktemp("killed") / "project", whole=True)
    with fresh_database(server) as url:
        yield OnALaptop(Warehouse(project, url, data))


def test_a_killed_first_build_is_made_good_by_the_next_run(laptop: OnALaptop) -> None:
    laptop.run_killed(KILLS_OF_THE_FIRST_BUILD)
    assert laptop.run() == 0
    laptop.warehouse.build()
    assert not laptop.differences()


def test_a_run_with_nothing_new_reads_no_row_and_writes_no_file(laptop: OnALaptop) -> None:
    assert laptop.run() == 0
    before = laptop.files()
    assert sum(name.endswith(".json") and "_delta_log" in name for name in before) > 50
    assert laptop.run() == 0
    assert laptop.files() == before
    assert {line.split()[0] for line in laptop.statements.read_text().splitlines()} == {"CREATE", "DROP"}


def test_killed_while_changes_are_followed_the_next_run_makes_it_good(laptop: OnALaptop) -> None:
    awkward.vanish_arrive_and_change(laptop.warehouse.data)
    laptop.warehouse.load(prune=True, replace=True, max_rejects=1.0)
    laptop.run_killed(KILLS_OF_CHANGES)
    assert laptop.run() == 0
    laptop.warehouse.build()
    assert not laptop.differences()


def test_no_server_outlives_a_killed_command(laptop: OnALaptop) -> None:
    awkward.change_a_card(laptop.warehouse.data, "Amex")
    laptop.run_killed(("after INSERT 1",))
    left = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(laptop.tables)]
    assert not psutil.wait_procs(left, 10)[1]
