"""Work on several connections at once: what is returned, what stays when one fails, and what one core does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import psycopg2
import psycopg2.errors
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from meshkeys import sessions
from tests.revops.processes import ask


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    ask(database_url, "CREATE TABLE done (task int)")
    with closing(psycopg2.connect(database_url)) as connection:
        yield connection


def workers(connection: Connection, count: int) -> Cursor:
    cursor = connection.cursor()
    cursor.execute("SELECT set_config('max_parallel_workers_per_gather', %s, false)", (str(count),))
    return cursor


def note(number: int, cursor: Cursor) -> tuple[int, int]:
    cursor.execute("INSERT INTO done VALUES (%s) RETURNING task, pg_backend_pid()", (number,))
    time.sleep(0.05)
    row = cursor.fetchone()
    assert row is not None
    return row[0], row[1]


def test_tasks_are_shared_out_and_answers_come_in_their_order(connection: Connection, database_url: str) -> None:
    cursor = workers(connection, 3)
    tasks: list[Callable[[Cursor], tuple[int, int]]] = [partial(note, number) for number in range(7)]
    found = sessions.side_by_side(cursor, tasks)
    assert [number for number, _ in found] == list(range(7))
    backends = {backend for _, backend in found}
    assert len(backends) == 3
    assert connection.info.backend_pid not in backends
    connection.rollback()  # of their own transactions it takes nothing back
    assert ask(database_url, "SELECT count(*) FROM done") == 7


def test_one_worker_works_in_the_transaction_of_who_asks(connection: Connection, database_url: str) -> None:
    tasks: list[Callable[[Cursor], tuple[int, int]]] = [partial(note, number) for number in range(3)]
    found = sessions.side_by_side(workers(connection, 1), tasks)
    assert {backend for _, backend in found} == {connection.info.backend_pid}
    connection.rollback()
    assert ask(database_url, "SELECT count(*) FROM done") == 0


def test_connections_that_are_given_do_the_tasks_in_the_transactions_they_are_in(
    connection: Connection, database_url: str
) -> None:
    with closing(psycopg2.connect(database_url)) as other:
        with connection.cursor() as one, other.cursor() as two:
            one.execute("INSERT INTO done VALUES (100)")
            two.execute("INSERT INTO done VALUES (100)")
        tasks: list[Callable[[Cursor], tuple[int, int]]] = [partial(note, number) for number in range(5)]
        found = sessions.share_out([connection, other], tasks)
        assert [number for number, _ in found] == list(range(5))
        assert {backend for _, backend in found} == {connection.info.backend_pid, other.info.backend_pid}
        with pytest.raises(psycopg2.errors.DivisionByZero):
            sessions.share_out([connection, other], [lambda cursor: cursor.execute("SELECT 1 / 0")])
        assert not other.closed
    assert ask(database_url, "SELECT count(*) FROM done") == 0


def test_one_that_fails_ends_the_others_at_once_and_takes_back_only_what_was_not_done(
    connection: Connection, database_url: str
) -> None:
    def fail(cursor: Cursor) -> None:
        cursor.execute("INSERT INTO done VALUES (2)")
        deadline = time.monotonic() + 20
        while not ask(database_url, "SELECT count(*) FROM done") and time.monotonic() < deadline:
            time.sleep(0.05)
        cursor.execute("SELECT 1 / 0")

    begun = []

    def last_long(cursor: Cursor) -> None:
        begun.append(cursor)
        cursor.execute("INSERT INTO done VALUES (3)")
        cursor.execute("SELECT pg_sleep(60)")

    began = time.monotonic()
    with pytest.raises(psycopg2.errors.DivisionByZero):
        sessions.side_by_side(
            workers(connection, 2), [lambda cursor: note(1, cursor) and None, fail, last_long, last_long]
        )
    assert time.monotonic() - began < 30
    assert len(begun) <= 1
    assert ask(database_url, "SELECT array_agg(task) FROM done") == [1]
    ours = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sqlmesh%' AND datname = current_database()"
    )
    deadline = time.monotonic() + 10
    while ask(database_url, ours) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ask(database_url, ours) == 0
