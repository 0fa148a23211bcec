"""Shows exported files to Spark as the tables that models read: external tables, made again before each build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from revops.engines.raw_export import Exported


def register(adapter: Any, exported: Exported, location: str) -> None:
    """Makes the tables of `raw` and `ops` show the files of an export, and nothing that was there before.

    Args:
        adapter: SQLMesh's adapter of the engine.
        exported: what was exported.
        location: the export's folder as the engine sees it, a path or a URL.
    """
    for schema in sorted({relation.partition(".")[0] for relation in exported.columns}):
        adapter.execute(f"CREATE SCHEMA IF NOT EXISTS `{schema}`")
    for relation, columns in exported.columns.items():
        schema, _, name = relation.partition(".")
        listed = ", ".join(f"`{column}` {kind}" for column, kind in columns.items())
        place = f"{location.rstrip('/')}/{schema}/{name}".replace("\\", "\\\\").replace("'", "\\'")
        adapter.execute(f"DROP TABLE IF EXISTS `{schema}`.`{name}`")
        adapter.execute(f"CREATE TABLE `{schema}`.`{name}` ({listed}) USING parquet LOCATION '{place}'")
