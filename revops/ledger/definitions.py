"""What each model of prod says its rows are, noted at the end of a plan so that `revops verify` needs no SQLMesh.

A definition is a query on the views of prod, not on physical tables: it changes with the model alone, and compares what users
read with what users read. Queries of days are noted for the days from `FIRST` to `LAST`, dates that no query contains;
`of_days` puts other days in their place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from revops.ledger.days import Unit, start_of, unit_of

FIRST = date(1900, 12, 1)
LAST = date(2998, 2, 20)
_LONGEST_LOOK_BACK = 400
_MONTH_OF_LAST_ENDS = date(2998, 2, 28)
_ANY_DAY = re.compile(r"\b(?:1899|1900|2998)-[0-9]{2}-[0-9]{2}\b")


@dataclass(frozen=True)
class Lookup:
    """A LEFT JOIN that a query is noted without, because it only looks up columns of one row by the model's own key.

    Attributes:
        relation: what is looked up in.
        key: the model's columns that are compared, by the relation's.
        columns: the model's columns that are looked up, by the relation's.
    """

    relation: str
    key: dict[str, str]
    columns: dict[str, str]


@dataclass(frozen=True)
class Definition:
    """A model's query on the views of prod, and what else there is to know to compare its rows.

    Attributes:
        version: the version of the model that was rendered.
        is_view: whether the model is a view.
        query: all columns of all rows.
        apart: the query without the joins in `lookups` and the columns these give; None where there are none.
        lookups: see `Lookup`.
        day_column: the column with the day; None where the model is not evaluated by days.
        unit: what the model is evaluated by.
    """

    version: str
    is_view: bool
    query: str
    apart: str | None = None
    lookups: tuple[Lookup, ...] = ()
    day_column: str | None = None
    unit: Unit = "day"

    @cached_property
    def look_back(self) -> int:
        """How many days before the first one the query reads."""
        first = start_of(self.unit, FIRST)
        days = map(date.fromisoformat, _ANY_DAY.findall(self.query))
        return max([(first - day).days for day in days if day <= first], default=0)

    @property
    def reads_all_that_landed(self) -> bool:
        """Whether the query reads all transactions that landed, whichever days it is for.

        Rows without a usable day may be anywhere, so a query for them is noted for all history.
        """
        query = self.query.replace('"', "")
        return "staging.stg_transactions" in query and "landed_date BETWEEN" not in query


def of(snapshot: Any) -> Definition | None:
    """The definition of a model; None for a model without a query (external, Python)."""
    from sqlglot import exp

    model = snapshot.model
    if model.kind.is_seed:
        query = _seed_query(model)
        return Definition(version(snapshot), False, query) if query else None
    if not model.is_sql or model.kind.is_symbolic:
        return None
    by_days = model.kind.is_incremental_by_time_range
    if not (by_days or model.kind.is_full or model.kind.is_view):
        return None
    # SQLMesh has rendered a query without dates already. Qualifying the columns of the others would double the time.
    span: dict[str, Any] = {"start": str(FIRST), "end": str(LAST), "execution_time": str(LAST + timedelta(days=1))}
    rendered = on_views(model.render_query_or_raise(**{**span, "needs_optimization": False} if by_days else {}))
    grain = {column.name for column in model.grains if isinstance(column, exp.Column)}
    apart, lookups = _apart(rendered, grain)
    return Definition(
        version(snapshot),
        bool(model.kind.is_view),
        rendered.sql(dialect="postgres", comments=False),
        apart,
        lookups,
        model.kind.time_column.column.name if by_days else None,
        unit_of(model) if by_days else "day",
    )


def version(snapshot: Any) -> str:
    """What changes whenever a definition, or how its model is evaluated (rendered.py), may."""
    return f"3_{snapshot.fingerprint.data_hash}_{snapshot.fingerprint.metadata_hash}"


def on_views(query: Any) -> Any:
    """A copy of a rendered query without the name of the database: a warehouse may be restored under another one."""
    from sqlglot import exp

    query = query.copy()
    for table in query.find_all(exp.Table):
        table.set("catalog", None)
    return query


def of_days(query: str, first: date, last: date) -> str:
    """A noted query for the days from `first` to `last`, executed on the day after; of whole months or years, if of these."""

    def replaced(found: re.Match[str]) -> str:
        day = date.fromisoformat(found.group())
        if FIRST - timedelta(days=_LONGEST_LOOK_BACK) <= day <= FIRST:
            return str(first - (FIRST - day))
        if day.year == LAST.year:  # the day, or the end of its month, where `last` is too; or a day after one of them
            return str(last + (day - (LAST if day < _MONTH_OF_LAST_ENDS else _MONTH_OF_LAST_ENDS)))
        return found.group()

    return _ANY_DAY.sub(replaced, query)


def from_json(noted: dict[str, Any]) -> Definition | None:
    """What `dataclasses.asdict` and JSON made of a definition; None of what another version noted in another form."""
    if not noted.keys() <= {field.name for field in fields(Definition)}:
        return None
    return Definition(**{**noted, "lookups": tuple(Lookup(**each) for each in noted["lookups"])})


def _apart(query: Any, grain: set[str]) -> tuple[str | None, tuple[Lookup, ...]]:
    """The query without the joins that only look up columns, and those joins.

    Joining two tables of millions of rows takes longer than reading both. Where the join is on the model's own key and only adds
    unchanged columns, both sides can be compared without it.
    """
    from sqlglot import exp

    if not isinstance(query, exp.Select) or query.find(exp.With) or not grain:
        return None, ()
    query = query.copy()
    source = query.args["from_"].this if query.args.get("from_") else query.args["from"].this
    shown = {each.alias_or_name: _bare(each.unalias()) for each in query.selects}
    found = []
    for join in list(query.args.get("joins") or ()):
        table, condition = join.this, join.args.get("on")
        if not isinstance(table, exp.Table) or join.side != "LEFT" or condition is None:
            continue
        key: dict[str, str] = {}
        for equation in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            of_equation = (equation.left, equation.right) if isinstance(equation, exp.EQ) else ()
            sides = {side.table: side for side in of_equation if isinstance(side, exp.Column)}
            own = sides.get(source.alias_or_name)
            other = sides.get(table.alias_or_name)
            names = [name for name, value in shown.items() if own is not None and value == own]
            if other is None or not names:
                key = {}
                break
            key[names[0]] = other.name
        columns = {
            name: value.name
            for name, value in shown.items()
            if isinstance(value, exp.Column) and value.table == table.alias_or_name
        }
        uses = sum(column.table == table.alias_or_name for column in query.find_all(exp.Column))
        if grain <= key.keys() and columns and uses == len(key) + len(columns):
            found.append(Lookup(f"{table.db}.{table.name}", key, columns))
            query.args["joins"].remove(join)
            query.set("expressions", [each for each in query.selects if each.alias_or_name not in columns])
    return (query.sql(dialect="postgres", comments=False), tuple(found)) if found else (None, ())


def _bare(expression: Any) -> Any:
    from sqlglot import exp

    while isinstance(expression, exp.Cast):
        expression = expression.this
    return expression


def _seed_query(model: Any) -> str | None:
    """The rows of a seed as VALUES, cast to its columns; None where SQLMesh does not have them at hand, read from its state."""
    from sqlglot import exp

    if not model.is_hydrated:
        return None
    types = model.columns_to_types or {}
    rows = [row for frame in model.render_seed() for row in frame[list(types)].itertuples(index=False, name=None)]
    columns = [exp.cast(exp.column(name, quoted=True), kind).as_(name, quoted=True) for name, kind in types.items()]
    if not rows:
        return None
    values = exp.values(
        [tuple(value.item() if hasattr(value, "item") else value for value in row) for row in rows],
        alias="seed",
        columns=types,
    )
    return str(exp.select(*columns).from_(values).sql(dialect="postgres"))
