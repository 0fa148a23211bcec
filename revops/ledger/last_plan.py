"""Owns ops.planned: whether prod shows the project as its files are now, so that a build need not ask SQLMesh for seconds.

What was planned is noted when a build ends, with the files' digest, SQLMesh's id of prod's plan and the day: a changed file and a
plan by other means each make SQLMesh look again, and so does a day that has ended where a model asks for the time. A build that
fails leaves no note. SQLMesh evaluates the days that have ended since its last plan at the next one, and finds them as they are.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import meshkeys
from foundation.queries import relations_exist, scalar
from meshkeys.names import in_letters

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_HOOKS = (Path(meshkeys.__file__).parent, Path(__file__).parent)
PARTS = ("config.yaml", "models", "macros", "audits", "seeds", "external_models", "linter")

# By way of JSON: an earlier version of this table has no such column.
_IS_CURRENT = """
SELECT EXISTS (
    SELECT FROM ops.planned JOIN sqlmesh._environments AS environment USING (plan_id)
    WHERE environment.name = 'prod' AND project = %s
      AND (planned_on = %s OR NOT EXISTS (SELECT FROM ops.models AS m
                                          WHERE coalesce((to_jsonb(m) ->> 'asks_for_the_time')::boolean, true))))
"""
_RECORD = """
INSERT INTO ops.planned (project, plan_id, planned_on)
SELECT %s, plan_id, %s FROM sqlmesh._environments WHERE name = 'prod'
"""


def project_digest(root: Path) -> str:
    """A digest of all that a plan depends on: the project's files, the hooks' code, SQLMesh's and Python's versions."""
    digest = hashlib.sha256(f"{metadata.version('sqlmesh')} {sys.version}".encode())
    for part in (*(root / name for name in PARTS), *_HOOKS):
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(part.parent)} {file.stat().st_size} ".encode())
                digest.update(file.read_bytes())
    return in_letters(digest.hexdigest()[:32])


def is_current(cursor: Cursor, project: str, day: date) -> bool:
    """Whether prod was planned from this project, on this day where that matters, and has not been planned since."""
    if not relations_exist(cursor, "ops.planned", "ops.models", "sqlmesh._environments"):
        return False
    return bool(scalar(cursor, _IS_CURRENT, (project, day)))


def forget(cursor: Cursor) -> None:
    """Before a plan: what it does is known when it has ended."""
    cursor.execute("DELETE FROM ops.planned")


def record(cursor: Cursor, project: str, day: date) -> None:
    """After a build: prod was planned from this project on this day."""
    forget(cursor)
    cursor.execute(_RECORD, (project, day))
