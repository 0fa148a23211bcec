"""What others attach to our views: their own views, and grants. Most promotions keep both; what must be dropped is restored.

`save` keeps definitions, owners, options, comments, indexes and grants in the table `dependents` while a plan runs. Views that it
drops are restored in the same transaction; those that no longer fit are named, kept, and tried again after each plan.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extras import execute_values

from meshkeys import catalog, locks, roles
from meshkeys.catalog import Relation
from meshkeys.errors import DatabaseUnavailable, first_line
from meshkeys.queries import one_row, scalar
from meshkeys.settings import current, in_notes, note

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_log = logging.getLogger(__name__)
_KINDS = {"v": "VIEW", "m": "MATERIALIZED VIEW"}

# Views and materialized views that select from ours, directly or through each other, with the longest way between them.
_HANGING = """
WITH RECURSIVE ours AS (
    SELECT wanted.view, c.oid FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema, view)
    JOIN pg_namespace AS n ON n.nspname = wanted.schema JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.view
), edges AS (
    SELECT DISTINCT d.refobjid AS below, r.ev_class AS above
    FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid AND r.ev_class <> d.refobjid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
), hanging AS (
    SELECT o.oid AS root, e.above, 1 AS depth FROM ours AS o JOIN edges AS e ON e.below = o.oid
    UNION SELECT h.root, e.above, h.depth + 1 FROM hanging AS h JOIN edges AS e ON e.below = h.above WHERE h.depth < 50
)
SELECT rn.nspname, rc.relname, n.nspname, c.relname, c.relkind::text, max(h.depth) AS depth, pg_has_role(c.relowner, 'USAGE')
FROM hanging AS h
JOIN pg_class AS rc ON rc.oid = h.root JOIN pg_namespace AS rn ON rn.oid = rc.relnamespace
JOIN pg_class AS c ON c.oid = h.above JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'sqlmesh\\_\\_%%' AND h.above <> ALL (SELECT oid FROM ours)
GROUP BY rc.oid, c.oid, 1, 2, 3, 4, 5 ORDER BY depth, 3, 4
"""
_DEFINITION = """
SELECT c.relkind::text, array_to_string(c.reloptions, ', '), pg_get_viewdef(c.oid), pg_get_userbyid(c.relowner)
FROM pg_class AS c WHERE c.oid = to_regclass(%s)
"""
# What else is to be made again, ready to execute.
_STATEMENTS = """
SELECT indexdef FROM pg_indexes WHERE schemaname = %(schema)s AND tablename = %(name)s
UNION ALL
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = to_regclass(%(quoted)s) AND NOT tgisinternal
UNION ALL
SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = to_regclass(%(quoted)s) AND rulename <> '_RETURN'
UNION ALL
SELECT CASE WHEN d.objsubid = 0 THEN format('COMMENT ON %%s %%s IS %%L', %(kind)s, %(quoted)s, d.description)
            ELSE format('COMMENT ON COLUMN %%s.%%I IS %%L', %(quoted)s, a.attname, d.description) END
FROM pg_description AS d LEFT JOIN pg_attribute AS a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
WHERE d.classoid = 'pg_class'::regclass AND d.objoid = to_regclass(%(quoted)s)
"""
_GRANTS = """
SELECT n.nspname, c.relname, a.attname, CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END,
       g.privilege_type, g.is_grantable
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema, view)
JOIN pg_namespace AS n ON n.nspname = wanted.schema JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.view
CROSS JOIN LATERAL (
    SELECT NULL::name AS attname, c.relacl AS acl
    UNION ALL SELECT a.attname, a.attacl FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL
) AS a
CROSS JOIN LATERAL aclexplode(a.acl) AS g
WHERE g.grantee <> c.relowner AND (g.grantee = 0 OR pg_get_userbyid(g.grantee) <> ALL (%(declared)s))
  AND NOT EXISTS (
      SELECT FROM {notes}.declarations AS d
      CROSS JOIN LATERAL jsonb_to_recordset(d.declared -> 'grants') AS granted (role text, privilege text)
      WHERE d.model = n.nspname || '.' || c.relname AND granted.role = pg_get_userbyid(g.grantee)
        AND upper(granted.privilege) = g.privilege_type)
ORDER BY 1, 2, 3, 4, 5
"""
_COLUMNS_READ = """
SELECT DISTINCT a.attname
FROM pg_rewrite AS r
JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE r.ev_class = to_regclass(%s) AND d.refobjid = to_regclass(%s) ORDER BY 1
"""
_INSERT = """
INSERT INTO {notes}.dependents (view, dependent, kind, depth, place, statement) VALUES %s
ON CONFLICT (view, dependent, kind, place) DO UPDATE
SET statement = excluded.statement, depth = excluded.depth, saved_at = clock_timestamp(), failure = NULL
"""
_MISSING = """
SELECT dependent, view, failure, saved_at FROM (
    SELECT dependent, min(view) AS view, max(failure) AS failure, min(saved_at) AS saved_at,
           format('%I.%I', split_part(dependent, '.', 1), substr(dependent, strpos(dependent, '.') + 1)) AS name
    FROM {notes}.dependents WHERE kind = 'view' GROUP BY dependent
) AS kept WHERE to_regclass(name) IS NULL ORDER BY dependent
"""


def save(cursor: Cursor, views: Iterable[Relation]) -> list[Relation]:
    """Saves the grants on our views, and the views of others that read them, with all that belongs to those.

    Args:
        cursor: in the transaction that is about to drop them, or committing by itself.
        views: our views of one environment.

    Returns:
        The views of others, nearest first.
    """
    ours = sorted(set(views))
    rows: list[tuple[object, ...]] = []
    hanging = _hanging(cursor, ours)
    for (view, other), (kind, depth, _) in hanging.items():
        statements = _definition(cursor, other)
        rows += [(str(view), str(other), "view", depth, place, text) for place, text in enumerate(statements)]
        if kind == "m" and _is_populated(cursor, other):
            refresh = sql.SQL("REFRESH MATERIALIZED VIEW {}").format(other.identifier).as_string(cursor)
            rows.append((str(view), str(other), "refresh", depth, 0, refresh))
        rows += [
            (str(view), str(other), "grant", depth, place, text)
            for place, text in enumerate(_grants(cursor, [other], []).get(other, ()))
        ]
    rows += _grants_on_ours(cursor, ours)
    cursor.execute(
        in_notes("DELETE FROM {notes}.dependents WHERE view = ANY (%s) AND (dependent = ANY (%s) OR dependent = view)"),
        ([str(view) for view in ours], [str(other) for _, other in hanging]),
    )
    _insert(cursor, rows)
    return list(dict.fromkeys(other for _, other in hanging))


def save_grants(cursor: Cursor, view: Relation) -> None:
    """Saves the grants on a view of ours before SQLMesh revokes those that the model does not name."""
    cursor.execute(in_notes("DELETE FROM {notes}.dependents WHERE view = %s AND dependent = view"), (str(view),))
    _insert(cursor, _grants_on_ours(cursor, [view]))


def losing(cursor: Cursor, view: Relation, columns: Iterable[str]) -> dict[Relation, list[str]]:
    """The views of others that cannot come back once a view of ours has these columns only, and the columns they miss.

    A view that only reads such a view misses no column itself.
    """
    left = set(columns)
    lost: dict[Relation, list[str]] = {}
    for (_, other), _ in _hanging(cursor, [view]).items():
        cursor.execute(_COLUMNS_READ, (catalog.quoted(other), catalog.quoted(view)))
        missing = [name for (name,) in cursor.fetchall() if name not in left]
        if missing or any(below in lost for below in catalog.relations_read_by(cursor, other)):
            lost[other] = missing
    return lost


def drop(cursor: Cursor, view: Relation) -> None:
    """Saves and drops a view of ours with all views above it, in a transaction, in short attempts."""

    def attempt() -> None:
        save(cursor, [view])
        _execute_at_once(cursor, _drops(cursor, view))

    locks.attempting(cursor, attempt)


def replace(cursor: Cursor, view: Relation, new: Relation) -> None:
    """Drops a view of ours with all views above it, gives its name to another view, and restores what fits the new one.

    In a transaction, in short attempts. All queries are made before the first lock; then the few statements are sent at once.
    """
    lost: dict[Relation, list[str]] = {}

    def attempt() -> None:
        save(cursor, [view])
        lost.clear()
        lost.update(losing(cursor, view, catalog.columns(cursor, new)))
        others = {other for _, other in _hanging(cursor, [view])}
        kept = [
            each
            for each in _kept(cursor, view)
            if each.dependent not in lost
            and (each.dependent in others or each.dependent == view or not catalog.exists(cursor, each.dependent))
        ]
        rename = sql.SQL("ALTER VIEW {} RENAME TO {}").format(new.identifier, sql.Identifier(view.name))
        _execute_at_once(cursor, [*_drops(cursor, view), rename.as_string(cursor)])
        try:
            cursor.execute("; ".join(["SAVEPOINT together", *(text for each in kept for text in each.statements)]))
        except locks.GAVE_WAY:
            raise
        except psycopg2.Error:
            cursor.execute("ROLLBACK TO SAVEPOINT together")
            for each in kept:
                _restore(cursor, each)

    locks.attempting(cursor, attempt)
    for other, missing in lost.items():
        _note_failure(cursor, view, other, f"it reads {', '.join(missing) or 'what is gone'}")


def restore(cursor: Cursor, view: Relation) -> None:
    """Restores, in the transaction of a promotion, what was attached to a view that had been dropped."""
    for each in _kept(cursor, view):
        if each.dependent == view or not catalog.exists(cursor, each.dependent):
            _restore(cursor, each)


def restore_grants(cursor: Cursor, view: Relation) -> None:
    """Grants again what others had been granted on a view of ours, which SQLMesh or a DROP took away."""
    cursor.execute(
        in_notes(
            "SELECT statement FROM {notes}.dependents WHERE view = %s AND dependent = view AND kind = 'grant' ORDER BY place"
        ),
        (str(view),),
    )
    for (statement,) in cursor.fetchall():
        _attempt(cursor, [statement])


def settle(cursor: Cursor) -> None:
    """After a plan: tries what is missing, fills materialized views, and forgets what is there.

    The cursor's connection commits by itself.
    """
    if not scalar(cursor, in_notes("SELECT EXISTS (SELECT FROM {notes}.dependents)")):
        return
    for each in _kept(cursor):
        if not catalog.exists(cursor, each.dependent):
            _restore(cursor, each)
    empty = []
    cursor.execute(in_notes("SELECT DISTINCT dependent, statement FROM {notes}.dependents WHERE kind = 'refresh'"))
    for name, statement in cursor.fetchall():
        if catalog.exists(cursor, Relation.parse(name)) and not _is_populated(cursor, Relation.parse(name)):
            try:
                failure = _attempt(cursor, [statement])
            except DatabaseUnavailable as error:
                failure = first_line(error)
            if failure is not None:
                empty.append(name)
                tell(f"{name} is back without rows, and is filled by the next command: {failure}")
    cursor.execute(in_notes("SELECT DISTINCT dependent FROM {notes}.dependents WHERE dependent <> ALL (%s)"), (empty,))
    there = [name for (name,) in cursor.fetchall() if catalog.exists(cursor, Relation.parse(name))]
    cursor.execute(in_notes("DELETE FROM {notes}.dependents WHERE dependent = ANY (%s)"), (there,))


def missing(cursor: Cursor) -> list[tuple[str, str, str | None]]:
    """The views of others that a plan dropped and that do not fit yet: name, the view of ours, and what PostgreSQL said."""
    if not catalog.exists(cursor, note("dependents")):
        return []
    cursor.execute(missing_statement())
    return [(name, view, failure) for name, view, failure, _ in cursor.fetchall()]


def missing_statement() -> sql.Composed:
    """The query for the views of others that are gone: dependent, view, failure, saved_at."""
    return in_notes(_MISSING)


def tell(message: str) -> None:
    """Says something on SQLMesh's console, where a user of `sqlmesh plan` looks; else in the log."""
    console = sys.modules.get("sqlmesh.core.console")
    if console is None:
        _log.warning("%s", message)
    else:
        console.get_console().log_warning(message)


class _Kept(NamedTuple):
    """What restores a dependent, or the grants on a view of ours itself."""

    dependent: Relation
    view: Relation
    statements: list[str]


def _kept(cursor: Cursor, view: Relation | None = None) -> list[_Kept]:
    """What is kept of a view's dependents, or of all, nearest first."""
    cursor.execute(
        in_notes(
            "SELECT dependent, view, array_agg(statement ORDER BY kind DESC, place) FROM {notes}.dependents"
            " WHERE kind IN ('view', 'grant') AND view = coalesce(%s, view)"
            " GROUP BY dependent, view ORDER BY max(depth), dependent"
        ),
        (str(view) if view else None,),
    )
    return [_Kept(Relation.parse(name), Relation.parse(of), statements) for name, of, statements in cursor.fetchall()]


def _drops(cursor: Cursor, view: Relation) -> list[str]:
    """The statements that drop a view of ours and the views above it, from the top down.

    Readers take their locks in this order, so that no session holds one of these views and waits for another that we hold.
    """
    statements = [
        sql.SQL("DROP {} IF EXISTS {} CASCADE").format(sql.SQL(_KINDS[kind]), other.identifier)
        for (_, other), (kind, _, may_drop) in reversed(_hanging(cursor, [view]).items())
        if may_drop  # else only CASCADE does, and a deadlock is retried
    ]
    statements.append(sql.SQL("DROP VIEW IF EXISTS {} CASCADE").format(view.identifier))
    return [statement.as_string(cursor) for statement in statements]


def _execute_at_once(cursor: Cursor, statements: list[str]) -> None:
    """Sends all statements together, so that the time limit of one lock is that of all."""
    cursor.execute(
        "SELECT set_config('lock_timeout', %s, true)", (f"{max(1, current().lock_timeout_ms // len(statements))}ms",)
    )
    cursor.execute("; ".join(statements))


def _restore(cursor: Cursor, kept: _Kept) -> None:
    """Restores a dependent, or says why it cannot be."""
    failure = _attempt(cursor, kept.statements)
    if failure is None:
        _log.info("%s is back", kept.dependent)
    else:
        _note_failure(cursor, kept.view, kept.dependent, failure)


def _note_failure(cursor: Cursor, view: Relation, dependent: Relation, failure: str) -> None:
    """Notes why a dependent is gone, and says it once."""
    cursor.execute(
        in_notes(
            "UPDATE {notes}.dependents SET failure = %s WHERE view = %s AND dependent = %s AND failure IS DISTINCT FROM %s"
        ),
        (failure, str(view), str(dependent), failure),
    )
    if cursor.rowcount:
        tell(
            f"{dependent} does not fit the new {view} and is gone: {failure}. Its definition and grants are kept in"
            f" {note('dependents')}, and it is restored as soon as it fits again."
        )


def _attempt(cursor: Cursor, statements: list[str]) -> str | None:
    """Executes all statements or none; returns what PostgreSQL said against them."""

    def execute() -> None:
        for statement in statements:
            cursor.execute(statement)

    try:
        with _all_or_nothing(cursor):
            locks.attempting(cursor, execute)
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        return first_line(error)
    return None


def _hanging(cursor: Cursor, views: Iterable[Relation]) -> dict[tuple[Relation, Relation], tuple[str, int, bool]]:
    """Views of ours and the views of others above them, nearest first.

    With the kind of each, how far away it is, and whether we may drop it.
    """
    ours = list(views)
    cursor.execute(_HANGING, {"schemas": [view.schema for view in ours], "names": [view.name for view in ours]})
    return {(Relation(*row[:2]), Relation(*row[2:4])): (row[4], row[5], row[6]) for row in cursor.fetchall()}


def _definition(cursor: Cursor, view: Relation) -> list[str]:
    """The statements that make a view with its owner, options, comments, indexes, triggers and rules."""
    with catalog.names_in_full(cursor):
        relkind, options, query, owner = one_row(cursor, _DEFINITION, (catalog.quoted(view),))
        kind, materialized = _KINDS[relkind], relkind == "m"
        name = view.identifier.as_string(cursor)
        statements = [
            f"CREATE {kind} {name} {f'WITH ({options}) ' if options else ''}AS {query.rstrip().rstrip(';')}"
            + (" WITH NO DATA" if materialized else ""),
            f"ALTER {kind} {name} OWNER TO {sql.Identifier(owner).as_string(cursor)}",
        ]
        place = {"schema": view.schema, "name": view.name, "quoted": catalog.quoted(view), "kind": kind}
        cursor.execute(_STATEMENTS, place)
        return [*statements, *(statement for (statement,) in cursor.fetchall())]


def _grants(cursor: Cursor, views: Iterable[Relation], declared: Iterable[str]) -> dict[Relation, list[str]]:
    """The statements that grant what others than the owner and the declared roles may do with the views."""
    wanted = list(views)
    cursor.execute(
        in_notes(_GRANTS),
        {
            "schemas": [view.schema for view in wanted],
            "names": [view.name for view in wanted],
            "declared": list(declared),
        },
    )
    found: dict[Relation, list[str]] = {}
    for schema, name, column, role, privilege, grantable in cursor.fetchall():
        view = Relation(schema, name)
        statement = sql.SQL("GRANT {}{} ON {} TO {}{}").format(
            sql.SQL(privilege),
            sql.SQL(" ({})").format(sql.Identifier(column)) if column else sql.SQL(""),
            view.identifier,
            sql.Identifier(role) if role is not None else sql.SQL("PUBLIC"),
            sql.SQL(" WITH GRANT OPTION" if grantable else ""),
        )
        found.setdefault(view, []).append(statement.as_string(cursor))
    return found


def _grants_on_ours(cursor: Cursor, views: Iterable[Relation]) -> list[tuple[object, ...]]:
    """What was granted on views of ours, as rows for the table `dependents`.

    Without what follows from the models: the rights of our roles, and what prod's models grant.
    """
    found = _grants(cursor, views, roles.names())
    return [(str(view), str(view), "grant", 0, place, text) for view in found for place, text in enumerate(found[view])]


def _insert(cursor: Cursor, rows: list[tuple[object, ...]]) -> None:
    if rows:
        execute_values(cursor, in_notes(_INSERT), rows, page_size=1000)


def _is_populated(cursor: Cursor, view: Relation) -> bool:
    query = "SELECT relispopulated FROM pg_class WHERE oid = to_regclass(%s)"
    return bool(scalar(cursor, query, (catalog.quoted(view),)))


@contextmanager
def _all_or_nothing(cursor: Cursor) -> Iterator[None]:
    """A savepoint in a transaction, a transaction outside of one."""
    inside = cursor.connection.info.transaction_status != TRANSACTION_STATUS_IDLE or not cursor.connection.autocommit
    cursor.execute("SAVEPOINT dependent" if inside else "BEGIN")
    try:
        yield
    except BaseException:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK TO SAVEPOINT dependent" if inside else "ROLLBACK")
        raise
    if not inside:
        cursor.execute("COMMIT")
