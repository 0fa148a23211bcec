"""Reads the warehouse for one page: read only, as the analyst's role if possible. Owns no statement."""

from __future__ import annotations

import io
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg2
from psycopg2 import errors, extensions, sql

from foundation import database
from foundation.errors import UsageError
from foundation.queries import scalar
from revops.roles import ANALYST
from revops.settings import CONNECTION, EMBEDDED_URL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

# A page that is left open must neither keep the server busy nor hold up a refresh that waits for its locks.
LIMITS = {"statement_timeout": "30s", "lock_timeout": "10s"}
# Workers take longer to start than most statements of a page, and the browser wants the same cores: only long ones get any.
_SETTINGS = {**LIMITS, "idle_session_timeout": "5min", "parallel_setup_cost": "30000"}

# Rows that one statement may bring into a page, and into a file.
MOST_READ = 20_000
MOST_DOWNLOADED = 500_000

# Figures are drawn and shown, never added up to the cent here; charts cannot draw decimals.
_FLOATS = extensions.new_type(
    extensions.DECIMAL.values, "FLOATS", lambda text, _: None if text is None else float(text)
)


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reader:
    """One connection to read on.

    Attributes:
        cursor: where statements run.
        reads_as: the role in whose name.
        kept: what was read for this page, by the statement with its values, and how many rows at most.
    """

    cursor: Cursor
    reads_as: str
    kept: dict[bytes, tuple[int, pd.DataFrame]] = field(default_factory=dict)

    def rows(self, statement: str, values: Mapping[str, object] | None = None, most: int = MOST_READ) -> pd.DataFrame:
        """What a statement returns, its first rows; money and rates as floats, of which no row is lost but some cents may be.

        A page that draws and lists the same rows has them read once.

        Args:
            statement: what is read.
            values: what it takes, by name.
            most: how many rows at most; PostgreSQL stops there.
        """
        asked = self.cursor.mogrify(statement, values or {})
        known, found = self.kept.get(asked, (0, pd.DataFrame()))
        if known < most:
            self.cursor.execute(_limited(statement, most), values or {})
            names = [column.name for column in self.cursor.description or ()]
            found = pd.DataFrame(self.cursor.fetchall(), columns=names)
            self.kept[asked] = most, found
        first: pd.DataFrame = found.head(most).copy()
        return first

    def csv(self, statement: str, values: Mapping[str, object]) -> bytes:
        """All rows of a statement as CSV, to the cent.

        Raises:
            UsageError: there are more than one download holds.
        """
        query = self.cursor.mogrify(_limited(statement, MOST_DOWNLOADED + 1), values).decode()
        file = io.BytesIO()
        self.cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)", file)
        if self.cursor.rowcount > MOST_DOWNLOADED:
            raise UsageError(
                f"There are more than {MOST_DOWNLOADED:,} rows.\n  Choose fewer days, or use: revops export"
            )
        return file.getvalue()

    def value(self, statement: str) -> Any:
        """The first value of the first row."""
        return scalar(self.cursor, statement)


def url(environ: Mapping[str, str] | None = None) -> str:
    """The database's URL, password included, from where `revops dashboard` put it.

    Raises:
        UsageError: it is not there; the page was started by something else.
    """
    environ = os.environ if environ is None else environ
    found = environ.get(EMBEDDED_URL) or environ.get(CONNECTION)
    if not found:
        raise UsageError("The dashboard does not know its database.\n  Start it with: revops dashboard")
    return found


@contextmanager
def opened(dsn: str) -> Iterator[Reader]:
    """A connection for as long as a page is made.

    Each statement sees what is served at its moment. One snapshot for the whole page would not do: a view that a promotion
    points at a table younger than the snapshot shows no row.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    connection = _left_over(dsn) or _new(dsn)
    try:
        with connection.cursor() as cursor:
            for name, limit in _SETTINGS.items():
                cursor.execute("SELECT set_config(%s, %s, FALSE)", (name, limit))
            yield Reader(cursor, _become_analyst(cursor))
    finally:
        _leave(dsn, connection)


# Connections that pages have left. A new one would read the catalog anew: for a table of forty parts, that takes longer than
# to sum up a month of it. The server ends those that nobody takes.
_MOST_LEFT = 4
_left: list[tuple[str, Connection]] = []
_lock = threading.Lock()


def _new(dsn: str) -> Connection:
    connection = database.connect(dsn, "revops dashboard")
    connection.set_session(readonly=True, autocommit=True)
    extensions.register_type(_FLOATS, connection)
    return connection


def _left_over(dsn: str) -> Connection | None:
    """The last connection that a page has left and that still answers; None where there is none."""
    while True:
        with _lock:
            found = next((each for each in reversed(_left) if each[0] == dsn), None)
            if found is None:
                return None
            _left.remove(found)
        _, connection = found
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error as error:
            _log.debug("a connection was ended meanwhile: %s", error)
            connection.close()
        else:
            return connection


def _leave(dsn: str, connection: Connection) -> None:
    """Leaves a connection to the next page, in the place of the oldest one; not one that was lost or is still busy."""
    given_up: Connection | None = connection
    if not connection.closed and connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE:
        with _lock:
            _left.append((dsn, connection))
            given_up = _left.pop(0)[1] if len(_left) > _MOST_LEFT else None
    if given_up is not None:
        given_up.close()


def _limited(statement: str, most: int) -> sql.Composed:
    return sql.SQL("SELECT * FROM ({}) AS found LIMIT {}").format(sql.SQL(statement), sql.Literal(most))


def _become_analyst(cursor: Cursor) -> str:
    """Takes the analyst's role where there is one and the account may; returns the role that reads."""
    try:
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(ANALYST)))
    except (errors.InsufficientPrivilege, errors.InvalidParameterValue, errors.UndefinedObject) as error:
        _log.debug("reading as the account: %s", error)
    return str(scalar(cursor, "SELECT current_user"))
