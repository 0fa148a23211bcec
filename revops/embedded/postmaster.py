"""The processes of one embedded server: found by the folder they work in, watched, ended. Owns no file."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import DatabaseUnavailable

STOP_SECONDS = 120  # a fast stop writes all dirty pages first


@dataclass(frozen=True)
class Postmaster:
    """What a `postmaster.pid` says."""

    pid: int
    data: str
    port: int
    ready: bool


def read(data: Path) -> Postmaster | None:
    """The contents of `postmaster.pid`; None where there is none, or where it is cut short."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        return Postmaster(int(lines[0]), lines[1], int(lines[3]), len(lines) > 7 and lines[7].strip() == "ready")
    except (FileNotFoundError, IndexError, ValueError):
        return None


def running(data: Path) -> Postmaster | None:
    """The server that works in `data`, if its process lives."""
    found = read(data)
    return found if found is not None and _is_of(data, found) else None


def works_in(data: Path, pid: int) -> bool | None:
    """Whether a process is a PostgreSQL that works in `data`; None where we may not look at it."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        return os.path.realpath(process.cwd()) == os.path.realpath(data)
    except psutil.AccessDenied:
        return None
    except psutil.NoSuchProcess:
        return False


def _is_of(data: Path, found: Postmaster) -> bool:
    """Whether it is the server of `data`; of a process of another user its file says so, unless that was copied."""
    works = works_in(data, found.pid)
    return os.path.realpath(found.data) == os.path.realpath(data) if works is None else works


def drop_stale_pid(data: Path) -> None:
    """Removes a `postmaster.pid` that is cut short, or was copied, or whose pid now belongs to another program or to a zombie.

    With any of these PostgreSQL refuses to start; a pid that is simply gone it handles itself.
    """
    import psutil

    found = read(data)
    if found is None or (psutil.pid_exists(found.pid) and not _is_of(data, found)):
        (data / "postmaster.pid").unlink(missing_ok=True)


def orphans(data: Path) -> list[int]:
    """Backends whose postmaster was killed: a busy one works on, and holds the server's shared memory."""
    import psutil

    server = running(data)
    pids = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.NoSuchProcess):
            if not (process.info["name"] or "").startswith("postgres"):
                continue
            living = server is not None and server.pid in (process.pid, process.ppid())
            if not living and works_in(data, process.pid):
                pids.append(process.pid)
    return pids


def end_orphans(data: Path) -> bool:
    """Ends them, if need be by force; returns whether there were any. None of their work could be committed any more."""
    pids = orphans(data)
    for end in (signal.SIGQUIT, signal.SIGKILL):
        _send(end, filter(alive, pids))
        if wait(lambda: not any(map(alive, pids)), 5):
            break
    return bool(pids)


def stop(data: Path, pid: int) -> None:
    """Stops a server: fast, then immediate, then by force.

    Raises:
        DatabaseUnavailable: it lives on.
    """
    for end, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 20), (signal.SIGKILL, 10)):
        _send(end, [pid])
        if wait(lambda: not alive(pid), seconds):
            end_orphans(data)
            return
    raise DatabaseUnavailable(f"The embedded server (process {pid}) does not stop.")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits until a condition holds, for so long at most; returns whether it does."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return True


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
