"""A database that answers and is none to work in: behind a pooler that shares sessions, or a copy of another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn, quote_ident

from foundation import connection, database
from foundation.errors import DatabaseUnavailable, LockHeld
from meshkeys import errors, suitable
from revops import doctor, lock, settings
from tests.conftest import ROOT, RunningServer
from tests.revops.pooler import pooled
from tests.revops.processes import ask

LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
STATE = ("CREATE SCHEMA sqlmesh", "CREATE TABLE sqlmesh._snapshots (name text)")


def check(url: str) -> None:
    with closing(database.connect(url, autocommit=True)) as opened:
        suitable.check(opened)


def test_a_server_itself_is_suitable(database_url: str) -> None:
    check(database_url)


@pytest.mark.parametrize("round_robin", ["0", "1"])
@pytest.mark.parametrize("waiting", [0, 4])
def test_transaction_pooling_is_noticed_and_leaves_no_lock(database_url: str, round_robin: str, waiting: int) -> None:
    with pooled(database_url, "transaction", server_round_robin=round_robin) as url:
        with ExitStack() as opened:  # at once, so that as many servers lie idle in the pool afterwards
            others = [opened.enter_context(closing(psycopg2.connect(url))) for _ in range(waiting)]
            for step in ("BEGIN", "COMMIT"):
                for other in others:
                    other.autocommit = True
                    other.cursor().execute(step)
        with pytest.raises(errors.DatabaseUnavailable, match=r"transaction mode .*\n.*pool_mode = session") as refused:
            check(url)
        assert refused.value.exit_code == 4
        with pytest.raises(DatabaseUnavailable, match="transaction mode"), lock.hold(url, "build"):
            pytest.fail("it held a lock that nobody can release")
    assert ask(database_url, LOCKS) == 0


def test_session_pooling_works_and_the_lock_holds_and_ends(database_url: str) -> None:
    with pooled(database_url, "session") as url:
        for _ in range(3):
            check(url)
            with lock.hold(url, "build") as taken:
                assert taken
                with pytest.raises(LockHeld), lock.hold(url, "load", environ={}):
                    pytest.fail("two held it")
        assert ask(database_url, LOCKS) == 0


def test_another_name_at_the_pooler_is_refused_with_the_right_one(database_url: str) -> None:
    name = parse_dsn(database_url)["dbname"]
    with (
        pooled(database_url, "session", alias="short") as url,
        pytest.raises(errors.DatabaseUnavailable, match=rf"calls database {name} short.*\n.*call it {name} too"),
    ):
        check(url)


def test_every_command_refuses_transaction_pooling_and_doctor_tells_of_it(database_url: str, tmp_path: Path) -> None:
    with pooled(database_url, "transaction") as url:
        environ = {
            **os.environ,
            "DB_CONNECTION_STRING": url,
            "REVOPS_HOME": str(tmp_path / "home"),
            "REVOPS_ENV_FILE": str(tmp_path / ".env"),
        }
        for command in ("load", "build", "verify", "sqlmesh plan"):
            done = subprocess.run(
                [sys.executable, "-m", "loaders", *command.split()],
                cwd=ROOT,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 4, command
            assert done.stderr.startswith("This is a pooler in transaction mode"), command
        findings = {found.name: found for found in doctor.doctor(settings.load(environ, ROOT))}
    assert not findings["sessions"].passed
    assert "pool_mode = session" in findings["sessions"].detail


@pytest.fixture
def copy(server: RunningServer, database_url: str) -> Iterator[str]:
    """A copy, under an odd name, of a database with SQLMesh's state in it."""
    name = parse_dsn(database_url)["dbname"]
    ask(database_url, *STATE, f"""INSERT INTO sqlmesh._snapshots VALUES ('"{name}"."staging"."stg_users"')""")
    copied = 'The "new" Copy'
    with closing(psycopg2.connect(server.url)) as opened, opened.cursor() as cursor:
        quoted = quote_ident(copied, cursor)
    ask(server.url, f"CREATE DATABASE {quoted} TEMPLATE {name}")
    yield connection.as_url({**parse_dsn(database_url), "dbname": copied})
    ask(server.url, f"DROP DATABASE {quoted} WITH (FORCE)")


def test_a_copied_database_is_named_with_the_cure_and_the_cure_works(database_url: str, copy: str) -> None:
    name = parse_dsn(database_url)["dbname"]
    check(database_url)
    with pytest.raises(errors.DatabaseUnavailable, match=f'Database The "new" Copy is a copy of {name}') as refused:
        check(copy)
    assert len(str(refused.value).splitlines()) == 2
    with pytest.raises(DatabaseUnavailable, match="is a copy of"), lock.hold(copy, "build"):
        pytest.fail("it would have built with the state of another database")
    assert ask(copy, LOCKS) == 0
    assert "DROP SCHEMA sqlmesh CASCADE" in str(refused.value)
    ask(copy, "DROP SCHEMA sqlmesh CASCADE")
    check(copy)


def test_a_name_with_capitals_and_quotes_is_no_copy(copy: str) -> None:
    ask(copy, """UPDATE sqlmesh._snapshots SET name = '"the ""new"" copy"."staging"."stg_users"'""")
    check(copy)


def test_who_may_not_read_the_state_is_not_asked_of_it(server: RunningServer, copy: str) -> None:
    ask(server.url, "CREATE ROLE reader_of_nothing LOGIN PASSWORD 'nothing'")
    try:
        check(connection.as_url({**parse_dsn(copy), "user": "reader_of_nothing", "password": "nothing"}))
    finally:
        ask(server.url, "DROP ROLE reader_of_nothing")
