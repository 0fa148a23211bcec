"""What Sail's catalog is to hold again is noted with each statement; a server that cannot be had is said in words."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from foundation.errors import UsageError
from revops.engines import local

pytestmark = pytest.mark.unit

VIEW = "CREATE OR REPLACE VIEW spark_catalog.serving.users (a, b) AS SELECT 1, 2"
OTHER = "CREATE OR REPLACE VIEW `spark_catalog`.`serving`.`cards` AS SELECT 'DROP VIEW `serving`.`users`'"
EXTERNAL = "CREATE TABLE `raw`.`users` (`id` STRING) USING parquet LOCATION '/lake/raw/users'"
SCHEMA = "CREATE SCHEMA IF NOT EXISTS `spark_catalog`.`serving` LOCATION '/lake/serving.db'"


@pytest.fixture
def catalog(tmp_path: Path) -> local.Catalog:
    found = local.Catalog(tmp_path)
    for statement in (SCHEMA, VIEW, f"/* SQLMESH_PLAN: 1 */ {OTHER}", EXTERNAL):
        found.note(statement)
    return found


def noted(folder: Path) -> list[str]:
    return list(json.loads((folder / local.NOTES).read_text()))


def test_what_has_no_files_in_the_folder_is_noted(catalog: local.Catalog, tmp_path: Path) -> None:
    assert noted(tmp_path) == ["SCHEMA serving", "VIEW serving.users", "VIEW serving.cards", "TABLE raw.users"]


@pytest.mark.parametrize(
    "statement",
    [
        VIEW,
        "CREATE TABLE IF NOT EXISTS `spark_catalog`.`facts`.`t` (`x` INT) USING DELTA",
        "CREATE TABLE IF NOT EXISTS `spark_catalog`.`facts`.`t` USING DELTA AS SELECT 1 AS `x`",
        "INSERT INTO `spark_catalog`.`facts`.`t` REPLACE WHERE TRUE SELECT 1",
        "SELECT 'CREATE OR REPLACE VIEW x.y AS'",
        "DROP TABLE IF EXISTS `raw`.`users`",  # made again before each build
    ],
)
def test_anything_else_leaves_the_file_as_it_is(catalog: local.Catalog, tmp_path: Path, statement: str) -> None:
    before = (tmp_path / local.NOTES).stat()
    catalog.note(statement)
    assert (tmp_path / local.NOTES).stat() == before


def test_what_was_dropped_does_not_come_back(catalog: local.Catalog, tmp_path: Path) -> None:
    table, other = tmp_path / "serving.db" / "t", tmp_path / "serving.db" / "other"
    for folder in (table, other):
        (folder / "_delta_log").mkdir(parents=True)
    catalog.note("/* SQLMESH_PLAN: 2 */ DROP VIEW IF EXISTS `spark_catalog`.`serving`.`users`")
    catalog.note("DROP TABLE IF EXISTS `spark_catalog`.`serving`.`t`")
    assert noted(tmp_path) == ["SCHEMA serving", "VIEW serving.cards", "TABLE raw.users"]
    assert (table.exists(), other.exists()) == (False, True)
    catalog.note("DROP SCHEMA IF EXISTS `spark_catalog`.`serving` CASCADE")
    assert noted(tmp_path) == ["TABLE raw.users"]
    assert not other.exists()


def test_a_schema_takes_none_with_it_whose_name_only_begins_alike(catalog: local.Catalog, tmp_path: Path) -> None:
    catalog.note("CREATE OR REPLACE VIEW serving_dev.users AS SELECT 1")
    catalog.note("DROP SCHEMA IF EXISTS serving")
    assert noted(tmp_path) == ["TABLE raw.users", "VIEW serving_dev.users"]


def test_without_sail_the_cure_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"requirements-spark\.lock, or set REVOPS_SPARK_REMOTE"):
        local.start(tmp_path)
