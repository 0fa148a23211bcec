"""After each evaluation on another engine: checks the declared keys, and tells a build that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from meshkeys.sqlmesh_inside import evaluated_range, evaluated_snapshot, physical_name
from revops.engines import keys

if TYPE_CHECKING:
    from sqlmesh.core.macros import MacroEvaluator

    Listener = Callable[[Any, tuple[str, str] | None], None]

_CREATED_ONLY = "1970-01-01"
_listeners: list[Listener] = []


def after(evaluator: MacroEvaluator) -> None:
    """Called by the models' post-statements; SQLMesh runs these also where it only creates a table, with no range."""
    snapshot = evaluated_snapshot(evaluator)
    if snapshot is None or snapshot.model.kind.is_view:
        return
    first, last = (moment[:10] for moment in evaluated_range(evaluator)[:2])
    if first <= _CREATED_ONLY:
        return
    days = (first, last) if snapshot.model.kind.is_incremental_by_time_range else None
    keys.check(evaluator, snapshot.model, physical_name(evaluator), days)
    for listener in _listeners:
        listener(snapshot, days)


@contextmanager
def reported_to(listener: Listener) -> Iterator[None]:
    """While the block runs, `listener(snapshot, days)` is called after each evaluation, from several threads."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
