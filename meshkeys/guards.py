"""Refuses, before anything changes, a plan that would take something from prod's readers.

Three kinds. A forward-only change alters tables and views in place, under their readers: a column that is dropped takes with
it every view that shows it. A plan with --skip-backfill or --empty-backfill promotes tables that nothing has filled. And where
a breaking change was recorded by a plan that failed, SQLMesh keeps the tables below it for the next change that is not breaking.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from meshkeys import catalog, checks, declarations, locks, sqlmesh_inside
from meshkeys.catalog import Relation
from meshkeys.errors import Refused
from meshkeys.queries import scalar
from meshkeys.settings import in_notes

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor
    from sqlmesh.core.plan.definition import EvaluatablePlan

_MOST_NAMED = 5
_REBUILD = "  Plan it without --forward-only and without forward_only in the model's kind: that builds it beside what is served."
_FORGET = " First\n  forget that it was planned so elsewhere: `sqlmesh invalidate` there, then `sqlmesh janitor --ignore-ttl`."
_LEFT = "  An earlier forward-only change left it so: change the model's query, in any way, to build its table beside this one."
# The columns of a table that some view shows.
_SHOWN = """
SELECT DISTINCT a.attname::text FROM pg_depend AS d
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(%s)
"""
# The days of an incremental table that some evaluation wrote, all of them for a table written whole.
_DAYS_NOBODY_WROTE = """
SELECT %(days)s::datemultirange
     - coalesce(range_agg(CASE WHEN starts_on IS NULL THEN daterange(NULL, NULL) ELSE daterange(starts_on, ends_on, '[]') END),
                '{{}}') <> '{{}}'
FROM {notes}.evaluations WHERE relation = %(relation)s
"""


def check(cursor: Cursor, adapter: Any, snapshots: list[Any]) -> None:
    """Refuses a plan that would take from prod what is read, or have it serve what is empty or out of date.

    A run promotes nothing, and always passes.

    Columns that a forward-only change adds are added here, in short attempts that let readers pass. SQLMesh would wait for the
    lock with all other readers queued behind it; it then finds the columns there.

    Args:
        cursor: on a connection that commits by itself.
        adapter: SQLMesh's.
        snapshots: the versions that the plan is about to promote.

    Raises:
        DeclarationError: a model declares what cannot be applied to it.
        Refused: names the models, and what to do instead.
    """
    plan = sqlmesh_inside.applied_plan()
    if plan is None:
        return
    checks.check(snapshot.model for snapshot in snapshots)
    cursor.execute(in_notes("SELECT model, relation FROM {notes}.declarations"))
    served = {model: Relation.parse(relation) for model, relation in cursor.fetchall()}
    _refuse_kept(served, snapshots)
    if plan.is_dev:
        return
    _refuse_unfilled(cursor, plan, served, snapshots)
    for statement in _alterations(cursor, adapter, plan, snapshots):
        locks.patiently(cursor, statement)


def _refuse_kept(served: dict[str, Relation], snapshots: list[Any]) -> None:
    """Refuses a version that keeps prod's table although a parent moves to another version by a breaking change.

    SQLMesh categorizes it by the parents that are new in this plan. If one of those is not breaking, SQLMesh overlooks another
    parent with a breaking change that a failed plan has recorded before, or that goes back to an earlier version.
    """
    by_id = {snapshot.snapshot_id: snapshot for snapshot in snapshots}
    for snapshot in filter(_is_filled_by_evaluations, snapshots):
        if snapshot.model.kind.is_view or snapshot.is_forward_only or not _is_served(served, snapshot):
            continue
        changed = [
            _name(by_id[parent]) for parent in snapshot.parents if parent in by_id and _is_broken(served, by_id[parent])
        ]
        if changed:
            raise Refused(
                f"Refused, nothing was changed: {_name(snapshot)} would keep its table, although {_named(changed)} changed in"
                " a way that rebuilds it; SQLMesh overlooks a change that it knows from an earlier plan.\n"
                "  Plan that change by itself first, without the other changes, then all."
            )


def _is_broken(served: dict[str, Relation], parent: Any) -> bool:
    """Whether a change between prod's version of a model and this one was breaking."""
    if not parent.version or _name(parent) not in served or _is_served(served, parent):
        return False
    for version in reversed(parent.all_versions):
        if version.version == served[_name(parent)].name.rpartition("__")[2]:
            return False
        if version.change_category is None or version.change_category.name in ("BREAKING", "INDIRECT_BREAKING"):
            return True
    # Prod's version is not in its history: an earlier version comes back, or the history is longer than SQLMesh keeps.
    return sqlmesh_inside.may_know_all_versions(parent)


def _is_served(served: dict[str, Relation], snapshot: Any) -> bool:
    """Whether prod shows the table of this version now."""
    return served.get(_name(snapshot)) == Relation.of(snapshot.table_name())


def _refuse_unfilled(cursor: Cursor, plan: EvaluatablePlan, served: dict[str, Relation], snapshots: list[Any]) -> None:
    missing = sqlmesh_inside.unbuilt(plan, snapshots) if plan.skip_backfill or plan.empty_backfill else set()
    skipped, emptied = [], []
    for snapshot in filter(_is_filled_by_evaluations, snapshots):
        is_served = _is_served(served, snapshot)
        if snapshot.name in missing and (plan.empty_backfill or not is_served):
            skipped.append(_name(snapshot))
        elif not is_served and _has_days_nobody_wrote(cursor, snapshot):
            emptied.append(_name(snapshot))
    if skipped:
        flag = "--empty-backfill" if plan.empty_backfill else "--skip-backfill"
        raise Refused(
            f"Refused, nothing was changed: with {flag} prod would serve what was never filled: {_named(skipped)}\n"
            f"  Plan prod without {flag}; in any other environment it is allowed."
        )
    if emptied:
        raise Refused(
            f"Refused, nothing was changed: prod would serve what a plan with --empty-backfill left empty: {_named(emptied)}\n"
            f"  Fill it where that was planned, then plan prod: sqlmesh plan ENVIRONMENT --restate-model {emptied[0]}"
        )


def _is_filled_by_evaluations(snapshot: Any) -> bool:
    """Whether a model has rows, or parts, only after an evaluation. A seed has them when its table is created."""
    if not snapshot.version or not snapshot.evaluatable or snapshot.is_symbolic or snapshot.is_seed:
        return False
    return not snapshot.model.kind.is_view or declarations.of(snapshot.model).materialized_view is not None


def _has_days_nobody_wrote(cursor: Cursor, snapshot: Any) -> bool:
    """Whether SQLMesh counts days as built that no evaluation wrote."""
    if snapshot.model.kind.is_view or not snapshot.intervals:
        return False
    from sqlmesh.utils.date import to_date

    table = Relation.of(snapshot.table_name())
    was_evaluated = in_notes("SELECT EXISTS (SELECT FROM {notes}.evaluations WHERE relation = %s)")
    if not scalar(cursor, was_evaluated, (str(table),)):  # emptied, or filled before there were any notes
        return not catalog.has_rows(cursor, table)
    days = "{" + ",".join(f"[{to_date(start)},{to_date(end)})" for start, end in snapshot.intervals) + "}"
    return bool(scalar(cursor, in_notes(_DAYS_NOBODY_WROTE), {"days": days, "relation": str(table)}))


def _alterations(cursor: Cursor, adapter: Any, plan: EvaluatablePlan, snapshots: list[Any]) -> list[sql.Composable]:
    """What SQLMesh would alter in existing tables, as statements that take nothing from a reader.

    Raises:
        Refused: some of it would.
    """
    statements: list[sql.Composable] = []
    refused: list[Any] = []
    changes: list[str] = []
    for snapshot in snapshots:
        if not snapshot.version or not snapshot.requires_schema_migration_in_prod:
            continue
        table = Relation.of(snapshot.table_name())
        lost: list[str] = []
        if snapshot.model.kind.is_view:
            if snapshot.is_forward_only and snapshot.snapshot_id in plan.directly_modified_snapshots:
                lost = ["its query"]
        elif catalog.is_table(cursor, table):
            added, lost, unseen = _difference(cursor, adapter, table, snapshot.model.columns_to_types or {})
            statements += [_statement(table, "DROP COLUMN {}", name) for name in unseen]
            statements += [_statement(table, f"ADD COLUMN {{}} {kind}", name) for name, kind in added.items()]
        if lost:
            refused.append(snapshot)
            changes.append(f"{_name(snapshot)} ({', '.join(lost)})")
    if refused:
        raise Refused(
            "Refused, nothing was changed: the plan would alter these under their readers, and drop the views over them:"
            f" {_named(changes)}\n" + _cure(plan, refused)
        )
    return statements


def _cure(plan: EvaluatablePlan, refused: list[Any]) -> str:
    if not any(snapshot.is_forward_only for snapshot in refused):
        return _LEFT
    new = {snapshot.snapshot_id for snapshot in plan.new_snapshots}
    return _REBUILD if all(snapshot.snapshot_id in new for snapshot in refused) else _REBUILD + _FORGET


def _difference(
    cursor: Cursor, adapter: Any, table: Relation, wanted: dict[str, Any]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Columns to add with their types, those that readers would lose or see changed, and those to drop that no view shows."""
    cursor.execute(_SHOWN, (catalog.quoted(table),))
    shown = {row[0] for row in cursor.fetchall()}
    added: dict[str, str] = {}
    lost, unseen = [], []
    existing = adapter.columns(f'"{table.schema}"."{table.name}"')
    for change, name, kind in sqlmesh_inside.alterations(adapter, str(table), existing, wanted):
        if change == "add" and name not in existing:
            added[name] = kind
        elif change == "drop" and name not in shown and name not in wanted:
            unseen.append(name)
        else:
            lost.append(f"column {name}")
    return added, list(dict.fromkeys(lost)), unseen


def _statement(table: Relation, change: str, column: str) -> sql.Composable:
    return sql.SQL("ALTER TABLE {} ").format(table.identifier) + sql.SQL(change).format(sql.Identifier(column))


def _name(snapshot: Any) -> str:
    return f"{snapshot.model.schema_name}.{snapshot.model.view_name}"


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMED
    return ", ".join(ordered[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
