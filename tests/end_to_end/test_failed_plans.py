"""A plan that fails, is killed or loses its connection leaves prod's keys as declared, at once or by the next command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from revops import lock
from tests.end_to_end.changes import DIM_USERS, wait_for_its_backends
from tests.end_to_end.warehouse import ROOT, Warehouse

ADDED = "  (num_credit_cards > 3)::BOOLEAN AS has_many_cards, /* Over three */\n"
KEYS = (
    "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text LIKE 'sqlmesh__facts.fct_tr%'"
)
SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


def add_a_column(warehouse: Warehouse, column: str = ADDED) -> None:
    """A non-breaking change: the facts keep their table, of which the key is to move to the new version."""
    warehouse.edit(DIM_USERS, "  num_credit_cards::INT", f"{column}  num_credit_cards::INT")


@contextmanager
def a_plan_that_hangs(warehouse: Warehouse) -> Iterator[subprocess.Popen[str]]:
    """Plain `sqlmesh plan` in a process of its own, once it has set a key aside and sleeps in the new version."""
    add_a_column(warehouse, "  (pg_sleep(60)::TEXT = 'x')::BOOLEAN AS has_slept, /* Never */\n")
    environ = {
        **{name: value for name, value in os.environ.items() if name != lock.HOLDER},
        **warehouse.settings.child_environment(warehouse.url, {}),
        "PYTHONPATH": str(ROOT),
    }
    program = [sys.executable, "-c", "from sqlmesh.cli.main import cli; cli()"]
    hanging = subprocess.Popen(
        [*program, "plan", "--auto-apply", "--no-prompts", "--skip-tests"],
        **{"cwd": warehouse.root, "env": environ, "stdout": subprocess.PIPE, "text": True},
    )
    try:
        deadline = time.monotonic() + 120
        while warehouse.query(SLEEPS) == [(0,)]:
            assert hanging.poll() is None, hanging.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert warehouse.query(KEYS) == [(2,)], "no key was set aside: it tests nothing"
        yield hanging
    finally:
        hanging.kill()
        hanging.communicate(timeout=60)


def refresh(warehouse: Warehouse) -> None:
    warehouse.refresh()


def plan_without_changes(warehouse: Warehouse) -> None:
    warehouse.plan()


def run_without_work(warehouse: Warehouse) -> None:
    warehouse.run()


def plan_of_another_environment(warehouse: Warehouse) -> None:
    warehouse.plan("dev")


def plan_that_fails_as_well(warehouse: Warehouse) -> None:
    add_a_failing_audit(warehouse)
    with pytest.raises(Exception, match="failed"):
        warehouse.plan()


def add_a_failing_audit(warehouse: Warehouse) -> None:
    add_a_column(warehouse)
    warehouse.edit(DIM_USERS, "min_v := 300", "min_v := 849")


@pytest.mark.parametrize("environment", ["prod", "dev"])
def test_a_failing_audit_of_a_dimension_leaves_the_keys(warehouse: Warehouse, environment: str) -> None:
    add_a_failing_audit(warehouse)
    with pytest.raises(Exception, match="failed"):
        warehouse.plan(environment)
    warehouse.assert_sound()


@pytest.mark.parametrize(
    "command", [refresh, plan_without_changes, run_without_work, plan_of_another_environment, plan_that_fails_as_well]
)
def test_after_a_killed_plan_the_next_command_puts_the_keys_back(
    warehouse: Warehouse, command: Callable[[Warehouse], None]
) -> None:
    original = (warehouse.root / DIM_USERS).read_text()
    with a_plan_that_hangs(warehouse) as hanging:
        hanging.kill()
    warehouse.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    wait_for_its_backends(warehouse)
    (warehouse.root / DIM_USERS).write_text(original)
    command(warehouse)
    warehouse.assert_sound()


def test_a_plan_that_loses_its_connections_puts_the_keys_back_itself(warehouse: Warehouse) -> None:
    with a_plan_that_hangs(warehouse) as hanging:
        warehouse.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'sqlmesh%'"
        )
        hanging.communicate(timeout=120)
        assert hanging.returncode == 1
    warehouse.assert_sound()
