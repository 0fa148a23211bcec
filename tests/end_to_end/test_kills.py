"""Killed at any instant, the next `revops run` makes the warehouse that an undisturbed run makes, while people read it.

Each round brings other files, kills what brings them in at random instants, the recovery too, and lets one run go through.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil
import pytest

from revops.embedded.server import Server
from tests.conftest import ROOT, new_server
from tests.end_to_end.changes import purchase, write_purchases
from tests.end_to_end.warehouse import Reader, Warehouse, copy_of_project
from tests.revops.processes import kill_server

SEED = int(os.environ.get("REVOPS_TEST_SEED", "20100101"))
ROUNDS = 2
KILLS_A_ROUND = 3
VERSIONS = ("first", "second", "third")
TABLES = (
    *(f"raw.{name}" for name in ("transactions", "users", "cards", "mcc_codes", "fraud_labels", "superseded_rows")),
    *(f"dimensions.dim_{name}" for name in ("users", "cards", "mcc")),
    *("facts.fct_transactions", "facts.fct_fraud_labels", "facts.fct_outcomes"),
    *("quality.quarantined_transactions", "quality.quarantined_records", "serving.enriched_transactions"),
)
_LEFT_OVER = {
    "indexes not valid": "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready)",
    "keys not validated": "SELECT conname FROM pg_constraint WHERE NOT convalidated",
    "rules of a first fill": "SELECT rulename FROM pg_rules WHERE rulename LIKE 'meshkeys_is_filled%'",
    "tables of a first fill": "SELECT tablename FROM pg_tables WHERE tablename ~ '^new_'",
    "partitions not attached": "SELECT relname FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'"
    " AND NOT relispartition AND relname <> 'superseded_rows'",
    "materialized and not read": "SELECT relname FROM pg_class AS c WHERE (relkind = 'm' OR relname ~ '__mv_[0-9a-f]{8}$')"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_class'::regclass AND refobjid = c.oid"
    " AND classid = 'pg_rewrite'::regclass AND deptype = 'n')",
}


@dataclass
class Disturbed:
    """A warehouse on a server of its own, what it holds after undisturbed runs, and how long those took."""

    warehouse: Warehouse
    server: Server
    expected: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    versions: Iterator[str] = field(default_factory=lambda: cycle(VERSIONS))

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command of revops, in a process group of its own."""
        environ = {
            **os.environ,
            "REVOPS_HOME": str(self.server.home),
            "REVOPS_ENV_FILE": str(self.warehouse.root / "test.env"),
            "REVOPS_ROOT": str(self.warehouse.root),
            "REVOPS_PAN_KEY": "11" * 32,
        }
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "loaders", *arguments],
                **{"env": environ, "cwd": ROOT, "stdout": log, "stderr": log, "start_new_session": True},
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(60)

    def run(self) -> float:
        """`revops run`, undisturbed; returns how many seconds it took."""
        began = time.monotonic()
        with self.started(*self.whole) as process:
            assert process.wait(300) == 0, self.log.read_text()
        return time.monotonic() - began

    @property
    def whole(self) -> list[str]:
        return ["run", "--data", str(self.warehouse.data)]

    @property
    def log(self) -> Path:
        return self.warehouse.root / "last.log"

    def bring_next(self) -> str:
        """Puts the next version of the files in place and returns its name.

        Days are added, corrected and taken away in two ranges of days, a row moves from one day to another and back, labels
        and a user come and go.
        """
        version = next(self.versions)
        place = VERSIONS.index(version)
        warehouse, data = self.warehouse, self.warehouse.data
        moved = (data / "transactions_data.csv").read_text().splitlines()[2 + place].split(",")[0]
        write_purchases(
            warehouse,
            "transactions_data_late.csv",
            *(purchase(warehouse, 90000000 + n, f"2013-05-{n:02}", f"${place}.50") for n in range(1, 4 + place)),
            purchase(warehouse, 90000010, "2013-05-04", client_id="99999"),
            purchase(warehouse, int(moved), "2013-05-20", "$999.00"),
        )
        labels = {str(90000000 + n): ("Yes", "No")[(n + place) % 2] for n in range(1, 5)}
        (data / "train_fraud_labels_late.json").write_text(json.dumps({"target": labels}))
        header, first, *_ = (data / "users_data.csv").read_text().splitlines()
        known = ["77777"] if version == "third" else ["77777", "99999"]
        users = [f"{number},{first.partition(',')[2]}" for number in known]
        (data / "users_data_late.csv").write_text("\n".join([header, *users]) + "\n")
        return version

    def state(self) -> dict[str, Any]:
        """All rows of all tables, apart from ids and times of landings; and what should not be there at all."""
        ask = self.warehouse.query
        found: dict[str, Any] = {
            table: ask(
                "SELECT count(*), md5(string_agg(contents, chr(10) ORDER BY contents)) FROM"
                f" (SELECT (to_jsonb(t) - '_file_id' - '_loaded_at')::text AS contents FROM {table} AS t) AS every"
            )
            for table in TABLES
        }
        found["served"] = self.warehouse.served()
        found["files"] = ask("SELECT name, sha256, rows_read, rows_rejected, amount_sum FROM ops.load_files ORDER BY 1")
        found["left over"] = {what: ask(query) for what, query in _LEFT_OVER.items()}
        names = ask(
            "SELECT nspname || '.' || relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace"
            " WHERE nspname !~ '^(pg_|information_schema)' AND relkind IN ('r', 'v', 'm', 'p') ORDER BY 1"
        )
        found["relations"] = sorted({re.sub("mv_[0-9a-f]{8}|[0-9]{5,}|_[0-9]+$", "#", name) for (name,) in names})
        return found


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disturbed]:
    """Each version of the files brought in by runs that nobody disturbed: first from nothing, then one after the other."""
    from generator import generate

    server = new_server()
    folder = tmp_path_factory.mktemp("disturbed")
    try:
        made = Disturbed(Warehouse(copy_of_project(folder / "project"), server.up(), folder / "data"), server)
        generate(made.warehouse.data, scale=0.0005, seed=11)
        for _ in VERSIONS:
            version = made.bring_next()
            made.seconds = made.run()
            made.expected[version] = made.state()
            assert not any(made.expected[version]["left over"].values())
        yield made
    finally:
        server.down()


def the_process(process: subprocess.Popen[bytes], disturbed: Disturbed, chance: random.Random) -> bool:
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    assert not psutil.wait_procs(workers, 10)[1], "processes outlive a killed run, and with them its sessions and locks"
    return True


def its_group(process: subprocess.Popen[bytes], disturbed: Disturbed, chance: random.Random) -> bool:
    os.killpg(process.pid, signal.SIGKILL)
    return True


def a_session(process: subprocess.Popen[bytes], disturbed: Disturbed, chance: random.Random) -> bool:
    """The server ends one of ours, as an administrator may: the others go on."""
    return end_one_of_ours(process, disturbed, chance, signal.SIGTERM)


def a_backend(process: subprocess.Popen[bytes], disturbed: Disturbed, chance: random.Random) -> bool:
    """Whereupon the server ends all sessions, also the reader's, and recovers."""
    return end_one_of_ours(process, disturbed, chance, signal.SIGKILL)


def end_one_of_ours(
    process: subprocess.Popen[bytes], disturbed: Disturbed, chance: random.Random, number: signal.Signals
) -> bool:
    """Ends a session of the command, once it has one."""
    ours = "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^(revops|sqlmesh)' ORDER BY pid"
    disturbed.server.up()  # it may still recover from the last kill
    while process.poll() is None:
        found = [pid for (pid,) in disturbed.warehouse.query(ours)]
        if found:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(found), number)
                return True
        time.sleep(0.05)
    return False


def the_server(process: subprocess.Popen[bytes], disturbed: Disturbed, chance: random.Random) -> bool:
    return kill_server(disturbed.server)


def kill_at_random(disturbed: Disturbed, chance: random.Random, kill: Callable[..., bool], *command: str) -> bool:
    """Starts a command and kills something at an instant of the time it would take; returns whether it was in time."""
    began = time.monotonic()
    killed = False
    with disturbed.started(*command) as process:
        instant = chance.uniform(0, disturbed.seconds)
        try:
            process.wait(instant)
        except subprocess.TimeoutExpired:
            killed = kill(process, disturbed, chance)
        status = process.wait(300)
    seconds = time.monotonic() - began
    print(f"{kill.__name__} killed after {instant:.2f} s: {killed}, exit {status} after {seconds:.2f} s")
    assert status in (0, 4, -signal.SIGKILL), disturbed.log.read_text()
    assert "Traceback" not in disturbed.log.read_text()
    if status == 0:
        disturbed.seconds = min(disturbed.seconds, seconds)  # it took longer when the machine was busy with other tests
    return killed and not (status == 0 and kill in (the_process, its_group))  # it had just ended by itself


def kill_repeatedly(disturbed: Disturbed, chance: random.Random, kill: Callable[..., bool], *command: str) -> None:
    """Kills a command, the one that is to make it good, and so on."""
    attempts = (kill_at_random(disturbed, chance, kill, *command) for _ in range(4 * KILLS_A_ROUND))
    assert sum(islice(filter(None, attempts), KILLS_A_ROUND)) == KILLS_A_ROUND, "too few kills were in time"


@pytest.mark.parametrize("kill", [the_process, its_group, a_session, a_backend, the_server])
def test_a_killed_run_is_made_good_by_the_next(disturbed: Disturbed, kill: Callable[..., bool]) -> None:
    chance = random.Random(f"{SEED} {kill.__name__}")
    print(f"REVOPS_TEST_SEED={SEED}")
    for _ in range(ROUNDS):
        before = disturbed.warehouse.served()
        version = disturbed.bring_next()
        with Reader(disturbed.warehouse.url, reconnects=kill in (a_backend, the_server)) as reader:
            kill_repeatedly(disturbed, chance, kill, *disturbed.whole)
            disturbed.run()
        assert disturbed.state() == disturbed.expected[version]
        reader.assert_undisturbed(before, disturbed.warehouse.served())
        disturbed.warehouse.assert_sound()


def test_a_killed_plan_is_made_good_by_the_next_run(disturbed: Disturbed) -> None:
    chance = random.Random(f"{SEED} plan")
    print(f"REVOPS_TEST_SEED={SEED}")
    before = disturbed.warehouse.served()
    disturbed.warehouse.edit("models/facts/fct_transactions.sql", "staged.amount < 0", "0 > staged.amount")
    with Reader(disturbed.warehouse.url) as reader:
        kill_repeatedly(
            disturbed, chance, the_process, "sqlmesh", "plan", "--auto-apply", "--no-prompts", "--skip-tests"
        )
        version = disturbed.bring_next()
        disturbed.run()
    assert disturbed.state() == disturbed.expected[version]
    reader.assert_undisturbed(before, disturbed.warehouse.served())
    disturbed.warehouse.assert_sound()
