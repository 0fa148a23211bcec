"""What others hung on our views: their views, and grants. SQLMesh's promotion drops them without a word; here they come back.

Saved before a plan, restored in the transaction of each promotion. What does not fit any more is kept, and said by name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from revops.hooks import catalog, roles
from revops.hooks.catalog import Relation

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_log = logging.getLogger(__name__)

# Views and materialized views that select from one of ours, directly or through each other, nearest first.
_DEPENDENTS = """
WITH RECURSIVE edges AS (
    SELECT DISTINCT d.refobjid AS below, r.ev_class AS above
    FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid AND r.ev_class <> d.refobjid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
), hanging AS (
    SELECT above, 1 AS depth FROM edges WHERE below = to_regclass(%(view)s)
    UNION SELECT e.above, h.depth + 1 FROM hanging AS h JOIN edges AS e ON e.below = h.above WHERE h.depth < 50
)
SELECT n.nspname, c.relname, c.relkind::text, max(h.depth), pg_get_viewdef(c.oid), pg_get_userbyid(c.relowner)
FROM hanging AS h JOIN pg_class AS c ON c.oid = h.above JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'sqlmesh\\_\\_%%'
GROUP BY c.oid, 1, 2, 3
"""
_GRANTS = """
SELECT CASE WHEN g.grantee = 0 THEN NULL ELSE pg_get_userbyid(g.grantee) END, g.privilege_type, g.is_grantable
FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
WHERE c.oid = to_regclass(%s) AND g.grantee <> c.relowner
  AND (g.grantee = 0 OR pg_get_userbyid(g.grantee) <> ALL (%s))
"""
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = %s ORDER BY indexname"


def save(cursor: Cursor, views: Iterable[Relation]) -> list[Relation]:
    """Saves the grants on our views, and the views of others that hang on them with their own grants and indexes.

    Args:
        cursor: commits by itself.
        views: our views of one environment.

    Returns:
        The views of others, which a promotion will drop and restore.
    """
    ours = set(views)
    cursor.execute("DELETE FROM ops.dependents WHERE restored_at IS NOT NULL OR kind = 'grant'")
    found: set[Relation] = set()
    for view in sorted(ours):
        _save_grants(cursor, view, view, 0)
        cursor.execute("SELECT set_config('search_path', 'pg_catalog', false)")
        cursor.execute(_DEPENDENTS, {"view": catalog.quoted(view)})
        rows = cursor.fetchall()
        cursor.execute("RESET search_path")
        for schema, name, kind, depth, definition, owner in rows:
            other = Relation(schema, name)
            if other in ours:
                continue
            found.add(other)
            materialized = kind == "m"
            create = sql.SQL("CREATE {} {} AS ").format(
                sql.SQL("MATERIALIZED VIEW" if materialized else "VIEW"), other.identifier
            )
            statements = [(create + sql.SQL(definition.replace("%", "%%"))).as_string(cursor)]
            statements.append(
                sql.SQL("ALTER {} {} OWNER TO {}")
                .format(
                    sql.SQL("MATERIALIZED VIEW" if materialized else "VIEW"), other.identifier, sql.Identifier(owner)
                )
                .as_string(cursor)
            )
            if materialized:
                cursor.execute(_INDEXES, (schema, name))
                statements += [row[0] for row in cursor.fetchall()]
            for place, statement in enumerate(statements):
                _note(cursor, view, other, "view", depth, place, statement)
            _save_grants(cursor, view, other, depth)
    return sorted(found)


def restore(cursor: Cursor, view: Relation) -> None:
    """Restores, in the transaction of a promotion, what hung on a view that was just made anew."""
    cursor.execute(
        "SELECT dependent, array_agg(statement ORDER BY kind DESC, place) FROM ops.dependents"
        " WHERE view = %s AND restored_at IS NULL GROUP BY dependent ORDER BY max(depth), dependent",
        (str(view),),
    )
    for name, statements in cursor.fetchall():
        dependent = Relation.parse(name)
        if dependent != view and catalog.exists(cursor, dependent):
            continue
        cursor.execute("SAVEPOINT dependent")
        try:
            for statement in statements:
                cursor.execute(statement.replace("%", "%%"), ())
        except psycopg2.Error as error:
            cursor.execute("ROLLBACK TO SAVEPOINT dependent")
            reason = str(error).strip().splitlines()[0]
            cursor.execute(
                "UPDATE ops.dependents SET failure = %s WHERE view = %s AND dependent = %s", (reason, str(view), name)
            )
            _log.warning(
                "%s does not fit the new %s and is gone: %s; its definition is kept in ops.dependents",
                name,
                view,
                reason,
            )


def settle(cursor: Cursor) -> None:
    """After the last promotion: what stands again needs no keeping; what does not is kept until somebody deletes it."""
    cursor.execute("SELECT DISTINCT dependent FROM ops.dependents WHERE restored_at IS NULL")
    for (name,) in cursor.fetchall():
        if catalog.exists(cursor, Relation.parse(name)):
            cursor.execute("UPDATE ops.dependents SET restored_at = now() WHERE dependent = %s", (name,))


def _save_grants(cursor: Cursor, view: Relation, relation: Relation, depth: int) -> None:
    declared = list(roles.NAMES) if relation == view else []  # what these may do with ours stands in the models
    cursor.execute(_GRANTS, (catalog.quoted(relation), declared))
    for place, (role, privilege, grantable) in enumerate(cursor.fetchall()):
        statement = sql.SQL("GRANT {} ON {} TO {}{}").format(
            sql.SQL(privilege),
            relation.identifier,
            sql.Identifier(role) if role is not None else sql.SQL("PUBLIC"),
            sql.SQL(" WITH GRANT OPTION" if grantable else ""),
        )
        _note(cursor, view, relation, "grant", depth, place, statement.as_string(cursor))


def _note(
    cursor: Cursor, view: Relation, dependent: Relation, kind: str, depth: int, place: int, statement: str
) -> None:
    cursor.execute(
        "INSERT INTO ops.dependents (view, dependent, kind, depth, place, statement) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (view, dependent, kind, place) DO UPDATE"
        " SET statement = excluded.statement, depth = excluded.depth, restored_at = NULL, failure = NULL",
        (str(view), str(dependent), kind, depth, place, statement),
    )
