"""Why a database cannot be reached: each cause is told apart, with its own cure, on real refusals where they can be had."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from foundation import connection, database, unreachable
from foundation.errors import DatabaseUnavailable
from tests.conftest import ROOT, RunningServer
from tests.revops.processes import ask


def refusal(url: str) -> list[str]:
    """The lines in which revops says why there is no connection."""
    with pytest.raises(DatabaseUnavailable) as refused:
        database.connect(url)
    assert refused.value.exit_code == 4
    return str(refused.value).splitlines()


def changed(url: str, **options: str) -> str:
    """The URL with other options."""
    return connection.as_url({**parse_dsn(url), **options})


@pytest.fixture(autouse=True)
def _external(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_CONNECTION_STRING", "postgresql://u@h/d")


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A port where the first message is answered so, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            talking, _ = listening.accept()
            with talking:
                talking.recv(100)
                talking.sendall(reply)
                talking.recv(100)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join(10)


def test_a_wrong_password_a_wrong_database_and_no_ssl_are_told_apart(server: RunningServer) -> None:
    found = {
        name: refusal(changed(server.url, **options))
        for name, options in {
            "password": {"password": "hidden"},
            "database": {"dbname": "nowhere"},
            "ssl": {"sslmode": "require"},
            "kind": {"target_session_attrs": "standby"},
        }.items()
    }
    assert found["password"][0].endswith("the password is wrong, or there is no user 'warehouse'")
    assert "DB_CONNECTION_STRING" in found["password"][1]
    assert found["database"][0].endswith("there is no database 'nowhere' on this server")
    assert found["ssl"][0].endswith("it offers no SSL, and sslmode asks for it")
    assert found["kind"][0].endswith("it is not of the kind that target_session_attrs asks for")
    assert len({cure for _, cure in found.values()}) == len(found)
    assert "hidden" not in str(found)


def test_no_password_and_no_connection_left_are_told_apart(server: RunningServer) -> None:
    without = parse_dsn(server.url)
    without.pop("password")
    assert refusal(connection.as_url(without))[0].endswith("it wants a password, and none is given")
    ask(server.url, "CREATE ROLE crowded LOGIN PASSWORD 'crowded' CONNECTION LIMIT 0")
    try:
        crowded = refusal(changed(server.url, user="crowded", password="crowded"))
    finally:
        ask(server.url, "DROP ROLE crowded")
    assert crowded[0].endswith("all its connections are taken")
    assert "max_connections" in crowded[1]


def test_nobody_there_an_unknown_host_and_no_socket_are_told_apart(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        down = refusal(f"postgresql://u@127.0.0.1:{port}/d")
    assert down[0].endswith("no server answers there (Connection refused)")
    assert down[1] == "  Start it, or correct host and port in DB_CONNECTION_STRING."
    assert refusal("postgresql://u@host.invalid/d")[0].endswith("no host 'host.invalid' is known")
    assert refusal(f"postgresql://u@/d?host={tmp_path}")[0].endswith(
        "no server answers there (No such file or directory)"
    )


def test_a_missing_root_certificate_is_named(tmp_path: Path) -> None:
    with answering(b"S") as port:
        said = refusal(f"postgresql://u@127.0.0.1:{port}/d?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem")
    assert said[0].endswith(f"the root certificate file '{tmp_path}/ca.pem' is not there")
    assert "sslrootcert=" in said[1]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", no encryption', "encrypted"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", SSL encryption', "this address"),
        ("FATAL:  sorry, too many clients already", "all its connections are taken"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "are taken"),
        ("FATAL:  no more connections allowed (max_client_conn)", "are taken"),
        ("SSL error: certificate verify failed", "accept"),
        ('server certificate for "a" does not match host name "b"', "accept"),
        ('private key file "k" has group or world access; file must have permissions u=rw', "client's certificate"),
        ("FATAL:  the database system is starting up", "the database system is 'starting up'"),
        ('FATAL:  permission denied for database "d"', "may not connect to database 'd'"),
        ("FATAL:  unsupported startup parameter: options", "does not pass on an option"),
        ("FATAL:  query_wait_timeout", "has no connection to give"),
        ("FATAL:  Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen", "Passwort-Authentifizierung"),
        ("", "no reason given"),
    ],
)
def test_what_other_servers_say_is_understood(text: str, cause: str) -> None:
    said, cure = unreachable.explain(
        f'connection to server at "h" (10.1.1.1), port 5432 failed: {text}\n' if text else ""
    )
    assert cause in said
    assert "\n" not in said + cure


@pytest.mark.unit
def test_the_embedded_server_has_a_cure_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DB_CONNECTION_STRING")
    assert "revops up" in unreachable.explain("Connection refused")[1]


@pytest.mark.parametrize("command", ["build", "verify", "sqlmesh plan", "status", "doctor"])
def test_each_command_says_so_in_two_lines(server: RunningServer, command: str, tmp_path: Path) -> None:
    environ = {"DB_CONNECTION_STRING": changed(server.url, password="hidden"), "REVOPS_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "loaders", *command.split()],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "REVOPS_ENV_FILE": str(tmp_path / ".env"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout if command == "doctor" else done.stderr).strip()
    assert done.returncode == (1 if command == "doctor" else 4), said
    assert "the password is wrong, or there is no user 'warehouse'" in said
    assert "hidden" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) <= 2
