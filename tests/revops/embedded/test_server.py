"""The embedded server: started, found, tuned, reached, stopped; and what happens when that goes wrong."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest

from foundation.errors import DatabaseUnavailable
from revops import envfile, settings
from revops.embedded import account as accounts
from revops.embedded import postmaster, server, tuning
from revops.embedded.server import DATABASE, Server
from tests.conftest import ROOT, RUN, RunningServer, free_port, new_server
from tests.revops.processes import as_ordinary_user, ask

REVOPS = [sys.executable, "-m", "loaders"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    """A server that tests may maltreat, one after the other; it may be up or down when a test begins."""
    own = new_server()
    yield own
    own.down()


@pytest.mark.parametrize("server", [18, 16], indirect=True)
def test_both_major_versions_start_with_utf8_checksums_and_code_point_order(server: RunningServer) -> None:
    shown = "SELECT current_setting('data_checksums'), current_setting('server_encoding'), 'a' < 'B'"
    assert ask(server.url, "SHOW server_version_num")[:2] == str(server.version)
    assert ask(server.url, shown) == ("on", "UTF8", False)


def test_upper_and_lower_know_more_than_ascii(server: RunningServer) -> None:
    if server.version < 17:
        pytest.skip("PostgreSQL 16 has no built-in C.UTF-8")
    assert ask(server.url, "SELECT upper('éß')") == "Éß"


def test_each_test_gets_an_empty_database(database_url: str) -> None:
    assert ask(database_url, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0


def test_up_again_finds_the_running_server(cluster: Server) -> None:
    url = cluster.up()
    pid = cluster.pid()
    assert cluster.up() == url
    assert cluster.pid() == pid
    assert cluster.url() == url


def test_down_stops_it_and_says_whether_there_was_something_to_stop(cluster: Server) -> None:
    cluster.up()
    pid = cluster.pid()
    assert pid is not None
    assert cluster.down() is True
    assert not _lives(pid)
    assert cluster.down() is False
    assert cluster.url() is None


def test_down_where_nothing_was_ever_started_makes_nothing() -> None:
    never = new_server()
    assert never.down() is False
    assert not never.home.exists()


def test_it_outlives_the_process_that_started_it(cluster: Server) -> None:
    cluster.down()
    environ = os.environ | {"REVOPS_HOME": str(cluster.home), "REVOPS_ENV_FILE": str(cluster.settings.env_file)}
    starter = subprocess.Popen([*REVOPS, "up"], env=environ, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE)
    output, _ = starter.communicate(timeout=120)
    assert starter.returncode == 0, output
    with pytest.raises(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)  # nothing of the starter's group is left: the server is not in it
    pid = cluster.pid()
    assert pid is not None
    assert os.getsid(pid) not in (starter.pid, os.getsid(0))
    assert ask(str(cluster.url()), "SELECT 1") == 1


def test_two_ups_at_once_start_one_server(cluster: Server) -> None:
    cluster.down()
    environ = os.environ | {"REVOPS_HOME": str(cluster.home), "REVOPS_ENV_FILE": str(cluster.settings.env_file)}
    both = [subprocess.Popen([*REVOPS, "url"], env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in "12"]
    urls = {process.communicate(timeout=120)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert urls == {cluster.url()}


def test_a_postmaster_pid_of_a_dead_process_is_no_hindrance(cluster: Server) -> None:
    cluster.up()
    pid = cluster.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _wait_gone(pid)
    assert (cluster.data / "postmaster.pid").exists()
    assert cluster.url() is None
    assert ask(cluster.up(), "SELECT 1") == 1


def test_a_postmaster_pid_whose_number_another_program_has_now_is_no_hindrance(cluster: Server) -> None:
    cluster.up()
    content = (cluster.data / "postmaster.pid").read_text().splitlines()
    cluster.down()
    owner = (cluster.data).stat()
    switch = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    other = subprocess.Popen(["sleep", "300"], **switch)  # type: ignore[call-overload]
    try:
        content[0] = str(other.pid)
        (cluster.data / "postmaster.pid").write_text("\n".join(content) + "\n")
        os.chown(cluster.data / "postmaster.pid", owner.st_uid, owner.st_gid)
        assert cluster.url() is None
        assert ask(cluster.up(), "SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_half_written_postmaster_pid_is_no_hindrance(cluster: Server) -> None:
    cluster.up()
    cluster.down()
    (cluster.data / "postmaster.pid").write_text("")
    owner = cluster.data.stat()
    os.chown(cluster.data / "postmaster.pid", owner.st_uid, owner.st_gid)
    assert ask(cluster.up(), "SELECT 1") == 1


def test_killed_with_a_busy_backend_it_starts_again_and_keeps_what_was_committed(cluster: Server) -> None:
    url = cluster.up()
    ask(url, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS one", "CHECKPOINT")
    busy = psycopg2.connect(url, async_=True)
    _poll(busy)
    busy.cursor().execute("SELECT count(*) FROM (SELECT generate_series(1, 100000000000)) AS endless")
    backend = busy.info.backend_pid
    pid = cluster.pid()
    assert pid is not None
    time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    _wait_gone(pid)
    assert _lives(backend), "the test needs a backend that does not notice"
    assert ask(cluster.up(), "SELECT one FROM kept") == 1
    assert not _lives(backend)


def test_down_ends_the_backends_that_a_killed_server_left(cluster: Server) -> None:
    busy = psycopg2.connect(cluster.up(), async_=True)
    _poll(busy)
    busy.cursor().execute("SELECT count(*) FROM (SELECT generate_series(1, 100000000000)) AS endless")
    backend, pid = busy.info.backend_pid, cluster.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _wait_gone(pid)
    assert cluster.down() is True
    assert not _lives(backend)


def test_a_taken_port_is_passed_over_and_the_new_one_remembered(cluster: Server) -> None:
    cluster.up()
    port = _port(cluster)
    cluster.down()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        cluster.up()
        other = _port(cluster)
        assert other != port
    cluster.down()
    cluster.up()
    assert _port(cluster) == other


def test_a_taken_port_that_was_asked_for_is_an_error_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = new_server(home=RUN / "asked", REVOPS_PORT=str(port))
        with pytest.raises(DatabaseUnavailable, match=rf"port {port} of 127.0.0.1 is taken.\n.*REVOPS_PORT"):
            refused.up()


def test_a_port_that_was_asked_for_is_used(cluster: Server) -> None:
    cluster.up()
    cluster.down()
    port = free_port()
    asked = new_server(home=cluster.home, REVOPS_PORT=str(port))
    asked.up()
    assert _port(asked) == port


def test_a_lost_password_file_is_renewed_at_the_next_start(cluster: Server) -> None:
    old = cluster.up()
    (cluster.home / "password").unlink()
    with pytest.raises(DatabaseUnavailable, match="is gone while the server runs"):
        cluster.up()
    cluster.down()
    new = cluster.up()
    assert new != old
    assert ask(new, "SELECT 1") == 1


def test_a_start_killed_while_making_the_cluster_leaves_nothing_in_the_way() -> None:
    begun = new_server()
    begun.data.with_name(begun.data.name + ".new").mkdir(parents=True)
    (begun.data.with_name(begun.data.name + ".new") / "half").touch()
    begun.data.mkdir()
    (begun.data / "also_half").touch()
    assert ask(begun.up(), "SELECT 1") == 1
    assert not begun.data.with_name(begun.data.name + ".new").exists()
    begun.down()


def test_a_missing_database_is_made_again(cluster: Server) -> None:
    url = cluster.up()
    ask(url.rpartition("/")[0] + "/postgres", f"DROP DATABASE {DATABASE} WITH (FORCE)")
    assert ask(cluster.up(), "SELECT current_database()") == DATABASE


def test_settings_are_written_anew_at_each_start(cluster: Server) -> None:
    cluster.up()
    cluster.down()
    with (cluster.data / "revops.conf").open("a") as stream:
        stream.write("shared_buffers = '999999GB'\njit = on\n")  # another machine's settings
    assert ask(cluster.up(), "SHOW jit") == "off"


def test_a_small_machine_and_a_container_with_little_shared_memory_get_a_working_server(
    cluster: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.down()
    small = tuning.Machine(memory=512 * tuning.MIB, cores=1, disk=2 * tuning.GIB, shm=32 * tuning.MIB)
    monkeypatch.setattr(tuning.Machine, "measure", lambda folder: small)
    url = cluster.up()
    assert ask(url, "SHOW shared_buffers") == "128MB"
    assert ask(url, "SHOW dynamic_shared_memory_type") == "mmap"
    cluster.down()


@pytest.mark.parametrize(
    "name", ["with space", "ünï ☃", 'quo\'te "double"', "dollar $HOME `id` %d \\ back, comma", "long " + "x" * 120]
)
def test_any_folder_name_will_do(name: str) -> None:
    odd = new_server(home=RUN / name / "home")
    odd.home.parent.mkdir()
    url = odd.up()
    try:
        assert ask(url, "SELECT 1") == 1
        folder = ask(url, "SHOW unix_socket_directories").strip('"').replace('""', '"')
        password = url.split(":")[2].split("@")[0]
        assert (
            "," in name
            or ask(f"host='{_escaped(folder)}' port={_port(odd)} user=warehouse password={password}", "SELECT 1") == 1
        )
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert list(odd.log_folder.glob("postgres-*.log"))
    finally:
        odd.down()


def test_it_listens_on_loopback_only_and_wants_the_password_everywhere(cluster: Server) -> None:
    url = cluster.up()
    assert ask(url, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    assert ask(url, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'warehouse'") is True
    for wrong in (
        url.replace(url.split(":")[2].split("@")[0], "wrong"),
        f"{url}?host={cluster.home}/run&password=wrong",
    ):
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(wrong)


def test_secrets_and_folders_are_private(cluster: Server) -> None:
    cluster.up()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in cluster.home.iterdir()}
    assert modes["password"] == 0o600
    assert modes["run"] == modes["log"] == modes[cluster.data.name] == 0o700
    assert stat.S_IMODE(cluster.home.stat().st_mode) & 0o007 == 0


def test_the_password_stands_in_its_file_only(cluster: Server) -> None:
    url = cluster.up()
    password = url.split(":")[2].split("@")[0].encode()
    with pytest.raises(psycopg2.Error):
        ask(url, f"CREATE ROLE warehouse PASSWORD '{password.decode()}'")  # fails: its statement must not be logged
    cluster.down()
    cluster.up()
    with_it = [path for path in cluster.home.rglob("*") if path.is_file() and password in path.read_bytes()]
    assert with_it == [cluster.home / "password"]
    for process in psutil.process_iter():
        try:
            assert password.decode() not in " ".join(process.cmdline())
        except psutil.Error:
            continue


def test_no_row_of_data_reaches_the_log(cluster: Server) -> None:
    url = cluster.up()
    ask(url, "CREATE TABLE IF NOT EXISTS once (secret text PRIMARY KEY)")
    with pytest.raises(psycopg2.Error):
        ask(url, "INSERT INTO once VALUES ('canary-4929'), ('canary-4929')")
    assert not [path for path in cluster.log_folder.iterdir() if b"canary-4929" in path.read_bytes()]


def test_an_ordinary_user_has_a_server_without_root() -> None:
    def start(home: Path) -> object:
        own = new_server(home=home / "it's mine")
        url = own.up()
        try:
            return ask(url, "SELECT 1"), own.data.stat().st_uid == os.geteuid() != 0
        finally:
            own.down()

    assert as_ordinary_user(start) == (1, True)


def test_a_read_only_folder_is_an_error_that_names_it() -> None:
    def start(home: Path) -> object:
        home.chmod(0o555)
        try:
            new_server(home=home / "locked").up()
        except DatabaseUnavailable as error:
            return str(error)
        return "no error"

    message = as_ordinary_user(start)
    assert isinstance(message, str)
    assert "locked: Permission denied.\n" in message
    assert "REVOPS_HOME" in message


def test_a_folder_of_another_user_is_an_error() -> None:
    theirs = new_server()
    theirs.up()

    def start(home: Path) -> object:
        try:
            new_server(home=theirs.home).up()
        except DatabaseUnavailable as error:
            return str(error)
        return "no error"

    if os.geteuid() != 0:
        pytest.skip("needs two users")
    try:
        assert "Permission denied" in str(as_ordinary_user(start))
    finally:
        theirs.down()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_hands_over_to_a_system_user_even_below_a_private_folder() -> None:
    private = RUN / "private"
    private.mkdir(mode=0o700)
    own = new_server(home=private / "project" / ".warehouse")
    own.home.parent.mkdir(mode=0o700)
    try:
        assert ask(own.up(), "SELECT 1") == 1
        pid = own.pid()
        assert pid is not None
        assert psutil.Process(pid).uids().real != 0
        assert not private.stat().st_mode & 0o044, "others may pass through, not list"
    finally:
        own.down()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_working_in_somebodys_project_leaves_it_usable_to_them() -> None:
    def use(folder: Path) -> object:
        theirs = new_server(home=folder / ".warehouse")
        answers = [ask(theirs.up(), "SELECT 1"), theirs.down(), ask(theirs.up(), "SELECT 1")]
        theirs.down()
        return answers

    def as_root_first(folder: Path) -> None:
        own = new_server(home=folder / ".warehouse")
        own.up()
        cli_environ = os.environ | {"REVOPS_HOME": str(own.home), "REVOPS_ENV_FILE": str(folder / ".env")}
        subprocess.run([*REVOPS, "up"], cwd=ROOT, env=cli_environ, check=True, capture_output=True)
        owners = {
            path.stat().st_uid for path in (*own.home.iterdir(), folder / ".env", own.home / "logs" / "revops.log")
        }
        assert owners == {folder.stat().st_uid}

    assert as_ordinary_user(use, before=as_root_first) == [1, True, 1]


def test_a_statement_whose_client_was_killed_ends_too(cluster: Server) -> None:
    url = cluster.up()
    program = "import psycopg2, sys; psycopg2.connect(sys.argv[1]).cursor().execute('SELECT pg_sleep(600)')"
    client = subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
    assert _within(20, lambda: ask(url, sleeping) == 1)
    client.kill()
    client.wait()
    assert _within(20, lambda: ask(url, sleeping) == 0)


def test_two_versions_in_one_folder_share_the_password_and_lock_nobody_out() -> None:
    newer = new_server()
    older = new_server(16, newer.home)
    try:
        first = newer.up()
        second = older.up()
        assert _password(first) == _password(second)
        newer.down()
        assert ask(newer.up(), "SELECT 1") == ask(older.up(), "SELECT 1") == 1
    finally:
        newer.down()
        older.down()


def test_the_version_that_made_a_folder_is_the_one_that_runs_it() -> None:
    home = RUN / "made by 16"
    made = new_server(16, home)
    environ = {"REVOPS_HOME": str(home), "REVOPS_ENV_FILE": f"{home}.env"}
    assert settings.load(environ, ROOT).postgres_version == 18
    ask(made.up(), "CREATE TABLE kept ()")
    made.down()
    found = Server(settings.load(environ, ROOT))
    try:
        assert ask(found.up(), "SHOW server_version").startswith("16.")
        assert ask(found.up(), "SELECT to_regclass('kept') IS NOT NULL") is True
    finally:
        found.down()
    assert settings.load(environ | {"REVOPS_POSTGRES_VERSION": "18"}, ROOT).postgres_version == 18


@pytest.mark.parametrize(("folder", "content"), [("postgres-18", "16"), ("postgres-17", "17")])
def test_data_of_a_version_that_cannot_be_run_is_named(folder: str, content: str) -> None:
    other = new_server()
    data = other.home / folder
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text(f"{content}\n")
    with pytest.raises(DatabaseUnavailable, match=f"of PostgreSQL {content}.*\n.*REVOPS_HOME") as refused:
        other.up()
    assert len(str(refused.value).splitlines()) == 2
    assert not (other.home / "password").exists()


def test_a_copy_of_a_home_shares_neither_password_nor_port_and_keeps_what_is_in_it(cluster: Server) -> None:
    ask(cluster.up(), "DROP TABLE IF EXISTS copied", "CREATE TABLE copied AS SELECT 1 AS one")
    cluster.down()
    twin = new_server(home=RUN / "copy of it's home")
    subprocess.run(["cp", "-a", str(cluster.home), str(twin.home)], check=True)
    try:
        copied = twin.up()
        original = cluster.up()
        assert _password(copied) != _password(original)
        assert _port(twin) != _port(cluster)
        assert ask(copied, "SELECT one FROM copied") == ask(original, "SELECT one FROM copied") == 1
        twin.down()
        assert twin.up() == copied, "it is a copy once only"
    finally:
        twin.down()


def test_a_home_copied_while_its_server_runs_has_a_server_of_its_own(cluster: Server) -> None:
    original = cluster.up()
    ask(original, "CHECKPOINT")
    twin = new_server()
    subprocess.run(["cp", "-a", str(cluster.home), str(twin.home)], check=True)
    try:
        assert twin.url() is None
        assert _password(twin.up()) != _password(original)
        assert twin.pid() != cluster.pid()
    finally:
        twin.down()


def test_a_pid_file_copied_from_another_users_folder_is_not_taken_for_its_own(
    cluster: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.up()
    monkeypatch.setattr(postmaster, "works_in", lambda data, pid: None)  # as where we may not look at the process
    (tmp_path / "postmaster.pid").write_bytes((cluster.data / "postmaster.pid").read_bytes())
    assert postmaster.running(cluster.data) is not None
    assert postmaster.running(tmp_path) is None
    postmaster.drop_stale_pid(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


def test_a_moved_home_keeps_its_password() -> None:
    moved = new_server()
    before = _password(moved.up())
    moved.down()
    there = new_server(home=RUN / "moved there")
    moved.home.rename(there.home)
    try:
        assert _password(there.up()) == before
    finally:
        there.down()


def test_a_password_changed_by_hand_is_set_again_at_the_next_start(cluster: Server) -> None:
    url = cluster.up()
    ask(url, "ALTER ROLE warehouse PASSWORD 'another'")
    with pytest.raises(DatabaseUnavailable, match=r"does not take the password.*\n.*revops down  and  revops up"):
        cluster.up()
    cluster.down()
    assert cluster.up() == url
    assert ask(url, "SELECT 1") == 1


def test_the_failure_of_an_earlier_start_is_not_the_cause_of_a_later_one(cluster: Server) -> None:
    cluster.up()
    cluster.down()
    log = max(cluster.log_folder.glob("postgres-*.log"), key=lambda path: path.stat().st_mtime)
    with log.open("a") as stream:
        stream.write("2020-01-01 00:00:00 UTC [1] postmaster  FATAL:  an earlier failure\n")
    configuration = cluster.data / "postgresql.conf"
    configuration.rename(configuration.with_suffix(".away"))  # of that PostgreSQL complains without a FATAL
    try:
        with pytest.raises(DatabaseUnavailable, match=r"did not start: .*configuration file") as failed:
            cluster.up()
    finally:
        configuration.with_suffix(".away").rename(configuration)
    assert "an earlier failure" not in str(failed.value)
    cluster.up()


def test_a_refused_client_is_not_why_a_start_failed(cluster: Server) -> None:
    cluster.up()
    cluster.cluster.begin_start_log(accounts.choose(cluster.home, cluster.data))
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(str(cluster.url()), password="no")
    assert "password" not in cluster.cluster.last_words()


def test_two_homes_that_share_an_env_file_are_told_of_and_neither_takes_the_others_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = {"REVOPS_ENV_FILE": str(tmp_path / ".env")}
    homes = [{"REVOPS_HOME": str(RUN / f"shares {name}"), **shared} for name in "ab"]
    try:
        server.up(settings.load(homes[0], ROOT))
        url = server.up(settings.load(homes[0], ROOT))
        assert not caplog.records
        other = server.up(settings.load(homes[1], ROOT))
        assert "named the server of another folder" in caplog.text
        assert "REVOPS_ENV_FILE=" in caplog.text
        assert envfile.read(tmp_path / ".env")["REVOPS_EMBEDDED_URL"] == other != url
        server.down(settings.load(homes[0], ROOT))
        assert envfile.read(tmp_path / ".env")["REVOPS_EMBEDDED_URL"] == other
        Server(settings.load(homes[1], ROOT)).down()  # as after a crash: the line stays, and nobody answers
        caplog.clear()
        server.up(settings.load(homes[0], ROOT))
        assert "named the server of another folder" in caplog.text
    finally:
        for home in homes:
            server.down(settings.load(home, ROOT))
    assert not (tmp_path / ".env").exists()


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def _password(url: str) -> str | None:
    return urlsplit(url).password


def _port(server: Server) -> int:
    url = server.url()
    assert url is not None
    return int(url.rpartition(":")[2].partition("/")[0])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _poll(connection: psycopg2.extensions.connection) -> None:
    import select

    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        reading = [connection.fileno()] if state == psycopg2.extensions.POLL_READ else []
        writing = [connection.fileno()] if state == psycopg2.extensions.POLL_WRITE else []
        select.select(reading, writing, [], 10)
