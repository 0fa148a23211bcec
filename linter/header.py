"""Rules of the MODEL block: what a reader finds at the top of each file, and in which order."""

from __future__ import annotations

import re
from pathlib import Path

from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from linter.reading import grains_of, is_ours, named

KEYS = (
    "name",
    "kind",
    "description",
    "columns",
    "column_descriptions",
    "grain",
    "grains",
    "depends_on",
    "references",
    "tags",
    "audits",
    "grants",
)


class DescribedAsOneRowPer(Rule):
    """A description begins with what a row is: "One row per ...". Write it so, then the caveats."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where the description is missing or begins otherwise."""
        if not is_ours(model) or re.match(r"One row per \w", model.description or ""):
            return None
        return self.violation(f"{model.name}: {self.summary}")


class GrainIsDeclared(Rule):
    """A model declares its grain, the columns of which no two rows agree. Add `grain`, of columns that it has."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where there is no grain, or one of unknown columns."""
        if not is_ours(model):
            return None
        unknown = {column for grain in grains_of(model) for column in grain} - set(model.columns_to_types or {})
        if model.grains and not unknown:
            return None
        what = f"has no column {named(unknown)}" if unknown else "declares no grain"
        return self.violation(f"{model.name} {what}: {self.summary}")


class KeysInOrder(Rule):
    """MODEL blocks read alike: name, kind, description, columns, grain, depends_on, references, tags, audits, grants.

    Put them in this order; any other key goes where it reads best.
    """

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that says the order."""
        if not is_ours(model) or model._path is None or Path(model._path).suffix != ".sql":
            return None
        block = Path(model._path).read_text(encoding="utf-8").partition("\n)")[0]
        found = [key for key in re.findall(r"^  (\w+)\b", block.lower(), flags=re.MULTILINE) if key in KEYS]
        wanted = sorted(found, key=KEYS.index)
        if found == wanted:
            return None
        return self.violation(f"{model.name}: put the keys of MODEL in this order: {', '.join(wanted)}")
