"""Plans and runs that find nothing to do: SQLMesh calls no hook around them, yet a plan before may have been killed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2

from meshkeys import change, lock, sessions, sqlmesh_inside
from meshkeys.errors import LockHeld, MeshkeysError, first_line

_log = logging.getLogger(__name__)


def watch() -> None:
    """Makes plans and runs around which SQLMesh calls no hook put back what was set aside, and shows our errors plainly."""
    sqlmesh_inside.around_plans_and_runs(_watched)


def _watched(call: Callable[[], Any], context: Any) -> Any:
    before = change.begun()
    try:
        result = call()
    except Exception as error:
        said = _ours(error)
        if said is None:
            raise
        from sqlmesh.utils.errors import SQLMeshError

        raise SQLMeshError(str(said)) from error  # SQLMesh would show it below a trace of its macros
    if change.begun() == before and context.engine_adapter.dialect == "postgres":
        _put_back(context.engine_adapter.connection)
    return result


def _ours(error: BaseException) -> MeshkeysError | None:
    """The error of ours behind another."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        if isinstance(cause, MeshkeysError):
            return cause
        causes.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _put_back(connection: Any) -> None:
    try:
        with closing(sessions.beside(connection)) as own, own.cursor() as cursor:
            lock.acquire(cursor)
            change.put_back(cursor)
            lock.release(cursor)
    except (LockHeld, psycopg2.Error) as error:  # the holder of the lock puts it back
        _log.info("nothing was put back: %s", first_line(error))
