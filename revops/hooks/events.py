"""What SQLMesh calls around its own work: the macros of macros/declarations.py lead here, and nowhere else.

Kept out of macros/ because the code of a macro is part of the version of every model that uses it; what is done here is no
part of what a model says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from revops.hooks import bulk, change, declarations, dependents, evaluations, keys, locks, materialized_views, parents
from revops.hooks.catalog import Relation

if TYPE_CHECKING:
    from sqlmesh.core.macros import MacroEvaluator


def before_evaluation(evaluator: MacroEvaluator) -> None:
    """Fills a table of days that is still empty, in place of SQLMesh; lets a table lose rows that foreign keys point at."""
    model = evaluator.locals["snapshot"].model
    table = Relation.of(evaluator.locals["this_model"])
    cursor = evaluator.engine_adapter.cursor
    if model.kind.is_incremental_by_time_range:
        bulk.fill(cursor, table, _query(evaluator), declarations.of(model))
    elif model.kind.is_full and model.is_sql:
        parents.make_way(cursor, table, _query(evaluator))


def after_evaluation(evaluator: MacroEvaluator) -> None:
    """Brings the evaluated table to its declared keys and indexes, or the materialized view to its new contents.

    Runs inside the transaction of the evaluation: a table that is new becomes visible with its keys.
    """
    model = evaluator.locals["snapshot"].model
    declared = declarations.of(model)
    relation = Relation.of(evaluator.locals["this_model"])
    cursor = evaluator.engine_adapter.cursor
    if model.kind.is_view:
        if declared.materialized_view is not None:
            query = evaluator.resolve_tables(model.render_query_or_raise())
            materialized_views.refresh(cursor, relation, query.sql(dialect="postgres", comments=False), declared)
    else:
        if model.kind.is_incremental_by_time_range:
            bulk.finish(cursor, relation)
        keys.build(cursor, relation, declared)
        evaluations.record(cursor, relation, model, _days(evaluator))


def before_promotion(evaluator: MacroEvaluator) -> None:
    """Drops the environment's view, as SQLMesh is about to, but without making others queue behind a long reader of it.

    SQLMesh would wait for that reader for as long as it takes, and whoever asks for the view meanwhile would wait with it.
    """
    view = Relation.of(evaluator.locals["this_model"])
    statement = sql.SQL("DROP VIEW IF EXISTS {} CASCADE").format(view.identifier)
    locks.patiently(evaluator.engine_adapter.cursor, statement)


def after_promotion(evaluator: MacroEvaluator) -> None:
    """Points the environment's view, just made anew by SQLMesh, at what is materialized, and restores what hung on it."""
    view = Relation.of(evaluator.locals["this_model"])
    cursor = evaluator.engine_adapter.cursor
    if declarations.of(_model(evaluator)).materialized_view is not None:
        materialized_views.serve(cursor, view)
    dependents.restore(cursor, view)


def before_change(evaluator: MacroEvaluator) -> None:
    """Takes the lock, and clears the way: see `change.begin`."""
    change.begin(*_environment(evaluator))


def after_change(evaluator: MacroEvaluator) -> None:
    """Settles what a plan or run left to do, and frees the lock: see `change.end`."""
    change.end(*_environment(evaluator))


def _environment(evaluator: MacroEvaluator) -> tuple[Any, str, list[Any]]:
    snapshots = [snapshot for snapshot in evaluator._snapshots.values() if snapshot.is_model]
    return evaluator.engine_adapter, str(evaluator.locals["this_env"]), snapshots


def _query(evaluator: MacroEvaluator) -> str:
    """The model's query on physical tables, for the range that is evaluated."""
    span = {name: evaluator.locals[f"{name}_ts"] for name in ("start", "end", "execution")}
    query = evaluator.locals["snapshot"].model.render_query_or_raise(
        start=span["start"], end=span["end"], execution_time=span["execution"]
    )
    return str(evaluator.resolve_tables(query).sql(dialect="postgres", comments=False))


def _model(evaluator: MacroEvaluator) -> Any:
    return next(s.model for s in evaluator._snapshots.values() if s.is_model and s.model.fqn == evaluator._model_fqn)


def _days(evaluator: MacroEvaluator) -> tuple[str, str]:
    return str(evaluator.locals["start_ds"]), str(evaluator.locals["end_ds"])
