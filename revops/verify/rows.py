"""The rows of each model against the rows that its query makes of the layers above, both as people read them.

Both sides are summed as one hash per row, which is equal for equal rows in any order. Once there are more transactions than
`ROWS_AT_ONCE`, the reports are computed again for a stretch of days only, another one at each run; of the other months, what
they hold is compared with what the last plan noted (revops/ledger/digests.py), so that a change from outside is always found.
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

from meshkeys import catalog
from meshkeys.catalog import Relation
from revops.ledger import definitions, digests
from revops.verify import structure
from revops.verify.landed import Landed
from revops.verify.models import Model
from revops.verify.result import Result, listed

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

FACTS = "facts.fct_transactions"
# Columns of what is too large to compare whole, and that are compared of every row all the same.
_ALWAYS = (
    *(
        "transaction_id",
        "transacted_at",
        "transacted_on",
        "client_id",
        "card_id",
        "merchant_id",
        "mcc",
        "amount",
        "channel",
    ),
    *("merchant_city", "merchant_state", "zip", "errors", "amount_cents", "purchase_cents", "refund_cents"),
)
_OUTCOMES = Relation("facts", "fct_outcomes")
_OUTCOMES_KEY = ("transaction_id",)

# Of so many transactions every report is computed again; of more, so many of them. A model that looks back reads, for one day,
# the days it looks back to, and computes windows over all of them.
ROWS_AT_ONCE = 250_000
ROWS_LOOKED_BACK = 120_000


@dataclass(frozen=True)
class Scope:
    """Days from `first` to `last`; all where both are None."""

    first: date | None = None
    last: date | None = None

    @property
    def is_whole(self) -> bool:
        """Whether these are all days."""
        return self.first is None and self.last is None

    def in_months(self) -> Scope:
        """The months that the days are of, whole."""
        if self.first is None or self.last is None:
            return self
        after = date(self.last.year + self.last.month // 12, self.last.month % 12 + 1, 1)
        return Scope(self.first.replace(day=1), after - timedelta(days=1))

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
    cursor: Cursor, models: Mapping[str, Model], scopes: Sequence[Scope], landed: Landed
) -> list[Callable[[Cursor], Compared]]:
    """What there is to compare, the longest first: models of days over each of the scopes, others once."""
    cursor.execute("SELECT min(transacted_on), max(transacted_on) FROM facts.fct_transactions")
    days = Scope(*(cursor.fetchone() or (None, None)))
    last_day = max((m.last_day for m in models.values() if m.last_day), default=date.today() - timedelta(days=1))
    place = random.random()
    tasks = []
    for model in models.values():
        if model.definition is None:
            continue
        asked = [_scope(model, scope, days, landed, place) for scope in scopes or [FULL]]
        if not scopes and _day_of(model) is not None:
            continue  # no day was touched
        for scope in dict.fromkeys(asked):
            task = partial(_compare, model, scope, FULL in scopes, last_day)
            tasks.append((model.definition.look_back, len(model.columns), task))
    return [task for *_, task in sorted(tasks, key=lambda each: each[:2], reverse=True)]


def summed_up(models: Mapping[str, Model], compared: Sequence[Compared]) -> Result:
    """One line about all comparisons."""
    depth = _depths(models)
    faulty = sorted(compared, key=lambda each: (depth[each.model], each.model))  # the cause before what follows from it
    wrong = [each.wrong for each in faulty if each.wrong]
    unknown = [name for name, model in models.items() if model.definition is None]
    if unknown:
        wrong.append(f"no query is noted of {', '.join(unknown[:3])}: the next plan of prod notes it (revops build)")
    in_part: dict[Scope, list[str]] = {}
    for each in compared:
        if not each.scope.is_whole:
            in_part.setdefault(each.scope, []).append(each.model)
    shown = f"{sum(each.rows for each in compared):,} rows of {len(compared)} relations compared one by one"
    for scope, names in in_part.items():
        shown += f"; {names[0] if len(names) == 1 else f'{len(names)} relations'} computed again from {scope}"
    return Result("rows as their models make them", not wrong, listed(wrong) or shown)


def proven(cursor: Cursor, models: Mapping[str, Model], compared: Sequence[Compared], landed: Landed) -> set[Relation]:
    """The relations each row of which is known to be made of other rows."""
    sound = {
        each.model
        for each in compared
        if not each.wrong and (each.scope.is_whole or models[each.model].declared.materialized_view is not None)
    }
    served = {name for name, model in models.items() if model.declared.materialized_view is not None}
    if landed.is_alike and served <= sound:
        sound.add(FACTS)  # its text is that of raw, and all of it is what is served
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


def _scope(model: Model, asked: Scope, days: Scope, landed: Landed, place: float) -> Scope:
    """The days of a model to compare: those asked for, or as many as there is time for, at a place from 0 to 1 of all days."""
    definition = model.definition
    if definition is None or _day_of(model) is None or days.first is None or days.last is None:
        return FULL
    if not asked.is_whole:
        return asked.in_months() if definition.is_monthly else asked
    if "staging" in definition.query and not (model.name == FACTS and landed.is_alike):
        return FULL
    most = ROWS_LOOKED_BACK if definition.look_back else ROWS_AT_ONCE
    span = (days.last - days.first).days + 1
    length = max(int(most / (landed.facts[0] / span)) - definition.look_back, 1)
    if landed.facts[0] <= most or length >= span:
        return FULL
    first = days.first + timedelta(days=int(place * (span - length + 1)))
    found = Scope(first, first + timedelta(days=length - 1))
    return found if definition.look_back else found.in_months()


def _day_of(model: Model) -> str | None:
    """The column by which the days of a model are told."""
    view = model.declared.materialized_view
    return (model.definition and model.definition.day_column) or (view.period if view else None)


def _compare(model: Model, scope: Scope, is_for_time: bool, last_day: date, cursor: Cursor) -> Compared:
    cursor.execute("SAVEPOINT comparison")
    try:
        rows, wrong = _compared(cursor, model, scope, last_day)
        if wrong is None and is_for_time and not scope.is_whole:
            wrong = _wrong_elsewhere(cursor, model, last_day)
    except (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.NotSupportedError) as error:
        cursor.execute("ROLLBACK TO SAVEPOINT comparison")
        # The text of a data error holds the value.
        said = str(error).splitlines()[0] if isinstance(error, psycopg2.ProgrammingError) else type(error).__name__
        rows, wrong = 0, f"{model.name} cannot be compared: {said}"
    return Compared(model.name, rows, scope, wrong)


def _compared(cursor: Cursor, model: Model, scope: Scope, last_day: date) -> tuple[int, str | None]:
    """How many rows there are, and what is wrong."""
    definition = model.definition
    assert definition is not None
    is_plain_view = definition.is_view and model.declared.materialized_view is None
    query = sql.SQL("(" + definition.query + ") AS query")
    if is_plain_view and structure.plan(cursor, model.view.identifier) == structure.plan(cursor, query):
        return 0, None  # one query: whatever rows it gives, it gives
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
    text = definitions.of_days(query or model.definition.query, first, last)
    return _Side(sql.SQL("(" + text + ")"), within), _Side(model.view.identifier, within)


def _wrong_elsewhere(cursor: Cursor, model: Model, last_day: date) -> str | None:
    """What is wrong outside the days that were computed again, as far as it can be found without doing so."""
    definition = model.definition
    assert definition is not None
    if model.declared.materialized_view is not None:
        return None  # "facts = served" and "labels agree" are about all of its rows
    if definition.apart is not None:
        looked_up = [column for lookup in definition.lookups for column in lookup.columns]
        columns = [column for column in model.columns if column in (*_ALWAYS, *looked_up)]
        if not _is_same_apart(cursor, model, last_day, columns)[1]:
            return _difference(cursor, model, *_sides(model, FULL, last_day))
    elif definition.has_digests:
        months = digests.different(cursor, model.view, model.physical, definition.day_column or "")
        if months:
            return f"{model.name}: its rows of {', '.join(months[:3])} are not those that were built"
    elif definition.look_back and model.declared.primary_key == _OUTCOMES_KEY:
        return _other_keys(cursor, model)
    return None


def _other_keys(cursor: Cursor, model: Model) -> str | None:
    """Whether a model that adds columns to each outcome has a row for each of them, on its day, and no other."""
    key = (*model.declared.primary_key, model.definition.day_column or "") if model.definition else ()
    _, is_same = _totals(cursor, _Side(_OUTCOMES.identifier, _ALL), _Side(model.view.identifier, _ALL), key)
    return None if is_same else f"{model.name}: its keys and days are not those of {_OUTCOMES}"


def _totals(cursor: Cursor, expected: _Side, found: _Side, columns: Sequence[str]) -> tuple[int, bool]:
    sums = []
    for side in (found, expected):
        cursor.execute(side.read(sql.SQL("count(*)"), _sum(columns)))
        sums.append(cursor.fetchone() or (0, None))
    return sums[0][0], sums[0] == sums[1]


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
        cursor.execute(found.read(sql.SQL("count(*)"), _sum([*key, *values]), where=_known(values)))
        here = cursor.fetchone()
        with_row = sql.SQL("EXISTS (SELECT FROM {} AS own WHERE {})").format(
            found.source,
            sql.SQL(" AND ").join(
                sql.SQL("own.{} = contents.{}").format(sql.Identifier(a), sql.Identifier(b))
                for a, b in lookup.key.items()
            ),
        )
        # Only where there are rows that nothing looks up is it worth the time to leave them out.
        for condition in (_known(theirs), sql.SQL(" AND ").join([_known(theirs), with_row])):
            cursor.execute(other.read(sql.SQL("count(*)"), _sum([*their_key, *theirs]), where=condition))
            there = cursor.fetchone()
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
    cursor.execute(statement)
    row = cursor.fetchone()
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
