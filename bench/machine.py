"""Owns what each measurement says of the machine that it ran on, and whether its figures are stable."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from contextlib import closing
from importlib import metadata

import psutil
import psycopg2

MOST_SPREAD = 0.15


def described(dsn: str) -> str:
    """Cores, memory, versions and the load before the measurement begins."""
    with closing(psycopg2.connect(dsn)) as connection:
        version = connection.info.parameter_status("server_version")
    load = os.getloadavg()[0]
    cores = psutil.cpu_count() or 1
    busy = "  The machine is busy: figures will not be stable.\n" if load > cores / 2 else ""
    return (
        f"{cores} cores, {psutil.virtual_memory().total / 2**30:.0f} GB; PostgreSQL {version},"
        f" Python {platform.python_version()}, SQLMesh {metadata.version('sqlmesh')}; load {load:.1f}\n{busy}"
    )


def spread(values: Sequence[float]) -> float:
    """The range of the values as a share of their median; 0 for a single value."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if len(values) > 1 and middle else 0.0


def verdict(*series: Sequence[float]) -> str:
    """What to think of the medians of these series of rounds, empty where all are stable."""
    if min(map(len, series)) < 3:
        return " (too few rounds to call it stable)"
    widest = max(map(spread, series))
    return "" if widest <= MOST_SPREAD else f" (not stable: spread {widest:.0%})"
