"""SQLMesh's own checks of the project, on a fresh database: unit tests, lint, format."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from sqlmesh.core.test.definition import ModelTest
from sqlmesh.utils import Verbosity

from foundation import database
from revops import bootstrap, sqlmesh_project
from revops import settings as revops_settings
from tests.conftest import ROOT
from tests.project import strict

if TYPE_CHECKING:
    from sqlmesh import Context


@pytest.fixture(scope="module")
def context(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    home = tmp_path_factory.mktemp("home")
    environ = {
        "DB_CONNECTION_STRING": module_database_url,
        "REVOPS_HOME": str(home),
        "REVOPS_ENV_FILE": str(home / ".env"),
    }
    settings = revops_settings.load(environ, ROOT)
    with closing(database.connect(module_database_url)) as connection, connection, connection.cursor() as cursor:
        bootstrap.complete(cursor)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.child_environment(module_database_url, environ).items():
            patch.setenv(name, value)
        context = sqlmesh_project.context(settings, with_tests=True)
        yield context
        context.close()


def _written() -> set[str]:
    """The names of the tests in the files; a name counts once however often it stands there (test_shape sees to that)."""
    files = (ROOT / "tests" / "models").rglob("*.yaml")
    return {name for path in files for name in re.findall(r"^(test_\w+):", path.read_text(), re.MULTILINE)}


def test_every_unit_test_runs_on_postgresql_and_passes_to_the_cent(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict.install(monkeypatch)
    result = context.test(stream=io.StringIO())
    ran = [test.test_name for test in result.successes]
    assert [f"{test.test_name}: {text}" for test, text in [*result.failures, *result.errors]] == []
    assert result.skipped == []
    assert sorted(ran) == sorted(_written())
    assert context.config.get_test_connection().type_ == "postgres"


def test_no_lint_rule_finds_anything(context: Context) -> None:
    found = context.lint_models(raise_on_error=False)
    assert [str(violation) for violation in found] == []


def test_models_are_formatted(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert context.format(check=True), caplog.text


def test_each_model_is_one_of_the_files(context: Context) -> None:
    loaded = {model.name for model in context.models.values() if not model.kind.is_external}
    assert loaded == {f"{path.parent.name}.{path.stem}" for path in Path(ROOT / "models").rglob("*.sql")}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [([1234.50], [1234.51]), ([3000000.0, None], [3000001.0, None]), ([True, None], [True, False]), ([None], [0])],
)
def test_the_comparison_sees_a_cent_and_tells_null_from_false(
    wanted: list[object], found: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    strict.install(monkeypatch)
    compare = partial(ModelTest.assert_equal, SimpleNamespace(verbosity=Verbosity.DEFAULT), sort=False)
    compare(pd.DataFrame({"column": wanted}), pd.DataFrame({"column": wanted}))
    with pytest.raises(AssertionError):
        compare(pd.DataFrame({"column": wanted}), pd.DataFrame({"column": found}))
