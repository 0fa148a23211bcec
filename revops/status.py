"""What the warehouse is doing, in figures: server, environments, last landings, last refresh, freshness, rows."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from foundation import database
from foundation.queries import one_row, relations_exist
from meshkeys import dependents
from revops.embedded import server
from revops.terminal import summary

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

_SECTIONS: dict[str, tuple[str, str | sql.Composable]] = {
    "environments": (
        "sqlmesh._environments",
        "SELECT name, to_timestamp(finalized_ts / 1000) AS finalized_at, to_timestamp(expiration_ts / 1000) AS expires_at"
        " FROM sqlmesh._environments ORDER BY name",
    ),
    "last_loads": (
        "ops.load_files",
        "SELECT name, relation, rows_loaded, rows_rejected, uncounted_amounts, amount_sum, min_date, max_date, ended_at"
        " FROM ops.load_files ORDER BY ended_at DESC LIMIT 10",
    ),
    "last_refreshes": (
        "ops.refresh_history",
        "SELECT part, mode, reason, rows_before, rows_after, round(seconds::numeric, 3) AS seconds,"
        " round(lock_wait_seconds::numeric, 3) AS lock_wait_seconds, refreshed_at"
        " FROM ops.refresh_history ORDER BY refresh_id DESC LIMIT 10",
    ),
    "verifications": (
        "ops.verifications",
        "SELECT DISTINCT ON (mode) mode, verified_at, checks, cardinality(failed) AS failed,"
        " round(seconds::numeric, 1) AS seconds,"
        " max(verified_at) FILTER (WHERE failed = '{}') OVER (PARTITION BY mode) AS all_right_at"
        " FROM ops.verifications ORDER BY mode, verification_id DESC",
    ),
    "lost_views": ("ops.dependents", dependents.missing_statement()),
    "freshness": (
        "ops.evaluations",
        "SELECT (SELECT max(max_date) FROM ops.load_files) AS last_day_landed,"
        " (SELECT max(ended_at) FROM ops.load_files) AS landed_at, max(evaluated_at) AS built_at FROM ops.evaluations",
    ),
}


def status(settings: Settings) -> dict[str, Any]:
    """The state of the warehouse; starts no server.

    Returns:
        `server`, then a list of rows for each of environments, last_loads, last_refreshes, verifications (the last
        of each mode), lost_views (views of others that a plan dropped and that do not fit yet), freshness and rows.
    """
    dsn = settings.connection_string or server.current(settings)
    if dsn is None:
        return {"server": {"running": False, "hint": "revops up starts it"}}
    found: dict[str, Any] = {}
    with closing(database.connect(dsn, "revops status", autocommit=True)) as connection, connection.cursor() as cursor:
        of_server = "SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))"
        version, size = one_row(cursor, of_server)
        found["server"] = {
            "running": True,
            "embedded": settings.embedded,
            "url": database.without_password(dsn),
            "version": version,
            "size": size,
        }
        for section, (relation, query) in _SECTIONS.items():
            found[section] = _rows(cursor, relation, query)
    found["rows"] = summary.rows_per_relation(dsn)
    return found


def _rows(cursor: Cursor, relation: str, query: str | sql.Composable) -> list[dict[str, Any]]:
    if not relations_exist(cursor, relation):
        return []
    cursor.execute(query)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
