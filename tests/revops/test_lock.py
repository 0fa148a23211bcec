"""One run at a time: who is refused, who may go on inside, and that a dead holder holds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psycopg2
import pytest

import meshkeys.errors
from foundation.errors import DatabaseUnavailable, LockHeld
from revops import lock
from tests.conftest import ROOT, RunningServer, fresh_database
from tests.revops.processes import ask

HOLD = """
import sys, time
from revops import lock
with lock.hold(sys.argv[1], "load"):
    print("held", flush=True)
    time.sleep(60)
"""
ACQUIRE = """
import os, sys, psycopg2
from revops import lock
connection = psycopg2.connect(sys.argv[1])
with connection.cursor() as cursor:
    print(lock.acquire(cursor))
"""


@pytest.fixture
def other_holder(database_url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_refused_and_told_who_holds_the_lock(
    database_url: str, other_holder: subprocess.Popen[str]
) -> None:
    who = rf"holds .*: revops load \[{other_holder.pid}\] \(server process \d+, since 20"
    with pytest.raises(LockHeld, match=who) as raised, lock.hold(database_url, "build"):
        pytest.fail("two held it")
    assert raised.value.exit_code == 5


def test_a_killed_holder_holds_nothing(database_url: str, other_holder: subprocess.Popen[str]) -> None:
    other_holder.kill()
    with lock.hold(database_url, "build", wait=20) as taken:
        assert taken


def test_waiting_ends_when_the_holder_does(database_url: str, other_holder: subprocess.Popen[str]) -> None:
    threading.Timer(0.6, other_holder.kill).start()
    with lock.hold(database_url, "build", wait=20) as taken:
        assert taken


def test_waiting_gives_up_after_the_time_given(database_url: str, other_holder: subprocess.Popen[str]) -> None:
    begun = time.monotonic()
    with pytest.raises(LockHeld), lock.hold(database_url, "build", wait=0.5):
        pytest.fail("two held it")
    assert time.monotonic() - begun >= 0.5


def test_it_is_free_again_afterwards_also_after_an_error(database_url: str) -> None:
    with pytest.raises(ZeroDivisionError), lock.hold(database_url, "build"):
        raise ZeroDivisionError
    assert lock.HOLDER not in os.environ
    with lock.hold(database_url, "build", wait=20) as taken:  # the server has yet to see that the connection is gone
        assert taken
    assert ask(database_url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
               "(SELECT oid FROM pg_database WHERE datname = current_database())") == 0  # fmt: skip


def test_what_runs_inside_goes_on_without_taking_it(database_url: str) -> None:
    with lock.hold(database_url, "run"):
        with lock.hold(database_url, "build") as taken:
            assert not taken
        connection = psycopg2.connect(database_url)
        with connection.cursor() as cursor:
            assert lock.acquire(cursor) is False
        connection.close()
        child = subprocess.run(
            [sys.executable, "-c", ACQUIRE, database_url], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert child.stdout == "False\n"
        strange = {name: value for name, value in os.environ.items() if name != lock.HOLDER}
        refused = subprocess.run(
            [sys.executable, "-c", ACQUIRE, database_url],
            cwd=ROOT,
            env=strange,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "LockHeld: Another run holds the warehouse's lock: revops run" in refused.stderr


def test_a_session_that_takes_it_by_hand_keeps_it_until_it_lets_go(database_url: str) -> None:
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        assert lock.acquire(cursor, {}) is True
        connection.rollback()
        with pytest.raises(LockHeld), lock.hold(database_url, "build"):
            pytest.fail("two held it")
        lock.release(cursor)
    with lock.hold(database_url, "build") as taken:
        assert taken
    connection.close()


def test_a_token_of_a_holder_that_is_gone_is_not_believed(database_url: str) -> None:
    environ: dict[str, str] = {}
    with lock.hold(database_url, "run", environ=environ):
        stale = dict(environ)
    assert environ == {}
    holder = psycopg2.connect(database_url)
    other = psycopg2.connect(database_url)
    with holder.cursor() as cursor, other.cursor() as second:
        assert lock.acquire(cursor, stale) is True  # nobody holds it: taken in earnest
        with pytest.raises(meshkeys.errors.LockHeld):
            lock.acquire(second, stale)
    holder.close()
    other.close()


def test_each_database_has_its_own(database_url: str, server: RunningServer) -> None:
    with fresh_database(server) as other, lock.hold(database_url, "one"), lock.hold(other, "two", environ={}) as taken:
        assert taken


def test_losing_the_connection_that_held_it_is_an_error(database_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="was lost"), lock.hold(database_url, "build"):
        _end_holder(database_url)


def _end_holder(url: str) -> None:
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        found = lock.holder(cursor)
        assert found is not None
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (found.pid,))
    connection.close()
