"""SQLMesh's adapter of Spark, for tables of Delta: nothing is overwritten but the days that were asked for.

SQLMesh's own adapter overwrites partitions by INSERT OVERWRITE, which replaces a whole table where the table is not partitioned
or where the engine does not know partitions by that name. Here each table is Delta, a range of days is replaced by one
atomic INSERT ... REPLACE WHERE, and a statement that would overwrite otherwise is refused before it is sent.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from contextlib import nullcontext
from typing import Any

from sqlglot import exp
from sqlmesh.core.dialect import to_schema
from sqlmesh.core.engine_adapter.base import EngineAdapter
from sqlmesh.core.engine_adapter.shared import (
    CommentCreationTable,
    CommentCreationView,
    InsertOverwriteStrategy,
)
from sqlmesh.core.engine_adapter.spark import SparkEngineAdapter
from sqlmesh.utils.errors import SQLMeshError

from revops.engines import portable

TABLE_FORMAT = "delta"
_INSERT = re.compile(r"\s*(?:/\*.*?\*/\s*)?INSERT INTO (?P<table>\S+)")
_writing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class SparkAdapter(SparkEngineAdapter):  # type: ignore[misc]  # SQLMesh is not typed
    """Spark by Spark Connect, with Delta."""

    INSERT_OVERWRITE_STRATEGY = InsertOverwriteStrategy.REPLACE_WHERE
    COMMENT_CREATION_TABLE = CommentCreationTable.UNSUPPORTED
    COMMENT_CREATION_VIEW = CommentCreationView.UNSUPPORTED
    SUPPORTS_GRANTS = True  # else SQLMesh warns of each model

    def _create_schema(self, schema_name: Any, *args: Any, properties: Any = None, **kwargs: Any) -> None:
        warehouse = self._extra_config.get("warehouse")
        if warehouse:
            place = f"{warehouse.rstrip('/')}/{to_schema(schema_name).db}.db"
            properties = [*(properties or ()), exp.LocationProperty(this=exp.Literal.string(place))]
        super()._create_schema(schema_name, *args, properties=properties or [], **kwargs)

    def _execute(self, sql: str, *args: Any, **kwargs: Any) -> None:
        written = _INSERT.match(sql)
        # SQLMesh evaluates ranges of days of a table side by side; of two that commit at once, Delta refuses one.
        with _writing[written["table"]] if written else nullcontext():
            super()._execute(sql, *args, **kwargs)
        catalog = self._extra_config.get("catalog")
        if catalog is not None:
            catalog.note(sql)

    def sync_grants_config(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: who may read is the catalog's to say, see docs/security.md."""

    def _to_sql(self, expression: Any, quote: bool = True, **kwargs: Any) -> str:
        if isinstance(expression, exp.Insert) and expression.args.get("overwrite"):
            raise SQLMeshError(
                "INSERT OVERWRITE would replace more than the days asked for: REPLACE WHERE is used here."
            )
        written = portable.for_spark(expression)
        if isinstance(written, exp.Insert) and isinstance(written.expression, exp.Query):
            # sqlglot would put the query's WITH before INSERT, where not every engine of the dialect reads it.
            written.set("expression", exp.Var(this=super()._to_sql(written.expression, quote, **kwargs)))
        return str(super()._to_sql(written, quote, **kwargs))

    def _df_to_source_queries(self, df: Any, *args: Any, **kwargs: Any) -> Any:
        """Rows of a seed as VALUES, as on PostgreSQL: createDataFrame refuses decimals, and numbers beside an empty cell."""
        if self.try_get_pandas_df(df) is not None:
            return EngineAdapter._df_to_source_queries(self, df, *args, **kwargs)
        return super()._df_to_source_queries(df, *args, **kwargs)

    def _build_table_properties_exp(self, *args: Any, **kwargs: Any) -> Any:
        """Delta, whatever the model says, and without partitions: a day is found by Delta's statistics, not by a folder."""
        return super()._build_table_properties_exp(
            *args, **{**kwargs, "table_format": TABLE_FORMAT, "partitioned_by": None}
        )
