"""Refreshing what is served: in every mode, two at once, and killed half way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing

import psycopg2
import pytest

from revops import lock
from tests.end_to_end.changes import wait_for_its_backends
from tests.end_to_end.warehouse import ROOT, Reader, Warehouse

PARTS = "SELECT count(*) FROM pg_matviews"
LAST = "SELECT coalesce(max(refresh_id), 0) FROM ops.refresh_history"
HISTORY = "SELECT mode, part, rows_before, rows_after FROM ops.refresh_history WHERE refresh_id > %s"


def started(warehouse: Warehouse, *arguments: str) -> subprocess.Popen[str]:
    """`revops refresh` in a process of its own."""
    environ = {
        **{name: value for name, value in os.environ.items() if name != lock.HOLDER},
        "DB_CONNECTION_STRING": warehouse.url,
        "REVOPS_HOME": str(warehouse.settings.home),
        "REVOPS_ENV_FILE": "/nonexistent",
    }
    command = [sys.executable, "-m", "loaders", "refresh", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)


def touch(warehouse: Warehouse, day: str) -> None:
    """Notes that a day of the facts was rewritten, as an evaluation does."""
    warehouse.query(
        "INSERT INTO ops.evaluations (relation, starts_on, ends_on)"
        " SELECT relation, %s, %s FROM ops.declarations WHERE model = 'facts.fct_transactions'",
        (day, day),
    )


@pytest.mark.parametrize("mode", ["swap", "concurrently"])
def test_every_part_is_refreshed_under_a_reader(warehouse: Warehouse, mode: str) -> None:
    before = warehouse.served()
    (parts,) = warehouse.query(PARTS)
    (last,) = warehouse.query(LAST)[0]
    with Reader(warehouse.url) as reader:
        warehouse.refresh(mode)
    reader.assert_undisturbed(before)
    history = warehouse.query(HISTORY, (last,))
    assert {row[0] for row in history} == {mode}
    assert len({row[1] for row in history}) == len(history) == parts[0]
    assert all(rows_before == rows_after for _, _, rows_before, rows_after in history)
    assert warehouse.query(PARTS) == [parts]
    warehouse.assert_sound()


def test_auto_refreshes_what_changed_in_the_mode_that_was_cheaper_of_late(warehouse: Warehouse) -> None:
    (day,) = warehouse.query("SELECT max(transacted_on)::text FROM facts.fct_transactions")[0]
    warehouse.refresh("swap")
    warehouse.refresh("concurrently")
    for cheaper, dearer in (("concurrently", "swap"), ("swap", "concurrently")):
        warehouse.query("UPDATE ops.refresh_history SET seconds = 1 WHERE mode = %s", (cheaper,))
        warehouse.query("UPDATE ops.refresh_history SET seconds = 1000 WHERE mode = %s", (dearer,))
        (last,) = warehouse.query(LAST)[0]
        touch(warehouse, day)
        warehouse.refresh()
        assert [row[0] for row in warehouse.query(HISTORY, (last,))] == [cheaper]
    warehouse.build()  # what reads the facts follows that day
    warehouse.assert_sound()


def test_a_second_refresh_at_the_same_time_says_so(warehouse: Warehouse) -> None:
    with warehouse.commands():
        second = started(warehouse)
        _, told = second.communicate(timeout=60)
    assert second.returncode == 5, told
    assert "lock" in told


def test_a_killed_refresh_leaves_what_was_served_and_the_next_one_cleans_up(warehouse: Warehouse) -> None:
    before = warehouse.served()
    (parts,) = warehouse.query(PARTS)
    with Reader(warehouse.url) as reader, closing(psycopg2.connect(warehouse.url)) as slow:
        slow.cursor().execute(
            "SELECT FROM serving.enriched_transactions"
        )  # what is built is not put in place meanwhile
        killed = started(warehouse, "--mode", "swap")
        deadline = time.monotonic() + 60
        while not (done := warehouse.query(PARTS)[0][0] - parts[0]) and time.monotonic() < deadline:
            time.sleep(0.005)
        killed.kill()
        killed.communicate(timeout=60)
        assert 0 < done <= parts[0], "it was to be killed half way"
        wait_for_its_backends(warehouse)
        slow.rollback()
        assert warehouse.served() == before
        assert warehouse.query(PARTS)[0][0] > parts[0], "what it had built is left over until the next"
        warehouse.refresh()
    reader.assert_undisturbed(before)
    assert warehouse.query(PARTS) == [parts]
    warehouse.assert_sound()


def test_a_period_that_was_declared_otherwise_is_what_the_next_refresh_builds(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit("models/serving/enriched_transactions.sql", "every := quarter", "every := year")
    warehouse.plan()
    with Reader(warehouse.url) as reader:
        warehouse.refresh()
    reader.assert_undisturbed(before)
    labels = "SELECT label FROM ops.materialized_parts JOIN pg_matviews ON part = schemaname || '.' || matviewname"
    years = "SELECT DISTINCT date_part('year', transacted_on)::int::text FROM facts.fct_transactions"
    assert sorted(warehouse.query(labels)) == sorted(warehouse.query(years))
    assert warehouse.query(PARTS) == [(len(warehouse.query(years)),)]
    warehouse.assert_sound()
