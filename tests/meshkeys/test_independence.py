"""The package needs nothing of the project around it."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.unit

NEEDED = {"meshkeys", "psycopg2", "sqlmesh", "sqlglot", *sys.stdlib_module_names}
PACKAGE = ROOT / "meshkeys"


def imported(file: Path) -> set[str]:
    """The packages that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0] if not node.level else "a relative import")
    return found


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_it_imports_nothing_but_sqlmesh_and_the_driver(file: Path) -> None:
    assert imported(file) <= NEEDED


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_it_names_nothing_of_the_project_and_no_schema_of_notes(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "revops" not in text.lower()
    assert "ops." not in text.replace("props.", "")


INSIDE = re.compile(
    r"(?:evaluator|adapter|snapshot|context)\._[a-z]|\.locals\b|f_locals|SUPPORTS_GRANTS|GenericContext|_naming_info"
)


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.stem)
def test_one_module_alone_touches_the_inside_of_sqlmesh(file: Path) -> None:
    found = INSIDE.findall(file.read_text(encoding="utf-8"))
    assert bool(found) is (file.stem == "sqlmesh_inside")
