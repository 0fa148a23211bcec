"""What a model declares beside its query, as builds without SQLMesh read it."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from sqlmesh.core.dialect import parse
from sqlmesh.core.model import load_sql_based_model

from foundation.errors import UsageError
from revops.ledger import graph
from revops.ledger.graph import Node, RestatedBy

MODEL = "MODEL (name s.risk, kind FULL); SELECT a.k FROM s.years AS a JOIN s.months AS b ON b.k = a.k; {}"


def declared(text: str) -> RestatedBy | None:
    return graph._restated_by(load_sql_based_model(parse(MODEL.format(text))))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@index(k)", None),
        ("@restated_by(k, tables := (s.years))", RestatedBy("k", ("s.years",))),
        ("@restated_by(k, tables := s.years)", RestatedBy("k", ("s.years",))),
        (
            "@restated_by(k, tables := (s.years, s.months), overall := (MAX(k), SUM(n)))",
            RestatedBy("k", ("s.years", "s.months"), ("MAX(k)", "SUM(n)")),
        ),
        ("@restated_by(k, tables := (s.months), overall := (SUM(n)))", RestatedBy("k", ("s.months",), ("SUM(n)",))),
    ],
)
def test_by_what_a_model_is_restated_is_read_and_noted(text: str, expected: RestatedBy | None) -> None:
    assert declared(text) == expected
    node = Node("s.risk", "t.risk", False, restated_by=expected)
    assert graph.from_json(json.loads(json.dumps(asdict(node)))) == node


@pytest.mark.unit
@pytest.mark.parametrize(
    "text", ["@restated_by(k)", "@restated_by(tables := (s.years))", "@restated_by(k, tables := (s.others))"]
)
def test_a_declaration_that_says_too_little_or_names_no_parent_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"s\.risk.* reads"):
        declared(text)
