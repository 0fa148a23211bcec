"""Around a plan or run of SQLMesh: one lock, foreign keys out of the way and back, nothing left over."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg2
import psycopg2.errors

from meshkeys import (
    bulk,
    catalog,
    declarations,
    dependents,
    guards,
    keys,
    lock,
    materialized_views,
    roles,
    schema,
    sessions,
    sqlmesh_inside,
)
from meshkeys.catalog import Relation
from meshkeys.errors import MeshkeysError, first_line
from meshkeys.operations import AddForeignKey, Operation, ValidateConstraint
from meshkeys.settings import current, in_notes, note

if TYPE_CHECKING:
    from psycopg2.extensions import connection
    from psycopg2.extensions import cursor as Cursor

PROD = "prod"

# The table behind each of prod's views.
_BEHIND = """
SELECT DISTINCT wanted.model, tn.nspname, t.relname
FROM unnest(%s::text[]) AS wanted (model)
JOIN pg_namespace AS n ON n.nspname = split_part(wanted.model, '.', 1)
JOIN pg_class AS v ON v.relnamespace = n.oid AND v.relname = split_part(wanted.model, '.', 2)
JOIN pg_rewrite AS r ON r.ev_class = v.oid
JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class AS t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
"""

# The schemas of some layers: prod's, another environment's, and those with the physical tables of all.
_SCHEMAS = """
SELECT nspname FROM pg_namespace
WHERE split_part(regexp_replace(nspname, '^sqlmesh__', ''), '__', 1) = ANY (%s)
"""

_log = logging.getLogger(__name__)


class _Session(NamedTuple):
    """The connection that holds the lock, and how to make another when it is lost."""

    connection: connection
    dsn: str


_sessions: dict[int, _Session] = {}
_begun = 0


def begun() -> int:
    """How many plans and runs of this process have begun by `begin`."""
    return _begun


def begin(adapter: Any, environment: str, snapshots: list[Any]) -> None:
    """Takes the warehouse's lock, and sets aside foreign keys that would refuse rows of this environment.

    The lock is held by a separate connection, which ends with the process at the latest.

    Raises:
        LockHeld: another run holds it.
        DeclarationError: a model declares what cannot be applied to it.
        Refused: the plan would take something from prod's readers.
    """
    global _begun
    _begun += 1
    session = _sessions.get(os.getpid())
    if session is None or not _is_alive(session.connection):
        dsn = sessions.dsn_of(adapter.connection)
        session = _sessions[os.getpid()] = _Session(_locked(dsn), dsn)
    sqlmesh_inside.at_end_of_plans(_after_failure)
    with session.connection.cursor() as cursor:
        schema.create(cursor)
        guards.check(cursor, adapter, snapshots)
        roles.create(cursor)
        # SQLMesh would fail at the first view that is granted to a role that is not there.
        sqlmesh_inside.let_grant(adapter, not roles.missing_grantees(cursor, snapshots))
        shown = _columns(cursor, environment, snapshots)
        if dependents.save(cursor, shown):
            _name_what_is_lost(cursor, shown)
        _relax(cursor, snapshots)
        bulk.clear(cursor)  # what a failed plan had built but not yet shown
        materialized_views.reap(cursor)
        for view, query, declared in _materialized(adapter, snapshots):
            if catalog.exists(cursor, view) and not _is_materialized(cursor, view):
                # A version that is coming back: built before it is promoted, so that its readers find it materialized.
                materialized_views.refresh(cursor, view, query, declared, reason="coming back")


def end(adapter: Any, environment: str, snapshots: list[Any]) -> None:
    """Brings prod's tables to what is declared, serves what is not served yet, drops what is not used, frees the lock."""
    session = _sessions.pop(os.getpid(), None)
    held = session is not None and _is_alive(session.connection)
    own = session.connection if session is not None and held else sessions.beside(adapter.connection)
    try:
        with own.cursor() as cursor:
            if environment == PROD:
                _note_declarations(cursor, snapshots)
                _settle_keys(cursor, snapshots)
                _follow(cursor, snapshots)
            built = [*_physical(snapshots).values(), *_views(environment, snapshots)]
            put_back(cursor, {relation.schema for relation in built})
            materialized_views.reap(cursor)
            if environment == PROD:
                for settled in current().settled:
                    settled(cursor)
            lock.release(cursor)  # now, rather than when the server notices that the session is closed
    finally:
        own.close()


def put_back(cursor: Cursor, schemas: Iterable[str] = ()) -> None:
    """Puts back what a plan set aside: prod's foreign keys as declared, views of others that fit again, owners.

    Called at the end of a plan, also of one that failed, and at the start of every command, because a plan may have been killed.
    Costs a few look-ups in the catalog when nothing is missing. The cursor's connection commits by itself; the caller holds the
    lock.

    Args:
        cursor: on the warehouse.
        schemas: further schemas whose relations are given to their owner, beside those of prod's models in all environments.
    """
    if not (catalog.exists(cursor, note("declarations")) and catalog.exists(cursor, note("dependents"))):
        return
    tables, noted = _noted(cursor)
    for model, declared in noted.items():
        if declared.foreign_keys:
            _point(cursor, tables[model], tables, declared)
    dependents.settle(cursor)
    cursor.execute(_SCHEMAS, (list({Relation.parse(model).schema for model in noted}),))
    roles.settle(cursor, {*schemas, *(schema for (schema,) in cursor.fetchall())})


def pending(cursor: Cursor) -> list[Operation]:
    """What is to be done so that prod's keys and indexes are exactly those noted as declared; changes nothing."""
    if not catalog.exists(cursor, note("declarations")):
        return []
    tables, noted = _noted(cursor)
    operations: list[Operation] = []
    for model, declared in noted.items():
        if declared.materialized_view is not None:
            operations += materialized_views.pending(cursor, tables[model], declared)
        else:
            operations += keys.pending(cursor, tables[model], tables, declared)
    # Foreign keys come last: they need the keys of other tables.
    return sorted(operations, key=lambda each: isinstance(each, (AddForeignKey, ValidateConstraint)))


def _noted(cursor: Cursor) -> tuple[dict[str, Relation], dict[str, declarations.Declarations]]:
    """For each model of prod, the physical relation behind its view and the declarations in the notes."""
    cursor.execute(in_notes("SELECT model, relation, declared FROM {notes}.declarations"))
    noted = {model: (Relation.parse(name), declarations.from_json(found)) for model, name, found in cursor.fetchall()}
    # A plan that failed during promotion leaves some views on their new tables, which are not in the notes.
    cursor.execute(_BEHIND, (list(noted),))
    behind = {model: Relation(*table) for model, *table in cursor.fetchall()}
    tables = {model: behind.get(model, table) for model, (table, _) in noted.items()}
    return tables, {model: declared for model, (_, declared) in noted.items()}


def _after_failure(stop: Callable[[], None]) -> None:
    """Puts back what a failed plan had set aside, and frees the lock; does nothing after a plan that succeeded."""
    session = _sessions.pop(os.getpid(), None)
    try:
        if session is not None:
            own = session.connection if _is_alive(session.connection) else _locked(session.dsn)
            with closing(own), own.cursor() as cursor:
                put_back(cursor)
                lock.release(cursor)
    except (psycopg2.Error, MeshkeysError) as error:
        said = f"The next command puts back what this plan set aside, such as foreign keys: {first_line(error)}"
        dependents.tell(said)
    finally:
        stop()


def _locked(dsn: str) -> connection:
    """A connection that holds the lock, or is inside of a command that does."""
    own = sessions.connect(dsn)
    with own.cursor() as cursor:
        lock.acquire(cursor)
    return own


def _columns(cursor: Cursor, environment: str, snapshots: list[Any]) -> dict[Relation, list[str] | None]:
    """The columns that the views of an environment are about to have: none for a view that goes, None where they are unknown."""
    models = [snapshot.model for snapshot in snapshots if not snapshot.is_symbolic]
    shown: dict[Relation, list[str] | None] = {
        view: list(model.columns_to_types) if model.columns_to_types else None
        for view, model in zip(_views(environment, snapshots), models, strict=True)
    }
    if environment == PROD:
        cursor.execute(in_notes("SELECT model FROM {notes}.declarations"))
        shown |= {view: [] for (name,) in cursor.fetchall() if (view := Relation.parse(name)) not in shown}
    return shown


def _name_what_is_lost(cursor: Cursor, shown: dict[Relation, list[str] | None]) -> None:
    """Names, before anything is changed, the views of others that cannot come back."""
    for view, columns in shown.items():
        lost = dependents.losing(cursor, view, columns) if columns is not None else {}
        for other, missing in lost.items():
            why = f"it reads {', '.join(missing)}, which goes" if missing else "what it reads goes"
            dependents.tell(
                f"{other} does not fit the new {view} and will be dropped: {why}. Its definition and grants are kept in"
                f" {note('dependents')}, and it is restored as soon as it fits again."
            )


def _is_alive(session: connection) -> bool:
    """Whether a session that an earlier plan of this process left behind, because it failed, is still there."""
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        _log.debug("an earlier session is gone: %s", error)
        return False
    return True


def _physical(snapshots: list[Any]) -> dict[str, Relation]:
    """Each model's name and the table that holds its rows in this environment."""
    return {
        f"{s.model.schema_name}.{s.model.view_name}": Relation.of(s.table_name())
        for s in snapshots
        if s.version and not s.is_symbolic
    }


def _views(environment: str, snapshots: list[Any]) -> list[Relation]:
    """The views of an environment."""
    shown = [snapshot for snapshot in snapshots if not snapshot.is_symbolic]
    return [Relation.of(name) for name in sqlmesh_inside.names_of_views(environment, shown)]


def _relax(cursor: Cursor, snapshots: list[Any]) -> None:
    tables = _physical(snapshots)
    for snapshot in snapshots:
        declared = declarations.of(snapshot.model)
        table = tables.get(f"{snapshot.model.schema_name}.{snapshot.model.view_name}")
        if not declared.foreign_keys or table is None:
            continue
        keys.relax_foreign_keys(cursor, table, tables, declared)


def _settle_keys(cursor: Cursor, snapshots: list[Any]) -> None:
    """Makes primary keys and indexes exactly the declared ones; foreign keys are left to `put_back`."""
    tables = _physical(snapshots)
    for snapshot in snapshots:
        if snapshot.is_symbolic:
            continue
        declared = declarations.of(snapshot.model)
        table = tables[f"{snapshot.model.schema_name}.{snapshot.model.view_name}"]
        if declared.materialized_view is not None:
            materialized_views.reconcile_indexes(cursor, table, declared)
        elif not snapshot.model.kind.is_view:
            keys.reconcile(cursor, table, declared)


def _follow(cursor: Cursor, snapshots: list[Any]) -> None:
    """Shows rows that were evaluated below a materialized view in a plan or run that did not evaluate the view."""
    for snapshot in snapshots:
        declared = declarations.of(snapshot.model)
        if declared.materialized_view is not None and snapshot.version:
            materialized_views.follow(cursor, Relation.of(snapshot.table_name()), declared)


def _point(cursor: Cursor, table: Relation, tables: dict[str, Relation], declared: declarations.Declarations) -> None:
    try:
        keys.point_foreign_keys(cursor, table, tables, declared)
    except psycopg2.errors.ForeignKeyViolation as error:
        # A build that removes parents restates the facts range by range; until the last range, some rows have no parent.
        _log.warning("%s: a foreign key could not be validated: %s", table, first_line(error))


def _note_declarations(cursor: Cursor, snapshots: list[Any]) -> None:
    """Notes what prod's models declare, to be read without SQLMesh, and calls the project's own `after_plan`."""
    tables = _physical(snapshots)
    rows = [
        (name, str(tables[name]), json.dumps(asdict(declarations.of(snapshot.model))))
        for snapshot in snapshots
        if (name := f"{snapshot.model.schema_name}.{snapshot.model.view_name}") in tables
    ]
    cursor.execute("BEGIN")  # on a connection that commits by itself; a kill must not leave half of the notes
    cursor.execute(in_notes("DELETE FROM {notes}.declarations"))
    cursor.executemany(
        in_notes("INSERT INTO {notes}.declarations (model, relation, declared) VALUES (%s, %s, %s)"), rows
    )
    for after in current().after_plan:
        after(cursor, snapshots, tables)
    cursor.execute("COMMIT")


def _materialized(adapter: Any, snapshots: list[Any]) -> list[tuple[Relation, str, declarations.Declarations]]:
    by_name = {s.name: s for s in snapshots}
    found = []
    for snapshot in snapshots:
        declared = declarations.of(snapshot.model)
        if declared.materialized_view is not None and snapshot.version:
            query = snapshot.model.render_query_or_raise(snapshots=by_name, engine_adapter=adapter)
            found.append((Relation.of(snapshot.table_name()), query.sql(dialect="postgres", comments=False), declared))
    return found


def _is_materialized(cursor: Cursor, view: Relation) -> bool:
    definition = catalog.view_definition(cursor, view)
    return definition is not None and catalog.exists(cursor, materialized_views.served_relation(view, definition))
