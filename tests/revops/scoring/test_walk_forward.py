"""A scorecard knows nothing of its month or of what came later, and the same rows give the same one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from revops.scoring import train
from revops.scoring.train import Trained, Wanted
from tests.conftest import RunningServer
from tests.oracle import built
from tests.revops.processes import ask

MONTHS = Wanted(date(2014, 7, 1), date(2014, 9, 1), window_months=12, fewest_frauds=5)
AUGUST = date(2014, 8, 1)


@pytest.fixture
def url(server: RunningServer) -> Iterator[str]:
    """A copy of a built warehouse, to train on."""
    built.generated(server)
    name = "walk_forward"
    ask(server.url, f"CREATE DATABASE {name} TEMPLATE oracle_generated")
    yield server.database(name)
    ask(server.url, f"DROP DATABASE {name} WITH (FORCE)")


def _trained(url: str, wanted: Wanted = MONTHS) -> dict[date, Trained]:
    return {each.month_start: each for each in train.train(url, wanted)}


def _versions(found: dict[date, Trained]) -> dict[date, str | None]:
    return {month: each.head and each.head.version for month, each in found.items()}


def _relabel(url: str, condition: str) -> None:
    """Turns the labels of some days round, and what features say of them."""
    ask(
        url,
        f"UPDATE facts.fct_outcomes SET is_fraud = NOT is_fraud WHERE is_fraud IS NOT NULL AND {condition}",
        f"UPDATE features.transaction_features SET is_foreign = NOT is_foreign WHERE {condition}",
    )


def test_what_is_later_changes_no_scorecard_and_what_is_earlier_does(url: str) -> None:
    first = _versions(_trained(url))
    _relabel(
        url, "transacted_on >= DATE '2014-07-25'"
    )  # the last seven days: their labels were not complete on 1 August
    second = _versions(_trained(url))
    assert second[AUGUST] == first[AUGUST]
    assert second[date(2014, 7, 1)] == first[date(2014, 7, 1)]
    assert second[date(2014, 9, 1)] != first[date(2014, 9, 1)]
    ask(
        url,
        "DELETE FROM features.transaction_features WHERE transacted_on >= DATE '2014-08-01'",
        "DELETE FROM facts.fct_outcomes WHERE transacted_on >= DATE '2014-08-01'",
    )
    gone = _trained(url)
    assert set(gone) == {date(2014, 7, 1), AUGUST}, "a month after the last day, and no later one"
    assert _versions(gone)[AUGUST] == first[AUGUST]
    _relabel(
        url, "transacted_on = (SELECT max(transacted_on) FROM facts.fct_outcomes WHERE transacted_on < '2014-07-25')"
    )
    third = _versions(_trained(url))
    assert third[AUGUST] != first[AUGUST], "the day before them had its labels"
    assert third[date(2014, 7, 1)] == first[date(2014, 7, 1)]


def test_what_a_scorecard_says_of_its_training_is_what_it_was_trained_on(url: str) -> None:
    head = _trained(url)[AUGUST].head
    assert head is not None
    assert (head.training_from, head.training_until) == (date(2013, 8, 1), date(2014, 7, 25))
    within = "transacted_on >= DATE '2013-08-01' AND transacted_on < DATE '2014-07-25'"
    assert head.fraud_count == ask(url, f"SELECT count(*) FROM facts.fct_outcomes WHERE is_fraud AND {within}")
    others = ask(url, f"SELECT count(*) FROM facts.fct_outcomes WHERE NOT is_fraud AND {within}")
    assert head.sampled_count == head.legitimate_count == others, "no day has more than are drawn of it"


def test_of_a_day_so_many_are_drawn_and_stand_for_all(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every = _trained(url)[AUGUST].head
    monkeypatch.setattr(train, "MOST_A_DAY", 1)
    drawn = _trained(url)[AUGUST].head
    assert every is not None
    assert drawn is not None
    assert drawn.fraud_count == every.fraud_count
    assert drawn.legitimate_count == every.legitimate_count
    within = "NOT is_fraud AND transacted_on >= DATE '2013-08-01' AND transacted_on < DATE '2014-07-25'"
    days = ask(url, f"SELECT count(DISTINCT transacted_on) FROM facts.fct_outcomes WHERE {within}")
    assert drawn.sampled_count == days < every.sampled_count
