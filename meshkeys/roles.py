"""The roles of the settings: who may do what, and who owns what is built. Without roles in the settings nothing is touched.

They hold rights and cannot log in: a person's or a program's login is made a member of one. A view reads with its
owner's rights, so its readers need no right on anything below it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import psycopg2.errors
from psycopg2 import sql

from meshkeys import catalog, declarations, locks
from meshkeys.catalog import Relation
from meshkeys.errors import first_line
from meshkeys.queries import first_row, scalar
from meshkeys.settings import Roles, current, in_notes

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_CLOSED_SCHEMA = """
SELECT FROM pg_namespace
WHERE nspname = %(schema)s AND pg_has_role(nspowner, 'USAGE') AND NOT has_schema_privilege(%(role)s, oid, 'USAGE')
"""
_LACKING = """
SELECT n.nspname, c.relname, %(role)s, wanted.privilege
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN unnest(%(privileges)s::text[]) AS wanted (privilege)
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
  AND pg_has_role(c.relowner, 'USAGE') AND NOT has_table_privilege(%(role)s, c.oid, wanted.privilege)
UNION ALL
SELECT n.nspname, c.relname, %(role)s, 'USAGE'
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND 'INSERT' = ANY (%(privileges)s::text[]) AND pg_has_role(c.relowner, 'USAGE')
  AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(%(role)s, c.oid, 'USAGE') END
"""
_NOT_CALLED = """
SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND p.proname = %s AND pg_has_role(p.proowner, 'USAGE') AND NOT has_function_privilege(%s, p.oid, 'EXECUTE')
"""
_DECLARED_AND_LACKING = """
SELECT n.nspname, c.relname, r.rolname, upper(declared.privilege)
FROM {notes}.declarations AS d
CROSS JOIN LATERAL jsonb_to_recordset(d.declared -> 'grants') AS declared (role text, privilege text)
JOIN pg_roles AS r ON r.rolname = declared.role
JOIN pg_namespace AS n ON n.nspname = split_part(d.model, '.', 1)
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = split_part(d.model, '.', 2)
WHERE pg_has_role(c.relowner, 'USAGE') AND NOT has_table_privilege(r.oid, c.oid, declared.privilege)
"""
_GRANTED_TO_OURS = """
SELECT pg_get_userbyid(g.grantee), g.privilege_type FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
WHERE c.oid = to_regclass(%s) AND g.grantee <> c.relowner AND g.grantee <> 0 AND pg_get_userbyid(g.grantee) = ANY (%s)
"""
_OPEN_SCHEMAS = """
SELECT n.nspname FROM pg_namespace AS n
WHERE n.nspname = 'public' AND pg_has_role(n.nspowner, 'USAGE')
  AND EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS g
              WHERE g.grantee = 0 AND g.privilege_type = 'CREATE')
"""
_OPEN_DATABASE = """
SELECT d.datname FROM pg_database AS d
WHERE d.datname = current_database() AND pg_has_role(d.datdba, 'USAGE')
  AND NOT EXISTS (SELECT FROM aclexplode(d.datacl) AS g WHERE g.grantee = (%s::regrole)::oid)
"""
# What this account owns, bottom-up: each relation after those that it reads.
_OURS_TO_GIVE = """
WITH ours AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'm', 'v')
      AND c.relowner = (quote_ident(current_user)::regrole)::oid
)
SELECT o.oid, o.nspname, o.relname,
       array(SELECT d.refobjid FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass
             AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
             WHERE r.ev_class = o.oid AND d.refobjid <> o.oid AND d.refobjid IN (SELECT oid FROM ours))
FROM ours AS o
"""

_log = logging.getLogger(__name__)
_told: set[str] = set()


def names() -> tuple[str, ...]:
    """The roles of the settings, none where there are none."""
    roles = current().roles
    return roles.names if roles else ()


def create(cursor: Cursor) -> None:
    """Creates the roles with their rights, and leaves PUBLIC none; where that is not allowed, says what to run.

    The cursor's connection commits by itself.
    """
    roles = current().roles
    if roles is None:
        return
    missing = _missing(cursor, roles.names)
    if missing and not scalar(cursor, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"):
        _tell_once(_by_an_administrator(cursor, roles, missing))
        _grant(cursor, roles)
        return
    for name in missing:
        try:
            cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
        except (psycopg2.errors.DuplicateObject, psycopg2.errors.UniqueViolation):
            _log.debug("%s was just made by another warehouse on this server", name)
    if roles.owner in missing and not _owns_for_others(cursor, roles):
        cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(roles.owner)))
    _join(cursor, roles)
    _close_to_public(cursor, roles)
    _grant(cursor, roles)


def missing_grantees(cursor: Cursor, snapshots: Iterable[Any]) -> list[str]:
    """The roles that the models grant something to, and that are not there; not queried without roles in the settings."""
    if current().roles is None:
        return []
    granted = {grant.role for snapshot in snapshots for grant in declarations.of(snapshot.model).grants}
    return _missing(cursor, sorted(granted))


def settle(cursor: Cursor, schemas: Iterable[str]) -> None:
    """After a plan or run, or where there was nothing to do: gives what was built to its owner, and grants what is declared.

    A copy of a database is open to PUBLIC again: PostgreSQL does not copy the right to connect.

    Args:
        cursor: commits by itself.
        schemas: where SQLMesh built something.
    """
    roles = current().roles
    if roles is None:
        return
    if not _missing(cursor, [roles.owner]):
        _give_to_owner(cursor, roles, sorted(set(schemas)))
    if not _missing(cursor, roles.names):
        _close_to_public(cursor, roles)
    _grant(cursor, roles)


def share_owner(cursor: Cursor, relation: Relation, like: Relation) -> None:
    """Gives a relation that was just made to the owner of another one, if that one is there."""
    cursor.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(%s)"
        " AND relowner <> (SELECT relowner FROM pg_class WHERE oid = to_regclass(%s))",
        (catalog.quoted(like), catalog.quoted(relation)),
    )
    for (owner,) in cursor.fetchall():
        cursor.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(relation.identifier, sql.Identifier(owner)))


def grant_declared(cursor: Cursor, view: Relation, declared: declarations.Declarations) -> None:
    """Grants what its model declares on a view that was just made."""
    missing = _missing(cursor, {grant.role for grant in declared.grants})
    for grant in declared.grants:
        if grant.role not in missing:
            cursor.execute(
                sql.SQL("GRANT {} ON {} TO {}").format(
                    sql.SQL(grant.privilege), view.identifier, sql.Identifier(grant.role)
                )
            )


def withdraw(cursor: Cursor, view: Relation, declared: declarations.Declarations) -> None:
    """Revokes from our roles the rights on a view that its model no longer declares; SQLMesh sees its own grants only."""
    cursor.execute(_GRANTED_TO_OURS, (catalog.quoted(view), list(names())))
    wanted = {(grant.role, grant.privilege.upper()) for grant in declared.grants}
    for role, privilege in set(cursor.fetchall()) - wanted:
        cursor.execute(
            sql.SQL("REVOKE {} ON {} FROM {}").format(sql.SQL(privilege), view.identifier, sql.Identifier(role))
        )


def let_owner_read(cursor: Cursor, view: Relation, target: Relation) -> None:
    """Lets a view's owner read what the view is about to show, until `settle` gives both to the same owner."""
    cursor.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class"
        " WHERE oid = to_regclass(%s) AND NOT has_table_privilege(relowner, to_regclass(%s), 'SELECT')",
        (catalog.quoted(view), catalog.quoted(target)),
    )
    for (owner,) in cursor.fetchall():
        cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(target.identifier, sql.Identifier(owner)))


def _missing(cursor: Cursor, names: Iterable[str]) -> list[str]:
    wanted = list(names)
    cursor.execute(
        "SELECT name FROM unnest(%s::text[]) AS wanted (name) WHERE to_regrole(quote_ident(name)) IS NULL", (wanted,)
    )
    return [row[0] for row in cursor.fetchall()]


def _by_an_administrator(cursor: Cursor, roles: Roles, missing: Iterable[str]) -> str:
    account = scalar(cursor, "SELECT current_user")
    statements = [sql.SQL("CREATE ROLE {} NOLOGIN;").format(sql.Identifier(name)) for name in missing]
    statements.append(sql.SQL("GRANT {} TO {};").format(sql.Identifier(roles.owner), sql.Identifier(account)))
    statements += [_membership(*pair) + sql.SQL(";") for pair in roles.members]
    return (
        "This account may not create roles, so only itself reads what is built. An administrator runs, once:\n  "
        + " ".join(statement.as_string(cursor) for statement in statements)
    )


def _membership(member: str, role: str) -> sql.Composed:
    return sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(member))


def _join(cursor: Cursor, roles: Roles) -> None:
    """Makes roles members of those whose rights they inherit; where another account made them, says what to run."""
    for member, role in roles.members:
        if not scalar(cursor, "SELECT pg_has_role(%s, %s, 'MEMBER')", (member, role)):
            statement = _membership(member, role)
            try:
                cursor.execute(statement)
            except psycopg2.errors.InsufficientPrivilege:
                _tell_once(
                    f"This account may not do this; an administrator runs, once:\n  {statement.as_string(cursor)};"
                )


def _owns_for_others(cursor: Cursor, roles: Roles) -> bool:
    """Whether this account may give what it built to the owner, and still use it."""
    query = "SELECT pg_has_role(%(owner)s, 'MEMBER') AND pg_has_role(%(owner)s, 'USAGE')"
    return bool(scalar(cursor, query, {"owner": roles.owner}))


def _close_to_public(cursor: Cursor, roles: Roles) -> None:
    """Revokes PostgreSQL's default rights of PUBLIC, the first time that this database is seen."""
    cursor.execute(_OPEN_SCHEMAS)
    for (schema,) in cursor.fetchall():
        cursor.execute(sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC").format(sql.Identifier(schema)))
    if not roles.database_rights:
        return
    cursor.execute(_OPEN_DATABASE, (roles.database_rights[-1][0],))  # a role with its rights shows that this was done
    for (database,) in cursor.fetchall():
        cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
        for role, rights in roles.database_rights:
            cursor.execute(
                sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
                    sql.SQL(rights), sql.Identifier(database), sql.Identifier(role)
                )
            )


def _grant(cursor: Cursor, roles: Roles) -> None:
    """Grants what the roles that are there lack: their rights, and what the models of prod declare.

    SQLMesh grants in the transaction of a promotion; this grants to roles that are made later.
    """
    missing = _missing(cursor, roles.names)
    for role, schema, privileges in roles.rights:
        if role in missing:
            continue
        if first_row(cursor, _CLOSED_SCHEMA, {"role": role, "schema": schema}) is not None:
            cursor.execute(
                sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(role))
            )
        cursor.execute(_LACKING, {"role": role, "schema": schema, "privileges": list(privileges)})
        _grant_all(cursor)
    for role, schema, name in roles.calls:
        if role not in missing and first_row(cursor, _NOT_CALLED, (schema, name, role)) is not None:
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.Identifier(schema, name), sql.Identifier(role))
            )
    cursor.execute(in_notes(_DECLARED_AND_LACKING))
    _grant_all(cursor)


def _grant_all(cursor: Cursor) -> None:
    """Grants what a query has found to lack: schema, relation, role, privilege."""
    for schema, relation, role, privilege in cursor.fetchall():
        cursor.execute(
            sql.SQL("GRANT {} ON {}{} TO {}").format(
                sql.SQL(privilege),
                sql.SQL("SEQUENCE " if privilege == "USAGE" else ""),
                sql.Identifier(schema, relation),
                sql.Identifier(role),
            )
        )


def _give_to_owner(cursor: Cursor, roles: Roles, schemas: list[str]) -> None:
    """Gives what this account built to the owner, bottom-up: no view is owned by a role that cannot read its inputs.

    What another session locks keeps its owner until the next command, as does what reads it; the rest is given.
    """
    if not _owns_for_others(cursor, roles):
        return
    cursor.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s) AND nspowner = (quote_ident(current_user)::regrole)::oid",
        (schemas,),
    )
    owner = sql.Identifier(roles.owner)
    for (schema,) in cursor.fetchall():
        cursor.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(schema), owner))
    cursor.execute(_OURS_TO_GIVE, (schemas,))
    ours = {oid: (Relation(schema, name), reads) for oid, schema, name, reads in cursor.fetchall()}
    kept: set[int] = set()
    with locks.briefly(cursor):
        for oid in TopologicalSorter({oid: reads for oid, (_, reads) in ours.items()}).static_order():
            relation, reads = ours[oid]
            try:
                if kept.isdisjoint(reads):
                    cursor.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(relation.identifier, owner))
                    continue
            except locks.GAVE_WAY as error:
                _log.info("%s: %s", relation, first_line(error))
            kept.add(oid)
    if kept:
        _log.info("%d relations are given to %s by the next command", len(kept), roles.owner)


def _tell_once(message: str) -> None:
    if message not in _told:
        _told.add(message)
        _log.warning("%s", message)
