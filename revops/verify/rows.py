"""The rows of each model against the rows that its query makes of the layers above, both as users read them.

Both sides are summed as one hash per row, which is equal for equal rows in any order. Once there are more transactions than
`ROWS_AT_ONCE`, rows are computed again where a relation, or one that it is made of, was written to since it was built
(revops/verify/written.py), which finds any change from outside; and for a changing stretch of other days, which finds wrong
computations.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from foundation.errors import first_line
from foundation.queries import first_row, one_row
from meshkeys import catalog
from meshkeys.catalog import Relation
from revops.ledger import definitions
from revops.ledger.days import LONGEST, Unit, end_of, start_of
from revops.ledger.models import noted_nodes
from revops.ledger.rendered import Span
from revops.result import Result, listed
from revops.verify import structure
from revops.verify.landed import Landed
from revops.verify.models import Model
from revops.verify.written import LANDED, Written

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

FACTS = "facts.fct_transactions"

# Up to so many transactions all is computed again; beyond, so many of them. For one day, a model with a look-back window also
# reads the days of the window and computes over all of them.
ROWS_AT_ONCE = 250_000
ROWS_IN_TURN = 100_000
ROWS_LOOKED_BACK = 120_000
# A model made whole of more rows than are computed at once is compared once in so many verifications.
TURNS = 10
# Days closer than these are compared as one stretch, and more stretches than these too.
JOINED_DAYS = 31
MOST_SCOPES = 5


@dataclass(frozen=True)
class Scope:
    """Days from `first` to `last`; all where both are None."""

    first: date | None = None
    last: date | None = None

    @property
    def is_whole(self) -> bool:
        """Whether these are all days."""
        return self.first is None and self.last is None

    def in_whole(self, unit: Unit) -> Scope:
        """The months, or years, that the days are of, whole."""
        if self.first is None or self.last is None:
            return self
        return Scope(start_of(unit, self.first), end_of(unit, self.last))

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


FULL = Scope()
_ALL = sql.SQL("TRUE")


@dataclass(frozen=True)
class Compared:
    """What a comparison found: the model, how many rows it has, the days that were compared, and what is wrong."""

    model: str
    rows: int = 0
    scope: Scope = FULL
    wrong: str | None = None


@dataclass(frozen=True)
class _Side:
    """Rows to compare: a relation or query, and the condition under which they count."""

    source: sql.Composable
    condition: sql.Composable

    def read(self, *shown: sql.Composable, where: sql.Composable = _ALL) -> sql.Composed:
        return sql.SQL("SELECT {} FROM {} AS contents WHERE {} AND {}").format(
            sql.SQL(", ").join(shown), self.source, self.condition, where
        )


def plan(
    cursor: Cursor,
    models: Mapping[str, Model],
    scopes: Sequence[Scope],
    landed: Landed,
    suspected: Mapping[str, Written] | None = None,
    in_turn: Callable[[Model], bool] = lambda model: True,
) -> list[Callable[[Cursor], Compared]]:
    """What there is to compare, the longest first.

    Args:
        cursor: a transaction.
        models: of prod.
        scopes: the days to compare of models of days; `FULL` for all, or of a large warehouse for a stretch of them.
        landed: what was read of raw.
        suspected: of a large warehouse, the days of each model that may not be as they were built.
        in_turn: of a large warehouse, which models to compare where they are not suspected, of those that are made whole, or
            whose rows of a day are made of many others.
    """
    days = Scope(*one_row(cursor, "SELECT min(transacted_on), max(transacted_on) FROM facts.fct_transactions"))
    last_day = max((m.last_day for m in models.values() if m.last_day), default=date.today() - timedelta(days=1))
    place = random.random()
    tasks = []
    for model in models.values():
        if model.definition is None:
            continue
        suspicion = suspected.get(model.name, Written()) if suspected is not None else Written()
        if _day_of(model) is None:
            asked = [FULL] if suspected is None or suspicion or in_turn(model) else []
        elif model.definition.reads_all_that_landed:  # for some days, its query regards all later ones as not over
            asked = [FULL] if suspicion or (scopes and suspected is None) else []
        elif suspected is None:
            asked = [_scope(model, scope) for scope in scopes]
        else:
            is_due = in_turn(model) or _rows_beside(model, days, landed.facts[0]) <= ROWS_LOOKED_BACK
            wanted = [*(scopes if is_due else ()), *_scopes_of(suspicion)]
            asked = [_scope(model, scope) for scope in wanted if not scope.is_whole]
            if suspicion.is_whole or FULL in scopes:
                asked.append(FULL if suspicion.is_whole else _stretch(model, days, landed.facts[0], place))
        for scope in [FULL] if FULL in asked else dict.fromkeys(asked):
            task = partial(_compare, model, scope, last_day)
            tasks.append((model.definition.look_back, len(model.columns), task))
    return [task for *_, task in sorted(tasks, key=lambda each: each[:2], reverse=True)]


def large(cursor: Cursor, models: Mapping[str, Model]) -> set[str]:
    """Of models and landed relations, those made, through views, of more rows than are computed at once."""
    cursor.execute("SELECT relation, sum(row_count) FROM ops.seals GROUP BY relation")
    rows = {relation: int(count) for relation, count in cursor.fetchall()}
    sources = {name: {name} for name in (*models, *LANDED)}
    for node in noted_nodes(cursor):  # parents first
        views = [parent for parent in node.parents if parent in models and _is_view(models[parent])]
        sources[node.model] = {node.model, *node.parents}.union(*(sources[view] for view in views))
    physical = {name: str(model.physical) for name, model in models.items()}
    return {
        name
        for name, read in sources.items()
        if any(rows.get(physical.get(each, each), 0) > ROWS_AT_ONCE for each in read)
    }


def summed_up(models: Mapping[str, Model], compared: Sequence[Compared]) -> Result:
    """One line about all comparisons."""
    faulty = [each for each in compared if each.wrong]
    depth = _depths(models) if faulty else {}
    faulty.sort(key=lambda each: (depth[each.model], each.model))  # the cause before its consequences
    wrong, names = [each.wrong for each in faulty if each.wrong], [each.model for each in faulty]
    unknown = [name for name, model in models.items() if model.definition is None]
    if unknown:
        wrong.append(f"no query is noted of {', '.join(unknown[:3])}: the next plan of prod notes it (revops build)")
    in_part: dict[Scope, list[str]] = {}
    for each in compared:
        if not each.scope.is_whole:
            in_part.setdefault(each.scope, []).append(each.model)
    shown = f"{sum(each.rows for each in compared):,} rows of {len(compared)} relations compared one by one"
    for scope, models_of in in_part.items():
        shown += (
            f"; {models_of[0] if len(models_of) == 1 else f'{len(models_of)} relations'} computed again from {scope}"
        )
    return Result("rows as their models make them", not wrong, listed(wrong, names) or shown)


def proven(cursor: Cursor, models: Mapping[str, Model], compared: Sequence[Compared], landed: Landed) -> set[Relation]:
    """The relations each row of which is known to be made of other rows."""
    sound = {
        each.model
        for each in compared
        if not each.wrong and (each.scope.is_whole or models[each.model].declared.materialized_view is not None)
    }
    served = {name for name, model in models.items() if model.declared.materialized_view is not None}
    if landed.is_alike and served <= sound:
        sound.add(FACTS)  # its text is that of raw, and all of it is served
    found: set[Relation] = set()
    for name in sound:
        model = models[name]
        if name in served and model.behind is not None:
            found |= set(catalog.relations_read_by(cursor, model.behind))
        elif model.behind == model.physical:
            found.add(model.physical)
    return found


def _depths(models: Mapping[str, Model]) -> dict[str, int]:
    """How many layers of models each model is made of."""
    queries = {
        name: model.definition.query.replace('"', "") if model.definition else "" for name, model in models.items()
    }
    above = {
        name: [other for other in models if other != name and re.search(rf"\b{re.escape(other)}\b", query)]
        for name, query in queries.items()
    }
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max(map(depth, above[name]), default=0)
        return depths[name]

    return {name: depth(name) for name in models}


def _scope(model: Model, asked: Scope) -> Scope:
    """The days to compare of a model: the given ones, as whole months or years if it is evaluated by these."""
    return asked.in_whole(model.definition.unit) if model.definition else asked


def _stretch(model: Model, days: Scope, rows: int, place: float) -> Scope:
    """As many days of a large model as there is time for, at a place from 0 to 1 of all days."""
    if days.first is None or days.last is None:
        return FULL
    look_back = model.definition.look_back if model.definition else 0
    unit: Unit = "year" if model.definition and model.definition.unit == "year" else "month"
    span = (days.last - days.first).days + 1
    most = ROWS_LOOKED_BACK if look_back else ROWS_IN_TURN
    length = max(int(most / (rows / span)) - look_back, 1)
    if rows <= most or length >= span:
        return FULL
    first = days.first + timedelta(days=int(place * (span - length + 1)))
    if not look_back and length <= JOINED_DAYS:
        return Scope(first, first).in_whole(unit)
    found = Scope(first, first + timedelta(days=length - 1))
    return found if look_back else found.in_whole(unit)


def _rows_beside(model: Model, days: Scope, rows: int) -> int:
    """About how many transactions of other days are read to compute the rows again that are made of those of a day."""
    if days.first is None or days.last is None or model.definition is None:
        return 0
    beside = model.definition.look_back + LONGEST[model.definition.unit] - 1
    return rows * beside // ((days.last - days.first).days + 1)


def _scopes_of(suspected: Written) -> list[Scope]:
    """Suspected days as few stretches."""
    if suspected.is_whole:
        return [FULL]
    found: list[Scope] = []
    for day in sorted(suspected.days):
        if found and found[-1].last is not None and (day - found[-1].last).days <= JOINED_DAYS:
            found[-1] = Scope(found[-1].first, day)
        else:
            found.append(Scope(day, day))
    return found if len(found) <= MOST_SCOPES else [Scope(found[0].first, found[-1].last)]


def _is_view(model: Model) -> bool:
    return bool(model.definition and model.definition.is_view)


def _day_of(model: Model) -> str | None:
    """The column with the days of a model."""
    view = model.declared.materialized_view
    return (model.definition and model.definition.day_column) or (view.period if view else None)


def _compare(model: Model, scope: Scope, last_day: date, cursor: Cursor) -> Compared:
    cursor.execute("SAVEPOINT comparison")
    # The planner expects a row or two from casts of text, and would choose nested loops.
    is_cast = model.definition is not None and "staging" in model.definition.query
    cursor.execute(f"SET LOCAL enable_nestloop = {'off' if is_cast else 'on'}")
    try:
        rows, wrong = _compared(cursor, model, scope, last_day)
    except (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.NotSupportedError) as error:
        cursor.execute("ROLLBACK TO SAVEPOINT comparison")
        # The text of a data error holds the value.
        said = first_line(error) if isinstance(error, psycopg2.ProgrammingError) else type(error).__name__
        rows, wrong = 0, f"{model.name} cannot be compared: {said}"
    return Compared(model.name, rows, scope, wrong)


def _compared(cursor: Cursor, model: Model, scope: Scope, last_day: date) -> tuple[int, str | None]:
    """How many rows there are, and what is wrong."""
    definition = model.definition
    assert definition is not None
    is_plain_view = definition.is_view and model.declared.materialized_view is None
    query = sql.SQL("(" + definition.query + ") AS query")
    if is_plain_view and structure.plan_of(cursor, model.view.identifier) == structure.plan_of(cursor, query):
        return 0, None  # one query, which is correct by definition
    expected, found = _sides(model, scope, last_day)
    if definition.apart is not None and scope.is_whole:
        rows, is_same = _is_same_apart(cursor, model, last_day, model.columns)
    else:
        rows, is_same = _totals(cursor, expected, found, model.columns)
    return rows, None if is_same else _difference(cursor, model, expected, found)


def _sides(model: Model, scope: Scope, last_day: date, query: str | None = None) -> tuple[_Side, _Side]:
    """The rows that the model's query makes, and those that its view shows."""
    assert model.definition is not None
    first, last = scope.first or definitions.FIRST, scope.last or last_day
    within: sql.Composable = _ALL
    if not scope.is_whole:
        within = sql.SQL("{0} >= {1} AND {0} < {2}").format(
            sql.Identifier(_day_of(model) or ""), sql.Literal(first), sql.Literal(last + timedelta(days=1))
        )
    found = _Side(model.view.identifier, within)
    if scope.is_whole or model.rendered is None:
        text = definitions.of_days(query or model.definition.query, first, last)
        return _Side(sql.SQL("(" + text + ")"), within), found
    # Of its days alone, as each model of days selects them: to say so once more would have PostgreSQL expect a row or two.
    text = model.rendered.query_for(Span(first, last, last + timedelta(days=1)))
    return _Side(sql.SQL("(" + text + ")"), _ALL), found


def _totals(cursor: Cursor, expected: _Side, found: _Side, columns: Sequence[str]) -> tuple[int, bool]:
    here, there = (one_row(cursor, side.read(sql.SQL("count(*)"), _sum(columns))) for side in (found, expected))
    return here[0], here == there


def _is_same_apart(cursor: Cursor, model: Model, last_day: date, columns: Sequence[str]) -> tuple[int, bool]:
    """Compares what is made of one table, and apart from it what is looked up by the model's key in another."""
    definition = model.definition
    assert definition is not None
    expected, found = _sides(model, FULL, last_day, definition.apart)
    looked_up = {column for lookup in definition.lookups for column in lookup.columns}
    rows, is_same = _totals(cursor, expected, found, [c for c in columns if c not in looked_up])
    for lookup in definition.lookups if is_same else ():
        key, values = list(lookup.key), list(lookup.columns)
        other = _Side(Relation.parse(lookup.relation).identifier, _ALL)
        their_key, theirs = list(lookup.key.values()), list(lookup.columns.values())
        here = one_row(cursor, found.read(sql.SQL("count(*)"), _sum([*key, *values]), where=_known(values)))
        with_row = sql.SQL("EXISTS (SELECT FROM {} AS own WHERE {})").format(
            found.source,
            sql.SQL(" AND ").join(
                sql.SQL("own.{} = contents.{}").format(sql.Identifier(a), sql.Identifier(b))
                for a, b in lookup.key.items()
            ),
        )
        # Rows without a counterpart are left out only in a second attempt, because that takes longer.
        for condition in (_known(theirs), sql.SQL(" AND ").join([_known(theirs), with_row])):
            there = one_row(cursor, other.read(sql.SQL("count(*)"), _sum([*their_key, *theirs]), where=condition))
            if here == there:
                break
        is_same = is_same and here == there
    return rows, is_same


def _difference(cursor: Cursor, model: Model, expected: _Side, found: _Side) -> str:
    """Which rows are not as expected, by their key."""
    view = model.declared.materialized_view
    key = model.declared.primary_key or ((view.unique_key,) if view else model.columns[:4])
    names = [sql.Identifier(column) for column in key]
    each = _row_hash(model.columns)
    day = model.definition.day_column if model.definition else None
    shown_day = sql.SQL("min({})::date").format(sql.Identifier(day)) if day else sql.SQL("NULL::date")
    statement = sql.SQL(
        "SELECT {key}, {day}, count(*) OVER () FROM ({expected} UNION ALL {found}) AS rows GROUP BY {key}"
        " HAVING sum(side) <> 0 OR sum(side * row_hash) <> 0 ORDER BY {key} LIMIT 1"
    ).format(
        key=sql.SQL(", ").join(names),
        day=shown_day,
        expected=expected.read(*_once([*names, *([sql.Identifier(day)] if day else [])]), *_signed(each, 1)),
        found=found.read(*_once([*names, *([sql.Identifier(day)] if day else [])]), *_signed(each, -1)),
    )
    row = first_row(cursor, statement)
    if row is None:
        return f"{model.name}: its rows are not what its model makes"
    *values, on, count = row
    where = ", ".join(f"{column} {value}" for column, value in zip(key, values, strict=True))
    of_day = f", on {on}" if on and str(on) not in where else ""
    return f"{model.name}: {count:,} rows are not what its model makes, the first {where}{of_day}"


def _once(names: list[sql.Identifier]) -> Iterator[sql.Identifier]:
    seen: list[sql.Identifier] = []
    for name in names:
        if name not in seen:
            seen.append(name)
            yield name


def _signed(row_hash: sql.Composable, side: int) -> tuple[sql.Composable, sql.Composable]:
    return (
        sql.SQL("{}::numeric AS row_hash").format(row_hash),
        sql.SQL("{} AS side").format(sql.Literal(side)),
    )


def _row_hash(columns: Sequence[str]) -> sql.Composed:
    """One number for a row.

    The hash of a record is linear in those of its columns: without the outer one, values that two rows exchange would leave
    the sum as it is.
    """
    return sql.SQL("hashint8extended(hash_record_extended(ROW({}), 0), 0)").format(
        sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def _sum(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("sum({})").format(_row_hash(columns))


def _known(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("num_nonnulls({}) > 0").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
