"""Keys that are enforced, indexes that are used, and views that show what they should: all by the catalog."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from foundation.errors import first_line
from foundation.queries import scalar
from meshkeys import catalog, comparison, declarations, materialized_views
from meshkeys.catalog import Relation
from meshkeys.operations import AddForeignKey, AddPrimaryKey, CreateIndex, ValidateConstraint
from revops.result import Result, listed
from revops.verify.models import Model

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


def plan(models: Mapping[str, Model]) -> list[Callable[[Cursor], Result]]:
    """What there is to look at: keys and indexes, parts of materialized views, and what the views of prod select."""
    return [partial(_keys, models), partial(_parts, models), partial(_views, models)]


def _keys(models: Mapping[str, Model], cursor: Cursor) -> Result:
    wrong: list[str] = []
    count = 0
    tables = {name: model.behind for name, model in models.items() if model.behind}
    for name, model in models.items():
        declared, table = model.declared, model.behind
        if table is None:
            wrong.append(f"{name} has no table")
            continue
        if declared.materialized_view is not None:
            continue
        count += bool(declared.primary_key) + len(declared.indexes) + len(declared.foreign_keys)
        wrong += [f"{name} {fault}" for fault in _faults(cursor, table, tables, declared)]
    return Result("keys and indexes as declared", not wrong, listed(wrong) or f"{count} declared, all enforced")


def _faults(
    cursor: Cursor, table: Relation, tables: Mapping[str, Relation], declared: declarations.Declarations
) -> Iterator[str]:
    """What a table lacks, by columns and targets: names do not matter, and further keys and indexes are no fault."""
    found = catalog.keys(cursor, table)
    parents = {key.column: key.parent for key in declared.foreign_keys}
    lacking = dict.fromkeys(key.column for key in declared.foreign_keys if key.parent not in tables)
    for operation in comparison.of_table(table, declared, tables, found, comparison.serves):
        if isinstance(operation, AddPrimaryKey):
            yield f"lacks its primary key ({', '.join(operation.columns)})"
        elif isinstance(operation, CreateIndex):
            yield f"lacks index ({', '.join(operation.index.columns)})"
        elif isinstance(operation, (AddForeignKey, ValidateConstraint)):
            lacking[operation.column] = None
    for column in lacking:
        yield f"lacks a validated foreign key {column} -> {parents[column]}"
    for key in found.foreign_keys:
        if not key.is_enforced and key.columns[0] in parents.keys() - lacking.keys():
            shown = f"foreign key {key.columns[0]} -> {parents[key.columns[0]]}"
            yield f"does not enforce its {shown}: triggers are disabled (ALTER TABLE ... ENABLE TRIGGER ALL)"


def _parts(models: Mapping[str, Model], cursor: Cursor) -> Result:
    wrong: list[str] = []
    parts_seen = 0
    for name, model in models.items():
        if model.declared.materialized_view is None:
            continue
        served = model.behind
        parts = catalog.relations_read_by(cursor, served) if served else []
        if served is None or "__mv_" not in served.name or not parts:
            wrong.append(f"{name} is not served from a materialized view")
        for part in parts:
            parts_seen += 1
            query = "SELECT ispopulated FROM pg_matviews WHERE schemaname = %s AND matviewname = %s"
            is_populated = scalar(cursor, query, (part.schema, part.name))
            wanted = materialized_views.indexes_of(model.declared)
            operations = comparison.of_indexes(part, wanted, catalog.indexes(cursor, part), comparison.serves)
            if not is_populated or any(isinstance(each, CreateIndex) for each in operations):
                wrong.append(f"{part} is not populated or lacks an index")
    return Result(
        "served from materialized views", not wrong, listed(wrong) or f"{parts_seen} parts, populated and indexed"
    )


def _views(models: Mapping[str, Model], cursor: Cursor) -> Result:
    wrong = [f"{name} {fault}" for name, model in models.items() for fault in _misdirected(cursor, model)]
    return Result(
        "views show what they should",
        not wrong,
        listed(wrong) or f"{len(models)} views of prod, each on the relation that was built for it",
    )


def _misdirected(cursor: Cursor, model: Model) -> Iterator[str]:
    """PostgreSQL reads through views: it plans two queries alike where they are the same."""
    if model.declared.materialized_view is not None:
        return  # its rows are compared, and its parts are checked
    cursor.execute("SAVEPOINT planning")
    try:
        if plan_of(cursor, model.view.identifier) != plan_of(cursor, model.physical.identifier):
            yield f"does not show {model.physical} as it is"
    except psycopg2.ProgrammingError as error:
        cursor.execute("ROLLBACK TO SAVEPOINT planning")
        yield f"cannot be read: {first_line(error)}"


def plan_of(cursor: Cursor, source: sql.Composable) -> Any:
    """How PostgreSQL would read all columns of a relation or query, whatever the relations are called in it."""
    query = sql.SQL("EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT * FROM (SELECT * FROM {}) AS contents")
    plan = scalar(cursor, query.format(source))
    return _renamed(plan, {alias: f"t{number}" for number, alias in enumerate(dict.fromkeys(_aliases(plan)))})


# A text, which stays as it is, or the name before a column's.
_NAMES = re.compile(r"""'(?:[^']|'')*'|(?P<quote>"?)(?P<name>(?<=")(?:[^"]|"")+|\w+)(?P=quote)\.""")


def _aliases(plan: Any) -> Iterator[str]:
    """What the relations are called, from the first step on."""
    if isinstance(plan, dict):
        if "Alias" in plan:
            yield plan["Alias"]
        plan = list(plan.values())
    if isinstance(plan, list):
        for each in plan:
            yield from _aliases(each)


def _renamed(plan: Any, names: Mapping[str, str]) -> Any:
    """A plan with other names for its relations."""
    if isinstance(plan, dict):
        return {key: names[of] if key == "Alias" else _renamed(of, names) for key, of in plan.items()}
    if isinstance(plan, list):
        return [_renamed(each, names) for each in plan]
    if isinstance(plan, str):
        return _NAMES.sub(partial(_replaced, names), plan)
    return plan


def _replaced(names: Mapping[str, str], found: re.Match[str]) -> str:
    name = (found["name"] or "").replace('""', '"')
    return f"{names[name]}." if name in names else found[0]
