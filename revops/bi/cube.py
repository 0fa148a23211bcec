"""Cube: one YAML file with a cube for each table of the star, its joins, dimensions and measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from revops.bi.measures import MEASURES, POINTS, Distinct, Measure, Ratio, Sum, condition_in_sql
from revops.bi.star import SCHEMA, Column, Star, Table, Where

FILE = "model/warehouse.yml"
TYPES = {"TEXT": "string", "BOOLEAN": "boolean", "DATE": "time", "TIMESTAMP": "time"}
MY = "{CUBE}."


def files(of: Star, where: Where) -> Mapping[str, bytes]:
    """Name and content of each file; where the server is, Cube is told in its environment."""
    from sqlmesh.utils import yaml

    environment = (
        "CUBEJS_DB_TYPE=postgres\n"
        f"CUBEJS_DB_HOST={where.host}\nCUBEJS_DB_PORT={where.port}\nCUBEJS_DB_NAME={where.database}\n"
        f"CUBEJS_DB_USER={where.login}\nCUBEJS_DB_PASS=\n"
    )
    model = yaml.dump({"cubes": [_cube(of, table) for table in of.tables]})
    return {FILE: str(model).encode(), "example.env": environment.encode()}


def _cube(of: Star, table: Table) -> dict[str, Any]:
    joins = [
        {
            "name": each.dimension,
            "relationship": "many_to_one",
            "sql": f"{MY}{each.column} = {{{each.dimension}}}.{each.key}",
        }
        for each in of.relationships
        if each.table == table.name and each.is_active
    ]
    cube: dict[str, Any] = {
        "name": table.name,
        "sql_table": f"{SCHEMA}.{table.name}",
        "description": table.meaning,
        "dimensions": [_dimension(table, column) for column in table.columns],
    }
    if joins:
        cube["joins"] = joins
    if table is of.fact:
        cube["measures"] = [_measure(measure) for measure in MEASURES]
    return cube


def _dimension(table: Table, column: Column) -> dict[str, Any]:
    kind = TYPES.get(column.type, "number")
    sql = f"{MY}{column.name}"
    return {
        "name": column.name,
        "sql": f"{sql}::timestamp" if column.type == "DATE" else sql,  # Cube compares times
        "type": kind,
        "description": column.meaning,
        **({"primary_key": True, "public": True} if column.name == table.key else {}),
    }


def _measure(measure: Measure) -> dict[str, Any]:
    computed = measure.computed
    found: dict[str, Any] = {"name": measure.name, "title": measure.label, "description": measure.meaning}
    if isinstance(computed, Ratio):
        ratio = f"ROUND({computed.times}.0 * {{{computed.part}}} / NULLIF({{{computed.whole}}}, 0), 2)"
        return {**found, "type": "number", "sql": ratio}
    found["type"] = {Sum: "sum", Distinct: "count_distinct"}.get(type(computed), "count")
    if isinstance(computed, Sum | Distinct):
        found["sql"] = f"{MY}{computed.column}"
    if computed.where is not None:
        found["filters"] = [{"sql": condition_in_sql(computed.where, MY)}]
    if measure.unit != POINTS:
        found["format"] = "currency" if isinstance(computed, Sum) else "number"
    return found
