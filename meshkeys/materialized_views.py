"""The materialized view behind a model of kind VIEW: its parts, its refresh, and the view that serves it.

    serving.enriched_transactions             the environment's view; SQLMesh makes it, `serve` points it at
    -> enriched_transactions__<version>__mv_<hash>            a view: UNION ALL of the parts, by period
    -> enriched_transactions__<version>__mv_<hash>_2019_<n>   materialized views, each with its indexes

The hash is of the query as bound to physical tables: another version of any table it reads gives other parts, built beside
the old ones. Nothing here hangs on a view that SQLMesh drops, so no CASCADE of SQLMesh reaches what is materialized.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extras import execute_values

from meshkeys import catalog, evaluations, execution, keys, locks, periods, roles, sessions
from meshkeys.catalog import Relation
from meshkeys.declarations import Declarations, Index
from meshkeys.errors import first_line
from meshkeys.operations import Operation
from meshkeys.periods import Period
from meshkeys.queries import scalar
from meshkeys.settings import in_notes

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

MODES = ("auto", "concurrently", "swap")

# All parts in the notes, and those that a killed refresh had built and not noted yet.
_MADE = r"""
SELECT served, array_agg(part) FROM (
    SELECT served, part FROM {notes}.materialized_parts
    UNION
    SELECT schemaname || '.' || substring(matviewname FROM '^(.*__mv_[0-9a-f]{{8}})_'), schemaname || '.' || matviewname
    FROM pg_matviews WHERE matviewname ~ '__mv_[0-9a-f]{{8}}_'
) AS current GROUP BY served
"""

_log = logging.getLogger(__name__)
_deferring = False


@contextmanager
def deferred() -> Iterator[None]:
    """Leaves parts as they are while several plans in a row bring the tables below them up to date.

    The first refresh afterwards shows all that changed, at once.
    """
    global _deferring
    _deferring = True
    try:
        yield
    finally:
        _deferring = False


@dataclass(frozen=True)
class Part:
    """A materialized view that holds one period."""

    relation: Relation
    period: Period
    row_count: int
    last_evaluation_id: int


def refresh(
    cursor: Cursor, view: Relation, query: str, declared: Declarations, mode: str = "auto", reason: str = "evaluation"
) -> list[Part]:
    """Brings the parts up to date with the tables that the query reads; builds all where there are none.

    Only parts whose inputs changed are touched: a table evaluated by days changes the periods of those days; a table
    evaluated whole changes all, if its contents differ. Readers see old or new contents, and wait for one statement at most:
    the last one makes the composing view show what was built, committed and noted before.

    Args:
        cursor: commits by itself, so that the lock on the composing view is held for its one statement.
        view: the physical view of the model.
        query: the model's query on physical tables.
        declared: what the model declares; its `materialized_view` is not None.
        mode: how to refresh a part that exists: one of `MODES`; `auto` takes the one that was cheaper recently.
        reason: why, for the notes (`refresh_history`).

    Returns:
        The parts that were built or refreshed.

    Raises:
        DeclarationError: a row has no period.
    """
    wanted = declared.materialized_view
    assert wanted is not None
    definition, inputs = _bind(cursor, query)
    served = served_relation(view, definition)
    if _deferring and catalog.exists(cursor, served):
        return []
    known = {part.period.label: part for part in _parts(cursor, served)}
    evaluations.take_fingerprints(cursor, inputs)
    latest = evaluations.latest(cursor, inputs)
    current: list[Part] = []
    stale: list[tuple[Period, Part | None, str]] = []
    # A change of a table without the period's column may concern any part.
    by_days = [t for t in inputs if wanted.period is not None and wanted.period in catalog.columns(cursor, t)]
    for period in periods.holding_rows(cursor, query, wanted):
        part = known.get(period.label)
        why = reason if part is None else _change(cursor, inputs, by_days, part, reason)
        if part is not None and why is None:
            current.append(part)
        else:
            stale.append((period, part, why or reason))
    mode = _cheaper_mode(cursor, served) if mode == "auto" else mode
    in_place = [(part, why) for _, part, why in stale if mode == "concurrently" and part is not None]
    beside = [task for task in stale if mode != "concurrently" or task[1] is None]
    built = _build_all(cursor, served, query, declared, latest, beside)
    waited = 0.0
    current += built
    # All that is refreshed in place is seen at once, with what was built beside.
    with _transaction(cursor) if in_place else nullcontext():
        refreshed = [_refresh_in_place(cursor, served, part, latest, why) for part, why in in_place]
        current = sorted([*current, *refreshed], key=lambda part: part.period.label)
        _note(cursor, served, current, latest)
        if {p.relation for p in current} != set(catalog.relations_read_by(cursor, served)):
            waited = _compose(cursor, served, current)
    if built:
        cursor.execute(
            in_notes(
                "UPDATE {notes}.refresh_history SET lock_wait_seconds = %s"
                " WHERE relation = %s AND lock_wait_seconds IS NULL AND mode <> 'concurrently'"
            ),
            (waited, str(served)),
        )
    return [*refreshed, *built]


def follow(cursor: Cursor, view: Relation, declared: Declarations) -> None:
    """Refreshes what is materialized of a physical view where a table below it was evaluated since, and the view was not.

    SQLMesh does not evaluate a view again for rows that its tables get later: a plain view shows them by itself. Finding nothing
    to do costs some look-ups.

    Args:
        cursor: commits by itself.
        view: the physical view of the model.
        declared: what the model declares.
    """
    definition = catalog.view_definition(cursor, view)
    parts = _parts(cursor, served_relation(view, definition)) if definition else []
    since = min((part.last_evaluation_id for part in parts), default=None)
    if definition and since is not None and evaluations.latest(cursor, _tables_below(cursor, view)) > since:
        refresh(cursor, view, definition.rstrip(" ;"), declared, reason="later rows")


def serve(cursor: Cursor, view: Relation) -> bool:
    """Points an environment's view at what is materialized of the physical view that it shows.

    Returns:
        False where nothing is materialized: the view then still shows the physical view, which is correct but slower.
    """
    shown = catalog.relations_read_by(cursor, view)
    if len(shown) != 1:
        return False
    target = materialized_of(cursor, shown[0])
    if target == shown[0]:
        return shown[0].name.rpartition("__mv_")[1] != ""
    locks.patiently(
        cursor,
        sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT * FROM {}").format(view.identifier, target.identifier),
    )
    return True


def materialized_of(cursor: Cursor, view: Relation) -> Relation:
    """The composing view of a physical view; the physical view itself where nothing is materialized of it."""
    definition = catalog.view_definition(cursor, view)
    served = served_relation(view, definition) if definition else view
    return served if catalog.exists(cursor, served) else view


def reconcile_indexes(cursor: Cursor, view: Relation, declared: Declarations) -> None:
    """Makes the indexes of the parts behind a physical view exactly the declared ones, while they are read.

    The cursor's connection commits by itself.
    """
    execution.execute(cursor, pending(cursor, view, declared))


def pending(cursor: Cursor, view: Relation, declared: Declarations) -> list[Operation]:
    """What is to be done so that the indexes of the parts behind a physical view are exactly the declared ones."""
    definition = catalog.view_definition(cursor, view)
    parts = catalog.relations_read_by(cursor, served_relation(view, definition)) if definition else ()
    return [each for part in parts for each in keys.pending_indexes(cursor, part, indexes_of(declared))]


def reap(cursor: Cursor) -> list[Relation]:
    """Drops parts and composing views that no environment uses any more; never with CASCADE.

    A part that a reader has locked is left for the next time. The cursor's connection commits by itself.

    Returns:
        What was dropped.
    """
    # What is in no view gets no new reader: waiting blocks no one, and outlasts a vacuum.
    cursor.execute("SET lock_timeout = '3s'")
    dropped: list[Relation] = []
    cursor.execute(in_notes(_MADE))
    for name, parts in cursor.fetchall():
        served = Relation.parse(name)
        in_use = catalog.exists(cursor, served) and bool(catalog.readers_of(cursor, served))
        if not in_use and not _drop(cursor, served, "VIEW", dropped):
            continue
        kept = set(catalog.relations_read_by(cursor, served)) if in_use else set()
        for part in map(Relation.parse, parts):
            if part not in kept and _drop(cursor, part, "MATERIALIZED VIEW", dropped):
                cursor.execute(in_notes("DELETE FROM {notes}.materialized_parts WHERE part = %s"), (str(part),))
    cursor.execute("RESET lock_timeout")
    return dropped


def served_relation(view: Relation, definition: str) -> Relation:
    """The name of what is materialized of a physical view, for one binding of its query."""
    return view.sibling(f"{view.name}__mv_{hashlib.sha256(definition.encode()).hexdigest()[:8]}")


def indexes_of(declared: Declarations) -> tuple[Index, ...]:
    """The indexes of each part. Unique first: a first index on few values made REFRESH CONCURRENTLY three times slower."""
    assert declared.materialized_view is not None
    return (Index((declared.materialized_view.unique_key,), is_unique=True), *declared.indexes)


def _bind(cursor: Cursor, query: str) -> tuple[str, list[Relation]]:
    """The query as PostgreSQL reads it, and the tables below it."""
    probe = "meshkeys_probe"
    cursor.execute(sql.SQL("CREATE OR REPLACE TEMPORARY VIEW {} AS ").format(sql.Identifier(probe)) + sql.SQL(query))
    view = Relation(scalar(cursor, "SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()"), probe)
    definition = catalog.view_definition(cursor, view)
    tables = _tables_below(cursor, view)
    cursor.execute(sql.SQL("DROP VIEW {}").format(view.identifier))
    assert definition is not None
    return definition, tables


def _tables_below(cursor: Cursor, view: Relation) -> list[Relation]:
    """The tables that a view reads, directly or through other views."""
    tables: set[Relation] = set()
    below = catalog.relations_read_by(cursor, view)
    while below:
        relation = below.pop()
        if catalog.is_table(cursor, relation):
            tables.add(relation)
        else:
            below.extend(catalog.relations_read_by(cursor, relation))
    return sorted(tables)


def _parts(cursor: Cursor, served: Relation) -> list[Part]:
    """The parts that the composing view shows now."""
    shown = set(catalog.relations_read_by(cursor, served))
    cursor.execute(
        in_notes(
            "SELECT part, label, starts_on, ends_before, row_count, last_evaluation_id"
            " FROM {notes}.materialized_parts WHERE served = %s"
        ),
        (str(served),),
    )
    return [
        Part(Relation.parse(part), Period(label, start, end), rows, evaluation)
        for part, label, start, end, rows, evaluation in cursor.fetchall()
        if Relation.parse(part) in shown
    ]


def _change(cursor: Cursor, inputs: list[Relation], by_days: list[Relation], part: Part, reason: str) -> str | None:
    """What changed below a part since it was refreshed, None if nothing did."""
    since = part.last_evaluation_id
    if reason == "forced":
        return reason
    changed = evaluations.whole_changes(cursor, inputs, since)
    if changed:
        return f"{reason}: changed {', '.join(changed)}"
    others = [t for t in inputs if t not in by_days]
    if evaluations.days_changed(
        cursor, by_days, since, part.period.starts_on, part.period.ends_before
    ) or evaluations.days_changed(cursor, others, since, None, None):
        return f"{reason}: changed days"
    return None


def _refresh_in_place(cursor: Cursor, served: Relation, part: Part, latest: int, reason: str) -> Part:
    began = time.monotonic()
    cursor.execute(sql.SQL("REFRESH MATERIALIZED VIEW CONCURRENTLY {}").format(part.relation.identifier))
    row_count = scalar(cursor, sql.SQL("SELECT count(*) FROM {}").format(part.relation.identifier))
    now = replace(part, row_count=row_count, last_evaluation_id=latest)
    _tell(cursor, served, now, "concurrently", reason, part, time.monotonic() - began)
    return now


def _build_all(
    cursor: Cursor,
    served: Relation,
    query: str,
    declared: Declarations,
    latest: int,
    to_build: list[tuple[Period, Part | None, str]],
) -> list[Part]:
    """Builds parts side by side, and tells of each its share of the time that all took."""
    began = time.monotonic()
    built = sessions.side_by_side(
        cursor, [partial(_build, served, query, period, part, declared, latest) for period, part, _ in to_build]
    )
    share = (time.monotonic() - began) / (sum(seconds for _, seconds in built) or 1)
    for (now, seconds), (_, part, reason) in zip(built, to_build, strict=True):
        _tell(cursor, served, now, "swap" if part is not None else "build", reason, part, seconds * share)
    return [now for now, _ in built]


def _build(
    served: Relation,
    query: str,
    period: Period,
    part: Part | None,
    declared: Declarations,
    latest: int,
    cursor: Cursor,
) -> tuple[Part, float]:
    """Builds a part beside the current one, if any; returns it and the seconds that it took."""
    began = time.monotonic()
    wanted = declared.materialized_view
    assert wanted is not None
    relation = _free_name(cursor, served, period, part)
    statement = sql.SQL("CREATE MATERIALIZED VIEW {} AS ").format(relation.identifier)
    cursor.execute(statement + periods.query_of(query, wanted, period))
    now = Part(relation, period, cursor.rowcount, latest)
    for index in indexes_of(declared):
        cursor.execute(execution.create_index(relation, index))
    # The parts have many wide columns and are alike: a smaller sample says as much in a fraction of the time.
    cursor.execute("SELECT set_config('default_statistics_target', '25', false)")
    cursor.execute(sql.SQL("ANALYZE {}").format(relation.identifier))
    cursor.execute("RESET default_statistics_target")
    # A reader of the composing view reads its parts with the rights of the view's owner.
    roles.share_owner(cursor, relation, served)
    return now, time.monotonic() - began


def _tell(
    cursor: Cursor, served: Relation, now: Part, mode: str, reason: str, before: Part | None, seconds: float
) -> None:
    cursor.execute(
        in_notes(
            "INSERT INTO {notes}.refresh_history (relation, part, mode, reason, rows_before, rows_after, seconds)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)"
        ),
        (
            str(served),
            now.period.label,
            mode,
            reason,
            before.row_count if before else None,
            now.row_count,
            seconds,
        ),
    )


def _cheaper_mode(cursor: Cursor, served: Relation) -> str:
    """The mode with less time per row recently; until both are known, `swap`, which is the cheaper one in `bench.refresh`."""
    cursor.execute(
        in_notes("""
        SELECT mode FROM (
            SELECT mode, seconds / greatest(rows_after, 1) AS cost,
                   row_number() OVER (PARTITION BY mode ORDER BY refresh_id DESC) AS age
            FROM {notes}.refresh_history WHERE relation = %s AND mode IN ('swap', 'concurrently')
        ) AS refreshed
        WHERE age <= 10 GROUP BY mode ORDER BY percentile_cont(0.5) WITHIN GROUP (ORDER BY cost)
        """),
        (str(served),),
    )
    modes = [mode for (mode,) in cursor.fetchall()]
    return modes[0] if len(modes) == 2 else "swap"


def _free_name(cursor: Cursor, served: Relation, period: Period, part: Part | None) -> Relation:
    number = int(part.relation.name.rpartition("_")[2]) if part is not None else 0
    while True:
        number += 1
        relation = served.sibling(f"{served.name}_{period.label}_{number}")
        if not catalog.exists(cursor, relation):
            return relation


def _compose(cursor: Cursor, served: Relation, parts: list[Part]) -> float:
    """Makes the composing view show these parts: the moment in which readers pass from old to new contents.

    Returns:
        The longest wait in seconds of the statement, behind which new readers queue.
    """
    # Without their bounds: PostgreSQL plans a bare branch as it does a partition, and its statistics and indexes say in
    # microseconds that a day is not there. With bounds it plans each as a separate query, and as if all held the day.
    branches = [sql.SQL("SELECT * FROM {}").format(part.relation.identifier) for part in parts]
    statement = sql.SQL("CREATE OR REPLACE VIEW {} AS ").format(served.identifier) + sql.SQL(" UNION ALL ").join(
        branches
    )
    return locks.patiently(cursor, statement)


@contextmanager
def _transaction(cursor: Cursor) -> Iterator[None]:
    """A transaction on a connection that otherwise commits by itself."""
    cursor.execute("BEGIN")
    try:
        yield
    except BaseException:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def _note(cursor: Cursor, served: Relation, parts: list[Part], latest: int) -> None:
    """Notes all parts in one statement."""
    execute_values(
        cursor,
        in_notes(
            "INSERT INTO {notes}.materialized_parts (served, part, label, starts_on, ends_before, row_count, last_evaluation_id)"
            " VALUES %s"
            " ON CONFLICT (served, part) DO UPDATE SET row_count = excluded.row_count,"
            " last_evaluation_id = excluded.last_evaluation_id,"
            " refreshed_at = CASE WHEN materialized_parts.last_evaluation_id = excluded.last_evaluation_id"
            " THEN materialized_parts.refreshed_at ELSE excluded.refreshed_at END"
        ),
        [
            (
                str(served),
                str(part.relation),
                part.period.label,
                part.period.starts_on,
                part.period.ends_before,
                part.row_count,
                latest,
            )
            for part in parts
        ],
        page_size=1000,
    )


def _drop(cursor: Cursor, relation: Relation, kind: str, dropped: list[Relation]) -> bool:
    if not catalog.exists(cursor, relation):
        return True
    try:
        cursor.execute(sql.SQL("DROP {} IF EXISTS {}").format(sql.SQL(kind), relation.identifier))
    except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DependentObjectsStillExist) as error:
        _log.info("keeping %s for now: %s", relation, first_line(error))
        return False
    dropped.append(relation)
    return True
