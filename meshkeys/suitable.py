"""Whether a database can be used: its sessions last, and SQLMesh's state is its own. Changes nothing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys.errors import DatabaseUnavailable, first_line
from meshkeys.queries import scalar
from meshkeys.settings import current

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ROUNDS = 20

_STATE = """
SELECT coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')), FALSE)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relname = '_snapshots'
"""
# A name in SQLMesh's state begins with the database's, in double quotes.
_OTHER_NAME = """
SELECT substring(name FROM '^"((?:[^"]|"")*)"') FROM {table}
WHERE NOT starts_with(lower(name), lower('"' || replace(current_database(), '"', '""') || '".')) LIMIT 1
"""


def check(connection: Connection) -> None:
    """Checks that this database can be used.

    Raises:
        DatabaseUnavailable: it cannot; the message says what it is and the cure.
    """
    if _behind_a_pooler(connection):
        _check_pooler(connection)
    _check_state(connection)


def _check_pooler(connection: Connection) -> None:
    if _shares_sessions(connection):
        raise DatabaseUnavailable(
            "This is a pooler in transaction mode (pgbouncer): the lock and settings need sessions that last.\n"
            "  Set pool_mode = session for this database, or connect to the PostgreSQL server itself."
        )
    alias, name = connection.info.dbname, _ask(connection, "SELECT current_database()")
    if alias != name:
        raise DatabaseUnavailable(
            f"The pooler calls database {name} {alias}: SQLMesh needs one name for both.\n"
            f"  Let the pooler call it {name} too, and connect to that."
        )


def _check_state(connection: Connection) -> None:
    schema = current().state
    state = sql.SQL(_STATE).format(schema=sql.Literal(schema))
    names = sql.SQL(_OTHER_NAME).format(table=sql.Identifier(schema, "_snapshots"))
    other = _ask(connection, names) if _ask(connection, state) else None
    if other is not None:
        name = _ask(connection, "SELECT current_database()")
        raise DatabaseUnavailable(
            f"Database {name} is a copy of {other}, or {other} renamed: SQLMesh's state in it is that of {other}.\n"
            f"  Name it {other} again, or build under the new name:  DROP SCHEMA {schema} CASCADE;  "
            "then plan again"
        )


def _behind_a_pooler(connection: Connection) -> bool:
    """Whether another server process answers than the one that was named at login."""
    return bool(_ask(connection, "SELECT pg_backend_pid()") != connection.info.backend_pid)


def _shares_sessions(connection: Connection) -> bool:
    """Whether the server's processes pass from client to client between transactions.

    In session mode two clients keep a process each, and never the same.
    """
    import psycopg2
    from psycopg2.extensions import make_dsn

    parameters = {**connection.get_dsn_parameters(), "password": connection.info.password}
    dsn = make_dsn(**parameters)
    try:
        with closing(psycopg2.connect(dsn)) as one, closing(psycopg2.connect(dsn)) as other:
            seen: tuple[set[object], set[object]] = (set(), set())
            for _ in range(ROUNDS):
                for session, pids in zip((one, other), seen, strict=True):
                    session.autocommit = True
                    pids.add(_ask(session, "SELECT pg_backend_pid()"))
                if len(seen[0]) > 1 or len(seen[1]) > 1 or seen[0] & seen[1]:
                    return True
    except psycopg2.OperationalError as error:
        raise DatabaseUnavailable(f"A second connection cannot be opened: {first_line(error)}") from None
    return False


def _ask(connection: Connection, query: str | sql.Composable) -> object:
    with connection.cursor() as cursor:
        return scalar(cursor, query)
