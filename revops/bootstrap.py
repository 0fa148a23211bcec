"""Creates what the models need from the server before they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation import ops
from foundation.queries import scalar
from loaders import duplicates, postgres
from meshkeys import roles
from revops.desk import decisions
from revops.scoring import scorecards

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

# The function is new in PostgreSQL 16; this is the same for 15, slower, because each call opens a subtransaction.
_INPUT_IS_VALID = """
CREATE OR REPLACE FUNCTION public.pg_input_is_valid(value text, type_name text) RETURNS boolean LANGUAGE plpgsql STABLE STRICT AS
$$ BEGIN EXECUTE format('SELECT %L::%s', value, type_name::regtype || coalesce(substring(type_name FROM '\\(.*\\)'), ''));
RETURN true;
EXCEPTION WHEN data_exception OR syntax_error_or_access_rule_violation THEN RETURN false; END $$
"""


def prepare(connection: Connection) -> None:
    """Creates what is missing of raw, ops, desk and the roles, and what an older server lacks. Commits."""
    postgres.create_tables(connection)
    with connection.cursor() as cursor:
        cursor.execute(duplicates.DDL)
        ops.create_for_builds(cursor)
        scorecards.create(cursor)
        decisions.create(cursor)
        complete(cursor)
    connection.commit()
    connection.autocommit = True  # a role that another warehouse makes at the same moment is no error
    with connection.cursor() as cursor:
        roles.create(cursor)
    connection.autocommit = False


def complete(cursor: Cursor) -> None:
    """Creates what the models ask of a server and an older one lacks."""
    if cursor.connection.server_version >= 160000:
        return
    source = "SELECT prosrc FROM pg_proc WHERE oid = to_regprocedure('public.pg_input_is_valid(text, text)')"
    if scalar(cursor, source) != _INPUT_IS_VALID.split("$$")[1]:  # another account may have made it
        cursor.execute(_INPUT_IS_VALID)
