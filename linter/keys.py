"""Rules of what a model declares by the macros of meshkeys/macros.py: keys, indexes, materialized view."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from linter.reading import grains_of, is_ours, is_table, named, short_name
from meshkeys.declarations import Declarations, ForeignKey, of
from meshkeys.errors import DeclarationError


class KeysAreDeclared(Rule):
    """A table declares its grain as @primary_key, and what it declares exists: parents, which it depends on, and columns.

    Declare as meshkeys/macros.py says; a parent that the query does not read goes into depends_on.
    """

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        """A violation for each declaration that is missing or wrong."""
        if not is_ours(model):
            return None
        try:
            declared = of(model)
        except DeclarationError as error:
            return [self.violation(str(error))]
        if is_table(model):
            found = [*self._primary_key(model, declared), *self._foreign_keys(model, declared)]
        else:
            found = list(_of_a_view(declared))
        found += _columns(model, declared)
        return [self.violation(f"{model.name}: {what}") for what in found] or None

    def _primary_key(self, model: Model, declared: Declarations) -> Iterator[str]:
        if declared.primary_key not in grains_of(model):
            grains = " or ".join(named(grain) for grain in grains_of(model)) or "no grain"
            yield f"@primary_key({', '.join(declared.primary_key)}) is not the grain ({grains})"
        if declared.materialized_view is not None:
            yield "@materialized_view is for kind VIEW"

    def _foreign_keys(self, model: Model, declared: Declarations) -> Iterator[str]:
        parents = {short_name(parent) for parent in model.depends_on}
        for key in declared.foreign_keys:
            if key.parent not in parents:
                yield f"{key.parent}, the parent of {key.column}, is not in depends_on"
            elif fault := self._parent(key):
                yield fault

    def _parent(self, key: ForeignKey) -> str | None:
        parent = self.context.get_model(key.parent)
        if parent is None or not is_table(parent):
            return f"{key.parent}, the parent of {key.column}, is no table of this project"
        if of(parent).primary_key != (key.parent_column,):
            return f"{key.parent_column} is not the primary key of {key.parent}"
        return None


class MaterializedViewHasItsKey(Rule):
    """A materialized view is refreshed by its unique key, the grain, and split by a date. Declare both as they are."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where the key is not the grain or the period is no date."""
        try:
            view = of(model).materialized_view if is_ours(model) else None
        except DeclarationError:
            return None  # KeysAreDeclared says it
        if view is None:
            return None
        if (view.unique_key,) not in grains_of(model):
            return self.violation(f"{model.name}: unique_key {view.unique_key} is not the grain. {self.summary}")
        period = (model.columns_to_types or {}).get(view.period) if view.period else None
        if view.period and (period is None or period.this is not exp.DataType.Type.DATE):
            return self.violation(f"{model.name}: period {view.period} is no column of type DATE. {self.summary}")
        return None


def _of_a_view(declared: Declarations) -> Iterator[str]:
    if declared.primary_key or declared.foreign_keys:
        yield "a view has no keys: declare them where the rows are"
    if declared.indexes and declared.materialized_view is None:
        yield "a view without @materialized_view has no indexes"


def _columns(model: Model, declared: Declarations) -> list[str]:
    used = {*declared.primary_key, *(key.column for key in declared.foreign_keys)}
    for index in declared.indexes:
        used |= {*index.columns, *index.include}
    unknown = used - set(model.columns_to_types or {})
    return [f"there is no column {named(unknown)} to declare a key or index on"] if unknown else []
