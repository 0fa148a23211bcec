"""The whole project in a database: every relation's rows, to compare a warehouse with one that was never disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.conftest import ROOT
from tests.end_to_end.warehouse import Warehouse

LAYERS = ("raw", "staging", "dimensions", "facts", "quality", "features", "serving")
# Ids and times of a landing differ from one landing of the same files to the next.
OF_THE_LANDING = ("_file_id", "_loaded_at", "last_landed_at")

_RELATIONS = """
SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition ORDER BY 1
"""


def contents(warehouse: Warehouse, without: Sequence[str] = ()) -> dict[str, list[str]]:
    """Every row of every relation, as text, in order; without these columns."""
    found = {}
    for (name,) in warehouse.query(_RELATIONS, (list(LAYERS),)):
        rows = warehouse.query(f"SELECT (to_jsonb(t) - %s)::text FROM {name} AS t", ([*OF_THE_LANDING, *without],))
        found[name] = sorted(row for (row,) in rows)
    return found


def assert_same(found: Mapping[str, list[str]], expected: Mapping[str, list[str]]) -> None:
    """Equal to the last cell; names the relations that differ, with a row of each."""
    assert found.keys() == expected.keys()
    different = {
        name: {
            "here": sorted(set(found[name]) - set(expected[name]))[:2],
            "expected": sorted(set(expected[name]) - set(found[name]))[:2],
            "rows": (len(found[name]), len(expected[name])),
        }
        for name in expected
        if found[name] != expected[name]
    }
    assert not different, "\n".join(f"{name}: {rows}" for name, rows in different.items())


def command(warehouse: Warehouse, *arguments: str, program: tuple[str, ...] = ("-m", "loaders"), **environ: Any) -> Any:
    """A command of revops on the warehouse, as a process of its own; returns the finished process."""
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DB_CONNECTION_STRING": warehouse.url,
            "REVOPS_HOME": str(warehouse.root / "home"),
            "REVOPS_ENV_FILE": str(warehouse.root / "test.env"),
            "REVOPS_ROOT": str(warehouse.root),
            "REVOPS_PAN_KEY": "11" * 32,
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


def run(warehouse: Warehouse) -> None:
    """`revops run` on the warehouse's files, undisturbed."""
    done = command(warehouse, "run", "--data", str(warehouse.data))
    assert done.returncode == 0, done.stdout + done.stderr
