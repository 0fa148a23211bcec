"""The embedded server's settings, scaled to the machine. Pure arithmetic over measured facts; starts nothing.

Which settings matter, and in which order, was measured at full scale: docs/decisions.md.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Machine:
    """What a server may use: memory and free disk in bytes, cores, and the size of /dev/shm (None: there is none)."""

    memory: int
    cores: int
    disk: int
    shm: int | None = None

    @classmethod
    def measure(cls, folder: Path) -> Machine:
        """The machine, or the container where that allows less; disk is what is free around `folder`."""
        import psutil

        memory = min([int(psutil.virtual_memory().total), *_container_memory()])
        shm = Path("/dev/shm")
        return cls(
            memory=memory,
            cores=max(1, min([_affinity(), *_container_cores()])),
            disk=shutil.disk_usage(folder).free,
            shm=shutil.disk_usage(shm).free if shm.is_dir() else None,
        )


def server_settings(machine: Machine, version: int = 18) -> dict[str, str]:
    """PostgreSQL settings for one warehouse server of a major version that shares the machine with its loaders."""
    work_mem = _clamp(machine.memory // 24, 16 * MIB, GIB)
    settings = {
        # Bulk loads: CTAS and COPY into a new table write no WAL; nothing replicates from here.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        # What is kept on disk of a first build: new tables need no full pages, so that more room would save nothing.
        "max_wal_size": _mb(_clamp(machine.disk // 8, GIB, 4 * GIB)),
        "min_wal_size": _mb(_clamp(machine.disk // 32, 80 * MIB, GIB)),
        "checkpoint_timeout": "15min",
        "wal_buffers": "16MB",
        "synchronous_commit": "off",  # a crash may lose the last moments, never the order; a rerun converges
        "fsync": "on",
        "full_page_writes": "on",
        "shared_buffers": _mb(_clamp(machine.memory // 6, 128 * MIB, 8 * GIB)),
        "effective_cache_size": _mb(machine.memory * 3 // 5),
        "work_mem": _mb(work_mem),  # 1 GB holds the label join in one batch and so keeps the date order
        "maintenance_work_mem": _mb(_clamp(machine.memory // 24, 64 * MIB, GIB)),
        "jit": "off",
        "max_worker_processes": str(max(8, 3 * machine.cores)),
        # Enough for two statements at once: a query that starts while all workers are busy stays serial to its end.
        "max_parallel_workers": str(2 * machine.cores),
        "max_parallel_workers_per_gather": str(min(machine.cores, 4)),
        "max_parallel_maintenance_workers": str(_clamp(machine.cores // 2, 1, 4)),
        "random_page_cost": "1.1",
        # At the default, a join of millions of rows stays serial, because all of them pass through the leader.
        "parallel_tuple_cost": "0.01",
        "max_connections": "60",
        "max_locks_per_transaction": "256",  # one lock per partition and index touched
        "autovacuum": "on",
    }
    if version >= 18:
        settings["io_method"] = (
            "sync"  # what is read is in the system's cache, and passing it between processes costs a tenth
        )
    # Parallel hash joins live in /dev/shm; containers often give it 64 MB, and a query then dies on "No space left".
    if machine.shm is not None and machine.shm < 3 * work_mem:
        settings["dynamic_shared_memory_type"] = "mmap"
    return settings


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _mb(size: int) -> str:
    return f"{size // MIB}MB"


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _first_line(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []


def _container_memory() -> list[int]:
    limits = []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        for word in _first_line(path)[:1]:
            if word.isdigit() and int(word) >= 256 * MIB:
                limits.append(int(word))
    return limits


def _container_cores() -> list[int]:
    quota = _first_line("/sys/fs/cgroup/cpu.max")
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]) > 0:
        return [max(1, round(int(quota[0]) / int(quota[1])))]
    return []


def as_configuration(settings: Mapping[str, str]) -> str:
    """The text of a PostgreSQL configuration file; values are quoted as its parser wants."""
    lines = [f"{name} = '" + value.replace("\\", "\\\\").replace("'", "''") + "'" for name, value in settings.items()]
    return "\n".join(lines) + "\n"
