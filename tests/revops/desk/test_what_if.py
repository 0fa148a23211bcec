"""A changed rule is tried as the models would hit it, from features that the caller may not read."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from psycopg2 import errors

from revops.dashboard import reader
from revops.dashboard.sections import what_if
from tests.conftest import ROOT, RunningServer
from tests.oracle import built
from tests.revops.processes import ask, ask_all

ALL = 1


@pytest.fixture(scope="module")
def built_url(server: RunningServer) -> str:
    """A built warehouse of all models; only read."""
    return built.generated(server).url


def _rule(url: str, name: str, **changed: object) -> dict[str, Any]:
    cells = what_if.cells_of(ask(url, f"SELECT cells FROM serving.fraud_rules WHERE rule_name = '{name}'"))
    return {column: value for column, value in {**cells, **changed}.items() if value not in ("", None)}


def _tried(url: str, rule: dict[str, Any], min_score: int = 1, every: int = ALL) -> dict[str, float]:
    """The figures of all eras together, asked for as the analyst."""
    with reader.opened(url) as opened:
        found = opened.rows(what_if._TRIED, {"rule": json.dumps(rule), "min_score": min_score, "every": every})
        assert opened.reads_as == "revops_analyst"
    assert found.era.tolist() == ["2010-2014 tuning", "2015-2016 online", "2017-2019 card present abroad"]
    return {name: float(value) for name, value in found.drop(columns=["era", "is_tuning"]).sum().items()}


def _by_hand(url: str, alerts: str) -> tuple[float, ...]:
    """Alerts, labelled, frauds, value caught and disturbed of the transactions that a query finds."""
    found = ask(
        url,
        "SELECT count(*), count(o.is_fraud), count(*) FILTER (WHERE o.is_fraud),"
        " coalesce(sum(o.purchase_cents) FILTER (WHERE o.is_fraud), 0) / 100.0,"
        " coalesce(sum(o.purchase_cents) FILTER (WHERE NOT o.is_fraud), 0) / 100.0"
        f" FROM facts.fct_outcomes AS o WHERE o.transaction_id IN ({alerts})",
    )
    return tuple(float(value) for value in found)


FIGURES = ("alert_count", "labelled_count", "fraud_count", "value_caught", "value_disturbed")


def _figures(found: dict[str, float], suffix: str = "") -> tuple[float, ...]:
    return tuple(found[f"{name}{suffix}"] for name in FIGURES)


def test_a_rule_as_it_is_raises_what_is_served(built_url: str) -> None:
    served = _by_hand(built_url, "SELECT transaction_id FROM serving.fraud_alerts WHERE score >= 30")
    for (name,) in ask_all(built_url, "SELECT rule_name FROM serving.fraud_rules"):
        found = _tried(built_url, _rule(built_url, str(name)), 30)
        assert _figures(found) == _figures(found, "_then") == pytest.approx(served), name


@pytest.mark.parametrize("limit", [1, 2, 6])
def test_another_limit_raises_what_the_model_would(limit: int, built_url: str) -> None:
    found = _tried(built_url, _rule(built_url, "rapid_use", min_transactions_1h=limit))
    expected = _by_hand(
        built_url,
        "SELECT transaction_id FROM features.rule_hits WHERE is_in_force AND rule_name <> 'rapid_use'"
        " UNION SELECT transaction_id FROM features.transaction_features"
        f" WHERE card_transactions_1h >= {limit} AND is_approved AND amount_cents > 0",
    )
    assert _figures(found, "_then") == pytest.approx(expected)
    assert _figures(found) != _figures(found, "_then")


def test_another_weight_changes_the_scores(built_url: str) -> None:
    found = _tried(built_url, _rule(built_url, "rapid_use", weight=60), 60)
    expected = _by_hand(
        built_url,
        "SELECT transaction_id FROM features.rule_hits WHERE is_in_force GROUP BY transaction_id"
        " HAVING sum(CASE rule_name WHEN 'rapid_use' THEN 60 ELSE weight END) >= 60",
    )
    assert _figures(found, "_then") == pytest.approx(expected)
    assert found["alert_count_then"] > found["alert_count"]


def test_a_rule_that_is_no_longer_in_force_can_be_tried(built_url: str) -> None:
    found = _tried(built_url, _rule(built_url, "night_purchase", valid_until_date=""))
    expected = _by_hand(
        built_url, "SELECT transaction_id FROM features.rule_hits WHERE is_in_force OR rule_name = 'night_purchase'"
    )
    assert _figures(found, "_then") == pytest.approx(expected)
    assert found["alert_count_then"] > found["alert_count"]


def test_a_sample_is_of_cards(built_url: str) -> None:
    found = _tried(built_url, _rule(built_url, "rapid_use", min_transactions_1h=2), every=4)
    of_cards = "card_id IN (SELECT card_id FROM dimensions.dim_cards WHERE hashint4(card_id) % 4 = 0)"
    served = _by_hand(built_url, f"SELECT transaction_id FROM serving.fraud_alerts WHERE {of_cards}")
    expected = _by_hand(
        built_url,
        "SELECT h.transaction_id FROM features.rule_hits AS h JOIN facts.fct_outcomes AS o USING (transaction_id)"
        f" WHERE h.is_in_force AND h.rule_name <> 'rapid_use' AND o.{of_cards}"
        " UNION SELECT transaction_id FROM features.transaction_features"
        f" WHERE card_transactions_1h >= 2 AND is_approved AND amount_cents > 0 AND {of_cards}",
    )
    assert 0 < served[0] < ask(built_url, "SELECT count(*) FROM serving.fraud_alerts") / 2
    assert _figures(found) == pytest.approx(served)
    assert _figures(found, "_then") == pytest.approx(expected)


def test_a_rule_is_data_and_nothing_but_sums_comes_back(built_url: str) -> None:
    rule = _rule(built_url, "rapid_use", rule_name="x'; DROP TABLE desk.decisions; --")
    assert _tried(built_url, rule)["alert_count_then"] > 0
    assert ask(built_url, "SELECT to_regclass('desk.decisions')")
    with reader.opened(built_url) as opened:
        for statement in ("SELECT * FROM features.transaction_features", "SELECT * FROM desk.decisions"):
            with pytest.raises(errors.InsufficientPrivilege):
                opened.rows(statement)
        with pytest.raises(errors.InvalidParameterValue):
            opened.rows(what_if._TRIED, {"rule": "{}", "min_score": 1, "every": 0})


def test_a_rule_that_is_not_changed_gives_the_line_of_the_seed(built_url: str) -> None:
    with (ROOT / "seeds" / "fraud_rules.csv").open(newline="") as stream:
        header, *lines = list(csv.reader(stream))
    shown = {
        str(name): what_if.cells_of(str(text))
        for name, text in ask_all(built_url, "SELECT rule_name, cells FROM serving.fraud_rules")
    }
    assert shown.keys() == {line[0] for line in lines}
    for line in lines:
        cells = shown[line[0]]
        assert list(cells) == header
        assert next(csv.reader([what_if.line_of(cells)])) == line
        assert what_if.in_words(cells), "a rule asks for something"


@pytest.mark.unit
def test_all_that_a_rule_may_ask_for_has_a_name_for_people() -> None:
    with (ROOT / "seeds" / "fraud_rules.csv").open(newline="") as stream:
        columns = next(csv.reader(stream))
    assert list(what_if.LIMITS) == [column for column in columns if column.startswith(("min_", "max_"))]
    assert list(what_if.NEEDS) == [column for column in columns if column.startswith("has_to_")]
    assert {column for column, (_, unit) in what_if.LIMITS.items() if unit == what_if.DOLLARS} == {
        column for column in what_if.LIMITS if column.endswith("_cents")
    }
    said = what_if.in_words(
        {"has_to_be_new_mcc": "true", "min_amount_cents": "10050", "min_merchant_fraud_bp": "1000.00"}
    )
    assert said == [
        "category new to the card",
        "amount at least $100.50",
        "fraud rate of the merchant in 30 days at least 1000.00 bp",
    ]
