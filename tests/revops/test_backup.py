"""Which programs make a backup, and that no password reaches a command line; all of it: tests/end_to_end/test_backup.py."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import DatabaseUnavailable, RevopsError, UsageError
from revops import backup
from revops.embedded import server

pytestmark = pytest.mark.unit


def program(folder: Path, name: str, version: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is on PATH, where the embedded server's package has no programs."""

    def none(version: int) -> Path:
        raise DatabaseUnavailable("no wheel")

    monkeypatch.setattr(server, "programs", none)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_a_missing_program_is_said(on_path: Path) -> None:
    program(on_path, "pg_dump", "17.2")
    with pytest.raises(UsageError, match=r"no pg_dump or pg_restore or psql of PostgreSQL 15 or newer .*none"):
        backup.programs_for(15)


def test_programs_on_path_serve_servers_up_to_their_version(on_path: Path) -> None:
    for name in backup.PROGRAMS:
        program(on_path, name, "17.2 (Debian 17.2-1)")
    assert backup.programs_for(15) == (on_path, 17)
    assert backup.programs_for(17) == (on_path, 17)
    with pytest.raises(UsageError, match=r"PostgreSQL 18 or newer here \(there are: 17\)"):
        backup.programs_for(18)


def test_the_package_has_the_programs_of_the_servers_own_version_or_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert [backup.programs_for(version)[1] for version in (15, 16, 17, 18)] == [16, 16, 18, 18]


def test_no_password_is_on_a_command_line_or_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        ran.append((command, options["env"]))
        return subprocess.CompletedProcess(command, 1, "", "pg_dump: error: postgresql://u:hidden@h/d is gone")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RevopsError, match="is gone") as error:
        backup._dump(tmp_path / "pg_dump", "postgresql://u:hidden@h/d", "1-1", 2, tmp_path / "dump")
    ((command, environ),) = ran
    assert "hidden" not in str(error.value) + " ".join(command)
    assert (environ["PGPASSWORD"], environ["PGHOST"]) == ("hidden", "h")
