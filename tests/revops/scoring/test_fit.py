"""What is learned of rows whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from revops.scoring import fit
from revops.scoring.features import DOUBLES, EVEN, FEATURES, UNKNOWN

NAMES = [name for name, _ in FEATURES]
COUNT = 20_000


@pytest.fixture(scope="module")
def rows() -> fit.Rows:
    """Frauds are likelier from 100 dollars on, where the z-score is unknown, and abroad; all other features are the same."""
    chance = np.random.default_rng(5)
    values = np.zeros((COUNT, len(NAMES)))
    amounts = chance.integers(1, 20_000, COUNT)
    foreign = chance.random(COUNT) < 0.1
    z_scores = np.where(chance.random(COUNT) < 0.2, np.nan, chance.integers(-300, 300, COUNT))
    odds = -5.0 + 2.0 * (amounts >= 10_000) + 2.0 * foreign + 1.0 * np.isnan(z_scores)
    values[:, NAMES.index("amount_cents")] = amounts
    values[:, NAMES.index("is_foreign")] = foreign
    values[:, NAMES.index("amount_z_score_90d")] = z_scores
    return fit.Rows(values, chance.random(COUNT) < 1 / (1 + np.exp(-odds)), np.ones(COUNT))


@pytest.fixture(scope="module")
def fitted(rows: fit.Rows) -> fit.Fitted:
    return fit.fit(rows)


def _points(fitted: fit.Fitted, name: str) -> dict[int, int]:
    return {each.number: each.points for each in fitted.bins if each.feature == name}


def test_only_features_that_tell_anything_have_points(fitted: fit.Fitted) -> None:
    assert {each.feature for each in fitted.bins} == {"amount_cents", "is_foreign", "amount_z_score_90d"}


def test_points_are_what_the_odds_are_made_of(fitted: fit.Fitted) -> None:
    of_two = DOUBLES * 2.0 / np.log(2)  # a difference of 2 in the logarithm of the odds
    abroad = _points(fitted, "is_foreign")
    assert abroad[1] - abroad[0] == pytest.approx(of_two, rel=0.2)
    amounts = _points(fitted, "amount_cents")
    bounds = [each.at_least for each in fitted.bins if each.feature == "amount_cents" and each.at_least]
    assert min(abs(bound - 10_000) for bound in bounds) < 300
    assert amounts[max(amounts)] - amounts[0] == pytest.approx(of_two, rel=0.3)
    z_scores = _points(fitted, "amount_z_score_90d")
    assert z_scores[UNKNOWN] - z_scores[0] == pytest.approx(of_two / 2, rel=0.4)


def test_as_many_are_fraud_as_the_scores_say(rows: fit.Rows, fitted: fit.Fitted) -> None:
    scores = fit.scores(fitted.base_points, fitted.bins, rows.values)
    expected = 1 / (1 + 2.0 ** ((EVEN - scores) / DOUBLES))
    assert expected.sum() == pytest.approx(rows.is_fraud.sum(), rel=0.05)
    upper = scores >= np.quantile(scores, 0.9)
    assert expected[upper].sum() == pytest.approx(rows.is_fraud[upper].sum(), rel=0.15)


def test_the_same_rows_give_the_same_scorecard(rows: fit.Rows, fitted: fit.Fitted) -> None:
    assert fit.fit(fit.Rows(rows.values.copy(), rows.is_fraud.copy(), rows.weights.copy())) == fitted


def test_a_row_drawn_from_several_counts_for_all_of_them(rows: fit.Rows, fitted: fit.Fitted) -> None:
    keep = rows.is_fraud | (np.arange(COUNT) % 4 == 0)
    weights = np.where(rows.is_fraud, 1.0, 4.0)[keep]
    drawn = fit.fit(fit.Rows(rows.values[keep], rows.is_fraud[keep], weights))
    assert drawn.base_points == pytest.approx(fitted.base_points, abs=DOUBLES / 4)


def test_rows_that_tell_nothing_give_the_share_of_fraud_alone() -> None:
    is_fraud = np.arange(1000) % 5 == 0
    fitted = fit.fit(fit.Rows(np.zeros((1000, len(NAMES))), is_fraud, np.ones(1000)))
    assert fitted == fit.Fitted(EVEN - 2 * DOUBLES, (), 5000)  # one of five is two halvings below even


def test_a_bound_belongs_to_the_bin_above_and_unknown_to_none() -> None:
    bins = [
        fit.Bin("hour_of_day", 0, None, -10),
        fit.Bin("hour_of_day", 1, 6, 20),
        fit.Bin("hour_of_day", UNKNOWN, None, 3),
    ]
    values = np.zeros((3, len(NAMES)))
    values[:, NAMES.index("hour_of_day")] = [5, 6, np.nan]
    assert fit.scores(100, bins, values).tolist() == [90, 120, 103]
