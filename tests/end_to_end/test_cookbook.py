"""The queries of docs/cookbook.md run, read what an analyst may read, and find something."""

from __future__ import annotations

import re

import pytest
import sqlglot
from sqlglot import exp

from tests.conftest import ROOT, RunningServer
from tests.oracle import built

COOKBOOK = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", COOKBOOK, re.DOTALL)


def _title(query: str) -> str:
    titles = re.findall(r"^(?:\*\*(.+)\*\*|## (.+))$", COOKBOOK.partition(query)[0], re.MULTILINE)
    return "".join(titles[-1])


def test_the_cookbook_has_queries() -> None:
    assert len(QUERIES) >= 12


@pytest.mark.parametrize("query", QUERIES, ids=_title)
def test_query_finds_something(query: str, server: RunningServer) -> None:
    is_of_scorecards = "scorecard" in query  # none is trained there: tests/revops/scoring/test_scores.py has some
    assert bool(built.generated(server).rows(query)) != is_of_scorecards


@pytest.mark.parametrize("query", QUERIES, ids=_title)
def test_query_reads_the_analysts_schema_only(query: str) -> None:
    parsed = sqlglot.parse_one(query, read="postgres")
    own = {step.alias for step in parsed.find_all(exp.CTE)}
    assert {table.db for table in parsed.find_all(exp.Table) if table.name not in own} == {"serving"}
