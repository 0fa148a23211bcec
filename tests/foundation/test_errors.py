"""What is shown of an error: one line that says something."""

from __future__ import annotations

import pytest

from foundation.errors import first_line

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("the cause\n  the cure\n"), "the cause"),
        (ValueError("\n the cause \n"), "the cause"),
        (ValueError("  \n"), "ValueError"),
        (KeyError(), "KeyError"),
    ],
    ids=["two-lines", "led-by-an-empty-line", "blank", "nothing"],
)
def test_an_error_has_a_first_line_whatever_it_says(error: Exception, line: str) -> None:
    assert first_line(error) == line
