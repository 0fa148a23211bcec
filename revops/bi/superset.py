"""Apache Superset: an archive in its export format, with a database and a dataset that joins the star and has its metrics.

Superset joins nothing itself, so that the dataset is a query. Its passwords are not in the archive: Superset asks for them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from revops.bi.measures import COUNT, DOLLARS, MEASURES, POINTS, in_sql
from revops.bi.star import SCHEMA, Column, Star, Table, Where

ARCHIVE = "warehouse_superset.zip"
DATABASE = "Card warehouse"
DATASET = "card_transactions"
TEMPORAL = ("DATE", "TIMESTAMP")
UNITS = {DOLLARS: "$,.2f", COUNT: ",d", POINTS: ",.2f"}
_HIDDEN = "XXXXXXXXXX"  # what Superset writes for a password, and then asks for
_WRITTEN_AT = (2020, 1, 1, 0, 0, 0)  # the same project gives the same bytes


def files(of: Star, where: Where) -> Mapping[str, bytes]:
    """The archive, and beside it the files that it holds, to be read and compared."""
    from sqlmesh.utils import yaml

    texts = {
        "metadata.yaml": {"version": "1.0.0", "type": "SqlaTable", "timestamp": "2020-01-01T00:00:00+00:00"},
        "databases/warehouse.yaml": _database(where),
        f"datasets/warehouse/{DATASET}.yaml": _dataset(of),
    }
    contents = {name: str(yaml.dump(value)).encode() for name, value in texts.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(f"warehouse/{name}", _WRITTEN_AT), content)
    return {ARCHIVE: packed.getvalue(), **contents}


def query(of: Star) -> str:
    """The fact with the columns of its dimensions, each once."""
    joins = (
        f"JOIN {SCHEMA}.{each.dimension}\n  ON {each.dimension}.{each.key} = {each.table}.{each.column}"
        for each in of.relationships
        if each.is_active
    )
    columns = ",\n  ".join(f"{table.name}.{column.name}" for table, column in _shown(of))
    return "\n".join([f"SELECT\n  {columns}\nFROM {SCHEMA}.{of.fact.name}", *joins])


def _shown(of: Star) -> list[tuple[Table, Column]]:
    """Each column with its table; of two of one name, that of the fact or of the dimension named first."""
    found: dict[str, tuple[Table, Column]] = {}
    for table in of.tables:
        for column in table.columns:
            if table is of.fact or column.name != table.key:
                found.setdefault(column.name, (table, column))
    return list(found.values())


def _database(where: Where) -> dict[str, Any]:
    login = f"{quote(where.login, safe='')}:{_HIDDEN}"
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": f"postgresql+psycopg2://{login}@{where.host}:{where.port}/{quote(where.database, safe='')}",
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": _identifier("database"),
        "version": "1.0.0",
    }


def _dataset(of: Star) -> dict[str, Any]:
    return {
        "table_name": DATASET,
        "main_dttm_col": of.day,
        "description": of.fact.meaning,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "schema": SCHEMA,
        "sql": query(of),
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": None,
        "uuid": _identifier("dataset"),
        "metrics": [
            {
                "metric_name": measure.name,
                "verbose_name": measure.label,
                "metric_type": None,
                "expression": in_sql(measure),
                "description": measure.meaning,
                "d3format": UNITS[measure.unit],
                "extra": {},
                "warning_text": None,
            }
            for measure in MEASURES
        ],
        "columns": list(_columns(of)),
        "version": "1.0.0",
        "database_uuid": _identifier("database"),
    }


def _columns(of: Star) -> Iterator[dict[str, Any]]:
    for _, column in _shown(of):
        yield {
            "column_name": column.name,
            "verbose_name": None,
            "is_dttm": column.type in TEMPORAL,
            "is_active": True,
            "type": column.type,
            "advanced_data_type": None,
            "groupby": column.type != "DECIMAL",
            "filterable": True,
            "expression": None,
            "description": column.meaning,
            "python_date_format": None,
            "extra": {},
        }


def _identifier(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"card-warehouse/superset/{name}"))
