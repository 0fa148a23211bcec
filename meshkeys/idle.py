"""Plans and runs that find nothing to do: SQLMesh calls no hook around them, yet a plan before may have been killed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from functools import wraps
from typing import Any

import psycopg2

from meshkeys import change, lock, sessions
from meshkeys.errors import LockHeld

_log = logging.getLogger(__name__)


def watch() -> None:
    """Has `Context.plan` and `Context.run` end by putting back what is set aside, where no hook of theirs did."""
    from sqlmesh.core.context import GenericContext

    for name in ("plan", "run"):
        original = getattr(GenericContext, name)
        if original.__module__ != __name__:
            setattr(GenericContext, name, _watched(original))


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def watched(context: Any, *args: Any, **options: Any) -> Any:
        before = change.begun()
        result = original(context, *args, **options)
        if change.begun() == before and context.engine_adapter.dialect == "postgres":
            _put_back(context.engine_adapter.connection)
        return result

    watched.__module__ = __name__
    return watched


def _put_back(connection: Any) -> None:
    try:
        with closing(sessions.beside(connection)) as own, own.cursor() as cursor:
            lock.acquire(cursor)
            change.put_back(cursor)
            lock.release(cursor)
    except (LockHeld, psycopg2.Error) as error:  # whoever holds the lock puts it back
        _log.info("nothing was put back: %s", str(error).strip().splitlines()[0])
