"""Around a plan or run of SQLMesh: one lock, foreign keys out of the way and back, nothing left over."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.errors
from psycopg2 import sql

from revops import definitions, lock
from revops.hooks import (
    bulk,
    catalog,
    declarations,
    dependents,
    digests,
    keys,
    locks,
    materialized_views,
    roles,
    schema,
    sessions,
)
from revops.hooks.catalog import Relation

if TYPE_CHECKING:
    from psycopg2.extensions import connection
    from psycopg2.extensions import cursor as Cursor

PROD = "prod"

_log = logging.getLogger(__name__)
_sessions: dict[int, connection] = {}


def begin(adapter: Any, environment: str, snapshots: list[Any]) -> None:
    """Takes the warehouse's lock, and sets aside foreign keys that would refuse rows of this environment.

    The lock lives on a connection of its own, which ends with the process at the latest.

    Raises:
        LockHeld: another run holds it.
    """
    session = _sessions.get(os.getpid())
    if session is None or not _is_alive(session):
        session = sessions.beside(adapter.connection)
        with session.cursor() as cursor:
            lock.acquire(cursor)
        _sessions[os.getpid()] = session
    with session.cursor() as cursor:
        schema.create(cursor)
        roles.create(cursor)
        # SQLMesh would fail at the first view that is granted to a role which nobody could make.
        adapter.SUPPORTS_GRANTS = not roles.missing_grantees(cursor, snapshots)
        for other in dependents.save(cursor, _views(environment, snapshots)):
            _log.info(
                "%s hangs on a view of %s: where that is made anew, it is dropped and restored", other, environment
            )
        _relax(cursor, environment, snapshots)
        bulk.clear(cursor)  # what a plan that failed had built and nobody was shown
        materialized_views.reap(cursor)
        for view, query, declared in _materialized(adapter, snapshots):
            if catalog.exists(cursor, view) and not _is_materialized(cursor, view):
                # A version that is coming back: built before it is promoted, so that its readers find it materialized.
                materialized_views.refresh(cursor, view, query, declared, reason="coming back")


def end(adapter: Any, environment: str, snapshots: list[Any]) -> None:
    """Brings prod's tables to what is declared, serves what is not served yet, drops what nobody uses, frees the lock."""
    session = _sessions.pop(os.getpid(), None)
    if session is None or not _is_alive(session):
        session = sessions.beside(adapter.connection)
    try:
        with session.cursor() as cursor:
            if environment == PROD:
                _note_declarations(cursor, snapshots)
                _settle_keys(cursor, snapshots)
            _restore_relaxed(cursor, environment)
            dependents.settle(cursor)
            materialized_views.reap(cursor)
            built = [*_physical(snapshots).values(), *_views(environment, snapshots)]
            roles.settle(cursor, {relation.schema for relation in built})
            lock.release(cursor)  # not when the server gets to know that the session is closed
    finally:
        session.close()


def set_aside_foreign_keys(cursor: Cursor) -> None:
    """Drops the foreign keys of prod's tables, because facts are about to lose parents; `end` points them anew."""
    cursor.execute(
        "SELECT model, relation FROM ops.declarations WHERE jsonb_array_length(declared -> 'foreign_keys') > 0"
    )
    for _, name in cursor.fetchall():
        table = Relation.parse(name)
        for key in catalog.foreign_keys(cursor, table):
            keys.drop_constraint(cursor, table, key.name)


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
    suffix = "" if environment == PROD else f"__{environment}"
    return [Relation(f"{s.model.schema_name}{suffix}", s.model.view_name) for s in snapshots if not s.is_symbolic]


def _relax(cursor: Cursor, environment: str, snapshots: list[Any]) -> None:
    tables = _physical(snapshots)
    for snapshot in snapshots:
        declared = declarations.of(snapshot.model)
        table = tables.get(f"{snapshot.model.schema_name}.{snapshot.model.view_name}")
        if not declared.foreign_keys or table is None:
            continue
        if environment != PROD:
            expected = {key.column: tables.get(key.parent) for key in declared.foreign_keys}
            for key in catalog.foreign_keys(cursor, table):
                if expected.get(key.columns[0]) != key.parent:
                    _remember(cursor, table, key.name)
        keys.relax_foreign_keys(cursor, table, tables, declared)


def _remember(cursor: Cursor, table: Relation, name: str) -> None:
    cursor.execute(
        "INSERT INTO ops.relaxed_foreign_keys (table_schema, table_name, constraint_name, definition)"
        " SELECT n.nspname, t.relname, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint AS c"
        " JOIN pg_class AS t ON t.oid = c.conrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace"
        " WHERE n.nspname = %s AND t.relname = %s AND c.conname = %s ON CONFLICT DO NOTHING",
        (table.schema, table.name, name),
    )


def _settle_keys(cursor: Cursor, snapshots: list[Any]) -> None:
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
    for snapshot in snapshots:
        declared = declarations.of(snapshot.model)
        if declared.foreign_keys:
            table = tables[f"{snapshot.model.schema_name}.{snapshot.model.view_name}"]
            _point(cursor, table, tables, declared)
            cursor.execute(
                "DELETE FROM ops.relaxed_foreign_keys WHERE table_schema = %s AND table_name = %s",
                (table.schema, table.name),
            )


def _point(cursor: Cursor, table: Relation, tables: dict[str, Relation], declared: declarations.Declarations) -> None:
    try:
        keys.point_foreign_keys(cursor, table, tables, declared)
    except psycopg2.errors.ForeignKeyViolation as error:
        # A build that takes parents away restates the facts range by range; until the last, some have none.
        _log.warning("%s: a foreign key could not be validated: %s", table, str(error).splitlines()[0])


def _note_declarations(cursor: Cursor, snapshots: list[Any]) -> None:
    """Keeps what prod's models declare and are where `revops verify` and `revops refresh` find it without SQLMesh."""
    tables = _physical(snapshots)
    cursor.execute("SELECT model, definition FROM ops.declarations WHERE definition IS NOT NULL")
    noted = dict(cursor.fetchall())
    cursor.execute("DELETE FROM ops.declarations")
    for snapshot in snapshots:
        name = f"{snapshot.model.schema_name}.{snapshot.model.view_name}"
        if name in tables:
            declared = json.dumps(asdict(declarations.of(snapshot.model)))
            definition = noted.get(name)
            if definition is None or definition["version"] != definitions.version(snapshot):
                found = definitions.of(snapshot, cursor)
                definition = asdict(found) if found else None
            if definition and definitions.from_json(definition).has_digests:
                digests.note(cursor, tables[name], definition["day_column"])
            cursor.execute(
                "INSERT INTO ops.declarations (model, relation, declared, definition) VALUES (%s, %s, %s, %s)",
                (name, str(tables[name]), declared, json.dumps(definition) if definition else None),
            )
    digests.forget(cursor, list(tables.values()))


def _restore_relaxed(cursor: Cursor, environment: str) -> None:
    """Puts back the foreign keys of prod that this environment's plan, or one that died, had set aside."""
    cursor.execute("SELECT table_schema, table_name, constraint_name, definition FROM ops.relaxed_foreign_keys")
    for table_schema, table_name, name, definition in cursor.fetchall():
        table = Relation(table_schema, table_name)
        try:
            if catalog.is_table(cursor, table) and name not in {k.name for k in catalog.foreign_keys(cursor, table)}:
                definition = definition.removesuffix(" NOT VALID") + " NOT VALID"
                locks.patiently(
                    cursor,
                    sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(table.identifier, sql.Identifier(name))
                    + sql.SQL(definition),
                )
                cursor.execute(
                    sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(table.identifier, sql.Identifier(name))
                )
        except psycopg2.errors.ForeignKeyViolation as error:
            _log.warning(
                "%s keeps its foreign key %s, not validated until prod knows the new parents: %s",
                table,
                name,
                str(error).splitlines()[0],
            )
        except psycopg2.errors.UndefinedTable:
            _log.info("the parent of foreign key %s of %s is gone; prod's next plan sets it anew", name, table)
        cursor.execute(
            "DELETE FROM ops.relaxed_foreign_keys WHERE table_schema = %s AND table_name = %s AND constraint_name = %s",
            (table_schema, table_name, name),
        )


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
