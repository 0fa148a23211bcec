"""Runs `revops`, and kills it with SIGKILL at the n-th moment at which the database has changed for good.

Such a moment is a commit, or a statement of a connection that commits by itself. `KILL_AT` says which, 0 for none; the number of
moments is written to `KILL_COUNT` when the command ends.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor

_moments = itertools.count(1)
_seen = 0
_plain_connect = psycopg2.connect


def moment() -> None:
    global _seen
    _seen = next(_moments)
    if _seen == int(os.environ["KILL_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)


class KilledCursor(cursor):
    def execute(self, query: Any, values: Any = None) -> None:
        super().execute(query, values)
        if self.connection.autocommit and not self.description:
            moment()


class KilledConnection(connection):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = KilledCursor

    def commit(self) -> None:
        super().commit()
        moment()


def connect(*arguments: Any, **options: Any) -> connection:
    return _plain_connect(*arguments, **{**options, "connection_factory": KilledConnection})


if __name__ == "__main__":
    psycopg2.connect = connect
    from revops.cli import main

    try:
        sys.exit(main())
    finally:
        Path(os.environ["KILL_COUNT"]).write_text(str(_seen))
