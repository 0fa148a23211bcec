"""What is noted to evaluate a model without SQLMesh: texts that hold for any days, or nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from types import SimpleNamespace

import pytest
from sqlmesh.core.dialect import parse
from sqlmesh.core.model import load_sql_based_model

from revops.ledger import rendered
from revops.ledger.days import Unit
from revops.ledger.rendered import Rendered, Span

pytestmark = pytest.mark.unit

DAYS = Span(date(2015, 3, 10), date(2015, 4, 2), date(2026, 11, 28))
NAMED = "MODEL (name a.b, dialect postgres, kind {kind}, audits ({audits}));"
BY_DAYS = "INCREMENTAL_BY_TIME_RANGE (time_column day)"
QUERY = "SELECT id::INT AS id, day::DATE AS day FROM a.parent WHERE {where}"


def snapshot(where: str = "TRUE", kind: str = BY_DAYS, audits: str = "", beside: str = "") -> SimpleNamespace:
    text = NAMED.format(kind=kind, audits=audits) + QUERY.format(where=where) + beside
    return SimpleNamespace(model=load_sql_based_model(parse(text)))


def noted(where: str = "TRUE", kind: str = BY_DAYS, audits: str = "", beside: str = "") -> Rendered | None:
    return rendered.of(snapshot(where, kind, audits, beside))


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("day", "2901-12-30 to 2950-02-11 on 2990-07-19", "2015-03-10 to 2015-04-02 on 2026-11-28"),
        ("day", "2901-10-01, 2901-12-28", "2014-12-10, 2015-03-08"),  # look-back windows of 90 and 2 days
        ("day", "2901-12-01 to 2950-02-28", "2015-03-01 to 2015-04-30"),  # the months of the days
        ("day", "2950-02-12, 2950-02-13", "2015-04-03, 2015-04-04"),  # look-ahead windows, or days after the last
        ("month", "2901-12-01 to 2950-02-11", "2015-03-01 to 2015-04-02"),
        ("month", "2901-10-02 to 2950-04-29", "2015-01-09 to 2015-06-29"),
        ("year", "2901-01-01 to 2950-12-31", "2015-01-01 to 2015-12-31"),
        ("day", "2000-01-01, 1999-02-30, 2901-12-301", "2000-01-01, 1999-02-30, 2901-12-301"),
    ],
)
def test_dates_near_the_noted_ones_keep_their_distance(unit: Unit, text: str, expected: str) -> None:
    assert rendered.for_days(text, unit, DAYS) == expected


def test_a_model_of_days_is_noted_with_its_audits() -> None:
    found = noted("day BETWEEN @start_ds AND @end_ds", audits="not_null(columns := (id), blocking := false)")
    assert found is not None
    assert "BETWEEN '2015-03-10' AND '2015-04-02'" in found.query_for(DAYS)
    (audit,) = found.audits
    assert audit.name == "not_null"
    assert not audit.is_blocking
    assert "BETWEEN CAST('2015-03-10' AS DATE) AND CAST('2015-04-02' AS DATE)" in found.audit_for(audit, DAYS)
    assert rendered.from_json(asdict(found)) == found
    assert rendered.from_json({**asdict(found), "is_monthly": False}) is None, "as another version noted it"


def test_a_model_whose_text_depends_on_its_days_in_another_way_is_left_to_sqlmesh() -> None:
    assert noted("day BETWEEN @start_ds AND @end_ds AND @IF(@start_ds > '2910-01-01', id > 1, id > 2)") is None


def test_a_model_made_whole_that_asks_for_the_time_is_left_to_sqlmesh() -> None:
    assert noted("day < @execution_ds", kind="FULL") is None
    assert noted("day < '2015-01-01'", kind="FULL") is not None


def test_a_model_with_a_statement_of_its_own_is_left_to_sqlmesh() -> None:
    assert noted(beside="; ANALYZE a.b") is None
    assert noted(kind="VIEW") is None


@pytest.mark.parametrize(
    ("where", "kind", "expected"),
    [
        ("day < CURRENT_DATE", "FULL", True),
        ("day < NOW()", "FULL", True),
        ("day < @execution_ds", "FULL", True),
        ("day < '2015-01-01'", "FULL", False),
        ("day BETWEEN @start_ds AND @end_ds AND day < @execution_ds", BY_DAYS, False),
        ("day < CURRENT_DATE", "VIEW", False),
    ],
)
def test_which_models_sqlmesh_evaluates_each_day(where: str, kind: str, expected: bool) -> None:
    model = snapshot(where, kind)
    assert rendered.asks_for_the_time(model, rendered.of(model)) == expected
