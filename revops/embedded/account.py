"""The system user that runs PostgreSQL where we are root (it refuses root), and what that user may reach."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import DatabaseUnavailable

SYSTEM_USER = "pgserver"  # the name that the wheel itself uses
FALLBACKS = ("postgres", "nobody")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """Who runs the server.

    Attributes:
        uid: its user id.
        gid: its group id.
        name: its name.
        switch: True where we are root and have to switch to it.
        owns_home: whether our own files under `.warehouse/` belong to it too (root working in another user's folder).
    """

    uid: int
    gid: int
    name: str
    switch: bool
    owns_home: bool

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        """Runs a command as this user, with a clean environment, and returns it finished with its output as text."""
        if self.switch:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        defaults: dict[str, object] = {
            "cwd": "/",
            "env": {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "HOME": "/"},
            "stdin": subprocess.DEVNULL,
            "text": True,
            "errors": "replace",
            "check": False,
        }
        return subprocess.run(command, **(defaults | options))  # type: ignore[call-overload,no-any-return]

    def give(self, path: Path, mode: int) -> None:
        """Makes a file or folder this user's own, with this mode."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        path.chmod(mode)

    def reaches(self, path: Path, flag: str = "-r") -> bool:
        """Whether this user can open a path (`-r`) or enter or execute it (`-x`)."""
        return self.run(["/bin/sh", "-c", f'test {flag} "$1"', "sh", str(path)]).returncode == 0


def choose(home: Path, data: Path) -> Account:
    """The account for the server whose data is (or will be) in `data`.

    Without root, the current user. For root: the owner of the data, else the owner of the project's folder, else a system user.
    """
    if os.geteuid() != 0:
        return Account(
            os.geteuid(), os.getegid(), _name(os.geteuid()) or str(os.geteuid()), switch=False, owns_home=False
        )
    nearest = home
    while not nearest.exists():
        nearest = nearest.parent
    project = nearest if nearest != home else home.parent
    owner = project.stat().st_uid
    if data.exists() and data.stat().st_uid != 0:
        uid = data.stat().st_uid
        if _name(uid) is not None:
            return _switch_to(uid, owns_home=uid == owner)
    if owner != 0 and _name(owner) is not None:
        return _switch_to(owner, owns_home=True)
    return _switch_to(_system_user(), owns_home=False)


def open_way(account: Account, path: Path) -> None:
    """Lets the system user pass through the folders above `path`, no more: search permission, not reading."""
    if not account.switch or account.reaches(path, "-x"):
        return
    for folder in reversed(path.parents):
        if account.reaches(folder, "-x"):
            continue
        setfacl = shutil.which("setfacl")
        if (
            setfacl is None
            or subprocess.run([setfacl, "-m", f"u:{account.uid}:--x", folder], capture_output=True).returncode
        ):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
        _log.warning("%s: system user %s may now pass through (not list) it to reach the server", folder, account.name)


def open_tree(account: Account, folder: Path) -> None:
    """Makes the wheel's binaries readable and executable to the system user, where the installer's umask forbade it."""
    if not account.switch:
        return
    open_way(account, folder)
    if account.reaches(folder / "bin" / "postgres", "-x") and account.reaches(folder / "bin" / "postgres"):
        return
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o044 | (0o011 if mode & stat.S_IXUSR else 0))
    if not account.reaches(folder / "bin" / "postgres", "-x"):
        raise DatabaseUnavailable(
            f"System user {account.name} cannot execute {folder}/bin/postgres (PostgreSQL refuses to run as root).\n"
            f"  Run as an ordinary user, or install the project under a folder that others may enter."
        )


def _switch_to(uid: int, owns_home: bool) -> Account:
    entry = pwd.getpwuid(uid)
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, switch=True, owns_home=owns_home)


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _system_user() -> int:
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_uid
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is not None:
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(command, capture_output=True, check=False)  # two at once: the second finds it below
    for name in (SYSTEM_USER, *FALLBACKS):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise DatabaseUnavailable(
        "PostgreSQL refuses to run as root, and no other system user could be made.\n  Run as one."
    )
