"""Transforms what has landed, and only what that touches: tells SQLMesh which models to evaluate over which days.

SQLMesh marks days as done, also those that were empty; a file landed later for such a day would never be seen. What is out of
date is found by comparing what happened to each table with what happened above it (revops/ledger), until nothing is. SQLMesh's
scheduler evaluates and audits just that: a restatement by a plan would evaluate all that is downstream, once for each range.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from psycopg2 import sql

from foundation import database
from foundation.errors import CheckFailed
from foundation.queries import scalar
from meshkeys import change, evaluations
from meshkeys.catalog import Relation
from revops import bootstrap, by_notes, refresh
from revops.embedded import server
from revops.ledger import build_history, dimensions_and_labels, graph, landings, last_plan, ledger, models
from revops.ledger.days import JOINED_DAYS, Days, days_in, ranges_of
from revops.ledger.graph import Node
from revops.ledger.ledger import OutOfDate
from revops.terminal import progress

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor
    from sqlmesh import Context
    from sqlmesh.core.snapshot import Snapshot

    from revops.settings import Settings
    from revops.terminal.progress import Builds

PROD = "prod"
# An evaluation costs as much as so many rows of untouched days between two ranges.
JOINED_ROWS = 100_000
# One round does it; another finds what changed meanwhile, such as a dimension with other contents than predicted.
MOST_ROUNDS = 4

# Facts whose day has changed are deleted first: ranges are restated one after the other, and an id may be there only once.
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

_OF_TRANSACTIONS = """
SELECT d.model FROM ops.declarations AS d JOIN ops.models AS m USING (model)
WHERE d.model = ANY (%s) AND d.declared -> 'primary_key' ? 'transaction_id' AND m.definition ->> 'day_column' = 'transacted_on'
"""

_ROWS_A_DAY = """
SELECT sum(rows_loaded)::float8 / (max(max_date) - min(min_date) + 1) FROM ops.load_files WHERE relation = 'transactions'
"""

_log = logging.getLogger(__name__)


def build(settings: Settings, environment: str = PROD, quiet: bool = False) -> None:
    """Brings an environment up to date with the project's models, and with all that has landed.

    The caller holds the warehouse's lock. What a killed build left undone is found again by the next. With `quiet` there is no
    bar on a terminal.

    Raises:
        CheckFailed: an audit failed or a model could not be built; names it.
        DatabaseUnavailable: the database cannot be reached or was lost.
    """
    dsn = server.up(settings)
    began = time.monotonic()
    with closing(database.connect(dsn, "revops build")) as connection:
        if environment != PROD or not is_up_to_date(connection, settings):
            with progress.building(quiet) as builds:
                _build(settings, dsn, connection, environment, builds)
    if environment == PROD:
        refresh.bring_up_to_date(dsn)
    _log.info("built %s in %.1f s", environment, time.monotonic() - began)


def is_up_to_date(connection: Connection, settings: Settings) -> bool:
    """Whether prod shows the project as it is and nothing is out of date: asked without SQLMesh."""
    with connection.cursor() as cursor:
        project = last_plan.project_digest(settings.root)
        found = (
            last_plan.is_current(cursor, project, landings.today())
            and not landings.are_waiting(cursor)
            and not ledger.read(cursor, models.noted_nodes(cursor), landings.today())
        )
    connection.commit()
    return found


def _build(settings: Settings, dsn: str, connection: Connection, environment: str, builds: Builds) -> None:
    if environment != PROD:
        from revops import sqlmesh_project

        environment = sqlmesh_project.environment_name(environment)
    bootstrap.prepare(connection)
    project = last_plan.project_digest(settings.root)
    with connection.cursor() as cursor:
        is_planned = environment == PROD and last_plan.is_current(cursor, project, landings.today())
        if environment == PROD:
            last_plan.forget(cursor)
        last = build_history.durations(cursor, environment)
    connection.commit()
    builds.expect(last)
    if not (is_planned and _build_by_notes(dsn, connection, builds, last)):
        _build_by_sqlmesh(settings, connection, environment, is_planned, builds)
    if environment == PROD:
        with connection.cursor() as cursor:
            evaluations.prune(cursor)
            last_plan.record(cursor, project, landings.today())
        connection.commit()


def _build_by_notes(dsn: str, connection: Connection, builds: Builds, last: Mapping[str, float]) -> bool:
    """Brings prod up to date by what its last plan noted; returns False where that is not enough."""
    builds.phase("reading what is planned of prod")
    landings.settle(connection)
    nodes = _noted(connection)
    with connection.cursor() as cursor:
        notes = by_notes.Notes.read(cursor, nodes, last)
    connection.commit()

    def evaluate(out_of_date: OutOfDate, ranges: Mapping[str, Sequence[Days]]) -> bool:
        with connection.cursor() as cursor:
            suffice = notes.suffice(cursor, out_of_date)
        connection.commit()
        if not suffice:
            return False
        _tell(out_of_date, ranges)
        ended = []
        try:
            for each in notes.evaluate(dsn, builds, ranges, out_of_date.whole):
                ended.append(each)
        finally:
            with connection.cursor() as cursor:
                audited = [(each.model, each.passed, each.failed) for each in ended if each.passed or each.failed]
                build_history.note(cursor, PROD, audited, {each.model: each.seconds for each in ended})
            connection.commit()
        return True

    return _bring_up_to_date(connection, PROD, nodes, notes.query_of, evaluate)


def _build_by_sqlmesh(
    settings: Settings, connection: Connection, environment: str, is_planned: bool, builds: Builds
) -> None:
    from meshkeys import materialized_views
    from revops import sqlmesh_project

    builds.phase(f"{'reading what is planned of' if is_planned else 'planning'} {environment}")
    with ThreadPoolExecutor(1, "landings") as beside:
        settling = beside.submit(landings.settle, connection)  # the server's work, while Python reads the project
        with closing(sqlmesh_project.context(settings, with_models=not is_planned, builds=builds)) as context:
            settling.result()

            def evaluate(out_of_date: OutOfDate, ranges: Mapping[str, Sequence[Days]]) -> bool:
                _tell(out_of_date, ranges)
                with materialized_views.deferred():  # all is shown at once, at the end
                    spans = {model: [(span.first, span.last) for span in found] for model, found in ranges.items()}
                    sqlmesh_project.evaluate(context, environment, versions, spans, out_of_date.whole)
                return True

            try:
                if not is_planned:
                    sqlmesh_project.apply(context, environment)
                versions = sqlmesh_project.versions(context, environment)
                nodes = _noted(connection) if is_planned else graph.nodes_of(versions.values())
                _bring_up_to_date(connection, environment, nodes, partial(_query_of, versions), evaluate)
                if environment == PROD and not is_planned:
                    _settle(context, connection, versions, nodes)
            finally:
                sqlmesh_project.note_evaluations(connection, environment)


def _noted(connection: Connection) -> list[Node]:
    """The nodes of prod, as its last plan noted them."""
    with connection.cursor() as cursor:
        nodes = models.noted_nodes(cursor)
    connection.commit()
    return nodes


def _settle(context: Context, connection: Connection, versions: Mapping[str, Snapshot], nodes: Sequence[Node]) -> None:
    """Notes what is not noted yet: a plan was killed between its promotion and its end, or had no changes to promote."""
    snapshots = [snapshot for snapshot in versions.values() if snapshot.is_model]
    with connection.cursor() as cursor:
        is_noted = models.are_noted(cursor, snapshots)
    connection.commit()
    if not is_noted or graph.in_order({node.model: node for node in nodes}) != _noted(connection):
        change.begin(context.engine_adapter, PROD, snapshots)
        change.end(context.engine_adapter, PROD, snapshots)


def _joined_days(connection: Connection) -> int:
    """How many untouched days cost as much as starting one more range."""
    with connection.cursor() as cursor:
        rows = scalar(cursor, _ROWS_A_DAY)
    connection.commit()
    return max(JOINED_DAYS, int(JOINED_ROWS / max(rows or 0, 1)))


def _bring_up_to_date(
    connection: Connection,
    environment: str,
    nodes: Sequence[Node],
    query_of: Callable[[str], str],
    evaluate: Callable[[OutOfDate, Mapping[str, Sequence[Days]]], bool],
) -> bool:
    """Evaluates what is out of date, each table once, after what it reads; then looks again.

    Args:
        connection: commits.
        environment: which.
        nodes: its models, parents first.
        query_of: gives the query of a dimension, for what it is about to hold.
        evaluate: evaluates tables, and ranges of days of others; returns False where it cannot.

    Returns:
        Whether all is up to date; False where `evaluate` could not do it.

    Raises:
        CheckFailed: something is still out of date after the most rounds that can be needed.
    """
    out_of_date = OutOfDate({}, frozenset())
    join = partial(ranges_of, joined=_joined_days(connection))
    for _ in range(MOST_ROUNDS):
        out_of_date = _look(connection, nodes, environment, query_of, lambda days: days_in(join(days)))
        if not out_of_date:
            return True
        ranges = {model: join(days) for model, days in out_of_date.days.items()}
        if environment == PROD and len(ranges.get(dimensions_and_labels.FACTS, ())) > 1:
            _clear_the_way(connection, nodes, days_in(ranges[dimensions_and_labels.FACTS]))
        if not evaluate(out_of_date, ranges):
            return False
    left = sorted([*out_of_date.whole, *out_of_date.days])
    raise CheckFailed(
        f"{', '.join(left[:5])} could not be brought up to date in {MOST_ROUNDS} rounds.\n"
        "  Report this as a defect; revops build tries again."
    )


def _tell(out_of_date: OutOfDate, ranges: Mapping[str, Sequence[Days]]) -> None:
    spans = sorted({span for found in ranges.values() for span in found})
    days = f"{len(ranges)} tables of days, {spans[0].first} to {max(span.last for span in spans)}" if spans else ""
    whole = f"{len(out_of_date.whole)} whole tables" if out_of_date.whole else ""
    _log.info("evaluating %s", " and ".join(filter(None, (days, whole))))


def _look(
    connection: Connection,
    nodes: Sequence[Node],
    environment: str,
    query_of: Callable[[str], str],
    widen: Callable[[list[date]], list[date]],
) -> OutOfDate:
    """Notes what changed in dimensions and labels, and finds what is out of date. Commits."""
    with connection.cursor() as cursor:
        if environment == PROD:
            dimensions_and_labels.compare_dimensions(cursor, nodes, {})
            connection.commit()  # first what prod holds now, then what it is about to hold
            stale = ledger.read(cursor, nodes, landings.today()).whole
            coming = {name: query_of(name) for name in stale if name in dimensions_and_labels.NAMES}
            if coming:
                dimensions_and_labels.compare_dimensions(cursor, nodes, coming)
            dimensions_and_labels.compare_labels(cursor, nodes)
            connection.commit()
        out_of_date = ledger.read(cursor, nodes, landings.today(), _of_others(cursor, environment), widen)
    connection.commit()
    return out_of_date


def _of_others(cursor: Cursor, environment: str) -> frozenset[str]:
    """The tables that an environment shares with prod, which are restated only with prod."""
    if environment == PROD:
        return frozenset()
    cursor.execute("SELECT relation FROM ops.declarations")
    return frozenset(row[0] for row in cursor.fetchall())


def _query_of(versions: Mapping[str, Snapshot], name: str) -> str:
    """The query of a model on physical tables."""
    model = next(snapshot.model for snapshot in versions.values() if str(Relation.of(snapshot.name)) == name)
    query = model.render_query_or_raise(snapshots=versions)
    return str(query.sql(dialect="postgres", comments=False))


def _clear_the_way(connection: Connection, nodes: Sequence[Node], days: list[date]) -> None:
    """Deletes facts whose day has changed, and the rows made of them in all tables of days with the transaction's id."""
    by_days = [node.model for node in nodes if node.by_days]
    with connection.cursor() as cursor:
        cursor.execute(_DISPLACED, {"days": days, "texts": [str(day) for day in days]})
        cursor.execute(_OF_TRANSACTIONS, (by_days,))
        for (model,) in cursor.fetchall():
            table = Relation.parse(model).identifier
            cursor.execute(sql.SQL(_DISPLACED_AFTER_THEM).format(table=table), {"days": days})
    connection.commit()
