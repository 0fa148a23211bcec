"""Transforms what has landed, and only what that touches: tells SQLMesh which models to restate over which days.

SQLMesh marks days as done, also those that were empty; a file landed later for such a day would never be seen. So the
landings say which days they touched, and exactly those are restated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from psycopg2 import sql

from revops import bootstrap, database, server
from revops.hooks.catalog import Relation
from revops.pending import UNDATED, Pending, find, mark_built

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from sqlmesh import Context

    from revops.settings import Settings

PROD = "prod"
# Touched days closer than this are restated as one range: a plan costs seconds, an untouched day in between next to nothing.
JOINED_DAYS = 31
# More ranges than this are joined over the narrowest gaps.
MOST_RANGES = 12

# Facts that stand on another day now, or nowhere: out of the way first, because ranges are restated one after the other and
# an id may stand only once.
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


def build(settings: Settings, environment: str = PROD) -> None:
    """Brings an environment up to date with the project's models, and prod with all that has landed.

    The caller holds the warehouse's lock. What a killed build left undone is still pending, and done by the next.

    Raises:
        CheckFailed: an audit failed or a model could not be built; names it.
        DatabaseUnavailable: the database cannot be reached or was lost.
    """
    from revops import sqlmesh_project

    dsn = server.up(settings)
    began = time.monotonic()
    with closing(database.connect(dsn, "revops build")) as connection:
        bootstrap.prepare(connection)
        _log.info("planning %s", environment)
        with ThreadPoolExecutor(1, "pending") as beside:
            finding = beside.submit(find, connection)  # the server's work, while Python reads the project
            with closing(sqlmesh_project.context(settings)) as context:
                pending = finding.result()
                try:
                    sqlmesh_project.apply(context, environment)
                    if environment == PROD and pending.anything and not pending.first_build:
                        _restate(context, connection, pending)
                finally:
                    sqlmesh_project.note_audits(connection, environment)
        if environment == PROD:
            mark_built(connection, pending)
    _log.info("built %s in %.1f s", environment, time.monotonic() - began)


def ranges_of(days: Iterable[date]) -> list[Days]:
    """Days joined to few ranges, in order: a gap of up to `JOINED_DAYS` is bridged, and wider ones beyond `MOST_RANGES`.

    The day that stands for rows without a date is never joined to others: the range would be all history.
    """
    ordered = sorted(set(days))
    undated = [Days(UNDATED, UNDATED)] if ordered and ordered[0] == UNDATED else []
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


def days_after(ranges: Iterable[Days], count: int, newest: date) -> list[Days]:
    """The `count` days after each range, but for those in a range themselves, up to `newest`; in order, joined."""
    dated = [span for span in ranges if span.first != UNDATED]
    restated = {span.first + timedelta(days=i) for span in dated for i in range((span.last - span.first).days + 1)}
    felt = {span.last + timedelta(days=i) for span in dated for i in range(1, count + 1)}
    return ranges_of(day for day in felt - restated if day <= newest)


def _restate(context: Context, connection: Connection, pending: Pending) -> None:
    from revops import sqlmesh_project
    from revops.hooks import change, materialized_views

    if pending.loses_parents:
        with connection.cursor() as cursor:
            change.set_aside_foreign_keys(cursor)
        connection.commit()
    ranges = ranges_of(pending.days) or [Days(UNDATED, UNDATED)]
    by_days = "facts.fct_outcomes" if pending.relations == {"fraud_labels"} else "facts.fct_transactions"
    if len(ranges) > 1:
        _clear_the_way(context, connection, sorted(pending.days))
    for number, span in enumerate(ranges, start=1):
        _log.info("restating %s to %s (%d of %d)", span.first, span.last, number, len(ranges))
        # What is rebuilt whole is rebuilt with the first range; the others need the facts of their days only.
        models = {f"staging.stg_{relation}" for relation in pending.relations} if number == 1 else set()
        # All ranges are shown at once, with the last.
        with nullcontext() if number == len(ranges) else materialized_views.deferred():
            sqlmesh_project.apply(context, PROD, models or {by_days}, span.first, span.last)
    _restate_what_looks_back(context, connection, ranges)


def _clear_the_way(context: Context, connection: Connection, days: list[date]) -> None:
    """Takes displaced facts away, and the rows made of them in all tables of days that know a transaction by its id."""
    from revops.hooks import declarations

    with connection.cursor() as cursor:
        cursor.execute(_DISPLACED, {"days": days, "texts": [str(day) for day in days]})
        for model in context.models.values():
            by_day = model.kind.is_incremental_by_time_range and model.time_column.column.name == "transacted_on"
            if by_day and "transaction_id" in declarations.of(model).primary_key:
                table = Relation.parse(model.name).identifier
                cursor.execute(sql.SQL(_DISPLACED_AFTER_THEM).format(table=table), {"days": days})
    connection.commit()


def _restate_what_looks_back(context: Context, connection: Connection, ranges: list[Days]) -> None:
    """Restates, over the days after those restated, the models whose rows look back on them."""
    from revops import sqlmesh_project
    from revops.hooks import declarations

    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(transacted_on), %s) FROM facts.fct_transactions", (UNDATED,))
        (newest,) = cursor.fetchone() or (UNDATED,)
    connection.commit()
    for model in context.models.values():
        felt = declarations.felt_for_days(model) if model.is_sql else 0
        for span in days_after(ranges, felt, newest):
            _log.info("restating %s from %s to %s: it looks back", model.name, span.first, span.last)
            sqlmesh_project.apply(context, PROD, {model.name}, span.first, span.last)
