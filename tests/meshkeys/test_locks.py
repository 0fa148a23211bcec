"""Statements that need a short exclusive lock: what is retried, what an attempt leaves, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from meshkeys import locks
from meshkeys.errors import DatabaseUnavailable

LOCKED = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock' AND relation IS NOT NULL"


@pytest.fixture
def connections(database_url: str) -> Iterator[tuple[Connection, Connection]]:
    """Two connections to a database with two tables."""
    with ExitStack() as opened:
        first, second = (opened.enter_context(closing(psycopg2.connect(database_url))) for _ in range(2))
        with first.cursor() as cursor:
            cursor.execute("CREATE TABLE above (); CREATE TABLE below ()")
        first.commit()
        yield first, second


def test_a_deadlock_is_retried_like_a_timeout(connections: tuple[Connection, Connection]) -> None:
    """A reader holds `above` and wants `below`, which we hold while we want `above`."""
    ours, readers = connections
    has_ours, wants = threading.Event(), threading.Event()

    def read() -> None:
        with readers.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '1h'; SELECT FROM above")
            wants.set()
            has_ours.wait(30)
            cursor.execute("SELECT FROM below")
        readers.rollback()

    reader = threading.Thread(target=read)
    reader.start()
    wants.wait(30)
    attempts = []
    with ours.cursor() as cursor:

        def lock_both() -> None:
            attempts.append(1)
            cursor.execute("SET LOCAL lock_timeout = '30s'; LOCK below IN ACCESS EXCLUSIVE MODE")
            has_ours.set()
            cursor.execute("LOCK above IN ACCESS EXCLUSIVE MODE")

        locks.attempting(cursor, lock_both)
        cursor.execute(LOCKED)
        assert cursor.fetchone() == (2,)
    ours.rollback()
    reader.join(30)
    assert len(attempts) > 1, "there was no deadlock: it tested nothing"


def test_an_attempt_that_fails_holds_no_lock(connections: tuple[Connection, Connection]) -> None:
    ours, readers = connections
    with readers.cursor() as cursor:
        cursor.execute("SELECT FROM above")
    with ours.cursor() as cursor:

        def lock_both() -> None:
            cursor.execute("LOCK below IN ACCESS EXCLUSIVE MODE")
            cursor.execute("LOCK above IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(DatabaseUnavailable, match="End the long query"):
            locks.attempting(cursor, lock_both, attempts=2)
        cursor.execute(LOCKED)
        assert cursor.fetchone() == (0,)
    ours.rollback()
    with ours.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",), "a setting outlives the transaction"


def test_a_statement_outside_of_a_transaction_is_retried(connections: tuple[Connection, Connection]) -> None:
    ours, readers = connections
    ours.autocommit = True
    with readers.cursor() as cursor:
        cursor.execute("SELECT FROM above")
    timer = threading.Timer(0.3, readers.rollback)
    timer.start()
    with ours.cursor() as cursor:
        waited = locks.patiently(cursor, sql.SQL("ALTER TABLE above ADD COLUMN added int"))
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
    timer.join()
    assert waited > 0
