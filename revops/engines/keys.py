"""Declared keys on an engine that has none: checked after each evaluation, by queries made from the declarations.

A primary key or unique index is checked against the whole table, for the keys that were evaluated; a foreign key for the rows
that were. A failure ends the evaluation, before anything is promoted. Indexes and materialized views mean nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from foundation.errors import CheckFailed
from meshkeys import declarations
from meshkeys.catalog import Relation

if TYPE_CHECKING:
    from sqlmesh.core.macros import MacroEvaluator


def check(evaluator: MacroEvaluator, model: Any, table: Any, days: tuple[str, str] | None) -> None:
    """Checks what the model declares of its keys.

    Args:
        evaluator: the macro evaluator of the evaluation, for its adapter and the tables of other models.
        model: the model.
        table: its physical table.
        days: the first and last day evaluated; None for a table made whole.

    Raises:
        CheckFailed: a key is not unique, is empty, or refers to nothing; names model, columns and how many.
    """
    for what, query in checks(model, table, days):
        row = evaluator.engine_adapter.fetchone(evaluator.resolve_tables(query))
        if row is not None and row[0]:
            raise CheckFailed(f"{model.name}: {row[0]} {what}.\n  Look them up in the model's query, and correct it.")


def checks(model: Any, table: Any, days: tuple[str, str] | None) -> Iterator[tuple[str, Any]]:
    """What each check counts, in words, and its query: 0 where all is well."""
    declared = declarations.of(model)
    within = _within(model, days)
    uniques = [index.columns for index in declared.indexes if index.is_unique and index.where is None]
    for columns in filter(None, (declared.primary_key, *uniques)):
        named = ", ".join(columns)
        yield f"values of {named} occur more than once", _repeated(model, table, columns, within)
        if columns == declared.primary_key:
            is_null = exp.or_(*(exp.column(name, quoted=True).is_(exp.null()) for name in columns))
            yield f"rows are without {named}", _counted(table).where(is_null).where(*within)
    parents = {str(Relation.of(fqn)): fqn for fqn in model.depends_on}
    for key in declared.foreign_keys:
        if key.parent in parents:
            yield (
                f"rows have a {key.column} that is not in {key.parent}",
                _orphans(table, key, exp.to_table(parents[key.parent]), within),
            )


def _within(model: Any, days: tuple[str, str] | None) -> list[Any]:
    if days is None or not model.kind.is_incremental_by_time_range:
        return []
    first, last = (exp.cast(exp.Literal.string(day), "DATE") for day in days)
    return [exp.column(model.time_column.column.name, quoted=True).between(first, last)]


def _counted(table: Any) -> Any:
    return exp.select(exp.Count(this=exp.Star())).from_(table.copy())


def _repeated(model: Any, table: Any, columns: Sequence[str], within: list[Any]) -> Any:
    names = [exp.column(name, quoted=True) for name in columns]
    keys = exp.select(*names).from_(table.copy()).group_by(*names).having("COUNT(*) > 1")
    if within and model.time_column.column.name in columns:
        keys = keys.where(*within)
    elif within:
        evaluated = exp.select(names[0].copy()).from_(table.copy()).where(*within)
        keys = keys.where(exp.In(this=names[0].copy(), query=evaluated.subquery()))
    return _counted(keys.subquery("repeated"))


def _orphans(table: Any, key: declarations.ForeignKey, parent: Any, within: list[Any]) -> Any:
    rows = exp.select(exp.column(key.column, quoted=True)).from_(table.copy()).where(*within).subquery("evaluated")
    known = exp.select(exp.column(key.parent_column, quoted=True)).from_(parent).subquery("known")
    child = exp.column(key.column, "evaluated", quoted=True)
    there = exp.column(key.parent_column, "known", quoted=True)
    joined = _counted(rows).join(known, on=child.copy().eq(there.copy()), join_type="left")
    return joined.where(exp.not_(child.copy().is_(exp.null())), there.copy().is_(exp.null()))
