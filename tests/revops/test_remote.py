"""Other machines: by TLS and with an analyst's login they get in; in the clear, as the owner or without a certificate not."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from foundation.errors import UsageError
from revops import remote
from revops.embedded.cluster import ROLE
from tests.conftest import ROOT, RunningServer, fresh_database
from tests.revops.processes import ask

REVOPS = [sys.executable, "-m", "loaders"]
PAGE = (ROOT / "docs" / "remote_access.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.2"  # another one of loopback, which the server itself does not listen on
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127/8 without setting it up")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for itself, made by the command of the page, and its key."""
    folder = tmp_path_factory.mktemp("pair")
    (command,) = re.findall(r"^openssl req .*?\n(?!    )", PAGE, flags=re.MULTILINE | re.DOTALL)
    command = command.replace("DNS:warehouse.example,IP:192.0.2.10", f"IP:{ADDRESS}")
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    (folder / "server.key").chmod(0o600)
    return folder / "server.crt", folder / "server.key"


@dataclass(frozen=True)
class Listening:
    """Where it listens, a database there, and an analyst's login."""

    port: int
    database: str
    certificate: Path

    def connect(
        self, user: str = "alice_in_test", password: str = "secret", **options: str
    ) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=ADDRESS,
            port=self.port,
            dbname=self.database,
            user=user,
            password=password,
            connect_timeout=20,
            **options,
        )


@pytest.fixture(scope="module")
def listening(server: RunningServer, pair: tuple[Path, Path]) -> Iterator[Listening]:
    assert server.server is not None
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        port = free.getsockname()[1]
    settings = server.server.settings
    environ = {
        "REVOPS_HOME": str(settings.home), "REVOPS_ENV_FILE": str(settings.env_file), "REVOPS_LISTEN": ADDRESS,
        "REVOPS_TLS_CERT": str(pair[0]), "REVOPS_POSTGRES_VERSION": str(server.version),
    }  # fmt: skip
    program = [*REVOPS, "remote", "--port", str(port), "--key", str(pair[1])]
    running = subprocess.Popen(program, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert "by TLS only" in running.stdout.readline()
        with fresh_database(server) as url:
            ask(url, "CREATE ROLE alice_in_test LOGIN PASSWORD 'secret'")
            try:
                _await(port)
                yield Listening(port, urlsplit(url).path[1:], pair[0])
            finally:
                ask(url, "DROP ROLE alice_in_test")
    finally:
        running.terminate()
        assert running.wait(30) == 0


def _await(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection((ADDRESS, port), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nothing listens")


def test_by_tls_an_analyst_reads_and_knows_the_server(listening: Listening) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": str(listening.certificate)}
    with closing(listening.connect(**options)) as connection, connection.cursor() as cursor:
        assert connection.info.ssl_in_use
        cursor.execute("SELECT sum(length(repeat('x', 1000))) FROM generate_series(1, 10)")
        assert cursor.fetchone() == (10_000,)
        cursor.execute("SELECT repeat(md5(n::text), 100) FROM generate_series(1, 5000) AS n")
        rows = cursor.fetchall()
    assert len(rows) == 5000
    assert {len(text) for (text,) in rows} == {3200}


def test_in_the_clear_nobody_gets_in(listening: Listening) -> None:
    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        listening.connect(sslmode="disable")


def test_the_owner_of_the_warehouse_is_refused_and_so_is_a_wrong_password(
    listening: Listening, server: RunningServer
) -> None:
    password = urlsplit(server.url).password or ""
    assert ask(server.url, "SELECT 1") == 1
    with pytest.raises(psycopg2.OperationalError, match="on its machine only"):
        listening.connect(ROLE, password, sslmode="require")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        listening.connect(password="wrong", sslmode="require")


def test_what_is_sent_in_the_clear_behind_the_request_is_never_passed_on(listening: Listening) -> None:
    """An attacker on the way could put a message there (CVE-2021-23214)."""
    with socket.create_connection((ADDRESS, listening.port), timeout=20) as client:
        client.sendall(struct.pack("!II", 8, remote.SSL_REQUEST) + struct.pack("!II", 16, 196608) + b"user\0eve\0")
        assert client.recv(1) == b"S"
        context = ssl.create_default_context(cafile=str(listening.certificate))
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(client, server_hostname=ADDRESS)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", struct.pack("!II", 1 << 30, 196608), b"\x16\x03\x01"])
def test_what_is_no_client_ends_itself_alone(listening: Listening, sent: bytes) -> None:
    with socket.create_connection((ADDRESS, listening.port), timeout=20) as client:
        answer = b""
        with suppress(OSError):  # it may have hung up already
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(1000)
        assert answer[:1] in (b"", b"E")
    with closing(listening.connect(sslmode="require")) as connection:
        assert connection.info.ssl_in_use


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "unless an address is named"),
        (["--host", ADDRESS], "by TLS only: a certificate and its key are needed"),
        (["--host", ADDRESS, "--cert", "{cert}"], "by TLS only: a certificate and its key are needed"),
        (["--host", ADDRESS, "--cert", "{cert}", "--key", "/nowhere.key"], "There is no file"),
    ],
)
def test_without_an_address_or_a_certificate_nothing_starts(
    arguments: list[str], said: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [*REVOPS, "remote", *(each.format(cert=pair[0]) for each in arguments)],
        cwd=ROOT, env={"REVOPS_HOME": str(home), "REVOPS_ENV_FILE": str(tmp_path / "env")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert not home.exists()


def test_a_key_that_others_can_read_or_of_another_certificate_is_refused(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate, key = pair
    copy = tmp_path / "open.key"
    copy.write_bytes(key.read_bytes())
    copy.chmod(0o644)
    with pytest.raises(UsageError, match="can be read by other users"):
        remote.context(certificate, copy)
    copy.chmod(0o600)
    remote.context(certificate, copy)
    copy.write_text("no key")
    with pytest.raises(UsageError, match="no certificate with its key"):
        remote.context(certificate, copy)
