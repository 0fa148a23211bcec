"""The embedded server's files: data folder, password, configuration, socket folder, log. Starts only what makes them."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from foundation import private_files
from foundation.database import redact
from foundation.errors import DatabaseUnavailable
from revops.embedded import tuning
from revops.embedded.account import Account
from revops.settings import VERSIONS, versions

HOST = "127.0.0.1"
ROLE = "warehouse"
SOCKET_PATH_LIMIT = 103  # bytes without the final zero: 107 on Linux, 103 on macOS
HBA = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
INCLUDE = "\n# Rewritten at each start; settings made with ALTER SYSTEM win over it.\ninclude 'revops.conf'\n"

_log = logging.getLogger(__name__)

FIXED: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, YMD",
    # Ends the statement of a killed client: otherwise it works on, and the next run meets its locks and its rows.
    "client_connection_check_interval": "2s",
    "lc_messages": "C",
    # The log: one file per weekday, overwritten each week. It holds no statement and no row of data (terse: no
    # DETAIL, no CONTEXT), because either may hold a password or card data.
    "logging_collector": "on",
    "log_filename": "postgres-%a.log",
    "log_file_mode": "0600",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] %b %a ",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


class Cluster:
    """The files of one server below `home`.

    `postgres-<major>/` the data, `password`, `run/` the Unix socket, `log/` the server's log.
    """

    def __init__(self, home: Path, version: int, programs: Path) -> None:
        self.home = home
        self.version = version
        self.programs = programs
        self.data = home / f"postgres-{version}"
        self.log_folder = home / "log"
        self.start_log = self.log_folder / "start.log"
        self._said_before: dict[Path, int] = {}

    def prepare(self, account: Account) -> None:
        """Creates what is missing, owned by the account that runs the server."""
        if account.switch and not account.owns_home:
            os.chown(self.home, 0, account.gid)
            self.home.chmod(0o710)
        elif account.switch:
            account.give(self.home, 0o700)
        for folder in (self.log_folder, self.home / "run"):
            folder.mkdir(exist_ok=True)
            account.give(folder, 0o700)
        self._refuse_another_version()
        if not (self.data / "PG_VERSION").exists():
            self._initdb(account)
        elif not (self.home / "password").exists():
            self.set_password(account, secrets.token_hex(24))
        elif (original := self._copied_from()) is not None:
            _log.warning("%s is a copy of %s: it gets its own password and port", self.home, original)
            (self.home / "port").unlink(missing_ok=True)
            self.set_password(account, secrets.token_hex(24))
        for leftover in self.socket_folder(account).glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)

    def password(self) -> str:
        """The role's password.

        Raises:
            DatabaseUnavailable: its file is gone.
        """
        try:
            return (self.home / "password").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise DatabaseUnavailable(
                f"{self.home / 'password'} is gone while the server runs.\n"
                f"  Run  revops down  and  revops up : a new one is made."
            ) from None

    def _refuse_another_version(self) -> None:
        """Finds data that no server here can read: a start would fail, or ignore it and begin with an empty folder."""
        made_by = self.data / "PG_VERSION"
        if made_by.exists() and (found := made_by.read_text(encoding="ascii").strip()) != str(self.version):
            raise DatabaseUnavailable(
                f"{self.data} is of PostgreSQL {found}, not {self.version}.\n"
                f"  Name the folder postgres-{found}, or set REVOPS_HOME to another folder."
            )
        others = [version for version in versions(self.home) if version not in VERSIONS]
        if others and not self.data.exists():
            raise DatabaseUnavailable(
                f"{self.home} holds a warehouse of PostgreSQL {others[-1]}, for which no server is installed here.\n"
                f"  Use the installation that made it, or set REVOPS_HOME to another folder."
            )

    def _copied_from(self) -> Path | None:
        """The folder that this one is a copy of, if that is still there (else it was moved): its last settings say where."""
        settings = (self.data / "revops.conf").read_text(encoding="utf-8")
        noted = re.search(r"^log_directory = '(.*)'$", settings, flags=re.MULTILINE)
        if noted is None:
            return None
        original = Path(noted[1].replace("''", "'").replace("\\\\", "\\")).parent
        is_there = (original / self.data.name / "PG_VERSION").exists()
        return original if is_there and not original.samefile(self.home) else None

    def configure(self, account: Account, port: int) -> None:
        """Rewrites the settings for this machine as it is now."""
        settings = tuning.server_settings(tuning.Machine.measure(self.home), self.version) | {
            **FIXED,
            "port": str(port),
            "log_directory": str(self.log_folder),
            "unix_socket_directories": '"' + str(self.socket_folder(account)).replace('"', '""') + '"',
        }
        self._write(account, self.data / "revops.conf", tuning.as_configuration(settings))

    def socket_folder(self, account: Account) -> Path:
        """`run/`, or a private folder with a short path where a socket's path would be too long."""
        folder = self.home / "run"
        if len(os.fsencode(folder / ".s.PGSQL.65535.lock")) <= SOCKET_PATH_LIMIT:
            return folder
        mark = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:12]
        folder = Path("/tmp") / f"revops-{account.uid}-{mark}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.lstat().st_uid not in (account.uid, os.geteuid()):
            raise DatabaseUnavailable(
                f"{folder} belongs to another user.\n  Remove it, or set REVOPS_HOME to a shorter path."
            )
        account.give(folder, 0o700)
        return folder

    def begin_start_log(self, account: Account) -> None:
        """Begins the log of a start, which holds what PostgreSQL says before its own log is open."""
        self._write(account, self.start_log, "")
        self._said_before = {path: path.stat().st_size for path in self.log_folder.glob("*.log")}

    def last_words(self) -> str:
        """The last fatal line that was logged since this start began: why it failed. A refused client is no reason."""
        for path in sorted(self.log_folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True):
            before = self._said_before.get(path, 0)
            said = path.read_bytes()[before if path.stat().st_size >= before else 0 :].decode(errors="replace")
            fatal = re.findall(r"^(?!.* client backend ).*\b((?:FATAL|PANIC): .*)$", said, flags=re.MULTILINE)
            if fatal:
                return str(fatal[-1])
        return last_line(self.start_log.read_text(encoding="utf-8", errors="replace"))

    def _initdb(self, account: Account) -> None:
        """Makes the data beside its final place, so that a start killed half-way leaves nothing half made."""
        new = self.data.with_name(self.data.name + ".new")
        for half_made in (new, self.data):  # without PG_VERSION it is no cluster
            if half_made.exists():
                shutil.rmtree(half_made)
        new.mkdir(mode=0o700)
        account.give(new, 0o700)
        # Another version's data in this folder has a password already, and keeps it.
        kept = (self.home / "password").exists()
        password = self.password() if kept else secrets.token_hex(24)
        # C.UTF-8 from PostgreSQL itself: code-point order (fast, and no upgrade of the operating system can spoil an
        # index) with upper and lower that know Unicode. 16 has no such provider: plain C, the same but for upper, lower.
        builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.version >= 17 else []
        with self._password_file(account, password) as password_file:
            done = account.run(
                [
                    *(str(self.programs / "initdb"), f"--pgdata={new}", f"--username={ROLE}"),
                    *("--encoding=UTF8", "--locale=C", *builtin, "--data-checksums", "--no-instructions"),
                    *("--auth=scram-sha-256", f"--pwfile={password_file}"),
                ],
                capture_output=True,
            )
        if done.returncode != 0:
            shutil.rmtree(new)
            raise DatabaseUnavailable(f"Could not make the database's folder {self.data}: {last_line(done.stderr)}")
        self._write(account, new / "pg_hba.conf", HBA)
        self._write(account, new / "revops.conf", "")
        with (new / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.write(INCLUDE)
        if not kept:
            private_files.write_private(self.home / "password", password + "\n")
        new.rename(self.data)

    def set_password(self, account: Account, password: str) -> None:
        """Gives the role of a stopped server a password; it goes through a pipe, not the command line."""
        done = account.run(
            [
                str(self.programs / "postgres"),
                "--single",
                "-D",
                str(self.data),
                "-c",
                "logging_collector=off",
                "postgres",
            ],
            input=f"ALTER ROLE {ROLE} PASSWORD '{password}'\n",
            capture_output=True,
            stdin=None,
        )
        if done.returncode != 0:
            raise DatabaseUnavailable(f"Could not set the server's password: {last_line(done.stderr)}")
        private_files.write_private(self.home / "password", password + "\n")

    @contextmanager
    def _password_file(self, account: Account, password: str) -> Iterator[Path]:
        handle, name = tempfile.mkstemp(dir=self.home / "run")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(password + "\n")
            account.give(Path(name), 0o600)
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _write(self, account: Account, path: Path, text: str) -> None:
        private_files.write_private(path, text)
        account.give(path, 0o600)


def last_line(output: str) -> str:
    """The last line that says something, without any password."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return redact(lines[-1]) if lines else "no message"
