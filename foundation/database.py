"""Connections to the selected database: made, checked, and described without their password. Owns no schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from foundation import unreachable
from foundation.connection import CONNECTION, VARIABLES, as_url
from foundation.errors import DatabaseUnavailable
from foundation.queries import scalar

if TYPE_CHECKING:
    from psycopg2.extensions import connection

OLDEST = 15
CONNECT_SECONDS = 15


def connect(dsn: str, application_name: str = "revops", autocommit: bool = False) -> connection:
    """Opens a connection, and checks that the server is new enough.

    Raises:
        DatabaseUnavailable: it cannot be reached or is too old; the message never holds the password.
    """
    import psycopg2
    from psycopg2.extensions import make_dsn, parse_dsn

    defaults = {"connect_timeout": CONNECT_SECONDS, "keepalives_idle": 60}
    try:
        opened = psycopg2.connect(
            make_dsn(**{**defaults, **parse_dsn(dsn), "application_name": application_name}),
            keepalives_interval=10,
            keepalives_count=6,
        )
    except psycopg2.OperationalError as error:
        raise unavailable(error, dsn) from None
    if opened.server_version // 10000 < OLDEST:
        found = opened.server_version // 10000
        opened.close()
        raise DatabaseUnavailable(
            f"{without_password(dsn)} is PostgreSQL {found}; {OLDEST} or newer is needed.\n"
            f"  Point {CONNECTION} at a newer server, or unset it to use the embedded one."
        )
    opened.autocommit = autocommit
    return opened


def ask(dsn: str, query: str) -> object:
    """The first value of a query's result, on a separate connection; None where there is no row.

    Raises:
        DatabaseUnavailable: it cannot be reached.
    """
    opened = connect(dsn, autocommit=True)
    try:
        with opened.cursor() as cursor:
            return scalar(cursor, query)
    finally:
        opened.close()


def unavailable(error: Exception, dsn: str | None = None) -> DatabaseUnavailable:
    """The error to show for one of the driver's: its cause, where it happened, the cure, no password."""
    cause, cure = unreachable.explain(redact(str(error), dsn))
    if dsn is None:
        return DatabaseUnavailable(f"The database cannot be reached or was lost: {cause}\n  {cure}")
    return DatabaseUnavailable(f"The database {without_password(dsn)} cannot be reached: {cause}\n  {cure}")


def without_password(dsn: str) -> str:
    """The URL without its password, to show to people and write to logs."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        options = parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        return "(a URL that cannot be read)"
    return as_url({name: str(value) for name, value in options.items() if "password" not in name})


def redact(text: str, *dsns: str | None) -> str:
    """Text with the passwords of these URLs, and of any URL in it, replaced by stars."""
    for dsn in dsns:
        for secret in _secrets(dsn) if dsn else ():
            text = text.replace(secret, "***")
    return re.sub(r"(\w+://[^:/@\s]+):[^@\s]+@", r"\1:***@", text)


def connection_variables(dsn: str) -> dict[str, str]:
    """libpq's environment variables for a URL (`PGHOST`, `PGPASSWORD`, ...)."""
    from psycopg2.extensions import parse_dsn

    names = {**VARIABLES, "dbname": "PGDATABASE", "connect_timeout": "PGCONNECT_TIMEOUT"}
    return {names.get(key, f"PG{key.upper()}"): str(value) for key, value in parse_dsn(dsn).items()} | {
        "PGAPPNAME": "revops psql"
    }


def _secrets(dsn: str) -> set[str]:
    """The passwords in a URL, as written and as decoded."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    found = set()
    try:
        found.add(urlsplit(dsn).password or "")
        found |= {value for key, value in parse_dsn(dsn).items() if "password" in key}
    except (ValueError, psycopg2.ProgrammingError):
        pass
    return found - {""}
