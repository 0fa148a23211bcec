"""Rules of what a model declares by the macros of meshkeys/macros.py: that keys are the grain, and parents come first.

Whether a declaration can be applied at all is asked by the package's own rule, `DeclarationsCanBeApplied`.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from linter.reading import grains_of, is_ours, is_table, named, short_name
from meshkeys.declarations import Declarations, of
from meshkeys.errors import DeclarationError
from meshkeys.lint import DeclarationsCanBeApplied

__all__ = ["DeclarationsCanBeApplied", "KeysAreDeclared", "MaterializedViewHasItsKey"]


class KeysAreDeclared(Rule):
    """A table declares its grain as @primary_key, and depends on the parents of its foreign keys.

    Declare as meshkeys/macros.py says; a parent that the query does not read goes into depends_on.
    """

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        """A violation for each declaration that is missing or not of the grain."""
        declared = _declared(model)
        if declared is None or not is_table(model):
            return None
        found = [*_primary_key(model, declared), *_foreign_keys(model, declared)]
        return [self.violation(f"{model.name}: {what}") for what in found] or None


class MaterializedViewHasItsKey(Rule):
    """A materialized view is refreshed by its unique key: declare the grain as unique_key."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where the key is not the grain."""
        declared = _declared(model)
        view = declared.materialized_view if declared else None
        if view is None or (view.unique_key,) in grains_of(model):
            return None
        return self.violation(f"{model.name}: unique_key {view.unique_key} is not the grain. {self.summary}")


def _declared(model: Model) -> Declarations | None:
    """What a model of this project declares; None where that cannot be read, which DeclarationsCanBeApplied says."""
    try:
        return of(model) if is_ours(model) else None
    except DeclarationError:
        return None


def _primary_key(model: Model, declared: Declarations) -> Iterator[str]:
    if declared.primary_key not in grains_of(model):
        grains = " or ".join(named(grain) for grain in grains_of(model)) or "no grain"
        yield f"@primary_key({', '.join(declared.primary_key)}) is not the grain ({grains})"


def _foreign_keys(model: Model, declared: Declarations) -> Iterator[str]:
    parents = {short_name(parent) for parent in model.depends_on}
    for key in declared.foreign_keys:
        if key.parent not in parents:
            yield f"{key.parent}, the parent of {key.column}, is not in depends_on"
