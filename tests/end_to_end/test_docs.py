"""The page of `revops docs`: all relations and columns are on it, and it opens from disk without asking for anything else."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sqlglot import exp
from sqlmesh.core.dialect import parse

from tests.conftest import ROOT
from tests.end_to_end.browser import looking
from tests.end_to_end.warehouse import Warehouse
from tests.end_to_end.whole import command

# Of the text and of what is behind it: the sum of red, green and blue as the browser draws them.
BRIGHTNESS = """
() => [getComputedStyle(document.body).color, getComputedStyle(document.querySelector("header")).backgroundColor].map(c => {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.fillStyle = c;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
  return red + green + blue;
})
"""


def documented(out: Path, hash_seed: str) -> Path:
    environ = {
        **os.environ, "REVOPS_HOME": str(out.parent / "home"), "REVOPS_ENV_FILE": "/nonexistent", "PYTHONHASHSEED": hash_seed,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "loaders", "docs", "--offline", "--out", str(out)],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    return out


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return documented(tmp_path_factory.mktemp("docs") / "docs.html", "1")


def columns_of_the_project() -> set[str]:
    """Read from the files of models, seeds and external models, without the code that makes the page."""
    found = set()
    for path in sorted((ROOT / "models").rglob("*.sql")):
        schema, name = path.parent.name, path.stem
        seed = ROOT / "seeds" / f"{name}.csv"
        if schema == "seeds":
            with seed.open(encoding="utf-8") as stream:
                names = next(csv.reader(stream))
        else:
            parsed = parse(path.read_text(encoding="utf-8"), default_dialect="postgres")
            names = next(each for each in parsed if isinstance(each, exp.Query)).named_selects
        found |= {f"{schema}.{name}.{column}" for column in names}
    for path in (ROOT / "external_models").glob("*.yaml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")):
            found |= {f"{model['name']}.{column}" for column in model["columns"]}
    return found


def test_every_relation_and_column_is_on_it(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    expected = columns_of_the_project()
    assert set(re.findall(r'<tr id="([^"]+)"', text)) == expected
    assert set(re.findall(r'<section id="([^"]+)"', text)) == {name.rpartition(".")[0] for name in expected}


def test_lineage_keys_audits_tests_and_definitions_are_on_it_and_no_link_leads_nowhere(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    row = re.search(r'<tr id="serving.enriched_transactions.is_fraud">.*?</tr>', text)
    assert row is not None
    assert 'from <a href="#facts.fct_outcomes.is_fraud">' in row[0]
    source = re.search(r'<tr id="facts.fct_outcomes.is_fraud">.*?</tr>', text)
    assert source is not None
    assert '<a href="#serving.enriched_transactions.is_fraud">' in source[0].partition("feeds: ")[2]
    section = re.search(r'<section id="facts.fct_transactions">.*?</section>', text)
    assert section is not None
    for said in (
        "primary key (transaction_id)", "foreign key (card_id) to dimensions.dim_cards (card_id)", "not_null (columns: ",
        "tests/models/facts/test_fct_transactions.yaml", "models/facts/fct_transactions.sql", "days of transacted_at",
    ):  # fmt: skip
        assert said in section[0], said
    assert "<h3>Unlabelled is unknown</h3>" in text
    anchors = set(re.findall(r' id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= anchors


def test_the_same_project_gives_the_same_bytes(page_file: Path, tmp_path: Path) -> None:
    assert documented(tmp_path / "docs.html", "2").read_bytes() == page_file.read_bytes()


def test_it_opens_from_disk_without_a_request_and_finds_what_is_searched(page_file: Path, browser_path: str) -> None:
    with looking(browser_path) as page:
        requests: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_file.as_uri())
        page.fill("#search", "YEARLY income")
        page.wait_for_function("document.getElementById('serving.daily_revenue').hidden")
        assert page.locator('[id="serving.enriched_transactions.yearly_income"]').is_visible()
        assert not page.locator('[id="serving.enriched_transactions.amount"]').is_visible()
        page.fill("#search", "no such thing")
        page.locator("#none").wait_for()
        page.evaluate("location.hash = '#facts.fct_outcomes'")
        page.locator('[id="facts.fct_outcomes"] h3').wait_for()
        assert page.input_value("#search") == ""
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            ink, paper = page.evaluate(BRIGHTNESS)
            assert abs(ink - paper) > 500
        assert requests == [page_file.as_uri()]
        assert errors == []


def test_a_database_adds_rows_builds_and_audit_results(warehouse: Warehouse, tmp_path: Path) -> None:
    done = command(warehouse, "docs", "--out", str(tmp_path / "docs.html"))
    assert done.returncode == 0, done.stderr
    section = re.search(r'<section id="facts.fct_transactions">.*?</section>', (tmp_path / "docs.html").read_text())
    assert section is not None
    ((rows,),) = warehouse.query("SELECT count(*) FROM facts.fct_transactions")
    assert f"{rows:,} rows" in section[0]
    assert re.search(r"last audits \d{4}-\d\d-\d\d \d\d:\d\d UTC: \d+ passed, 0 failed", section[0])
    assert "last day landed" in (tmp_path / "docs.html").read_text()
