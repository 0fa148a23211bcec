"""The same model files give the same rows on Spark itself, to the last cell: on Java, in one process and on a small cluster.

No Delta for it can be had without a download at run time, so the tables are Parquet here, which are filled once: that days are
replaced is proven with Delta, in the other tests of this folder. Run by `make test-spark`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp

from revops.engines import adapter
from revops.engines.adapter import SparkAdapter
from tests.conftest import RunningServer, free_port, fresh_database
from tests.engines import both
from tests.engines.conftest import Engine, stop, wait_for

HOME = os.environ.get("REVOPS_TEST_SPARK_HOME", "")
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
SETTINGS = {
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",  # of a few thousand rows; 200 tasks for each join take minutes
}


@pytest.fixture
def spark(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Spark Connect server with an empty catalog, of the master that the test names."""
    if shutil.which("java") is None:
        pytest.skip("no Java on this machine: Spark 4 needs version 17 or later")
    folder = tmp_path_factory.mktemp("spark")
    port = free_port()
    chosen = {
        **SETTINGS,
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.warehouse.dir": str(folder / "tables"),
    }
    options = [part for name, value in chosen.items() for part in ("--conf", f"{name}={value}")]
    command = [
        Path(HOME) / "bin" / "spark-submit",
        *("--class", SERVER, "--master", request.param, "--driver-memory", "2g"), *options, "spark-internal",
    ]  # fmt: skip
    environ = {**os.environ, "SPARK_HOME": HOME, "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / "spark.log").open("w") as log:
        server = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=folder)
        try:
            wait_for(port, server)
            yield Engine(f"sc://127.0.0.1:{port}/;user_id=revops", folder / "tables")
        finally:
            stop(server)


# One process with two cores; two executors of their own with one core and 1,024 MB each, which exchange rows.
@pytest.mark.parametrize(
    ("spark", "scale"), [("local[2]", 0.0003), ("local-cluster[2,1,1024]", 0.0002)], indirect=["spark"]
)
def test_every_relation_is_equal_on_spark_itself(
    spark: Engine, scale: float, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = SparkAdapter._to_sql

    def fills_once(self: Any, expression: Any, *args: Any, **options: Any) -> str:
        if isinstance(expression, exp.Insert) and expression.args.get("where"):
            expression = expression.copy()
            expression.set("where", None)
        return written(self, expression, *args, **options)

    monkeypatch.setattr(adapter, "TABLE_FORMAT", "parquet")
    monkeypatch.setattr(SparkAdapter, "_to_sql", fills_once)
    with fresh_database(server) as url:
        made = both.built(url, spark, tmp_path, scale)
        made.build_on_spark()
        made.assert_equal()
