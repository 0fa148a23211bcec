"""psql on the selected database: which program, and how it gets the connection without showing its password."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from foundation.database import connection_variables
from foundation.errors import DatabaseUnavailable
from revops.embedded import server
from revops.settings import Settings


def command(
    settings: Settings, dsn: str | None, arguments: Sequence[str], environ: Mapping[str, str] | None = None
) -> tuple[list[str], dict[str, str]]:
    """The psql to execute and its environment; the password travels in the environment, never on the command line.

    Without a URL, for uses that connect to nothing, such as `psql --help`.

    Raises:
        DatabaseUnavailable: there is no psql on this machine.
    """
    environment = dict(os.environ if environ is None else environ)
    program = shutil.which("psql") if not settings.embedded else None
    if program is None:
        own = server.programs(settings.postgres_version) / "psql"
        program = str(own) if own.exists() else None
    if program is None:
        raise DatabaseUnavailable("There is no psql on this machine.\n  Install PostgreSQL's client programs.")
    environment.update(connection_variables(dsn) if dsn is not None else {})
    environment.setdefault("PSQL_HISTORY", str(Path(settings.home, "psql_history")))
    return [program, *arguments], environment
