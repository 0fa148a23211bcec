"""Power BI: a `.pbids` file to connect with, and a semantic model as a TMDL folder. Tables are imported from serving."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from uuid import NAMESPACE_URL, uuid5

from revops.bi.measures import ADDITIVE, COUNT, DOLLARS, MEASURES, POINTS, in_dax
from revops.bi.star import CALENDAR, SCHEMA, Column, Star, Table, Where

MODEL = "warehouse.SemanticModel"
TYPES = {
    "INT": "int64",
    "BIGINT": "int64",
    "TEXT": "string",
    "BOOLEAN": "boolean",
    "DECIMAL": "decimal",
    "DATE": "dateTime",
    "TIMESTAMP": "dateTime",
}
FORMATS = {"DATE": "yyyy-mm-dd", "TIMESTAMP": "yyyy-mm-dd hh:nn", "INT": "0", "BIGINT": "0", "DECIMAL": "#,##0.00"}
UNITS = {DOLLARS: "$#,##0.00", COUNT: "#,##0", POINTS: "#,##0.00"}
CATEGORIES = {"latitude": "Latitude", "longitude": "Longitude", "country_name": "Country"}
_COMPATIBILITY = 1567


def files(of: Star, where: Where) -> Mapping[str, bytes]:
    """Name and content of each file."""
    texts = {
        "warehouse.pbids": _json(_connection(where)),
        f"{MODEL}/definition.pbism": _json({"version": "4.0", "settings": {}}),
        f"{MODEL}/definition/database.tmdl": f"database\n\tcompatibilityLevel: {_COMPATIBILITY}\n",
        f"{MODEL}/definition/model.tmdl": _model(of),
        f"{MODEL}/definition/expressions.tmdl": _expressions(where),
        f"{MODEL}/definition/relationships.tmdl": "\n".join(_relationships(of)),
    }
    for table in of.tables:
        texts[f"{MODEL}/definition/tables/{table.name}.tmdl"] = "\n".join(_table(of, table)) + "\n"
    return {name: text.encode() for name, text in texts.items()}


def _connection(where: Where) -> dict[str, object]:
    address = {"server": f"{where.host}:{where.port}", "database": where.database}
    return {
        "version": "0.1",
        "connections": [{"details": {"protocol": "postgresql", "address": address}, "mode": "Import"}],
    }


def _model(of: Star) -> str:
    lines = [
        "model Model",
        "\tculture: en-US",
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
        "",
    ]
    return "\n".join([*lines, *(f"ref table {table.name}" for table in of.tables)]) + "\n"


def _expressions(where: Where) -> str:
    parameter = 'meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
    values = {"Server": f"{where.host}:{where.port}", "Database": where.database}
    return "\n".join(
        f"expression {name} = {_quoted(value)} {parameter}\n\tlineageTag: {_tag(name)}\n"
        for name, value in values.items()
    )


def _relationships(of: Star) -> Iterator[str]:
    for each in of.relationships:
        yield f"relationship {_tag(each.table, each.column, each.dimension)}"
        if not each.is_active:
            yield "\tisActive: false"
        yield f"\tfromColumn: {each.table}.{each.column}"
        yield f"\ttoColumn: {each.dimension}.{each.key}"
        yield ""


def _table(of: Star, table: Table) -> Iterator[str]:
    yield f"/// {table.meaning}"
    yield f"table {table.name}"
    if table.name == CALENDAR:
        yield "\tdataCategory: Time"
    yield f"\tlineageTag: {_tag(table.name)}"
    yield ""
    if table is of.fact:
        for measure in MEASURES:
            yield f"\t/// {measure.meaning}"
            yield f"\tmeasure '{measure.label}' = {in_dax(measure, table.name)}"
            yield f"\t\tformatString: {UNITS[measure.unit]}"
            yield f"\t\tlineageTag: {_tag(table.name, measure.name)}"
            yield ""
    for column in table.columns:
        yield from _column(of, table, column)
    yield f"\tpartition {table.name} = m"
    yield "\t\tmode: import"
    yield "\t\tsource ="
    yield "\t\t\t\tlet"
    yield "\t\t\t\t\tSource = PostgreSQL.Database(Server, Database),"
    yield f'\t\t\t\t\tRows = Source{{[Schema="{SCHEMA}", Item="{table.name}"]}}[Data]'
    yield "\t\t\t\tin"
    yield "\t\t\t\t\tRows"
    yield ""


def _column(of: Star, table: Table, column: Column) -> Iterator[str]:
    names = {each.name for each in table.columns}
    is_key = column.name == table.key
    leads = {each.column for each in of.relationships if each.table == table.name}
    order = column.name.removesuffix("_name") + "_number"
    category = next((what for end, what in CATEGORIES.items() if column.name.endswith(end)), None)
    yield f"\t/// {column.meaning}"
    yield f"\tcolumn {column.name}"
    yield f"\t\tdataType: {TYPES[column.type]}"
    if table is of.fact and (is_key or column.name in leads):
        yield "\t\tisHidden"
    if is_key and table is not of.fact:
        yield "\t\tisKey"
    if column.type in FORMATS:
        yield f"\t\tformatString: {FORMATS[column.type]}"
    if category is not None:
        yield f"\t\tdataCategory: {category}"
    yield f"\t\tlineageTag: {_tag(table.name, column.name)}"
    yield f"\t\tsummarizeBy: {'sum' if table is of.fact and column.name in ADDITIVE else 'none'}"
    yield f"\t\tsourceColumn: {column.name}"
    if column.name.endswith("_name") and order in names:
        yield f"\t\tsortByColumn: {order}"
    yield ""


def _tag(*names: str) -> str:
    """An identifier that stays the same, so that Power BI finds what it knows after the files were written again."""
    return str(uuid5(NAMESPACE_URL, "/".join(("card-warehouse", "powerbi", *names))))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
