"""Which rows of days are compared."""

from __future__ import annotations

from datetime import date

import pytest

from revops.verify import Scope, rows


@pytest.mark.unit
@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2015, 2, 10), date(2015, 2, 11), Scope(date(2015, 2, 1), date(2015, 2, 28))),
        (date(2015, 11, 30), date(2015, 12, 1), Scope(date(2015, 11, 1), date(2015, 12, 31))),
        (None, None, rows.FULL),
    ],
)
def test_a_scope_in_months_ends_with_the_month(first: date | None, last: date | None, expected: Scope) -> None:
    assert Scope(first, last).in_months() == expected
