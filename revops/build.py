"""Transforms what has landed, and only what that touches: tells SQLMesh which models to restate over which days.

SQLMesh marks days as done, also those that were empty; a file landed later for such a day would never be seen. What is out of
date is found by comparing what happened to each table with what happened above it (hooks/ledger.py), until nothing is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from psycopg2 import sql

from loaders.errors import CheckFailed
from revops import attributes, bootstrap, database, landings, planned, refresh, server
from revops.hooks import change, evaluations, graph, ledger
from revops.hooks.catalog import Relation
from revops.hooks.graph import Node
from revops.hooks.ledger import FIRST_DAY, OutOfDate

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor
    from sqlmesh import Context

    from revops.settings import Settings

PROD = "prod"
# Days closer than this are restated as one range: a plan costs seconds, an untouched day in between next to nothing.
JOINED_DAYS = 31
# More ranges than this are joined over the narrowest gaps.
MOST_RANGES = 12
# Models that look back follow in a round after those they read; a round more where days in between were restated, too.
MOST_ROUNDS = 8

# Facts that are now of another day, or of none, make way first: ranges are restated one after the other, and an id may be
# there only once.
_DISPLACED = """
DELETE FROM facts.fct_transactions AS facts
WHERE facts.transacted_on = ANY (%(days)s)
  AND NOT EXISTS (SELECT FROM staging.stg_transactions AS staged
                  WHERE staged.transaction_id = facts.transaction_id AND staged.transacted_on = facts.transacted_on
                    AND staged.row_fault IS NULL AND left(staged.landed_date, 10) = ANY (%(texts)s))
"""
_DISPLACED_AFTER_THEM = """
DELETE FROM {table} AS derived
WHERE derived.transacted_on = ANY (%(days)s)
  AND NOT EXISTS (SELECT FROM facts.fct_transactions AS facts
                  WHERE facts.transaction_id = derived.transaction_id AND facts.transacted_on = derived.transacted_on)
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class Days:
    """From `first` to `last`, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class Restatement:
    """Models to evaluate again, with which SQLMesh evaluates all that reads them.

    Attributes:
        by_days: tables of days, over each of the ranges.
        whole: tables made whole, once: with the first range.
        ranges: in order.
    """

    by_days: frozenset[str]
    whole: frozenset[str]
    ranges: tuple[Days, ...]


def build(settings: Settings, environment: str = PROD) -> None:
    """Brings an environment up to date with the project's models, and with all that has landed.

    The caller holds the warehouse's lock. What a killed build left undone is found again by the next.

    Raises:
        CheckFailed: an audit failed or a model could not be built; names it.
        DatabaseUnavailable: the database cannot be reached or was lost.
    """
    dsn = server.up(settings)
    began = time.monotonic()
    with closing(database.connect(dsn, "revops build")) as connection:
        if environment != PROD or not _is_up_to_date(connection, settings):
            _build(settings, connection, environment)
    if environment == PROD:
        refresh.bring_up_to_date(dsn)
    _log.info("built %s in %.1f s", environment, time.monotonic() - began)


def _is_up_to_date(connection: Connection, settings: Settings) -> bool:
    """Whether prod shows the project as it is and nothing is out of date: asked without SQLMesh."""
    with connection.cursor() as cursor:
        project = planned.project_digest(settings.root)
        found = (
            planned.is_current(cursor, project, landings.today())
            and not landings.are_waiting(cursor)
            and not ledger.read(cursor, change.noted_nodes(cursor), landings.today())
        )
    connection.commit()
    return found


def _build(settings: Settings, connection: Connection, environment: str) -> None:
    from revops import sqlmesh_project

    bootstrap.prepare(connection)
    project = planned.project_digest(settings.root)
    with connection.cursor() as cursor:
        is_planned = environment == PROD and planned.is_current(cursor, project, landings.today())
        if environment == PROD:
            planned.forget(cursor)
    connection.commit()
    _log.info("planning %s", environment)
    with ThreadPoolExecutor(1, "landings") as beside:
        settling = beside.submit(landings.settle, connection)  # the server's work, while Python reads the project
        with closing(sqlmesh_project.context(settings)) as context:
            settling.result()
            try:
                if not is_planned:
                    sqlmesh_project.apply(context, environment)
                _bring_up_to_date(context, connection, environment)
            finally:
                sqlmesh_project.note_audits(connection, environment)
    if environment == PROD:
        with connection.cursor() as cursor:
            evaluations.prune(cursor)
            planned.record(cursor, project, landings.today())
        connection.commit()


def ranges_of(days: Iterable[date]) -> list[Days]:
    """Days joined to few ranges, in order: a gap of up to `JOINED_DAYS` is bridged, and wider ones beyond `MOST_RANGES`.

    The day that stands for rows without a date is never joined to others: the range would be all history.
    """
    ordered = sorted(set(days))
    undated = [Days(FIRST_DAY, FIRST_DAY)] if ordered and ordered[0] == FIRST_DAY else []
    if undated and len(ordered) > 1 and ordered[1] == FIRST_DAY + timedelta(days=1):
        undated = []  # all history it is
    ranges: list[Days] = []
    for day in ordered[len(undated) :]:
        if ranges and day - ranges[-1].last <= timedelta(days=JOINED_DAYS):
            ranges[-1] = Days(ranges[-1].first, day)
        else:
            ranges.append(Days(day, day))
    while len(ranges) > MOST_RANGES:
        at = min(range(1, len(ranges)), key=lambda i: ranges[i].first - ranges[i - 1].last)
        ranges[at - 1 : at + 1] = [Days(ranges[at - 1].first, ranges[at].last)]
    return undated + ranges


def next_restatement(nodes: Sequence[Node], out_of_date: OutOfDate) -> Restatement | None:
    """What to restate first: the models highest up, over the days on which exactly these are the highest out of date.

    Args:
        nodes: the models of the environment, parents first.
        out_of_date: what is out of date, which is more than what is restated: what reads a restated model follows it.
    """
    if not out_of_date:
        return None
    stale = {model: frozenset(days) for model, days in out_of_date.days.items()}
    above = _ancestors(nodes)
    whole = [
        n.model
        for n in nodes
        if n.model in out_of_date.whole and not above[n.model] & (out_of_date.whole | stale.keys())
    ]
    highest: dict[date, list[str]] = {}
    for node in nodes:
        for day in stale.get(node.model, ()):
            if not any(day in stale.get(parent, ()) for parent in above[node.model]):
                highest.setdefault(day, []).append(node.model)
    if not highest:
        return Restatement(frozenset(), frozenset(whole), (Days(FIRST_DAY, FIRST_DAY),))
    place = {node.model: at for at, node in enumerate(nodes)}
    first = min(highest.values(), key=lambda models: (place[models[0]], -len(models)))
    days = [day for day, models in highest.items() if models == first]
    return Restatement(frozenset(first), frozenset(whole), tuple(ranges_of(days)))


def _ancestors(nodes: Sequence[Node]) -> dict[str, set[str]]:
    above: dict[str, set[str]] = {}
    for node in nodes:
        above[node.model] = set(node.parents).union(*(above.get(parent, set()) for parent in node.parents))
    return above


def _bring_up_to_date(context: Context, connection: Connection, environment: str) -> None:
    """Restates what is out of date, round by round, until nothing is.

    Raises:
        CheckFailed: something still is after as many rounds as could be needed.
    """
    out_of_date = OutOfDate({}, frozenset())
    for _ in range(MOST_ROUNDS):
        nodes = graph.nodes_of(context.snapshots.values())
        out_of_date = _look(context, connection, nodes, environment)
        restatement = next_restatement(nodes, out_of_date)
        if restatement is None:
            return
        _restate(context, connection, environment, restatement)
    left = sorted([*out_of_date.whole, *out_of_date.days])
    raise CheckFailed(
        f"{', '.join(left[:5])} could not be brought up to date in {MOST_ROUNDS} rounds.\n"
        "  Report this as a defect; revops build tries again."
    )


def _look(context: Context, connection: Connection, nodes: Sequence[Node], environment: str) -> OutOfDate:
    """Notes what changed in dimensions and labels, and finds what is out of date. Commits."""
    with connection.cursor() as cursor:
        if environment == PROD:
            attributes.compare_dimensions(cursor, nodes, {})
            connection.commit()  # what prod holds now is known, before what it is about to hold
            stale = ledger.read(cursor, nodes, landings.today()).whole
            coming = {name: _query_of(context, name) for name in stale if name in attributes.NAMES}
            if coming:
                attributes.compare_dimensions(cursor, nodes, coming)
            attributes.compare_labels(cursor, nodes)
            connection.commit()
        out_of_date = ledger.read(cursor, nodes, landings.today(), _of_others(cursor, environment))
    connection.commit()
    return out_of_date


def _of_others(cursor: Cursor, environment: str) -> frozenset[str]:
    """The tables that an environment shares with prod, where alone they are restated."""
    if environment == PROD:
        return frozenset()
    cursor.execute("SELECT relation FROM ops.declarations")
    return frozenset(row[0] for row in cursor.fetchall())


def _query_of(context: Context, name: str) -> str:
    """The query of a model on physical tables."""
    snapshots = {snapshot.name: snapshot for snapshot in context.snapshots.values()}
    query = context.get_model(name, raise_if_missing=True).render_query_or_raise(snapshots=snapshots)
    return str(query.sql(dialect="postgres", comments=False))


def _restate(context: Context, connection: Connection, environment: str, restatement: Restatement) -> None:
    from revops import sqlmesh_project
    from revops.hooks import materialized_views

    if len(restatement.ranges) > 1 and environment == PROD:
        _clear_the_way(context, connection, restatement)
    for number, span in enumerate(restatement.ranges, start=1):
        models = restatement.by_days | (restatement.whole if number == 1 else frozenset())
        shown = ", ".join(sorted(models))
        _log.info("restating %s, %s to %s (%d of %d)", shown, span.first, span.last, number, len(restatement.ranges))
        with materialized_views.deferred():  # all are shown at once, at the end
            sqlmesh_project.apply(context, environment, models, span.first, span.last)


def _clear_the_way(context: Context, connection: Connection, restatement: Restatement) -> None:
    """Takes displaced facts away, and the rows made of them in all tables of days that know a transaction by its id."""
    from revops.hooks import declarations

    if attributes.FACTS not in restatement.by_days:
        return
    days = [
        span.first + timedelta(days=i) for span in restatement.ranges for i in range((span.last - span.first).days + 1)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_DISPLACED, {"days": days, "texts": [str(day) for day in days]})
        for model in context.models.values():
            by_day = model.kind.is_incremental_by_time_range and model.time_column.column.name == "transacted_on"
            if by_day and "transaction_id" in declarations.of(model).primary_key:
                table = Relation.parse(model.name).identifier
                cursor.execute(sql.SQL(_DISPLACED_AFTER_THEM).format(table=table), {"days": days})
    connection.commit()
