"""The engine and its settings: postgres unless asked, errors that name the setting, and a gateway only where it is asked for."""

from __future__ import annotations

import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

from foundation.errors import DatabaseUnavailable, UsageError
from revops import run
from revops import settings as of_project
from revops.engines import connection, settings
from tests.conftest import ROOT

pytestmark = pytest.mark.unit

GATEWAYS = """
import sys
from sqlmesh.core.config import Config, load_configs
config = load_configs(None, Config, [sys.argv[1]])
for c in config.values():
    print((c.default_gateway_name, sorted(c.gateways), c.gateways[c.default_gateway_name].state_schema))
packages = {name.partition(".")[0] for name in sys.modules}
print(sorted(packages & {"pyspark", "py4j", "grpc"}), "revops.engines.adapter" in sys.modules)
"""


@pytest.mark.parametrize(("asked", "expected"), [({}, "postgres"), ({"REVOPS_ENGINE": " Spark "}, "spark")])
def test_the_engine_is_postgres_unless_another_is_asked_for(asked: dict[str, str], expected: str) -> None:
    assert settings.engine(asked) == expected


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"REVOPS_ENGINE": "sparkk"}, "REVOPS_ENGINE"),
        ({"REVOPS_ENGINE": "spark", "REVOPS_SPARK_REMOTE": "spark://host:7077"}, "REVOPS_SPARK_REMOTE"),
        ({"REVOPS_ENGINE": "spark", "REVOPS_SPARK_WAREHOUSE": "s3://bucket/tables"}, "REVOPS_SPARK_REMOTE"),
        ({"REVOPS_ENGINE": "spark", "REVOPS_SPARK_TASKS": "0"}, "REVOPS_SPARK_TASKS"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(environ: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        settings.spark(environ) if settings.engine(environ) == "spark" else None


def test_a_server_that_is_not_there_is_said_at_once_and_without_what_is_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        port = closed.getsockname()[1]
        monkeypatch.setitem(sys.modules, "pyspark", types.ModuleType("pyspark"))
        client = types.ModuleType("pyspark.sql")
        client.SparkSession = None  # type: ignore[attr-defined]  # must not be asked
        monkeypatch.setitem(sys.modules, "pyspark.sql", client)
        with pytest.raises(DatabaseUnavailable, match=f"at sc://127.0.0.1:{port}: .*refused") as raised:
            connection.session(f"sc://127.0.0.1:{port}/;token=hidden")
    assert "hidden" not in str(raised.value)


def test_a_run_lands_nothing_where_spark_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setenv("REVOPS_ENGINE", "spark")
    monkeypatch.setenv("REVOPS_SPARK_REMOTE", "sc://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "pyspark", None)  # not installed
    monkeypatch.setattr(run, "land_files", lambda *arguments: asked.append(arguments))
    with pytest.raises(UsageError, match=r"pip install -r requirements-spark\.lock"):
        run.run(of_project.load(), "host=nowhere", run.Wanted())
    assert not asked


def test_without_a_server_tables_are_in_the_folder_of_the_warehouse(tmp_path: Path) -> None:
    environ = {"REVOPS_HOME": str(tmp_path), "REVOPS_ENV_FILE": str(tmp_path / "no.env")}
    chosen = settings.spark(environ)
    assert (chosen.remote, chosen.warehouse, chosen.server) == ("local", str(tmp_path / "spark"), "Sail")
    asked = settings.spark({**environ, "REVOPS_SPARK_REMOTE": "local", "REVOPS_SPARK_WAREHOUSE": "tables"})
    assert asked.warehouse == str(Path.cwd() / "tables")


def test_the_settings_are_read() -> None:
    environ = {
        "REVOPS_SPARK_REMOTE": "sc://cluster:15002/;token=x",
        "REVOPS_SPARK_WAREHOUSE": "s3://bucket/tables",
        "REVOPS_SPARK_RAW": "s3://bucket/raw",
        "REVOPS_SPARK_CATALOG": "lake",
        "REVOPS_SPARK_TASKS": "8",
    }
    expected = settings.Spark("sc://cluster:15002/;token=x", "s3://bucket/tables", "s3://bucket/raw", "lake", 8)
    assert settings.spark(environ) == expected


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("", "('postgres', ['postgres'], 'sqlmesh')\n[] False\n"),
        ("spark", "('spark', ['postgres', 'spark'], 'sqlmesh_spark')\n[] False\n"),
    ],
)
def test_the_gateway_is_there_only_where_it_is_asked_for_and_no_spark_starts_with_it(
    engine: str, expected: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GATEWAYS, str(ROOT)],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "REVOPS_ENGINE": engine,
            "SQLMESH_DOTENV_PATH": "/nonexistent",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == expected
