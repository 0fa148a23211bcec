"""Which relations were written to since they were built, by their seals, and which models read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from loaders.sources import SOURCES
from meshkeys import catalog
from meshkeys.catalog import Relation
from revops.ledger import seals
from revops.ledger.days import LONGEST, Unit
from revops.ledger.ledger import FIRST_DAY
from revops.ledger.models import noted_nodes
from revops.verify.landed import Landed
from revops.verify.models import Model

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

Span = tuple[date, date]

RUNS = 30
"""After so many runs each day was looked at again, whether it was touched or not."""
LANDED = tuple(f"raw.{relation}" for relation in SOURCES)
_BLOCK_DAYS = 93


@dataclass(frozen=True)
class Written:
    """Days on which a relation was written to since it was sealed; of no known day where `is_whole`."""

    days: frozenset[date] = frozenset()
    is_whole: bool = False

    def __bool__(self) -> bool:
        return self.is_whole or bool(self.days)


def share(turn: int, first: date, last: date) -> list[Span]:
    """The days from the first to the last whose turn it is; a day's turn does not change when history grows."""
    blocks = range((first - FIRST_DAY).days // _BLOCK_DAYS, (last - FIRST_DAY).days // _BLOCK_DAYS + 1)
    starts = [FIRST_DAY + timedelta(days=block * _BLOCK_DAYS) for block in blocks if block % RUNS == turn % RUNS]
    return [(max(start, first), min(start + timedelta(days=_BLOCK_DAYS - 1), last)) for start in starts]


def plan(
    cursor: Cursor,
    models: Mapping[str, Model],
    spans: Sequence[Span] | None = None,
    looks_at: Callable[[str, str], bool] = lambda name, physical: True,
    seen: Landed | None = None,
) -> list[Callable[[Cursor], tuple[str, Written]]]:
    """What there is to look at: models and landed relations, by name.

    Args:
        cursor: a transaction.
        models: of prod.
        spans: the days to look at; all where None.
        looks_at: whether to look at a relation without days, by its name and the physical one.
        seen: what was read of all that landed, if it was.
    """
    tasks: list[Callable[[Cursor], tuple[str, Written]]] = []
    for relation in SOURCES:
        sealed = seals.of_landed(relation)
        if seen is not None and seals.were_written_by(cursor, sealed, seen.writers(relation)):
            tasks.append(partial(_nothing, str(sealed.relation)))
        elif sealed.day is not None or looks_at(str(sealed.relation), str(sealed.relation)):
            tasks.append(partial(_look, str(sealed.relation), sealed, spans))
    if catalog.is_table(cursor, seals.SUPERSEDED):
        tasks.append(partial(_look, str(seals.SUPERSEDED), seals.of_table(seals.SUPERSEDED, None), None))
    for name, model in models.items():
        definition = model.definition
        if model.declared.materialized_view is not None:
            tasks += [partial(_look_at_part, name, part, days) for part, days in _parts(cursor, model, spans)]
        elif (
            definition is not None
            and not definition.is_view
            and (definition.day_column or looks_at(name, str(model.physical)))
        ):
            tasks.append(partial(_look, name, seals.of_table(model.physical, definition.day_column), spans))
    return tasks


def joined(found: Iterable[tuple[str, Written]]) -> dict[str, Written]:
    """What was found for each relation, the parts of one joined."""
    by_name: dict[str, Written] = {}
    for name, written in found:
        before = by_name.get(name, Written())
        by_name[name] = Written(before.days | written.days, before.is_whole or written.is_whole)
    return by_name


def felt(cursor: Cursor, models: Mapping[str, Model], written: Mapping[str, Written]) -> dict[str, Written]:
    """For each model, the days on which it or anything that it reads was written to."""
    nodes = {node.model: node for node in noted_nodes(cursor)}

    def above(name: str) -> set[str]:
        """What a model reads, through views."""
        found: set[str] = set()
        for parent in nodes[name].parents if name in nodes else ():
            is_view = parent in nodes and nodes[parent].relation is None
            found |= above(parent) if is_view else {parent}
        return found

    result = {}
    for name, model in models.items():
        own = written.get(name, Written())
        days, is_whole = set(own.days), own.is_whole
        for parent in above(name):
            of_parent = written.get(parent, Written())
            is_whole |= of_parent.is_whole
            longer = LONGEST[_unit(models[parent]) if parent in models else "day"]
            reach = (model.definition.look_back if model.definition else 0) + longer
            before = nodes[name].look_ahead
            days |= {day + timedelta(days=i) for day in of_parent.days for i in range(-before, reach)}
        result[name] = Written(frozenset(days), is_whole)
    return result


def intact(cursor: Cursor, models: Mapping[str, Model], written: Mapping[str, Written]) -> set[Relation]:
    """The relations that were looked at, and were not written to."""
    found: set[Relation] = set()
    for name, of_name in written.items():
        if of_name:
            continue
        if name not in models:
            found |= set(_partitions(cursor, Relation.parse(name)))
        elif models[name].declared.materialized_view is not None:
            found |= {part for part, _ in _parts(cursor, models[name], None)}
        else:
            found.add(models[name].physical)
    return found


def superseded(cursor: Cursor, models: Mapping[str, Model]) -> set[Relation]:
    """The sealed relations that prod showed once and shows no more, which nobody builds on."""
    shown = intact(cursor, models, {name: Written() for name in (*models, *LANDED)})
    cursor.execute("SELECT relation FROM ops.sealed")
    return {Relation.parse(relation) for (relation,) in cursor.fetchall()} - shown


def seal_again(cursor: Cursor, models: Mapping[str, Model], written: Mapping[str, Written]) -> None:
    """Seals relations again that were written to but whose rows are right. The cursor's connection commits by itself."""
    for name, of_name in written.items():
        if not of_name:
            continue
        relation = Relation.parse(name)
        sealed = [seals.of_landed(relation.name) if relation.name in SOURCES else seals.of_table(relation, None)]
        if name in models and models[name].declared.materialized_view is not None:
            sealed = [seals.of_table(part, None) for part, _ in _parts(cursor, models[name], None)]
        elif name in models:
            definition = models[name].definition
            sealed = [seals.of_table(models[name].physical, definition.day_column if definition else None)]
        spans = None if of_name.is_whole else [(day, day) for day in sorted(of_name.days)]
        for each in sealed:
            seals.note_again(cursor, each, spans)


def _nothing(name: str, cursor: Cursor) -> tuple[str, Written]:
    return name, Written()


def _look(name: str, sealed: seals.Sealed, spans: Sequence[Span] | None, cursor: Cursor) -> tuple[str, Written]:
    days, is_whole = seals.broken(cursor, sealed, spans)
    return name, Written(frozenset(days), is_whole)


def _look_at_part(name: str, part: Relation, days: Span | None, cursor: Cursor) -> tuple[str, Written]:
    if not any(seals.broken(cursor, seals.of_table(part, None))):
        return name, Written()
    if days is None:
        return name, Written(is_whole=True)
    first, last = days
    return name, Written(frozenset(first + timedelta(days=i) for i in range((last - first).days + 1)))


def _parts(cursor: Cursor, model: Model, spans: Sequence[Span] | None) -> list[tuple[Relation, Span | None]]:
    """The parts behind a model that hold any of the days, each with the days that it holds, where these have an end."""
    shown = catalog.relations_read_by(cursor, model.behind) if model.behind else []
    cursor.execute(
        "SELECT part, starts_on, ends_before FROM ops.materialized_parts WHERE part = ANY (%s)", ([*map(str, shown)],)
    )
    noted = {name: (start, end) for name, start, end in cursor.fetchall()}
    found: list[tuple[Relation, Span | None]] = []
    for part in shown:
        start, end = noted.get(str(part), (None, None))
        days = (start, end - timedelta(days=1)) if start and end else None
        if spans is None or days is None or any(a <= days[1] and days[0] <= b for a, b in spans):
            found.append((part, days))
    return found


def _partitions(cursor: Cursor, relation: Relation) -> list[Relation]:
    cursor.execute(
        "SELECT n.nspname, c.relname FROM pg_partition_tree(to_regclass(%s)) AS t"
        " JOIN pg_class AS c ON c.oid = t.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace",
        (catalog.quoted(relation),),
    )
    return [Relation(*row) for row in cursor.fetchall()]


def _unit(model: Model) -> Unit:
    return model.definition.unit if model.definition else "day"
