"""A figure is called stable only where three rounds or more lie close together."""

from __future__ import annotations

import pytest

from bench import machine

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ([[10.0, 10.5, 11.0]], ""),
        ([[10.0, 10.0, 11.6]], "not stable: spread 16%"),
        ([[10.0, 10.0, 10.0], [1.0, 2.0, 3.0]], "not stable: spread 100%"),
        ([[10.0, 10.0]], "too few rounds"),
        ([[10.0, 10.0, 10.0], [10.0]], "too few rounds"),
        ([[0.0, 0.0, 0.0]], ""),
    ],
    ids=["close", "wide", "one of two wide", "two rounds", "one of two too short", "nothing"],
)
def test_a_median_of_rounds_far_apart_is_not_called_stable(series: list[list[float]], said: str) -> None:
    found = machine.verdict(*series)
    assert said in found
    assert bool(found) is bool(said)
