"""The periods into which a materialized view is split: which there are, and what the query gives for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys.errors import DeclarationError
from meshkeys.queries import first_row

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor
    from sqlglot import exp

    from meshkeys.declarations import MaterializedView


@dataclass(frozen=True)
class Period:
    """Days from `starts_on` to before `ends_before`; all rows where both are None."""

    label: str
    starts_on: date | None = None
    ends_before: date | None = None


def holding_rows(cursor: Cursor, query: str, wanted: MaterializedView) -> Iterator[Period]:
    """The periods that hold rows, oldest first; found by looking up the next day after each, not by reading all.

    Where there is no row, or no column for periods, one period of all rows.

    Raises:
        DeclarationError: a row has no period.
    """
    if wanted.period is None:
        yield Period("all")
        return
    column = sql.Identifier(wanted.period)
    contents = sql.SQL("SELECT {} FROM (").format(column) + sql.SQL(query) + sql.SQL(") AS contents")
    if first_row(cursor, contents + sql.SQL(" WHERE {} IS NULL LIMIT 1").format(column)) is not None:
        raise DeclarationError(
            f"@materialized_view: a row has no {wanted.period}, so it belongs to no period.\n"
            "  Declare a column that is never NULL, or no period."
        )
    after = None
    while True:
        row = first_row(
            cursor,
            sql.SQL(
                "SELECT date_trunc(%(every)s, day)::date, (date_trunc(%(every)s, day) + %(step)s::interval)::date FROM ("
            )
            + contents
            + sql.SQL(
                " WHERE {column} >= coalesce(%(after)s::date, '-infinity') ORDER BY {column} LIMIT 1) AS next (day)"
            ).format(column=column),
            {
                "every": wanted.every,
                "step": "3 months" if wanted.every == "quarter" else f"1 {wanted.every}",
                "after": after,
            },
        )
        if row is None:
            if after is None:
                yield Period("all")
            return
        start, after = row
        yield Period(_label(start, wanted.every), start, after)


def query_of(query: str, wanted: MaterializedView, period: Period) -> sql.Composed:
    """The rows of a period, in the order in which they are to be stored."""
    if wanted.period is None or period.starts_on is None:
        statement = sql.SQL("SELECT * FROM (") + sql.SQL(query) + sql.SQL(") AS contents")
    else:
        contents = sql.SQL(bounded(query, wanted.period, period))
        statement = sql.SQL("SELECT * FROM (") + contents + sql.SQL(") AS contents")
        statement += sql.SQL(" WHERE {0} >= {1} AND {0} < {2}").format(
            sql.Identifier(wanted.period), sql.Literal(period.starts_on), sql.Literal(period.ends_before)
        )
    if wanted.sorted_by:
        statement += sql.SQL(" ORDER BY ") + sql.SQL(", ").join(map(sql.Identifier, wanted.sorted_by))
    return statement


# In place of the days of a period, in a query that is bounded for all of them.
_START, _END = "the period starts", "the period ends"


def bounded(query: str, column: str, period: Period) -> str:
    """The query, with tables joined on the period's column restricted to the period's days.

    The rows are the same. PostgreSQL passes an equality on through the join but not a range: without this it would look up the
    table once per row, or read all of it.
    """
    text = _bounded(query, column)
    for place, day in ((_START, period.starts_on), (_END, period.ends_before)):
        text = text.replace(f"'{place}'", f"'{day}'")
    return text


@lru_cache(maxsize=8)
def _bounded(query: str, column: str) -> str:
    """The same for any period: a view has dozens of them, and to read its query takes longer than to fill a small one."""
    import sqlglot  # here, because it takes long to import and is needed for parts that are built
    from sqlglot import exp

    tree = sqlglot.parse_one(query, read="postgres")
    shown = next((each.unalias() for each in tree.selects if each.alias_or_name == column), None)
    while isinstance(shown, exp.Cast):
        shown = shown.this
    if not isinstance(shown, exp.Column):
        return query
    for join in list(tree.find_all(exp.Join)):
        table = join.this
        if not isinstance(table, exp.Table) or join.find_ancestor(exp.Select) is not tree:
            continue
        equal = {(table.alias_or_name, column), (shown.table, shown.name)}
        if any(_equated(condition) == equal for condition in _conditions(join.args.get("on"))):
            days = exp.column(column)
            start, end = (exp.cast(exp.Literal.string(place), "DATE") for place in (_START, _END))
            bare = exp.Table(**{part: table.args.get(part) for part in ("this", "db", "catalog")})
            of_period = exp.select("*").from_(bare).where(days >= start, days.copy() < end)
            join.set("this", of_period.subquery(table.args.get("alias") or table.name))
    return str(tree.sql(dialect="postgres", comments=False))


def _conditions(on: exp.Expression | None) -> Iterator[exp.Expression]:
    """What must all hold for two rows to be joined."""
    from sqlglot import exp

    if isinstance(on, exp.Paren):
        yield from _conditions(on.this)
    elif isinstance(on, exp.And):
        yield from _conditions(on.left)
        yield from _conditions(on.right)
    elif on is not None:
        yield on


def _equated(condition: exp.Expression) -> set[tuple[str, str]]:
    """The two columns, with their tables, that a condition says are equal; empty for any other condition."""
    from sqlglot import exp

    sides = (condition.left, condition.right) if isinstance(condition, exp.EQ) else ()
    return {(side.table, side.name) for side in sides if isinstance(side, exp.Column)}


def _label(start: date, every: str) -> str:
    if every == "year":
        return f"{start:%Y}"
    return f"{start:%Y}q{(start.month + 2) // 3}" if every == "quarter" else f"{start:%Y%m}"
