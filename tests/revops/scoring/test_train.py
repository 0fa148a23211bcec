"""Training knows nothing of the month that it trains for, is the same each time, and gives points that order frauds first."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date

import numpy as np
import psycopg2
import pytest

from revops.scoring import fit, train
from revops.scoring.features import EVEN, FEATURES
from revops.scoring.train import Trained, Wanted
from tests.conftest import RunningServer
from tests.oracle import built
from tests.revops.processes import ask

MONTH = date(2016, 3, 1)
# Of so few rows, all frauds of the years before.
WANTED = Wanted(since=MONTH, until=MONTH, window_months=72, fewest_frauds=3)
CARDS = """
SELECT string_agg(s::text, ' ' ORDER BY feature, bin)
FROM (SELECT version, feature, bin, at_least, points FROM desk.scorecards) AS s
"""
Copy = Callable[[], str]


@pytest.fixture
def copy(server: RunningServer) -> Iterator[Copy]:
    """A function that copies a built warehouse of generated rows, to train on, and returns its URL."""
    original = built.generated(server).url.rpartition("/")[2]
    made: list[str] = []

    def make() -> str:
        made.append(f"trained_{secrets.token_hex(4)}")
        _run(server.url, f"CREATE DATABASE {made[-1]} TEMPLATE {original}")
        return server.database(made[-1])

    yield make
    for name in made:
        _run(server.url, f"DROP DATABASE {name} WITH (FORCE)")


def _run(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _train(url: str, wanted: Wanted = WANTED) -> list[Trained]:
    return list(train.train(url, wanted))


def test_rows_of_the_month_and_the_week_before_change_nothing(copy: Copy) -> None:
    known, without = copy(), copy()
    (first,) = _train(known)
    assert first.is_new
    assert first.fraud_count >= 3
    for relation in ("features.transaction_features", "facts.fct_outcomes"):
        _run(
            without, f"DELETE FROM {relation} WHERE transacted_on >= DATE '2016-02-23' AND transacted_on < '2016-03-20'"
        )
    _run(without, "UPDATE facts.fct_outcomes SET is_fraud = NOT is_fraud WHERE transacted_on >= '2016-03-20'")
    (second,) = _train(without)
    assert second == first
    assert ask(without, CARDS) == ask(known, CARDS)


def test_the_last_day_with_certain_labels_counts(copy: Copy) -> None:
    url = copy()
    (first,) = _train(url)
    day = ask(
        url,
        "SELECT max(transacted_on) FROM facts.fct_outcomes WHERE transacted_on < '2016-02-23' AND is_fraud IS NOT NULL",
    )
    _run(url, f"UPDATE facts.fct_outcomes SET is_fraud = NOT is_fraud WHERE transacted_on = '{day}'")
    (second,) = _train(url)
    assert second.is_new
    assert second.head != first.head


def test_the_same_rows_give_the_same_and_write_nothing(copy: Copy) -> None:
    url = copy()
    (first,) = _train(url)
    before = ask(url, CARDS), ask(url, "SELECT count(*) FROM ops.changes")
    (again,) = _train(url)
    assert (again.head, again.is_new) == (first.head, False)
    assert (ask(url, CARDS), ask(url, "SELECT count(*) FROM ops.changes")) == before


def test_what_was_trained_before_counts_again_where_its_rows_come_back(copy: Copy) -> None:
    url = copy()
    (first,) = _train(url)
    other = Wanted(since=MONTH, until=MONTH, window_months=60, fewest_frauds=3)
    assert _train(url, other)[0].head != first.head
    (again,) = _train(url)
    assert (again.head, again.is_new) == (first.head, True)
    assert (
        ask(url, "SELECT count(DISTINCT scorecard_id) || ' ' || count(DISTINCT version) FROM desk.scorecards") == "3 2"
    )


def test_too_few_frauds_are_refused_with_one_line(copy: Copy) -> None:
    with pytest.raises(train.TooFewLabels, match="2016-03 to 2016-03 no month has 5000 labelled frauds") as refused:
        _train(copy(), Wanted(since=MONTH, until=MONTH, fewest_frauds=5000))
    assert refused.value.exit_code == 3
    assert "\n" not in str(refused.value)


def test_an_empty_warehouse_is_refused(database_url: str) -> None:
    with pytest.raises(train.TooFewLabels, match="Nothing is built"):
        _train(database_url)


def _rows(most: int = 4000) -> fit.Rows:
    """Foreign purchases are fraud in one of four cases, others in one of a hundred; amounts say nothing, one is unknown."""
    chosen = np.random.default_rng(7)
    values = np.zeros((most, len(FEATURES)))
    names = [name for name, _ in FEATURES]
    is_foreign = chosen.random(most) < 0.1
    values[:, names.index("is_foreign")] = is_foreign
    values[:, names.index("amount_cents")] = chosen.integers(100, 10_000, most)
    values[:, names.index("amount_z_score_90d")] = np.where(chosen.random(most) < 0.3, np.nan, 0)
    is_fraud = chosen.random(most) < np.where(is_foreign, 0.25, 0.01)
    return fit.Rows(values, is_fraud, np.where(is_fraud, 1.0, 10.0))


def test_points_say_the_odds_of_each_bin() -> None:
    rows = _rows()
    fitted = fit.fit(rows)
    of = {(each.feature, each.number): each.points for each in fitted.bins}
    assert of["is_foreign", 1] > 100 > 0 > of["is_foreign", 0]
    found = fit.scores(fitted.base_points, fitted.bins, rows.values)
    foreign = rows.values[:, [name for name, _ in FEATURES].index("is_foreign")] == 1
    for group in (foreign, ~foreign):
        frauds = rows.weights[group & rows.is_fraud].sum()
        odds = frauds / rows.weights[group & ~rows.is_fraud].sum()
        expected = EVEN + 40 * np.log2(odds)
        assert abs(np.median(found[group]) - expected) < 25
    assert fitted.auc_bp > 7500


def test_a_feature_that_is_always_alike_has_no_points() -> None:
    assert "hour_of_day" not in {each.feature for each in fit.fit(_rows()).bins}


def test_fitting_is_the_same_each_time() -> None:
    assert fit.fit(_rows()) == fit.fit(_rows())
