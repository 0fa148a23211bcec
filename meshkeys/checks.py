"""Whether what a model declares can be applied to it, asked of the models alone. Touches no database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from meshkeys import declarations
from meshkeys.declarations import Declarations, ForeignKey
from meshkeys.errors import DeclarationError, first_line

if TYPE_CHECKING:
    from sqlmesh.core.model import Model

_MOST_TOLD = 3


def check(models: Iterable[Model]) -> None:
    """Refuses models of which one declares what cannot be applied.

    Args:
        models: all models of an environment, those of kind EXTERNAL and EMBEDDED included.

    Raises:
        DeclarationError: names the models, the declarations, and the cure.
    """
    by_name = {name_of(model): model for model in models}
    found = [f"{name}: {fault}" for name, model in by_name.items() for fault in faults(model, by_name)]
    if found:
        more = f" (and {len(found) - _MOST_TOLD} more)" if len(found) > _MOST_TOLD else ""
        raise DeclarationError(
            f"Nothing was changed, for what is declared cannot be applied: {'; '.join(found[:_MOST_TOLD])}{more}.\n"
            "  Correct or remove the declaration, and plan again."
        )


def name_of(model: Model) -> str:
    """A model's name as declarations name parents: schema and name."""
    return f"{model.schema_name}.{model.view_name}"


def faults(model: Model, models: Mapping[str, Model]) -> Iterator[str]:
    """What cannot be applied of a model's declarations, each with its cure; `models` by their names, for parents."""
    try:
        declared = declarations.of(model)
    except DeclarationError as error:
        yield first_line(error).partition(": ")[2] or str(error)
        return
    kind = model.kind.model_kind_name.value if model.kind.model_kind_name else "unknown"
    if model.kind.is_symbolic:
        if declared.primary_key or declared.foreign_keys or declared.indexes or declared.materialized_view:
            yield f"a model of kind {kind} has no table to declare anything on"
        return
    if model.kind.is_view:
        yield from _of_a_view(declared)
    elif declared.materialized_view is not None:
        yield f"@materialized_view is for kind VIEW, not {kind}"
    yield from _unknown_columns(model, declared)
    if declared.filled_like is not None:
        yield from _ranges(model, declared.filled_like, models)
    for key in declared.foreign_keys:
        yield from _parent(key, models)


def _of_a_view(declared: Declarations) -> Iterator[str]:
    if declared.primary_key:
        yield "@primary_key on a view: declare it on the table that the rows are in, or make this kind FULL"
    if declared.foreign_keys:
        yield "@foreign_key on a view: declare it on the table that the rows are in, or make this kind FULL"
    if declared.indexes and declared.materialized_view is None:
        yield "@index on a view without @materialized_view: declare that too, or make this kind FULL"


def _unknown_columns(model: Model, declared: Declarations) -> Iterator[str]:
    columns = model.columns_to_types
    if not columns:
        return  # not known before the query is run
    view = declared.materialized_view
    used: dict[str, tuple[str, ...]] = {
        "@primary_key": declared.primary_key,
        "@foreign_key": tuple(key.column for key in declared.foreign_keys),
        "@index": tuple(name for index in declared.indexes for name in (*index.columns, *index.include)),
        "@materialized_view": (view.unique_key, *([view.period] if view.period else []), *view.sorted_by)
        if view
        else (),
    }
    for macro, names in used.items():
        unknown = [name for name in dict.fromkeys(names) if name not in columns]
        if unknown:
            yield f"{macro} names {', '.join(unknown)}, which is no column of the model"
    if view is not None and view.period in columns and not _may_be_date(columns[view.period]):
        shown = columns[view.period].sql(dialect="postgres")
        yield f"@materialized_view has {view.period} as its period, which is {shown}: name a column of type DATE"


def _ranges(model: Model, parent: str, models: Mapping[str, Model]) -> Iterator[str]:
    if not model.kind.is_incremental_by_time_range:
        yield "@fill_in_ranges is for kind INCREMENTAL_BY_TIME_RANGE"
        return
    column = model.time_column.column.name
    like = models.get(parent)
    if like is None or not like.kind.is_materialized or like.fqn not in model.depends_on:
        yield f"@fill_in_ranges names {parent}, which is no table that the model reads"
    elif like.columns_to_types is not None and column not in like.columns_to_types:
        yield f"@fill_in_ranges names {parent}, which has no column {column}: name a parent with the model's time column"


def _may_be_date(kind: Any) -> bool:
    from sqlglot import exp

    return bool(kind.is_type(exp.DataType.Type.DATE, exp.DataType.Type.UNKNOWN))


def _parent(key: ForeignKey, models: Mapping[str, Model]) -> Iterator[str]:
    parent = models.get(key.parent)
    if parent is None:
        yield f"@foreign_key of {key.column} names {key.parent}, which is no model here"
    elif not parent.kind.is_materialized:
        yield f"@foreign_key of {key.column} names {key.parent}, which is no table"
    elif not _is_unique(parent, key.parent_column):
        yield (
            f"@foreign_key of {key.column} names {key.parent} ({key.parent_column}), which is not unique there:"
            f" declare @primary_key({key.parent_column}) in {key.parent}"
        )


def _is_unique(model: Model, column: str) -> bool:
    try:
        declared = declarations.of(model)
    except DeclarationError:
        return True  # that model's own fault says so
    whole = (index for index in declared.indexes if index.is_unique and index.where is None)
    return declared.primary_key == (column,) or any(index.columns == (column,) for index in whole)
