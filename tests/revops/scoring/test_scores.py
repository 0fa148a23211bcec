"""Scores of a whole warehouse: each row against plain Python, and no day but those of a changed scorecard scored again."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_md5

from revops import demo_set, lock
from revops.build import build
from revops.dashboard import serve
from revops.dashboard.sections import rules, transaction
from revops.scoring.features import FEATURES
from revops.verify import verify
from tests.conftest import ROOT, RunningServer
from tests.oracle import built
from tests.oracle.built import Built
from tests.revops.scoring import made

OF_RULES = """
SELECT * FROM serving.rule_performance WHERE measured_kind NOT LIKE 'scorecard%'
ORDER BY month_start, measured_kind, measured_name
"""
MARCH, APRIL, MAY = date(2015, 3, 1), date(2015, 4, 1), date(2015, 5, 1)


def _build(warehouse: Built) -> None:
    with warehouse.as_revops() as settings, lock.hold(warehouse.url, "test"):
        build(settings)


@pytest.fixture(scope="module")
def scored(server: RunningServer) -> Built:
    """A warehouse that was built without scorecards, and then with those of two months."""
    from generator import generate

    def fill(folder: Path) -> None:
        generate(folder, scale=0.001, seed=9)

    warehouse = built._warehouse(server, "oracle_scored", fill)
    assert warehouse.rows("SELECT count(*) AS n FROM features.transaction_scores") == [{"n": 0}]
    assert warehouse.rows("SELECT count(*) AS n FROM serving.scorecards") == [{"n": 0}]
    without = warehouse.rows(OF_RULES)
    made.add(warehouse.url, MARCH, 1)
    made.add(warehouse.url, MAY, 2)
    _build(warehouse)
    assert without
    assert warehouse.rows(OF_RULES) == without, "a scorecard changes nothing that the back-test says of the rules"
    return warehouse


def _expected(warehouse: Built, month: date, until: date, seed: int) -> dict[int, tuple[object, ...]]:
    head, bins = made.head(month, seed), made.bins(seed)
    rows = warehouse.rows(
        f"SELECT * FROM features.transaction_features WHERE transacted_on >= '{month}' AND transacted_on < '{until}'"
    )
    assert len(rows) > 20
    return {row["transaction_id"]: (head.version, *made.score(row, bins)) for row in rows}


def _found(warehouse: Built) -> dict[int, tuple[object, ...]]:
    rows = warehouse.rows("SELECT * FROM serving.scorecard_scores")
    return {
        row["transaction_id"]: (row["scorecard_version"], row["scorecard_score"], row["scorecard_reasons"])
        for row in rows
    }


def test_the_query_of_the_cookbook_finds_something(scored: Built) -> None:
    cookbook = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
    (query,) = [text for text in re.findall(r"```sql\n(.*?)```", cookbook, re.DOTALL) if "scorecard" in text]
    assert sum(row["months"] for row in scored.rows(query)) == 2


def test_every_score_is_what_plain_python_adds_up(scored: Built) -> None:
    current = scored.rows(
        f"SELECT DISTINCT version FROM facts.fct_scorecards WHERE is_current AND month_start = '{MAY}'"
    )
    seed = next(seed for seed in (2, 3) if current == [{"version": made.head(MAY, seed).version}])
    expected = _expected(scored, MARCH, APRIL, 1) | _expected(scored, MAY, date(2015, 6, 1), seed)
    assert len({score for _, score, _ in expected.values()}) > 20
    assert _found(scored) == expected


def test_the_back_test_has_rows_of_the_scorecard_beside_all_of_the_rules(scored: Built) -> None:
    found = scored.rows(
        "SELECT measured_kind, count(DISTINCT month_start) AS months FROM serving.rule_performance GROUP BY 1"
    )
    months = {row["measured_kind"]: row["months"] for row in found}
    assert months["scorecard"] == months["scorecard cards"] == 2
    assert months["rule"] == months["score"] == months["cards"] > 100
    alerts = scored.rows("SELECT count(*) AS n FROM serving.fraud_alerts WHERE rule_names LIKE '%%scorecard%%'")
    assert alerts == [{"n": 0}]


def test_out_of_time_is_the_share_of_ordered_pairs(scored: Built) -> None:
    rows = scored.rows(
        "SELECT month_start, scorecard_score, is_fraud FROM serving.scorecard_scores"
        " JOIN facts.fct_outcomes USING (transaction_id, month_start) WHERE is_fraud IS NOT NULL"
    )
    for told in scored.rows("SELECT * FROM serving.scorecards"):
        of = [row for row in rows if row["month_start"] == told["month_start"]]
        frauds = [row["scorecard_score"] for row in of if row["is_fraud"]]
        others = [row["scorecard_score"] for row in of if not row["is_fraud"]]
        pairs = [(fraud > other) + (fraud == other) / 2 for fraud in frauds for other in others]
        assert (
            told["auc_bp"] is None if not pairs else float(told["auc_bp"]) == round(10_000 * sum(pairs) / len(pairs), 2)
        )
        assert (told["labelled_count"], told["fraud_count"]) == (len(of), len(frauds))


def test_another_scorecard_has_its_own_month_scored_again_and_the_rows_still_verify(scored: Built) -> None:
    march = f"SELECT xmin::text AS x, * FROM features.transaction_scores WHERE transacted_on < '{APRIL}' ORDER BY 2"
    physical = scored.rows("SELECT relation FROM ops.declarations WHERE relation LIKE '%transaction_scores%' LIMIT 1")
    march = march.replace("features.transaction_scores", physical[0]["relation"])
    before = scored.rows(march)
    made.add(scored.url, MAY, 3)
    _build(scored)
    assert scored.rows(march) == before
    assert _found(scored) == _expected(scored, MARCH, APRIL, 1) | _expected(scored, MAY, date(2015, 6, 1), 3)
    with scored.as_revops() as settings:
        assert [result for result in verify(settings) if not result.passed] == []


def _page(warehouse: Built, monkeypatch: pytest.MonkeyPatch, name: str, is_demo: bool, **address: str) -> AppTest:
    monkeypatch.setenv("DB_CONNECTION_STRING", warehouse.url)
    monkeypatch.setattr(demo_set, "says_synthetic", lambda _: is_demo)
    page = AppTest.from_file(str(serve.PAGE), default_timeout=60)
    page.query_params.update(address)
    page._page_hash = calc_md5(name)
    page.run()
    assert not page.exception
    return page


def _said(page: AppTest) -> str:
    return " ".join(str(each.value).replace("\\", "") for each in (*page.markdown, *page.caption))


@pytest.mark.parametrize("is_demo", [False, True])
def test_the_page_of_a_transaction_shows_its_score_and_says_when_rows_are_generated(
    is_demo: bool, scored: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = scored.rows("SELECT * FROM serving.scorecard_scores WHERE scorecard_reasons LIKE '%, %' LIMIT 1")[0]
    said = _said(_page(scored, monkeypatch, "transaction", is_demo, id=str(row["transaction_id"])))
    strongest = max(row["scorecard_reasons"].split(", "), key=lambda reason: int(reason.split()[1])).split()
    first = f"{transaction.FEATURES[strongest[0]]} +{strongest[1]}"
    assert f"Scorecard **{row['scorecard_score']}** of 1,000, beside the rules: {first}" in said
    assert f"Version {row['scorecard_version']}, trained on 50 frauds" in said
    assert (transaction.GENERATED in said) == is_demo


@pytest.mark.unit
def test_each_feature_has_a_name_for_people() -> None:
    assert list(transaction.FEATURES) == [name for name, _ in FEATURES]


def test_the_page_of_a_transaction_without_a_scorecard_is_as_it_was(
    scored: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = scored.rows(f"SELECT min(transaction_id) AS n FROM facts.fct_transactions WHERE transacted_on < '{MARCH}'")[0]
    assert "corecard" not in _said(_page(scored, monkeypatch, "transaction", False, id=str(row["n"])))


@pytest.mark.parametrize("is_demo", [False, True])
def test_the_page_of_the_rules_shows_the_scorecard_apart(
    is_demo: bool, scored: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(scored, monkeypatch, "rules", is_demo)
    assert "corecard" not in " ".join(str(each.value) for each in page.caption), "rules are shown first"
    page.query_params["measure"] = "scorecard"
    page.run()
    assert not page.exception
    said = " ".join(str(each.value).replace("\\", "") for each in page.caption)
    assert rules.OF_SCORECARDS in said
    assert (transaction.GENERATED in said) == is_demo
