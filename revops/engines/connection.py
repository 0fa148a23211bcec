"""The connection of SQLMesh to Spark, by Spark Connect: a type of our own in config.yaml, so that only our adapter is used."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field
from sqlmesh.core.config import connection as connections
from sqlmesh.core.config.connection import ConnectionConfig

from revops.engines import local
from revops.engines.settings import CONNECTION_TYPE, LOCAL

DEFAULT_PORT = 15002
CONNECT_SECONDS = 15
SESSION = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.variable.substitute": "false",  # else ${...} in a text is replaced
    # Of a query that reads a WITH several times, Spark 4.2 makes a plan by it that it refuses itself.
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.RemoveRedundantAliases",
}

_sessions: dict[str, Any] = {}


def register() -> None:
    """Makes the type known to SQLMesh."""
    connections.CONNECTION_CONFIG_TO_TYPE[CONNECTION_TYPE] = SparkConnection


class SparkConnection(ConnectionConfig):  # type: ignore[misc]  # SQLMesh is not typed
    """A Spark Connect server; see `revops.engines.settings.Spark`."""

    remote: str
    warehouse: str | None = None
    catalog: str | None = None

    concurrent_tasks: int = 2
    register_comments: bool = False  # metadata is served from PostgreSQL and by `revops docs`
    pre_ping: Literal[False] = False
    type_: Literal["revops_spark"] = Field(alias="type", default="revops_spark")
    DIALECT = "spark"
    DISPLAY_NAME = "Spark Connect"
    DISPLAY_ORDER = 99

    @property
    def _connection_kwargs_keys(self) -> set[str]:
        return set()

    @property
    def _engine_adapter(self) -> Any:
        from revops.engines.adapter import SparkAdapter

        return SparkAdapter

    @property
    def _connection_factory(self) -> Callable[..., Any]:
        from sqlmesh.engines.spark.db_api.spark_session import connection

        return connection  # type: ignore[no-any-return]

    @property
    def _static_connection_kwargs(self) -> dict[str, Any]:
        return {"spark": session(self.remote, self.catalog, self.warehouse)}

    @property
    def _extra_engine_config(self) -> dict[str, Any]:
        return {"warehouse": self.warehouse, "catalog": _kept(self.remote, self.warehouse)}


def session(remote: str, catalog: str | None = None, warehouse: str | None = None) -> Any:
    """A session on a Spark Connect server, with the settings on which equal results depend.

    Args:
        remote: the server's URL; `local` for Sail on this machine, started with the first session.
        catalog: the catalog to work in; None for the server's own.
        warehouse: where tables are stored; for `local` alone.

    Raises:
        DatabaseUnavailable: there is no server.
        LockHeld: the tables of `local` are used by another command.
        UsageError: pyspark is not installed.
    """
    from foundation.errors import DatabaseUnavailable, UsageError

    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError(
            f"Spark's client is not installed ({error}).\n  pip install -r requirements-spark.lock"
        ) from None
    kept = _kept(remote, warehouse)
    if kept is not None:
        remote = local.start(kept.folder)
    try:
        _connect(remote)
        if remote in _sessions:
            return _sessions[remote]
        found = SparkSession.builder.remote(remote).create()  # getOrCreate would give one of another server
        for name, value in SESSION.items():
            found.conf.set(name, value)
        if catalog is not None:
            found.catalog.setCurrentCatalog(catalog)
        if kept is not None:
            kept.restore(found)
        _sessions[remote] = found
    except Exception as error:  # of grpc, of pyspark, or of the server
        reason = str(error).strip().splitlines()[0][:200]
        raise DatabaseUnavailable(
            f"Spark cannot be reached at {remote.split('/;')[0]}: {reason}\n"
            "  Start that server, or unset REVOPS_SPARK_REMOTE: then Sail is started on this machine."
        ) from error
    return found


def _kept(remote: str, warehouse: str | None) -> local.Catalog | None:
    return local.Catalog(Path(warehouse)) if remote == LOCAL and warehouse is not None else None


def _connect(remote: str) -> None:
    """Fails at once where nothing listens: the client tries again for minutes.

    Raises:
        OSError: there is no server.
    """
    address = urlsplit(remote)
    with socket.create_connection((address.hostname or "", address.port or DEFAULT_PORT), CONNECT_SECONDS):
        pass
