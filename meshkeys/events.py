"""What SQLMesh calls around its own work: the macros of `meshkeys.macros` lead here, and nowhere else.

Kept out of macros/ because the code of a macro is part of the version of every model that uses it: a change here must not make
new versions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from meshkeys import (
    bulk,
    change,
    declarations,
    dependents,
    evaluations,
    keys,
    materialized_views,
    parents,
    promotions,
    sessions,
)
from meshkeys.catalog import Relation
from meshkeys.settings import current
from meshkeys.sqlmesh_inside import evaluated_range, evaluated_snapshot, physical_name

if TYPE_CHECKING:
    from sqlmesh.core.macros import MacroEvaluator

    from meshkeys.declarations import Declarations


def _on_postgres(event: Callable[[MacroEvaluator], None]) -> Callable[[MacroEvaluator], None]:
    """On any other engine nothing is done, so that the same models run there."""

    @wraps(event)
    def checked(evaluator: MacroEvaluator) -> None:
        if evaluator.engine_adapter.dialect == "postgres":
            event(evaluator)

    return checked


@_on_postgres
def before_evaluation(evaluator: MacroEvaluator) -> None:
    """Fills a table of days that is still empty, in place of SQLMesh; lets a table lose rows that foreign keys point at."""
    snapshot = evaluated_snapshot(evaluator)
    if snapshot is None or not snapshot.model.is_sql:
        return  # the rows of a Python model are computed once, by SQLMesh
    model = snapshot.model
    table = Relation.of(physical_name(evaluator))
    cursor = evaluator.engine_adapter.cursor
    if model.kind.is_incremental_by_time_range:
        declared = declarations.of(model)
        bulk.fill(cursor, table, partial(_queries, evaluator, declared), declared)
    elif model.kind.is_full:
        parents.make_way(cursor, table, partial(_query, evaluator))


def after_evaluation(evaluator: MacroEvaluator) -> None:
    """On PostgreSQL, see `_after_evaluation`; on another engine what the project's settings say, else nothing."""
    elsewhere = current().elsewhere
    if evaluator.engine_adapter.dialect == "postgres":
        _after_evaluation(evaluator)
    elif elsewhere is not None:
        elsewhere(evaluator)


def _after_evaluation(evaluator: MacroEvaluator) -> None:
    """Brings the evaluated table to its declared keys and indexes, or the materialized view to its new contents.

    Runs inside the transaction of the evaluation, so a new table becomes visible with its keys. A materialized view reads
    committed tables, and is committed separately.
    """
    snapshot = evaluated_snapshot(evaluator)
    if snapshot is None:
        return
    model = snapshot.model
    declared = declarations.of(model)
    relation = Relation.of(physical_name(evaluator))
    cursor = evaluator.engine_adapter.cursor
    if model.kind.is_view:
        if declared.materialized_view is not None:
            query = evaluator.resolve_tables(model.render_query_or_raise())
            with sessions.aside(cursor) as own:  # so that no lock is held until SQLMesh commits
                materialized_views.refresh(own, relation, query.sql(dialect="postgres", comments=False), declared)
    else:
        if model.kind.is_incremental_by_time_range:
            bulk.finish(cursor, relation)
        keys.build(cursor, relation, declared)
        evaluations.record(cursor, relation, model, _days(evaluator))


@_on_postgres
def before_creation(evaluator: MacroEvaluator) -> None:
    """Makes SQLMesh leave a view in place that it is about to bind to other tables: see `promotions`."""
    promotions.watch(evaluator.engine_adapter)


@_on_postgres
def before_promotion(evaluator: MacroEvaluator) -> None:
    """Makes SQLMesh leave the environment's view in place, where the new version allows it: see `promotions`."""
    promotions.begin(evaluator.engine_adapter, Relation.of(physical_name(evaluator)))


@_on_postgres
def after_promotion(evaluator: MacroEvaluator) -> None:
    """Shows the new version, from what is materialized of it, and restores what had to be dropped."""
    view = Relation.of(physical_name(evaluator))
    promotions.finish(evaluator.engine_adapter.cursor, view, declarations.of(_model(evaluator)))


@_on_postgres
def before_demotion(evaluator: MacroEvaluator) -> None:
    """Drops the view of a model that an environment no longer has, with views of others above it, which stop SQLMesh's DROP."""
    dependents.drop(evaluator.engine_adapter.cursor, Relation.of(physical_name(evaluator)))


@_on_postgres
def before_change(evaluator: MacroEvaluator) -> None:
    """Takes the lock, and clears the way: see `change.begin`."""
    change.begin(*_environment(evaluator))


@_on_postgres
def after_change(evaluator: MacroEvaluator) -> None:
    """Settles what a plan or run left to do, and frees the lock: see `change.end`."""
    change.end(*_environment(evaluator))


def _environment(evaluator: MacroEvaluator) -> tuple[Any, str, list[Any]]:
    snapshots = [snapshot for snapshot in evaluator.snapshots.values() if snapshot.is_model]
    return evaluator.engine_adapter, evaluator.this_env, snapshots


def _queries(evaluator: MacroEvaluator, declared: Declarations) -> list[str]:
    """The model's query for the range that is evaluated, or for each of the ranges in which it may be filled."""
    start, end, _ = evaluated_range(evaluator)
    days: list[date] = []
    if declared.filled_like is not None:
        column = evaluated_snapshot(evaluator).model.time_column.column.name
        parent = evaluator.resolve_tables(exp.to_table(declared.filled_like))
        days = bulk.cuts(evaluator.engine_adapter.cursor, Relation.of(parent), column)
    starts = [start, *(f"{day} 00:00:00" for day in days if start < str(day) <= end)]
    ends = [*(f"{date.fromisoformat(later[:10]) - timedelta(1)} 23:59:59.999999" for later in starts[1:]), end]
    return [_query(evaluator, between) for between in zip(starts, ends, strict=True)]


def _query(evaluator: MacroEvaluator, between: tuple[str, str] | None = None) -> str:
    """The model's query on physical tables, for a range, else that which is evaluated; of a model of days, restricted to it."""
    model = evaluated_snapshot(evaluator).model
    start, end, execution = evaluated_range(evaluator)
    start, end = between or (start, end)
    # Unoptimized, in a fraction of the time: what SQLMesh adds are names that PostgreSQL finds by itself.
    query = model.render_query_or_raise(start=start, end=end, execution_time=execution, needs_optimization=False)
    if model.kind.is_incremental_by_time_range and not current().models_select_their_days:
        low, high = map(model.convert_to_time_column, (start, end))
        within = exp.Between(this=model.time_column.column.copy(), low=low, high=high)
        query = exp.select("*").from_(query.subquery("rows_of_days")).where(within)
    return str(evaluator.resolve_tables(query).sql(dialect="postgres", comments=False))


def _model(evaluator: MacroEvaluator) -> Any:
    return evaluator.snapshots[evaluator.this_model_fqn].model


def _days(evaluator: MacroEvaluator) -> tuple[str, str]:
    start, end, _ = evaluated_range(evaluator)
    return start[:10], end[:10]
