"""A connection string means the same to libpq, to revops and to SQLMesh, or is refused before anything begins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn
from sqlmesh.utils import yaml
from sqlmesh.utils.errors import ConfigError

from foundation import connection, database, private_files
from foundation.errors import UsageError
from tests.conftest import ROOT, RunningServer
from tests.revops.processes import ask

ODD = "üñ😀 @/:%+#?&='\"\\{{1}}"
IN_A_URL = quote(ODD, safe="")
SQLMESHS_OWN = {"type", "application_name", "concurrent_tasks"}
STRINGS = [
    "postgresql://u:p@h:5433/d",
    "postgres://u:p@h/d",
    "  postgresql://u:p@h/d\t",
    f"postgresql://{IN_A_URL}:{IN_A_URL}@h:1/{IN_A_URL}",
    "postgresql://ü:ß@höst/dätä",
    "postgresql://u:a+b#c@h/d",
    "postgresql://u:p@[::1]/d",
    "postgresql://u:p@[fe80::1%25eth0]:5433/d",
    "postgresql://u@h/d",
    "postgresql://h/d",
    "postgresql://:p@h/d",
    "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/etc/ssl/ca%20file.pem",
    "postgresql://u:p@h/d?ssl=true",
    "postgresql://u:p@h/d?options=-c%20search_path%3Da%2Cb%20-c%20work_mem%3D64MB",
    "postgresql://u:p@h/d?connect_timeout=7&keepalives_idle=30&application_name=mine",
    "postgresql://u:p@one,two,three/d?target_session_attrs=read-write&load_balance_hosts=random",
    "postgresql://u:p@one:6432,[::1]:6432/d",
    "postgresql://u:p@/d?host=/var/run/post%20gres&port=5433",
    "postgresql:///d?host=/tmp",
    "postgresql://u:p@%2Fvar%2Frun%2Fpostgresql/d",
    "postgresql://u:p@h/d?hostaddr=10.1.2.3&sslcert=c&sslkey=k&channel_binding=require&gssencmode=disable",
    "postgresql://u:p@h/d?passfile=/home/me/.pgpass&client_encoding=UTF8",
    "host=h dbname=d user=u password='a \\'b\\\\ %40' port=5433 sslmode=prefer",
    "dbname=d host=/tmp options='-c a.b=c\\ d'",
]
SQLMESH = """
import json, sys
from sqlmesh.core.config import Config
from sqlmesh.core.config.loader import load_configs
[found] = load_configs(None, Config, [sys.argv[1]]).values()
connection = found.gateways["postgres"].connection
print(json.dumps(connection.create_engine_adapter().fetchone(sys.argv[2])))
"""


Ask = Callable[[str, str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plain_sqlmesh(tmp_path: Path) -> Ask:
    """Asks a query as plain `sqlmesh` connects, where `.env` says nothing but a connection string."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("REVOPS_", "PG"))}

    def read(text: str, query: str) -> subprocess.CompletedProcess[str]:
        quoted = text.replace("\\", "\\\\").replace("'", "\\'")
        private_files.write_private(tmp_path / ".env", f"DB_CONNECTION_STRING='{quoted}'\n")
        return subprocess.run(
            [sys.executable, "-c", SQLMESH, str(tmp_path), query],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return read


@pytest.mark.unit
@pytest.mark.parametrize("text", STRINGS)
def test_the_normalized_url_says_the_same_to_libpq(text: str) -> None:
    url = connection.normalized(text)
    assert parse_dsn(url) == parse_dsn(text.strip())
    assert connection.normalized(url) == url


@pytest.mark.unit
@pytest.mark.parametrize("text", STRINGS)
def test_what_is_shown_has_all_but_the_password(text: str) -> None:
    shown = parse_dsn(database.without_password(text.strip()))
    wanted = parse_dsn(text.strip())
    wanted.pop("password", None)
    assert shown == wanted


@pytest.mark.unit
@pytest.mark.parametrize("text", STRINGS)
def test_psql_is_given_the_same(text: str) -> None:
    given = database.connection_variables(connection.normalized(text))
    wanted = parse_dsn(text.strip())
    assert given["PGDATABASE"] == wanted["dbname"]
    assert given.get("PGPASSWORD") == wanted.get("password")
    assert given.get("PGSSLROOTCERT") == wanted.get("sslrootcert")
    assert given.get("PGTARGETSESSIONATTRS") == wanted.get("target_session_attrs")


@pytest.mark.unit
@pytest.mark.parametrize("text", STRINGS)
def test_the_rendered_configuration_and_the_environment_give_sqlmesh_the_same(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", {"DB_CONNECTION_STRING": text, "PGUSER": "me"})
    monkeypatch.setattr(os, "putenv", environ.__setitem__)
    gateway = yaml.load(ROOT / "config.yaml")["gateways"]["postgres"]
    assert gateway["connection"] == gateway["state_connection"] == gateway["test_connection"]
    given = {name: value for name, value in gateway["connection"].items() if name not in SQLMESHS_OWN}
    given["dbname"] = given.pop("database")
    by_environment = {name: environ[variable] for name, variable in connection.VARIABLES.items() if variable in environ}
    wanted = parse_dsn(text.strip())
    wanted.pop("application_name", None)  # SQLMesh names its own sessions
    ports = {port or "5432" for port in wanted.pop("port", "").split(",")}
    assert {str(given.pop("port"))} == ports
    defaults = {"host": "", "user": "me", "password": ""}
    assert {name: str(value) for name, value in (given | by_environment).items()} == defaults | wanted


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jdbc:postgresql://h/d?user=u&password=hidden", "a URL for JDBC"),
        ("postgresql+psycopg2://u:hidden@h/d", r"Take out the \+psycopg2"),
        ("postgresql+asyncpg://u:hidden@h/d", r"Take out the \+asyncpg"),
        ("mysql://u:hidden@h/d", "must look like postgresql://"),
        ("u:hidden@h/d", "must look like postgresql://"),
        ("postgresql://u:hidden@h", "names no database"),
        ("host=h password=hidden", "names no database"),
        ("postgresql://u:hidden@h:x/d", "its port is no number"),
        ("postgresql://u:hidden@h:65536/d", "its port is no number"),
        ("postgresql://u:hid/den@h/d", "its port is no number"),
        ("postgresql://u:100%hidden@h/d", "two hexadecimal digits"),
        ("postgresql://u:hidden@h/d?sslmod=require", "none of libpq's"),
        ("postgresql://u:hidden@[::1/d", "in brackets"),
        ("postgresql://u:hidden@one:1,two:2/d", "Give all its hosts the same port"),
        ("postgresql://u:hidden@h/d?service=mine", "option service, which SQLMesh cannot be given"),
        ("postgresql://u:p@h/d?sslpassword=hidden", "option sslpassword, which SQLMesh cannot be given"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_with_the_cure_and_without_being_shown(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        connection.normalized(text)
    message = str(refused.value)
    assert "hidden" not in message
    assert "den@" not in message
    assert len(message.splitlines()) <= 2
    assert refused.value.exit_code == 2


@pytest.mark.unit
def test_plain_sqlmesh_says_on_one_line_what_it_cannot_use(plain_sqlmesh: Ask) -> None:
    done = plain_sqlmesh("postgresql+psycopg2://u:hidden@h/d", "SELECT 1")
    assert "ConfigError: DB_CONNECTION_STRING is a URL for SQLAlchemy (postgresql+psycopg2://)." in done.stderr
    assert "hidden" not in done.stderr


@pytest.mark.unit
def test_an_environment_that_contradicts_the_connection_string_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c a.b=1")
    monkeypatch.setenv("DB_CONNECTION_STRING", "postgresql://u@h/d?options=-c%20a.b%3D2")
    with pytest.raises(ConfigError, match="PGOPTIONS in the environment contradicts DB_CONNECTION_STRING"):
        connection.for_sqlmesh()


def test_plain_sqlmesh_reaches_a_database_of_odd_names_with_all_options(
    server: RunningServer, plain_sqlmesh: Ask
) -> None:
    role, name = f"role {ODD}", f"base {ODD}"
    with psycopg2.connect(server.url) as opened, opened.cursor() as cursor:
        identifiers = {
            "role": psycopg2.extensions.quote_ident(role, cursor),
            "name": psycopg2.extensions.quote_ident(name, cursor),
        }
    ask(server.url, f"CREATE ROLE {identifiers['role']} LOGIN SUPERUSER PASSWORD '{ODD.replace(chr(39), chr(39) * 2)}'")
    ask(server.url, f"CREATE DATABASE {identifiers['name']} OWNER {identifiers['role']}")
    parts = parse_dsn(server.url)
    url = connection.as_url(
        {
            **parts,
            "user": role,
            "password": ODD,
            "dbname": name,
            "host": f"127.0.0.1,{parts['host']}",
            "port": f"{parts['port']},{parts['port']}",
            "options": "-c odd.setting=a\\ b+c",
            "connect_timeout": "9",
            "target_session_attrs": "read-write",
        }
    )
    query = "SELECT current_user, current_database(), current_setting('odd.setting')"
    try:
        done = plain_sqlmesh(f" {url} ", query)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == [role, name, "a b+c"]
        with database.connect(connection.normalized(f" {url} ")) as opened, opened.cursor() as cursor:
            cursor.execute(query)
            assert cursor.fetchone() == (role, name, "a b+c")
        opened.close()
    finally:
        ask(server.url, f"DROP DATABASE {identifiers['name']} WITH (FORCE)")
        ask(server.url, f"DROP ROLE {identifiers['role']}")


def test_a_socket_is_reached_by_both_spellings(server: RunningServer, plain_sqlmesh: Ask) -> None:
    folder = ask(server.url, "SHOW unix_socket_directories").strip('"')
    parts = parse_dsn(server.url)
    secret = f"{parts['user']}:{parts['password']}"
    query = "SELECT inet_server_addr() IS NULL"
    for text in (
        f"postgresql:///{parts['dbname']}?host={quote(folder)}&port={parts['port']}&user={parts['user']}&password={parts['password']}",
        f"postgresql://{secret}@{quote(folder, safe='')}:{parts['port']}/{parts['dbname']}",
        f"host='{folder}' port={parts['port']} user={parts['user']} password={parts['password']} dbname={parts['dbname']}",
    ):
        done = plain_sqlmesh(text, query)
        assert done.stdout.splitlines()[-1:] == ["[true]"], done.stderr
        assert ask(connection.normalized(text), query) is True


@pytest.mark.unit
def test_each_database_has_a_cache_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"host": "127.0.0.1", "port": "5432", "database": "warehouse", "user": "a", "password": "b"}
    others = [{**here, "host": "::1"}, {**here, "port": "5433"}, {**here, "database": "other"}, {"port": "5432"}]
    monkeypatch.setenv(connection.CONNECTION, "postgresql://a:b@127.0.0.1:5432/warehouse")
    assert connection.cache_folder(here) == connection.cache_folder({**here, "user": "c", "password": "d"})
    assert len({connection.cache_folder(server) for server in [here, *others]}) == 5


@pytest.mark.unit
def test_an_embedded_server_after_another_at_its_address_has_a_cache_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(connection.CONNECTION, raising=False)
    here = {"host": "127.0.0.1", "port": "5432", "database": "warehouse", "user": "warehouse", "password": "b"}
    assert connection.cache_folder(here) == connection.cache_folder({**here, "port": "5433"})
    assert connection.cache_folder(here) != connection.cache_folder({**here, "password": "d"})
