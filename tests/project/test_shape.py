"""The project's shape, read from its files: one rule to find anything, nothing orphaned, nothing that tells of a machine."""

from __future__ import annotations

import ast
import csv
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlglot import exp
from sqlmesh.core.dialect import Audit, parse
from sqlmesh.core.dialect import Model as ModelBlock
from sqlmesh.utils.yaml import load as load_yaml

from tests.conftest import ROOT

pytestmark = pytest.mark.unit

MODELS = sorted((ROOT / "models").rglob("*.sql"))
TEST_FILES = sorted((ROOT / "tests" / "models").rglob("*.yaml"))


def _blocks(path: Path, kind: type[Any]) -> Iterator[dict[str, Any]]:
    for block in parse(path.read_text(), default_dialect="postgres"):
        if isinstance(block, kind):
            yield {
                prop.name.lower(): prop.args["value"] for prop in block.expressions if "value" in prop.args
            }  # no macros


def _model(path: Path) -> dict[str, Any]:
    return next(_blocks(path, ModelBlock))


def _is_seed(path: Path) -> bool:
    return path.parent.name == "seeds"


def _tests(path: Path) -> dict[str, dict[str, Any]]:
    return dict(load_yaml(path))


def test_there_are_models_and_tests_to_look_at() -> None:
    assert MODELS
    assert TEST_FILES


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_schema_is_folder_and_file_is_model(path: Path) -> None:
    assert path.parents[1] == ROOT / "models"
    assert _model(path)["name"].sql() == f"{path.parent.name}.{path.stem}"


@pytest.mark.parametrize("path", [path for path in MODELS if not _is_seed(path)], ids=lambda path: path.stem)
def test_every_model_has_its_unit_tests(path: Path) -> None:
    file = ROOT / "tests" / "models" / path.parent.name / f"test_{path.stem}.yaml"
    assert file.is_file()
    assert _tests(file)


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_a_test_file_is_of_the_model_of_its_name_and_each_test_says_what_it_protects(path: Path) -> None:
    schema, model = path.parent.name, path.stem.removeprefix("test_")
    assert (ROOT / "models" / schema / f"{model}.sql").is_file() or (ROOT / "models" / schema / f"{model}.py").is_file()
    for name, body in _tests(path).items():
        assert body["model"] == f"{schema}.{model}", name
        assert re.match(f"test_{model}_[a-z0-9_]{{10,}}$", name), name
        assert body["outputs"]["query"], name


def test_no_two_unit_tests_have_one_name() -> None:
    names = Counter(name for path in TEST_FILES for name in re.findall(r"^(\w+):", path.read_text(), re.MULTILINE))
    assert [name for name, count in names.items() if count > 1] == []


def _audits_used(path: Path) -> set[str]:
    audits = _model(path).get("audits")
    return {call.name.lower() for call in audits.find_all(exp.Anonymous, exp.Column)} if audits is not None else set()


def test_every_audit_is_attached_to_a_model() -> None:
    """An audit that no model names never runs, and nobody is told."""
    used = {audit for path in MODELS for audit in _audits_used(path)}
    for path in sorted((ROOT / "audits").glob("*.sql")):
        blocks = list(_blocks(path, Audit))
        assert blocks, path.name
        for block in blocks:
            assert block["name"].name in used or "standalone" in block, f"{path.name}: {block['name'].name}"


def test_every_file_of_seeds_is_a_model_and_the_other_way_round() -> None:
    described = {path.stem for path in MODELS if _is_seed(path)}
    assert {path.stem for path in (ROOT / "seeds").glob("*.csv")} == described


def test_every_known_exception_is_of_a_check_that_there_is() -> None:
    audits = {block["name"].name for path in (ROOT / "audits").glob("*.sql") for block in _blocks(path, Audit)}
    with (ROOT / "seeds" / "known_exceptions.csv").open(newline="") as stream:
        assert {row["check_name"] for row in csv.DictReader(stream)} <= audits


def _macros() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted((ROOT / "macros").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any("macro" in ast.unparse(each) for each in node.decorator_list):
                yield path.name, node


def test_every_macro_says_what_it_stands_for() -> None:
    found = list(_macros())
    assert found
    assert [f"{file}: {node.name}" for file, node in found if not ast.get_docstring(node)] == []


def test_every_macro_is_called_by_a_model_an_audit_the_configuration_or_another_macro() -> None:
    texts = [path.read_text() for path in [*MODELS, *(ROOT / "audits").glob("*.sql"), ROOT / "config.yaml"]]
    unused = [node.name for _, node in _macros() if not any(re.search(rf"@{node.name}\b", text) for text in texts)]
    assert unused == []


def _tracked() -> list[Path]:
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    skipped = {".venv", ".warehouse", "data", "logs", "build", "__pycache__", ".cache"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.relative_to(ROOT).parts)]


def _package_indexes() -> set[str]:
    """Hosts of the package indexes that this machine is set up to use, the public ones apart."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    settings = [listed, *(value for name, value in os.environ.items() if re.match("(PIP|UV)_.*(INDEX|LINKS)", name))]
    hosts = {urlsplit(url).hostname for text in settings for url in re.findall(r"https?://[^\s'\",]+", text)}
    return {host for host in hosts if host and host not in ("pypi.org", "files.pythonhosted.org")}


def test_no_file_tells_of_this_machine() -> None:
    telling = [f"{Path.home()}/", *_package_indexes()]
    if len(ROOT.parts) > 2:
        telling.append(f"{ROOT}/")
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {word}" for word in telling if word in text]
    assert found == []


def test_every_path_that_code_or_a_page_names_is_there() -> None:
    folders = "loaders|revops|models|macros|audits|seeds|tests|docs|bench|linter|external_models"
    named = re.compile(rf"(?<![\w/.-])(?:{folders})/[\w/.-]*\w")
    examples = {"models/x.sql", "macros/keys.py"}  # the latter in the project of somebody else
    lost = []
    for path in _tracked():
        if path.suffix in (".py", ".sql", ".md", ".yaml", ".toml") and path.parts[len(ROOT.parts)] != "tests":
            for name in set(named.findall(path.read_text(encoding="utf-8"))) - examples:
                if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists():
                    lost.append(f"{path.relative_to(ROOT)}: {name}")
    assert lost == []


@pytest.mark.parametrize(
    ("package", "above"),
    [
        ("meshkeys", {"foundation", "loaders", "generator", "revops"}),
        ("foundation", {"loaders", "generator", "revops"}),
        ("generator", {"loaders", "revops"}),
        ("loaders/formats", {"revops", "psycopg2"}),
        ("loaders", {"revops", "generator"}),
    ],
)
def test_imports_point_down(package: str, above: set[str]) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        if path.name != "__main__.py":  # `python -m loaders` is the command line
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                found += [f"{path.relative_to(ROOT)}: {name}" for name in names if name.partition(".")[0] in above]
    assert found == []


def test_no_test_module_imports_another() -> None:
    importing = re.compile(r"^\s*(?:from|import) tests[\w.]*\.test_\w+", re.MULTILINE)
    assert [path.name for path in (ROOT / "tests").rglob("*.py") if importing.search(path.read_text())] == []
    assert [
        path.name for path in (ROOT / "bench").glob("*.py") if re.search(r"(from|import) tests", path.read_text())
    ] == []


def test_prose_is_wrapped() -> None:
    """Tables and code are as wide as they have to be."""
    long = []
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "models").glob("*.md")]:
        prose = re.sub(r"^```.*?^```", lambda code: "\n" * code[0].count("\n"), path.read_text(), flags=re.M | re.S)
        long += [
            f"{path.name}:{number}"
            for number, line in enumerate(prose.splitlines(), 1)
            if len(line) > 120 and not line.lstrip().startswith("|")
        ]
    assert long == []
