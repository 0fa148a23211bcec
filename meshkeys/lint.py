"""Rules for SQLMesh's linter. A project imports them in a file of its folder linter/, and names them in config.yaml."""

from __future__ import annotations

from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from meshkeys import checks


class DeclarationsCanBeApplied(Rule):  # type: ignore[misc]  # SQLMesh is not typed
    """Keys, indexes and materialized views are declared where there is a table for them, on columns that exist.

    Correct the declaration or remove it.
    """

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        """A violation for each declaration that cannot be applied."""
        models = {checks.name_of(other): other for other in self.context.models.values()}
        return [self.violation(f"{model.name}: {fault}") for fault in checks.faults(model, models)] or None
