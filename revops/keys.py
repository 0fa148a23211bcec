"""Brings prod's keys and indexes to what is noted as declared, or says what that would take; needs no SQLMesh."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2

from foundation import database
from foundation.errors import CheckFailed, first_line
from meshkeys import change, execution
from revops.embedded import server

if TYPE_CHECKING:
    from meshkeys.operations import Operation
    from revops.settings import Settings


def keys(settings: Settings, dry_run: bool = False) -> list[Operation]:
    """Makes prod's keys and indexes exactly the declared ones, while they are read; the caller holds the warehouse's lock.

    Args:
        settings: which warehouse.
        dry_run: change nothing; no lock is needed.

    Returns:
        What was, or would be, done.

    Raises:
        CheckFailed: rows contradict a key; names it.
    """
    dsn = server.up(settings)
    with closing(database.connect(dsn, "revops keys", autocommit=True)) as connection, connection.cursor() as cursor:
        if dry_run:
            connection.set_session(readonly=True)
        operations = change.pending(cursor)
        for operation in operations if not dry_run else ():
            try:
                execution.execute(cursor, [operation])
            except psycopg2.IntegrityError as error:
                raise CheckFailed(
                    f"Rows contradict what is declared: {operation}: {first_line(error)}\n  See which:  revops verify"
                ) from error
    return operations
