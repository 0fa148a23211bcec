"""Rules of the columns that a model shows: described, cast, named by one scheme."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from linter.reading import final_projections, is_macro, is_ours, named, query_as_run, query_as_written

BARE = {"id", "name", "type", "date", "key", "value", "code", "status"}
OTHER_DATES = {
    "date_day",
    "week_start",
    "month_start",
    "quarter_start",
    "year_start",
}  # of the calendar, as in dim_dates
AS_LANDED = "landed_"  # text of raw under its own name, kept beside what was made of it
TIMESTAMPS = {exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPNTZ}


class ColumnsAreDescribed(Rule):
    """Every column has a description: a /* comment */ after it in the final SELECT; column_descriptions in a seed."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names all columns without one."""
        if not is_ours(model):
            return None
        silent = {
            column
            for column in model.columns_to_types or {}
            if not (model.column_descriptions.get(column) or "").strip()
        }
        if not silent:
            return None
        return self.violation(f"{model.name}: {named(silent)} without a description. {self.summary}")


class ColumnsAreCast(Rule):
    """Every column of the final SELECT is cast, so that its type is what the file says on any engine. Add `::TYPE`."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names all columns without a cast."""
        query = query_as_written(model)
        if query is None:
            return None
        if any(is_macro(projection.unalias()) for projection in final_projections(query)):
            query = query_as_run(model)  # a macro that makes the columns makes their casts too
        loose = {
            projection.alias_or_name or projection.sql("postgres")
            for projection in final_projections(query)
            if not isinstance(projection.unalias().unnest(), exp.Cast)
        }
        if not loose:
            return None
        return self.violation(f"{model.name}: {named(loose)} without a cast. {self.summary}")


class ColumnNamesTellTheirType(Rule):
    """A column is named by one scheme: no bare id, name or type; booleans is_, has_; timestamps _at; dates _on, _date.

    A name in one of these forms has that type, too. Days, weeks and months of a report are named as in dim_dates. Rename the
    column with AS.
    """

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        """A violation for each column."""
        if not is_ours(model):
            return None
        found = []
        for column, column_type in (model.columns_to_types or {}).items():
            cure = None if column.startswith(AS_LANDED) else _cure(column, column_type.this)
            if cure:
                found.append(self.violation(f"{model.name}: {column} {cure}"))
        return found or None


def _cure(column: str, of: exp.DataType.Type) -> str | None:
    if column in BARE:
        return "says nothing by itself: <object>_" + column
    forms = {
        "is_... or has_...": (bool(re.match("(is|has)_", column)), of is exp.DataType.Type.BOOLEAN),
        "..._at": (column.endswith("_at"), of in TIMESTAMPS),
        "..._on or ..._date": (
            bool(re.search("_(on|date)$", column)) or column in OTHER_DATES,
            of is exp.DataType.Type.DATE,
        ),
    }
    for form, (is_named_so, is_so) in forms.items():
        if is_so and not is_named_so:
            return f"is a {of.value.lower()}: name it {form}"
        if is_named_so and not is_so:
            return f"is a {of.value.lower()}, but named {form}, as others are"
    return None
