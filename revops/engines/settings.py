"""Which engine builds the models, and how Spark is reached. Reads the environment; starts nothing, imports no engine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from foundation.errors import UsageError
from revops import settings as of_project

ENGINE = "REVOPS_ENGINE"
POSTGRES = "postgres"
SPARK = "spark"
STATE_SCHEMA = "sqlmesh_spark"
"""SQLMesh's state of the models on Spark, in the same PostgreSQL: each engine has tables, versions and days of its own."""
CONNECTION_TYPE = "revops_spark"

LOCAL = "local"
"""No server of somebody's: Sail, started and stopped by each command."""

_TABLES = "spark"


@dataclass(frozen=True)
class Spark:
    """How Spark is reached and where its tables are.

    Attributes:
        remote: the URL of a Spark Connect server, or `local`: REVOPS_SPARK_REMOTE.
        warehouse: the folder or URL under which tables are stored, as the server sees it: REVOPS_SPARK_WAREHOUSE. None for
            the server's own.
        raw: the folder or URL of the exported files, as the server sees it: REVOPS_SPARK_RAW. None for where they are written.
        catalog: the catalog in which schemas are made: REVOPS_SPARK_CATALOG. None for the session's.
        concurrent_tasks: how many models are built side by side: REVOPS_SPARK_TASKS.
    """

    remote: str = LOCAL
    warehouse: str | None = None
    raw: str | None = None
    catalog: str | None = None
    concurrent_tasks: int = 2

    @property
    def server(self) -> str:
        """The server's address, without what may be secret in the URL."""
        return "Sail" if self.remote == LOCAL else self.remote.split("/;")[0]


def engine(environ: Mapping[str, str] | None = None) -> str:
    """The engine asked for by REVOPS_ENGINE, PostgreSQL where there is none.

    Raises:
        UsageError: there is no such engine.
    """
    asked = (os.environ if environ is None else environ).get(ENGINE, "").strip().lower() or POSTGRES
    if asked not in (POSTGRES, SPARK):
        raise UsageError(f"{ENGINE} is {asked!r}.\n  Set it to {POSTGRES} or {SPARK}.")
    return asked


def is_spark() -> bool:
    """Whether this process builds on Spark.

    Raises:
        UsageError: there is no such engine.
    """
    return engine() == SPARK


def spark(environ: Mapping[str, str] | None = None) -> Spark:
    """The settings REVOPS_SPARK_*.

    Raises:
        UsageError: a value is wrong; the message says which.
    """
    environ = os.environ if environ is None else environ

    def value(name: str) -> str | None:
        return environ.get(f"REVOPS_SPARK_{name}", "").strip() or None

    remote, warehouse = value("REMOTE") or LOCAL, value("WAREHOUSE")
    if remote == LOCAL:
        if warehouse and "://" in warehouse:
            raise UsageError("REVOPS_SPARK_WAREHOUSE is no folder of this machine.\n  Set REVOPS_SPARK_REMOTE as well.")
        warehouse = str(
            Path(warehouse).expanduser().absolute() if warehouse else of_project.load(environ).home / _TABLES
        )
    elif not re.fullmatch(r"sc://[^\s/:]+(:\d+)?(/.*)?", remote):
        raise UsageError(
            "REVOPS_SPARK_REMOTE is no URL of a Spark Connect server.\n"
            f"  Write it as sc://host:15002, or {LOCAL} for Sail on this machine."
        )
    tasks = value("TASKS") or "2"
    if not tasks.isdecimal() or int(tasks) < 1:
        raise UsageError("REVOPS_SPARK_TASKS is no number of models to build side by side.\n  Set it to 1 or more.")
    return Spark(remote, warehouse, value("RAW"), value("CATALOG"), int(tasks))


def connection() -> str:
    """The connection of the gateway in config.yaml, as JSON, which YAML reads.

    Raises:
        ConfigError: SQLMesh's error, which its command line shows on one line.
    """
    from sqlmesh.utils.errors import ConfigError

    try:
        chosen = spark()
    except UsageError as error:
        raise ConfigError(str(error)) from None
    from revops.engines import connection as connections

    connections.register()
    of_sqlmesh = {name: value for name, value in asdict(chosen).items() if value is not None and name != "raw"}
    return json.dumps({"type": CONNECTION_TYPE, **of_sqlmesh})
