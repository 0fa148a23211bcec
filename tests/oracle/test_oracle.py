"""Every report, cell by cell and to the cent, against what plain Python makes of the raw files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from tests.conftest import ROOT, RunningServer
from tests.oracle import built, investigation, reports, star, value
from tests.oracle.alerts import Alerts
from tests.oracle.built import Built
from tests.oracle.features import features
from tests.oracle.raw import Raw, read
from tests.oracle.reports import Row

REPORTS: dict[str, Callable[[Raw, Path], list[Row]]] = {
    f"serving.{report.__name__}": report
    for report in (
        reports.active_clients, reports.authorisation, reports.card_risk,
        reports.client_activity, reports.daily_revenue, reports.data_freshness,
        reports.decline_analysis, reports.fraud_by_channel_month, reports.fraud_by_geography, reports.fraud_by_hour,
        reports.fraud_by_merchant_category, reports.issuer_revenue, reports.merchant_risk, reports.monthly_executive_summary,
        reports.network_monitors, reports.revenue_by_merchant_category, reports.revenue_by_state,
        value.card_lifecycle, value.client_cohorts, value.client_value, value.fraud_by_card_age,
        value.issuer_revenue_by_place, value.seasonality,
        star.dim_card, star.dim_category, star.dim_client, star.dim_date, star.dim_merchant, star.dim_place,
        star.fct_transaction,
    )
} | {"facts.fct_reversals": reports.fct_reversals}  # fmt: skip
ALERTS = ("features.rule_hits", "serving.fraud_alerts", "serving.rule_performance")
INVESTIGATION: dict[str, Callable[[Alerts], list[Row]]] = {
    f"serving.{report.__name__}": report
    for report in (
        investigation.alert_capacity, investigation.compromise_points, investigation.fraud_runs,
        investigation.rule_overlap,
    )
}  # fmt: skip
# Of decisions, which are in no file: tests/revops/test_dashboard.py compares them with what was decided.
DECIDED = {"alert_decisions", "rule_reviews"}
# Of scorecards, which are in no file: tests/revops/scoring.
LEARNED = {"scorecards", "scorecard_scores"}
# Cells of a seed as they are: tests/revops/desk/test_what_if.py, tests/models/serving.
OF_SEEDS = {"fraud_rules", "interchange_rates", "monitor_thresholds"}
# Of the moment of the test, so that nobody can foretell it.
UNTOLD = {"serving.data_freshness": {"last_landed_at"}}


@dataclass(frozen=True)
class Case:
    """A warehouse and what its files say."""

    warehouse: Built
    raw: Raw

    @cached_property
    def features(self) -> list[Row]:
        return features(self.raw.transactions, {number: card.opened for number, card in self.raw.cards.items()})

    @cached_property
    def alerts(self) -> Alerts:
        return Alerts(self.raw, ROOT, self.features)


_cases: dict[str, Case] = {}


@pytest.fixture(params=["generated", "late", pytest.param("real", marks=pytest.mark.real)])
def case(request: pytest.FixtureRequest, server: RunningServer) -> Case:
    if request.param not in _cases:
        if request.param == "real":
            warehouse = built.real(server, request.getfixturevalue("real_data"))
        elif request.param == "late":
            warehouse = built.late(server)
        else:
            warehouse = built.generated(server)
        _cases[request.param] = Case(warehouse, read(warehouse.data, ROOT))
    return _cases[request.param]


def compare(case: Case, model: str, expected: list[Row]) -> None:
    """Same rows, same columns, same values, NULL where nothing is known."""
    found = case.warehouse.rows(f"SELECT * FROM {model}")
    untold = UNTOLD.get(model, set())
    assert expected, "the files say nothing about it"
    assert {frozenset(row) - untold for row in found} == {frozenset(expected[0])}
    columns = sorted(expected[0])
    wanted = Counter(tuple(row[column] for column in columns) for row in expected)
    got = Counter(tuple(row[column] for column in columns) for row in found)
    wrong = [dict(zip(columns, row, strict=True)) for row in (wanted - got)][:3]
    instead = [dict(zip(columns, row, strict=True)) for row in (got - wanted)][:3]
    assert not wrong, f"{model} should have {wrong}, has {instead}"
    assert not instead, f"{model} should not have {instead}"


def test_every_transaction_of_the_files_is_a_fact(case: Case) -> None:
    assert case.warehouse.rows("SELECT count(*) AS rows FROM facts.fct_transactions") == [
        {"rows": case.raw.lines["transactions"]}
    ]


def test_every_relation_of_serving_has_its_oracle(case: Case) -> None:
    found = case.warehouse.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'serving'")
    told = {name.partition(".")[2] for name in (*REPORTS, *ALERTS, *INVESTIGATION) if name.startswith("serving.")}
    assert {row["table_name"] for row in found} == told | {"enriched_transactions"} | DECIDED | LEARNED | OF_SEEDS


@pytest.mark.parametrize("model", sorted(REPORTS))
def test_report_is_what_the_files_say(case: Case, model: str) -> None:
    compare(case, model, REPORTS[model](case.raw, ROOT))


def test_a_month_has_the_same_estimate_however_it_is_cut(case: Case) -> None:
    found = case.warehouse.rows("""
        SELECT month_start, estimated_interchange FROM serving.monthly_executive_summary
        EXCEPT
        (SELECT month_start, sum(estimated_interchange) FROM serving.revenue_by_merchant_category GROUP BY 1
         INTERSECT
         SELECT month_start, sum(estimated_interchange) FROM serving.issuer_revenue GROUP BY 1
         INTERSECT
         SELECT date_trunc('month', transacted_on)::date, sum(estimated_interchange) FROM serving.daily_revenue GROUP BY 1)""")
    assert case.warehouse.rows("SELECT FROM serving.monthly_executive_summary WHERE estimated_interchange > 0")
    assert not found


def test_features_are_what_brute_force_finds(case: Case) -> None:
    compare(case, "features.transaction_features", case.features)


@pytest.mark.parametrize("model", ALERTS)
def test_alerts_and_back_test_are_what_the_rules_say(case: Case, model: str) -> None:
    expected = getattr(case.alerts, model.partition(".")[2])()
    compare(case, model, expected)


@pytest.mark.parametrize("model", sorted(INVESTIGATION))
def test_investigation_is_what_frauds_and_alerts_say(case: Case, model: str) -> None:
    compare(case, model, INVESTIGATION[model](case.alerts))
