"""What is left of a home and a birthday, and nothing more, whatever was landed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.macros.conftest import Evaluate, expand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("38.6487", Decimal("38.6")),
        ("-122.4194", Decimal("-122.4")),
        ("-0.05", Decimal("-0.1")),
        ("0.049999", Decimal("0.0")),
        ("41", Decimal("41.0")),
        ("north", None),
        ("1e309", None),
        ("1e1", None),
        ("NaN", None),
        ("180", Decimal("180.0")),
        ("180.01", None),
        ("999.96", None),
        ("-999.999999", None),
        ("", None),
        (None, None),
    ],
)
def test_a_home_is_known_to_eleven_kilometres(evaluate: Evaluate, text: str | None, expected: Decimal | None) -> None:
    (found,) = evaluate("@coarse_degrees(landed)", [text])
    assert found == expected
    assert found is None or found.as_tuple().exponent == -1, "no more than one decimal is there to be read"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1966", 1966),
        ("1966-11", 1966),
        ("1966-11-05", 1966),
        ("66", None),
        ("'66", None),
        ("11/1966", None),
        ("19666", None),
        ("196x-11", None),
        ("", None),
        (None, None),
    ],
)
def test_of_a_birthday_the_year_is_known(evaluate: Evaluate, text: str | None, expected: int | None) -> None:
    assert evaluate("@year_only(landed)", [text]) == [expected]


@pytest.mark.parametrize("call", ["@coarse_degrees(landed)", "@year_only(landed)"])
def test_on_other_engines_masks_are_what_those_have(call: str) -> None:
    assert "PG_INPUT_IS_VALID" not in expand(call, dialect="spark")
