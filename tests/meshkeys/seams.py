"""What the macro of test_sqlmesh_inside.py sees of SQLMesh, kept for the test to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meshkeys import sqlmesh_inside


@dataclass(frozen=True)
class Seen:
    """One call of the macro."""

    where: str
    stage: str
    plan: Any
    snapshots: list[Any]
    views: list[str] | None = None
    environment: str | None = None
    name: Any = None
    snapshot: Any = None
    range: tuple[str, str, str] | None = None
    model: Any = None


SEEN: list[Seen] = []
# Called with the adapter of each statement: SQLMesh makes one for each plan, which a test cannot get at otherwise.
ON_ADAPTER: list[Callable[[Any], object]] = []


def note(evaluator: Any, where: str) -> None:
    """Notes a call, at every stage but that of loading the project."""
    stage = evaluator.runtime_stage
    if stage == "loading":
        return
    for act in ON_ADAPTER:
        act(evaluator.engine_adapter)
    snapshots = [snapshot for snapshot in evaluator.snapshots.values() if snapshot.is_model]
    plan = sqlmesh_inside.applied_plan()
    if stage in ("before_all", "after_all"):
        SEEN.append(Seen(where, stage, plan, snapshots, views=evaluator.views, environment=evaluator.this_env))
        return
    SEEN.append(
        Seen(
            where,
            stage,
            plan,
            snapshots,
            name=sqlmesh_inside.physical_name(evaluator),
            snapshot=sqlmesh_inside.evaluated_snapshot(evaluator),
            range=sqlmesh_inside.evaluated_range(evaluator) if stage == "evaluating" else None,
            model=evaluator.snapshots[evaluator.this_model_fqn].model if where == "virtual" else None,
        )
    )
