"""Rules of the query: no star, names that are words, SQL that another engine reads the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlglot import exp
from sqlmesh.core.dialect import MacroFunc, MacroVar
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from linter.reading import final_projections, named, query_as_written

EMPTY_NAMES = {"base", "cte", "data", "final", "result", "source", "temp", "tmp"}
SHORTEST_ALIAS = 3

# Not on Spark, or there with another result. A macro may hold one form for each engine.
FUNCTIONS = {
    "age", "concat_ws", "date_bin", "encode", "generate_series", "json_agg", "jsonb_agg", "num_nonnulls", "num_nulls",
    "percentile_cont", "regexp_match", "regexp_matches", "regexp_split_to_array", "regexp_split_to_table", "string_to_array",
    "to_json", "to_jsonb",
}  # fmt: skip
OPERATORS: dict[type[Any], str] = {
    exp.Any: "ANY of an array",
    exp.ArrayContainsAll: "@>",
    exp.ExplodingGenerateSeries: "GENERATE_SERIES",
    exp.JSONArrayAgg: "JSON_AGG",
    exp.JSONBExtract: "#>",
    exp.JSONExtract: "->",
    exp.JSONExtractScalar: "->>",
    exp.Overlaps: "OVERLAPS",
    exp.RegexpILike: "~*",
    exp.SimilarTo: "SIMILAR TO",
}
PARTS = {"epoch", "isodow", "isoyear", "dow", "dayofweek", "dayofweekiso"}
# Not every engine has these in a regular expression, and where it has, they may mean something else.
PATTERN_PARTS = {
    "(?=": "look-ahead",
    "(?!": "look-ahead",
    "(?<=": "look-behind",
    "(?<!": "look-behind",
    "[[:": "[[:class:]]",
}
TO_CHAR_ELSEWHERE = re.compile(r"%[uaA]|[09]")  # as sqlglot keeps a format: D and Day begin with %u, and 9 and 0 stay
SIZED = {exp.DataType.Type.VARCHAR, exp.DataType.Type.CHAR, exp.DataType.Type.NCHAR, exp.DataType.Type.BPCHAR}


class DaysAreSelected(Rule):
    """A model of days selects them itself, by @in_range, @start_ds or the like: its first fill takes all it returns."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where nothing in the query asks for the range."""
        query = query_as_written(model)
        if query is None or not model.kind.is_incremental_by_time_range:
            return None
        asked = {call.this.name.lower() for call in query.find_all(MacroFunc)}
        asked |= {variable.name.lower() for variable in query.find_all(MacroVar)}
        if any(name.endswith("_range") or name.startswith(("start_", "end_")) for name in asked):
            return None
        return self.violation(f"{model.name}: {self.summary}")


class NoStarInAnyStep(Rule):
    """No SELECT * of a table, nor in the final SELECT: a column added above must not change this model unseen. List the columns.

    A step may pass on all columns of an earlier step of the same file, by its name: `SELECT numbered.*, ... FROM numbered`.
    """

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where a step has such a star."""
        query = query_as_written(model)
        if query is None:
            return None
        steps = {step.alias for step in query.find_all(exp.CTE)}
        shown = {id(projection) for projection in final_projections(query)}
        if all(
            id(projection) not in shown and _is_of_a_step(projection, select, steps)
            for select in query.find_all(exp.Select)
            for projection in select.expressions
            if projection.is_star
        ):
            return None
        return self.violation(f"{model.name}: {self.summary}")


class NamesAreWords(Rule):
    """A step is named by its result and a table by a word: not `final` or `tmp`, not one or two letters. Say what it holds."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names all of them."""
        query = query_as_written(model)
        if query is None:
            return None
        names = {node.alias for node in query.find_all(exp.CTE, exp.Table, exp.Subquery) if node.alias}
        poor = {name for name in names if name.lower() in EMPTY_NAMES or len(name) < SHORTEST_ALIAS}
        if not poor:
            return None
        return self.violation(f"{model.name} has {named(poor)}: {self.summary}")


class RunsAlikeElsewhere(Rule):
    """The SQL of a model means the same on PostgreSQL and on Spark. Use a portable form, or a macro that holds one for each.

    Of the forms that fail there or silently differ, these can be told from the text: see docs/decisions.md.
    """

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names all of them."""
        query = query_as_written(model)
        found = set(_unportable(query)) if query is not None else None
        if not found:
            return None
        return self.violation(f"{model.name} uses {named(found)}: {self.summary}")


def _is_of_a_step(star: Any, select: Any, steps: set[str]) -> bool:
    if not isinstance(star, exp.Column):
        return False
    read = [source for source in select.find_all(exp.Table) if source.alias_or_name == star.table]
    return bool(read) and all(not table.db and table.name in steps for table in read)


def _unportable(query: Any) -> Iterator[str]:
    for node in query.walk():
        if isinstance(node, exp.Extract | exp.TimestampTrunc) and node.name.lower() in PARTS:
            yield f"EXTRACT({node.name.upper()})"
        elif isinstance(node, exp.Cast):
            yield from _unportable_type(node.to)
            yield from _unportable_cast(node)
        elif isinstance(node, exp.WindowSpec):
            yield from _unportable_frame(node)
        elif isinstance(node, exp.ArrayAgg) and node.find(exp.Order):
            yield "ARRAY_AGG(ORDER BY)"
        elif isinstance(node, exp.Trunc) and node.args.get("decimals") is not None:
            yield "TRUNC(x, n)"
        elif isinstance(node, exp.Round) and _is_written_as(node.this, exp.DataType.Type.DOUBLE):
            yield "ROUND of a DOUBLE"
        elif isinstance(node, exp.Left | exp.Right) and isinstance(node.expression, exp.Neg):
            yield f"{node.sql_name()} with a negative length"
        elif isinstance(node, exp.Substring) and node.args["start"].sql() in ("0", "-0"):
            yield "SUBSTR from 0"
        elif isinstance(node, exp.TimeToStr) and TO_CHAR_ELSEWHERE.search(node.args["format"].name):
            yield "TO_CHAR of a number or a day's name"
        elif isinstance(node, exp.RegexpLike | exp.RegexpReplace):
            yield from _unportable_pattern(node)
        elif isinstance(node, exp.Between) and node.args.get("symmetric"):
            yield "BETWEEN SYMMETRIC"
        elif type(node) in OPERATORS:
            yield OPERATORS[type(node)]
        elif isinstance(node, exp.Func):
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
            if name.lower() in FUNCTIONS:
                yield name.upper()


def _unportable_pattern(node: Any) -> Iterator[str]:
    pattern = node.expression.name if isinstance(node.expression, exp.Literal) else ""
    for part, name in PATTERN_PARTS.items():
        if part in pattern:
            yield f"{name} in a pattern"
    if isinstance(node, exp.RegexpReplace) and "g" not in getattr(node.args.get("modifiers"), "name", ""):
        yield "REGEXP_REPLACE without 'g'"
    if isinstance(node, exp.RegexpReplace) and re.search(
        r"\\[0-9&]", getattr(node.args.get("replacement"), "name", "")
    ):
        yield "\\1 in REGEXP_REPLACE"


def _unportable_frame(frame: Any) -> Iterator[str]:
    if frame.args.get("kind") == "GROUPS" or frame.args.get("exclude"):
        yield "a frame of GROUPS or with EXCLUDE"
    bounds = [bound for bound in (frame.args.get("start"), frame.args.get("end")) if isinstance(bound, exp.Interval)]
    units = {bound.unit.name.upper().rstrip("S") if bound.unit is not None else "" for bound in bounds}
    if "" in units or len(units) > 1:
        yield "a frame of mixed units"


def _unportable_cast(cast: exp.Cast) -> Iterator[str]:
    """A number that is rounded here and cut off there, and texts that engines write in their own way."""
    if cast.to.this in exp.DataType.INTEGER_TYPES:
        value = cast.this.unnest()
        if _is_written_as(value, exp.DataType.Type.DECIMAL) or (isinstance(value, exp.Literal) and "." in value.name):
            yield "a decimal as an integer (use ROUND)"
    if cast.to.this in exp.DataType.TEXT_TYPES:
        if _is_written_as(cast.this, exp.DataType.Type.DOUBLE):
            yield "a DOUBLE as text"
        elif isinstance(cast.this.unnest(), exp.Interval):
            yield "an interval as text"


def _is_written_as(value: Any, kind: exp.DataType.Type) -> bool:
    """Whether it is cast to the type where it stands: other types cannot be told from the text."""
    return isinstance(value.unnest(), exp.Cast) and value.unnest().to.this is kind


def _unportable_type(to: exp.DataType) -> Iterator[str]:
    if to.this is exp.DataType.Type.DECIMAL and len(to.expressions) != 2:
        yield "DECIMAL without precision and scale"
    elif to.this in SIZED and to.expressions:
        yield f"{to.sql('postgres')} as a type (use TEXT)"
    elif to.this is exp.DataType.Type.FLOAT:
        yield "REAL"
    elif to.this in (exp.DataType.Type.JSON, exp.DataType.Type.JSONB):
        yield to.sql("postgres")
