"""The walk-through of a contribution, followed literally: the test fails before the model is changed, and passes after."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.end_to_end.warehouse import Warehouse, copy_of_project
from tests.end_to_end.whole import command


def test_the_changes_of_the_walk_through_apply_and_do_what_it_says(database_url: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "first_change.md").read_text(encoding="utf-8")
    of_test, of_model = re.findall(r"^```diff\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    (test,) = re.findall(r"`sqlmesh test (\S+)`", page)
    warehouse = Warehouse(copy_of_project(tmp_path / "project", whole=True), database_url, tmp_path)
    shutil.copytree(ROOT / "tests" / "models", warehouse.root / "tests" / "models")

    def apply(change: str) -> None:
        subprocess.run(["git", "apply", "--verbose", "-"], cwd=warehouse.root, input=change, text=True, check=True)

    apply(of_test)
    before = command(warehouse, "sqlmesh", "test", str(warehouse.root / test))
    assert before.returncode != 0
    assert "declined_count" in before.stdout + before.stderr
    apply(of_model)
    after = command(warehouse, "sqlmesh", "test", str(warehouse.root / test))
    assert after.returncode == 0, after.stdout + after.stderr
    formatted = command(warehouse, "sqlmesh", "format", "--check")
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
