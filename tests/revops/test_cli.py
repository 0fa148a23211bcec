"""The command line from outside: what it prints where, its exit codes, and what never shows."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from foundation.errors import CheckFailed, DatabaseUnavailable, LockHeld, RevopsError, UsageError
from loaders.errors import InputRefused
from revops import cli
from revops.terminal import failures, logs
from tests.conftest import ROOT, RUN, new_server
from tests.loaders.made import CARDS_HEADER, card, csv_file
from tests.revops.processes import ask

REVOPS = [sys.executable, "-m", "loaders"]


@dataclass(frozen=True)
class Project:
    """A server of its own and the environment in which commands find it."""

    home: Path
    environ: dict[str, str]

    def run(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Runs a command, not on a terminal."""
        environ = {name: value for name, value in (self.environ | changes).items() if value}
        return subprocess.run([*REVOPS, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    own = new_server(home=RUN / "cli home")
    environ = os.environ | {"REVOPS_HOME": str(own.home), "REVOPS_ENV_FILE": str(own.settings.env_file)}
    yield Project(own.home, environ)
    own.down()


def test_alone_and_not_on_a_terminal_it_shows_help_and_exits_with_2(project: Project) -> None:
    done = project.run()
    assert done.returncode == 2
    assert "Usage: revops" in done.stderr
    assert done.stdout == ""


def test_every_command_of_the_contract_is_there(project: Project) -> None:
    commands = set(cli.cli.commands)
    assert commands >= {
        *("run", "load", "replay", "rotate-key", "build", "refresh", "keys", "verify", "status", "generate"),
        *("up", "down", "url", "psql", "sqlmesh", "ui", "dashboard", "doctor", "backup", "restore", "export", "docs"),
    }
    assert "--data" in project.run("run", "--help").stdout


HELP = [
    ["--help"],
    ["-h"],
    ["--version"],
    *([name, "--help"] for name in sorted(cli.cli.commands)),
    ["psql", "--version"],
    ["sqlmesh"],
    ["sqlmesh", "--version"],
    ["sqlmesh", "plan", "--help"],
]


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_and_version_start_no_server(project: Project, tmp_path: Path, arguments: list[str]) -> None:
    home = tmp_path / "home"
    done = project.run(*arguments, REVOPS_HOME=str(home), REVOPS_ENV_FILE=str(tmp_path / "env"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not home.exists()


@pytest.mark.parametrize("wrong", [["nonsense"], ["load", "--nonsense"], ["refresh", "--mode", "x"], ["generate"]])
def test_wrong_usage_exits_with_2(project: Project, wrong: list[str]) -> None:
    done = project.run(*wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_up_url_psql_and_down(project: Project) -> None:
    up = project.run("up")
    url = project.run("url").stdout.strip()
    password = url.split(":")[2].split("@")[0]
    assert (up.returncode, "revops psql" in up.stdout, password in up.stdout) == (0, True, False)
    assert ask(url, "SELECT 1") == 1
    answer = project.run("psql", "--no-psqlrc", "-Atc", "SELECT current_user, current_setting('application_name')")
    assert answer.stdout == "warehouse|revops psql\n"
    assert project.run("psql", "-c", "SELECT 1/0").returncode == 1
    assert project.run("down").stdout == "Stopped.\n"
    assert project.run("down").stdout == "The embedded server was not running.\n"


def test_status_of_a_server_that_is_down_exits_with_4(project: Project) -> None:
    project.run("down")
    done = project.run("status", "--json")
    assert (done.returncode, json.loads(done.stdout)["server"]["running"]) == (4, False)
    assert project.run("up").returncode == 0
    up = project.run("status", "--json")
    assert (up.returncode, json.loads(up.stdout)["server"]["running"]) == (0, True)


def test_variables_for_other_servers_do_not_mislead_it(project: Project) -> None:
    done = project.run("psql", "-Atc", "SELECT 1", PGSSLMODE="require", PGHOSTADDR="192.0.2.1", PGSERVICE="other")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_psql_gets_the_password_in_its_environment_not_on_its_command_line(project: Project) -> None:
    password = project.run("url").stdout.split(":")[2].split("@")[0]
    shown = project.run("psql", "-Atc", r"\! tr '\0' ' ' < /proc/$PPID/cmdline 2>/dev/null || ps -o args= -p $PPID")
    assert "psql" in shown.stdout
    assert password not in shown.stdout


def test_a_database_out_of_reach_exits_with_4_and_hides_the_password(project: Project) -> None:
    done = project.run("doctor", DB_CONNECTION_STRING="postgresql://u:hidden@127.0.0.1:1/d")
    assert done.returncode == 1
    for command in (["load"], ["build"], ["refresh"]):
        done = project.run(*command, DB_CONNECTION_STRING="postgresql://u:hid%40den@127.0.0.1:1/d")
        assert done.returncode == 4, done.stderr
        assert "postgresql://u@127.0.0.1:1/d" in done.stderr
        assert "hid" not in done.stderr + done.stdout
        assert len(done.stderr.splitlines()) <= 2


def test_two_databases_at_once_exit_with_2(project: Project, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("DB_CONNECTION_STRING=postgresql://u:hidden@one/d\n")
    (tmp_path / "env").chmod(0o600)
    done = project.run("up", REVOPS_ENV_FILE=str(tmp_path / "env"), DB_CONNECTION_STRING="postgresql://u:hidden@two/d")
    assert done.returncode == 2
    assert "hidden" not in done.stderr


def test_a_server_that_is_too_old_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from foundation import database

    url = project.run("url").stdout.strip()
    monkeypatch.setattr(database, "OLDEST", 99)
    with pytest.raises(DatabaseUnavailable, match=r"is PostgreSQL 1\d; 99 or newer is needed\.\n"):
        database.connect(url)


def test_a_held_lock_exits_with_5_and_says_who(project: Project, tmp_path: Path) -> None:
    from revops import lock

    url = project.run("url").stdout.strip()
    with lock.hold(url, "refresh", environ={}):
        done = project.run("load", "--data", str(tmp_path))
        assert done.returncode == 5
        assert f"revops refresh [{os.getpid()}]" in done.stderr
        waited = project.run("load", "--data", str(tmp_path), "--wait", "0.5")
        assert waited.returncode == 5


def test_nothing_to_load_is_a_usage_error(project: Project, tmp_path: Path) -> None:
    assert project.run("load", "--data", str(tmp_path)).returncode == 2
    assert project.run("load", "--data", str(tmp_path / "nowhere")).returncode == 2
    assert project.run("run", "--data", str(tmp_path)).returncode == 2


@pytest.mark.unit
def test_data_may_be_a_folder_a_file_a_glob_or_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv_file(tmp_path / "x", "cards_data.csv", [], header=CARDS_HEADER)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli._folder(Path("~/x")) == tmp_path / "x"
    assert cli._folder(path) == path
    assert cli._folder(Path("~/x/*.csv")) == tmp_path / "x" / "*.csv"
    for missing in ("~/y", "~nobody_of_this_name/x"):
        with pytest.raises(UsageError, match="there is no such"):
            cli._folder(Path(missing))


@pytest.mark.unit
@pytest.mark.parametrize("data", ["~/x", "a folder/with 'quotes'"])
def test_make_passes_the_folder_on_as_it_is_tilde_included(data: str, tmp_path: Path) -> None:
    program = tmp_path / "revops"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o755)
    makefile = (ROOT / "Makefile").read_text().replace("run: .venv/stamp", "run:")
    (tmp_path / "Makefile").write_text(makefile)
    command = ["make", "-s", "-C", str(tmp_path), "run", f"BIN={tmp_path}", f"DATA={data}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"run|--data|{data}|"


def test_rejects_are_allowed_replayed_and_their_key_rotated(project: Project, tmp_path: Path) -> None:
    cards = [card(1), card(2), card(3, "12345")]
    folder = csv_file(tmp_path / "data", "cards_data.csv", cards, header=CARDS_HEADER).parent
    columns = ("load", "--data", str(folder), "--max-rejects")
    assert project.run(*columns[:-1]).returncode == 3
    refused = project.run(*columns, "0.3")
    assert refused.returncode == 3
    assert "1 of 3 rows" in refused.stderr
    assert "1 of 3 rows" in project.run("run", "--partial", *columns[1:], "0.3").stderr
    assert project.run(*columns, "0.4").returncode == 0
    url = project.run("url").stdout.strip()
    assert ask(url, "SELECT count(*) FROM raw.cards") == 2

    corrected = tmp_path / "corrected.csv"
    corrected.write_text(f"_file,_line_number,{CARDS_HEADER}\ncards_data.csv,4,{card(3)}\n")
    for _ in range(2):
        done = project.run("replay", str(corrected))
        assert done.returncode == 0, done.stderr
        assert ask(url, "SELECT (SELECT count(*) FROM raw.cards), (SELECT count(*) FROM ops.rejected_rows)") == (3, 0)
    assert project.run("replay", str(tmp_path / "none.csv")).returncode == 2

    tokens = "SELECT string_agg(card_token, ' ' ORDER BY id) FROM raw.cards WHERE id < '3'"
    before = ask(url, tokens)
    assert project.run("rotate-key", "--data", str(folder)).returncode == 3
    assert ask(url, tokens) == before
    rotated = project.run("rotate-key", "--data", str(folder), "--max-rejects", "0.4")
    assert rotated.returncode == 0, rotated.stderr
    assert not set(ask(url, tokens).split()) & set(before.split())


def test_load_starts_without_sqlmesh_and_pandas(project: Project, tmp_path: Path) -> None:
    program = (
        "import sys; from revops import cli; code = cli.call(['load', '--data', sys.argv[1]]); "
        "print(code, sorted({'sqlmesh', 'pandas', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, env=project.environ, capture_output=True, text=True
    )
    assert done.stdout == "2 []\n", done.stderr


@pytest.mark.unit
def test_what_a_run_with_nothing_new_needs_starts_without_frameworks() -> None:
    program = (
        "import sys, loaders.landing, revops.build, revops.cli, revops.run, revops.terminal.summary, revops.verify; "
        "print(sorted({'sqlglot', 'sqlmesh', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.unit
def test_generate_passes_on_what_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from revops import demo_set

    made: list[tuple[Path, demo_set.Size]] = []
    monkeypatch.setattr(demo_set, "generate_files", lambda out, size: made.append((out, size)))
    assert cli.call(["generate", "--out", str(tmp_path), "--scale", "0.5", "--seed", "7"]) == 0
    monkeypatch.setenv("SCALE", "")
    assert cli.call(["generate", "--out", str(tmp_path)]) == 0
    assert made == [(tmp_path, demo_set.Size(0.5, 7)), (tmp_path, demo_set.Size(0.05, 42))]
    assert "Synthetic" in capsys.readouterr().out


def test_sqlmesh_is_passed_its_arguments_and_sees_the_server(project: Project) -> None:
    done = project.run("sqlmesh", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()[:1].isdigit()


def test_secrets_stay_out_of_the_log(project: Project) -> None:
    url = project.run("url").stdout.strip()
    project.run("--debug", "load", "--data", "/nowhere")
    log = (project.home / "logs" / "revops.log").read_text()
    assert "UsageError" in log
    assert url.split(":")[2].split("@")[0] not in log


@pytest.mark.unit
def test_no_log_record_holds_a_password_not_even_in_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_CONNECTION_STRING", "postgresql://u:hid%40den@h/d")
    logs.configure(logging.DEBUG)
    logs.keep_in(tmp_path / "logs")
    logger = logging.getLogger("revops.test")
    try:
        raise ValueError("hid@den")
    except ValueError:
        logger.exception("with %s and %s", "postgresql://u:hid%40den@h/d", "postgres://other:hidden2@h/d")
    file = tmp_path / "logs" / logs.FILE
    shown = file.read_text() + capsys.readouterr().err
    assert shown.count("ValueError") >= 2
    assert "hid" not in shown
    assert file.stat().st_mode & 0o077 == 0
    logs.configure(logging.INFO)


def test_ctrl_c_exits_with_130(project: Project) -> None:
    from revops import lock

    url = project.run("url").stdout.strip()
    with lock.hold(url, "test", environ={}):
        waiting = subprocess.Popen(
            [*REVOPS, "build", "--wait", "60"], cwd=ROOT, env=project.environ, stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr is not None
        assert waiting.stderr.readline().startswith("waiting up to 60 s")
        time.sleep(0.1)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(30) == 130
        assert set(waiting.stderr.read().split()) == {"Interrupted."}


def test_ctrl_c_ends_a_command_that_waits_for_a_long_statement(project: Project) -> None:
    url = project.run("url").stdout.strip()
    program = (
        "import sys, psycopg2; from revops.terminal import interrupts; interrupts.watch(0.5); "
        "cursor = psycopg2.connect(sys.argv[1]).cursor(); print('begun', flush=True); cursor.execute('SELECT pg_sleep(60)')"
    )
    waiting = subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "begun\n"
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"
    deadline = time.monotonic() + 20
    while not ask(url, sleeping) and time.monotonic() < deadline:
        time.sleep(0.05)
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(30) == 130


@pytest.mark.unit
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CheckFailed("x"), 1),
        (UsageError("x"), 2),
        (InputRefused("f", "bad", "mend it"), 3),
        (DatabaseUnavailable("x"), 4),
        (LockHeld("x"), 5),
        (psycopg2.OperationalError("server closed the connection unexpectedly"), 4),
        (psycopg2.InterfaceError("connection already closed"), 4),
        (ValueError("x"), 1),
    ],
)
def test_each_error_has_its_exit_code_and_no_traceback(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failures.report(error, debug=False) == code
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert 1 <= len(shown.splitlines()) <= 2


@pytest.mark.unit
def test_the_cause_inside_another_programs_error_counts(capsys: pytest.CaptureFixture[str]) -> None:
    def wrapped(cause: Exception) -> Exception:
        try:
            try:
                raise cause
            except Exception as inner:
                raise RuntimeError("plan failed") from inner
        except RuntimeError as error:
            return error

    assert failures.report(wrapped(psycopg2.OperationalError("SSL connection has been closed")), debug=False) == 4
    assert failures.report(wrapped(LockHeld("held by x")), debug=False) == 5
    assert "held by x" in capsys.readouterr().err


@pytest.mark.unit
def test_debug_shows_the_traceback_without_passwords(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_CONNECTION_STRING", "postgresql://u:hid%40den@h/d")
    assert failures.report(RevopsError("cannot use postgresql://u:hid%40den@h/d or hid@den"), debug=True) == 1
    shown = capsys.readouterr().err
    assert "RevopsError" in shown
    assert "hid" not in shown


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    detail: str = ""


@pytest.mark.unit
@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_verify_prints_a_line_per_check_and_fails_when_one_does(
    passed: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verify(settings: object, since_last: bool) -> Sequence[Check]:
        assert not since_last
        return [Check("rows", True, "5 = 5"), Check("dollars", passed, "1.00 = 1.00")]

    monkeypatch.setattr(cli, "_start", lambda: (object(), "postgresql://h/d"))
    monkeypatch.setattr(cli, "_function", lambda module, name: verify)
    assert cli.call(["verify"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok      rows     5 = 5"
    assert lines[1].startswith("ok" if passed else "FAILED")
    assert cli.call(["verify", "--json"]) == code
    assert json.loads(capsys.readouterr().out)[1] == {"name": "dollars", "passed": passed, "detail": "1.00 = 1.00"}


def test_doctor_finds_a_healthy_server_healthy_and_an_open_env_file_not(project: Project, tmp_path: Path) -> None:
    project.run("up")
    found = json.loads(project.run("doctor", "--json").stdout)
    assert {check["name"] for check in found} >= {"python", "disk", "memory", "embedded server", "privilege", "fsync"}
    assert all(check["passed"] for check in found)
    (tmp_path / "env").write_text("A=1\n")
    (tmp_path / "env").chmod(0o644)
    done = project.run("doctor", REVOPS_ENV_FILE=str(tmp_path / "env"))
    assert done.returncode == 1
    assert "FAILED  .env" in done.stdout
    assert "chmod 600" in done.stdout
