"""Which database a run uses, and the one line of `.env` that is ours."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from foundation import private_files
from foundation.errors import UsageError
from revops import envfile, settings
from revops.embedded import server
from tests.conftest import ROOT, new_server

pytestmark = pytest.mark.unit
URL = "postgresql://u:p@h:5432/d"
SQLMESH_READS = """
import os, sys
from pathlib import Path
from sqlmesh.core.config import Config
from sqlmesh.core.config.loader import load_configs
load_configs("config", Config, sys.argv[1], dotenv_path=Path(os.environ["SQLMESH_DOTENV_PATH"]))
print(os.environ.get("REVOPS_EMBEDDED_URL"))
load_configs("config", Config, sys.argv[1])  # as plain sqlmesh does: it would have believed the file
print(os.environ.get("REVOPS_EMBEDDED_URL"))
"""


def env_file(folder: Path, text: str) -> None:
    """An `.env` that nobody else can read."""
    private_files.write_private(folder / ".env", text)


def test_without_anything_set_the_embedded_server_under_the_project_is_used(tmp_path: Path) -> None:
    found = settings.load({}, tmp_path)
    assert found.embedded
    assert found.home == tmp_path.resolve() / ".warehouse"
    assert found.env_file == tmp_path.resolve() / ".env"


@pytest.mark.parametrize("where", ["environment", "file", "both"])
def test_a_connection_string_selects_another_server(tmp_path: Path, where: str) -> None:
    if where != "environment":
        env_file(tmp_path, f"DB_CONNECTION_STRING={URL}\n")
    environ = {} if where == "file" else {"DB_CONNECTION_STRING": URL}
    found = settings.load(environ, tmp_path)
    assert found.connection_string == URL
    assert not found.embedded


def test_two_different_databases_are_refused_without_telling_a_password(tmp_path: Path) -> None:
    env_file(tmp_path, "DB_CONNECTION_STRING=postgresql://u:hidden1@h/one\n")
    with pytest.raises(UsageError, match=r"name different databases\.\n") as raised:
        settings.load({"DB_CONNECTION_STRING": "postgresql://u:hidden2@h/two"}, tmp_path)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        "mysql://u:hidden@h/d",
        "postgresql://u:hidden@h",
        "host=h password=hidden",
        "postgresql://u:hidden@h:x/d",
        "hidden",
    ],
)
def test_what_is_no_url_of_postgresql_is_refused_without_being_shown(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match="must look like postgresql://") as raised:
        settings.load({"DB_CONNECTION_STRING": wrong}, tmp_path)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"), [("REVOPS_PORT", "80"), ("REVOPS_PORT", "x"), ("REVOPS_POSTGRES_VERSION", "15")]
)
def test_a_wrong_number_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name}='{value}': must be"):
        settings.load({name: value}, tmp_path)


def test_the_environment_wins_over_the_file_and_the_file_sets_the_rest(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REVOPS_PORT=50001\nREVOPS_POSTGRES_VERSION=16\nOTHER=from file\n")
    found = settings.load({"REVOPS_PORT": "50002"}, tmp_path)
    assert (found.port, found.postgres_version) == (50002, 16)
    assert found.variables["OTHER"] == "from file"


def test_secrets_are_not_in_the_settings_text(tmp_path: Path) -> None:
    env_file(tmp_path, "REVOPS_PAN_KEY=hidden\n")
    assert "hidden" not in repr(settings.load({"DB_CONNECTION_STRING": "postgresql://u:hidden@h/d"}, tmp_path))


def test_a_readable_env_file_is_warned_about_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    file.chmod(0o640)
    with caplog.at_level(logging.WARNING):
        settings.load({}, tmp_path)
        settings.load({}, tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{file.resolve()} can be read by other users: run  chmod 600 {file.resolve()}"
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
@pytest.mark.parametrize("name", ["DB_CONNECTION_STRING", "POSTGRES_PASSWORD", "REVOPS_PAN_KEY"])
def test_a_readable_env_file_with_a_secret_is_refused(tmp_path: Path, mode: int, name: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"{name}=postgresql://warehouse:hidden@127.0.0.1/warehouse\n")
    file.chmod(mode)
    with pytest.raises(UsageError, match=f"{name} and can be read by other users") as refused:
        settings.load({}, tmp_path)
    assert f"chmod 600 {file.resolve()}" in str(refused.value)
    assert "hidden" not in str(refused.value)
    file.chmod(0o600)
    assert name in settings.load({}, tmp_path).variables


def test_the_line_is_added_changed_and_removed_and_nothing_else_is_touched(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    mine = "# mine\nA='1 # 2'\nREVOPS_EMBEDDED_URL=by-hand\n\nB=2"
    file.write_text(mine)
    envfile.keep_embedded_url(file, "postgresql://one")
    envfile.keep_embedded_url(file, "postgresql://two")
    assert file.read_text() == f"{mine}\nREVOPS_EMBEDDED_URL=postgresql://two{envfile.MARK}\n"
    assert envfile.read(file)["REVOPS_EMBEDDED_URL"] == "postgresql://two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    envfile.keep_embedded_url(file, None)
    assert file.read_text() == mine + "\n"


def test_a_file_that_we_made_goes_when_it_is_empty_again(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    envfile.keep_embedded_url(file, "postgresql://one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    envfile.keep_embedded_url(file, None)
    assert not file.exists()


def test_a_file_that_we_made_stays_when_something_was_added(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    envfile.keep_embedded_url(file, "postgresql://one")
    with file.open("a") as stream:
        stream.write("A=1\n")
    envfile.keep_embedded_url(file, None)
    assert file.read_text() == envfile.HEADER + "A=1\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".env").symlink_to(tmp_path / "elsewhere" / "env")
    envfile.keep_embedded_url(tmp_path / ".env", "postgresql://one")
    assert (tmp_path / ".env").is_symlink()
    assert "postgresql://one" in (tmp_path / "elsewhere" / "env").read_text()


def test_nothing_is_written_when_the_line_is_right(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    envfile.keep_embedded_url(file, "postgresql://one")
    before = file.stat()
    envfile.keep_embedded_url(file, "postgresql://one")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_sqlmesh_sees_the_selected_database_only(tmp_path: Path) -> None:
    env_file(tmp_path, f"REVOPS_EMBEDDED_URL=stale\nDB_CONNECTION_STRING={URL}\nREVOPS_PAN_KEY=k\n")
    (tmp_path / ".env").chmod(0o600)
    found = settings.load({}, tmp_path)
    environ = found.child_environment(URL, {"REVOPS_EMBEDDED_URL": "older", "PATH": "p"})
    assert environ["DB_CONNECTION_STRING"] == URL
    assert "REVOPS_EMBEDDED_URL" not in environ
    assert (environ["REVOPS_PAN_KEY"], environ["PATH"]) == ("k", "p")
    (tmp_path / "config.yaml").write_text("model_defaults: {dialect: postgres}\n")
    done = subprocess.run(
        [sys.executable, "-c", SQLMESH_READS, tmp_path], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None", "stale"]


def test_up_notes_the_server_for_plain_sqlmesh_and_down_takes_it_away(tmp_path: Path) -> None:
    home = new_server().home
    environ = {"REVOPS_HOME": str(home), "REVOPS_ENV_FILE": str(tmp_path / ".env")}
    found = settings.load(environ, ROOT)
    url = server.up(found)
    assert envfile.read(tmp_path / ".env") == {"REVOPS_EMBEDDED_URL": url}
    assert server.current(found) == url
    assert settings.load(environ, ROOT).embedded
    assert server.down(found) is True
    assert not (tmp_path / ".env").exists()
    assert server.current(found) is None


def test_an_env_file_that_cannot_be_written_does_not_stop_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, url: str | None) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(envfile, "keep_embedded_url", refuse)
    monkeypatch.setattr(server.Server, "up", lambda self: URL)
    with caplog.at_level(logging.WARNING):
        assert server.up(settings.load({"REVOPS_ENV_FILE": str(tmp_path / ".env")}, tmp_path)) == URL
    assert "plain `sqlmesh` will not find it" in caplog.text
    assert os.listdir(tmp_path) == []
