"""Rules of what no reader may see: card numbers, security codes, homes and birthdays end in staging."""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from linter.reading import is_ours, named, query_as_written, schema_of

NOWHERE = {"card_number", "cvv", "address", "birth_month"}  # not even in staging
STAGING_ONLY = {"card_token"}
PLACES = {"latitude", "longitude"}
DECIMALS = 1  # about 11 km
MASK = "coarse_degrees"
ANALYST = "revops_analyst"


class SensitiveColumnsStayAbove(Rule):
    """Address, month of birth, card number and CVV are read by no model, the card's token by staging only. Leave them out."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names all such columns shown or read."""
        if not is_ours(model):
            return None
        forbidden = NOWHERE if schema_of(model.fqn) == "staging" else NOWHERE | STAGING_ONLY
        query = query_as_written(model)
        names = set(model.columns_to_types or {})
        if query is not None:
            names |= {column.name for column in query.find_all(exp.Column)}
            names |= {step.alias for step in query.find_all(exp.Alias)}
        found = {name for name in names if _ends_with_one_of(name, forbidden)}
        if not found:
            return None
        return self.violation(f"{model.name} has {named(found)}: {self.summary}")


class PlacesAreRounded(Rule):
    """A home is known to one decimal of a degree: staging reads a coordinate inside @coarse_degrees(...), and every model
    shows it as DECIMAL(4, 1).
    """

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names all coordinates that are finer, or of no known scale."""
        if not is_ours(model):
            return None
        fine = {
            column
            for column, column_type in (model.columns_to_types or {}).items()
            if _ends_with_one_of(column, PLACES) and not _is_coarse(column_type)
        }
        query = query_as_written(model)
        if query is not None and schema_of(model.fqn) == "staging":
            fine |= {column.sql() for column in _read_from_raw(query) if not _is_rounded(column)}
        if not fine:
            return None
        return self.violation(f"{model.name}: {named(fine)} is too fine. {self.summary}")


class AnalystsReadServing(Rule):
    """Analysts read serving and nothing else: its models have `grants ('select' = 'revops_analyst')`, and no others have any."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where a grant is missing or one too many."""
        if not is_ours(model):
            return None
        wanted = {"select": [ANALYST]} if schema_of(model.fqn) == "serving" else None
        return None if model.grants == wanted else self.violation(f"{model.name}: {self.summary}")


def _ends_with_one_of(name: str, forbidden: set[str]) -> bool:
    """Whether it is one of them, under a prefix that is no statement about it: has_bad_cvv tells of a CVV, home_cvv is one."""
    if name.startswith(("is_", "has_")):
        return False
    return any(name == column or name.endswith("_" + column) for column in forbidden)


def _is_coarse(column_type: exp.DataType) -> bool:
    sizes = [size.name for size in column_type.expressions]
    return column_type.this is exp.DataType.Type.DECIMAL and len(sizes) == 2 and int(sizes[1]) <= DECIMALS


def _read_from_raw(query: Any) -> list[Any]:
    return [
        column
        for select in query.find_all(exp.Select)
        if (source := select.args.get("from_") or select.args.get("from")) is not None
        and isinstance(source.this, exp.Table)
        and source.this.db == "raw"
        for projection in select.expressions
        for column in projection.find_all(exp.Column)
        if column.name in PLACES
    ]


def _is_rounded(column: Any) -> bool:
    call = column.find_ancestor(exp.Anonymous)
    return call is not None and call.name.lower() == MASK
