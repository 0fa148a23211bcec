"""Builds the models on Spark: exports what has landed, plans, and evaluates what is out of date there.

Landing stays with PostgreSQL, which also keeps SQLMesh's state and the ledger. What is out of date on Spark is found as on
PostgreSQL, by the numbers of changes and evaluations (revops/ledger): after a kill, a failure or the return of an old version
the next build finds the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from foundation import database
from foundation.errors import CheckFailed
from foundation.queries import relations_exist, scalar
from meshkeys.catalog import Relation
from revops import build, sqlmesh_project
from revops.embedded import server
from revops.engines import connection as connection_of_spark
from revops.engines import evaluations, notes, raw_export, raw_tables
from revops.engines import settings as engines
from revops.ledger import dimensions_and_labels, graph, landings, ledger
from revops.ledger.days import JOINED_DAYS, Days, days_in, ranges_of
from revops.ledger.ledger import FIRST_DAY, Change, OutOfDate
from revops.terminal import progress

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor
    from sqlmesh import Context
    from sqlmesh.core.snapshot import Snapshot

    from revops.ledger.graph import Node
    from revops.settings import Settings

EXPORT = "lake"
_FOLLOWED = "spark"
_FROM_RAW = {
    "raw.users": "dimensions.dim_users",
    "raw.cards": "dimensions.dim_cards",
    "raw.mcc_codes": "dimensions.dim_mcc",
    "raw.fraud_labels": dimensions_and_labels.LABELS,
}
# A row whose day was not over when its quarantine was last evaluated may be a fact by now; asked once a day.
_THEIR_DAY_IS_OVER = """
SELECT EXISTS (
    SELECT FROM ops.load_files AS file,
        (SELECT (max(evaluated_at) AT TIME ZONE 'UTC')::date AS day FROM ops.elsewhere
         WHERE relation = ANY (%(tables)s) AND starts_on <= %(first)s) AS evaluated
    WHERE file.relation = 'transactions' AND file.max_date >= evaluated.day AND evaluated.day < %(today)s)
"""

_log = logging.getLogger(__name__)


def build_on_spark(settings: Settings, environment: str = build.PROD, quiet: bool = False) -> None:
    """Brings an environment on Spark up to date with the project's models, and with all that has landed.

    The caller holds the warehouse's lock.

    Raises:
        CheckFailed: an audit or a declared key failed, or a model could not be built; names it.
        DatabaseUnavailable: PostgreSQL or Spark cannot be reached or was lost.
    """
    dsn = server.up(settings)
    chosen = reach()
    began = time.monotonic()
    environment = sqlmesh_project.environment_name(environment)
    with closing(database.connect(dsn, "revops build")) as connection, progress.building(quiet) as builds:
        exported = raw_export.export_raw(connection, settings.home / EXPORT)
        with connection.cursor() as cursor:
            notes.create(cursor)
            exact_since = _exact_since(cursor, settings, connection)
        connection.commit()
        with (
            closing(sqlmesh_project.context(settings, builds=builds)) as context,
            closing(database.connect(dsn, "revops build", autocommit=True)) as beside,
            evaluations.reported_to(_recorder(beside)),
        ):
            raw_tables.register(context.engine_adapter, exported, chosen.raw or str(exported.folder))
            _log.info(
                "on Spark declared keys are checked after each evaluation; indexes, materialized views and grants do nothing"
            )
            try:
                sqlmesh_project.apply(context, environment)
                versions = sqlmesh_project.versions(context, environment)
                _bring_up_to_date(context, connection, environment, versions, exact_since)
            finally:
                sqlmesh_project.note_evaluations(connection, notes.name(engines.SPARK, environment))
        with connection.cursor() as cursor:
            notes.prune(cursor)
            if environment == build.PROD:
                landings.mark_compared(cursor, _FOLLOWED, "" if exact_since is None else str(exact_since))
        connection.commit()
    _log.info("built %s on Spark in %.1f s", environment, time.monotonic() - began)


def reach() -> engines.Spark:
    """The chosen Spark, once it was reached: before anything lands or is exported for it.

    Raises:
        DatabaseUnavailable: there is no server.
        UsageError: its client is not installed, or a setting is wrong.
    """
    chosen = engines.spark()
    connection_of_spark.session(chosen.remote, chosen.catalog, chosen.warehouse)
    return chosen


def _recorder(connection: Connection) -> evaluations.Listener:
    one_at_a_time = threading.Lock()

    def record(snapshot: Any, days: tuple[str, str] | None) -> None:
        with one_at_a_time, connection.cursor() as cursor:
            notes.record(cursor, notes.name(engines.SPARK, Relation.of(snapshot.table_name())), days)

    return record


def _bring_up_to_date(
    context: Context,
    connection: Connection,
    environment: str,
    versions: Mapping[str, Snapshot],
    exact_since: int | None,
) -> None:
    nodes = notes.of_engine(engines.SPARK, graph.nodes_of(versions.values()))
    with connection.cursor() as cursor:
        changes = _changes(cursor, nodes, exact_since)
    out_of_date = OutOfDate({}, frozenset())
    for _ in range(build.MOST_ROUNDS):
        with connection.cursor() as cursor:
            done = notes.evaluations(cursor, nodes)
        connection.commit()
        out_of_date = ledger.find(nodes, changes, done, landings.today(), widen=lambda days: days_in(_joined(days)))
        if not out_of_date:
            return
        spans = {model: [(span.first, span.last) for span in _joined(days)] for model, days in out_of_date.days.items()}
        _log.info("evaluating %d tables of days and %d whole tables again", len(spans), len(out_of_date.whole))
        sqlmesh_project.evaluate(context, environment, versions, spans, out_of_date.whole)
    left = sorted([*out_of_date.whole, *out_of_date.days])
    raise CheckFailed(
        f"{', '.join(left[:5])} could not be brought up to date in {build.MOST_ROUNDS} rounds.\n"
        "  Report this as a defect; revops build tries again."
    )


def _joined(days: Sequence[Any]) -> list[Days]:
    return ranges_of(days, JOINED_DAYS)


def _changes(cursor: Cursor, nodes: Sequence[Node], exact_since: int | None) -> list[Change]:
    """What happened, as the ledger notes it, and what only PostgreSQL's own build would have found out.

    Which days a changed card, user, category or label touches is noted by a build on PostgreSQL, which compares the rows. Where
    none follows each landing, such a file makes all days out of date here.
    """
    found = ledger.changes(cursor)
    ends = landings.today() + timedelta(days=1)
    found += [
        Change(change.number, _FROM_RAW[change.relation], FIRST_DAY, ends)
        for change in found
        if change.relation in _FROM_RAW and (exact_since is None or change.number <= exact_since)
    ]
    tables = [node.relation for node in nodes if node.model == "quality.quarantined_transactions"]
    if scalar(cursor, _THEIR_DAY_IS_OVER, {"tables": tables, "first": FIRST_DAY, "today": landings.today()}):
        number = int(scalar(cursor, "SELECT nextval('ops.ledger_ids')"))
        found.append(Change(number, "raw.transactions", FIRST_DAY, FIRST_DAY + timedelta(days=1)))
    return sorted(found, key=lambda change: change.number)


def _exact_since(cursor: Cursor, settings: Settings, connection: Connection) -> int | None:
    """Since which change PostgreSQL's prod was built whenever Spark's was, so that changed attributes are all noted."""
    if not build.is_up_to_date(connection, settings):
        return None
    if not relations_exist(cursor, "ops.compared"):
        return None
    kept = scalar(cursor, "SELECT tables FROM ops.compared WHERE relation = %s", (_FOLLOWED,))
    return int(kept) if kept else int(scalar(cursor, "SELECT nextval('ops.ledger_ids')"))
