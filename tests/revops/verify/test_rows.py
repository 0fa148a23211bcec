"""Which rows of days are compared."""

from __future__ import annotations

from datetime import date

import pytest

from revops.ledger.days import Unit
from revops.verify import Scope, rows


@pytest.mark.unit
@pytest.mark.parametrize(
    ("unit", "first", "last", "expected"),
    [
        ("day", date(2015, 2, 10), date(2015, 2, 11), Scope(date(2015, 2, 10), date(2015, 2, 11))),
        ("month", date(2015, 2, 10), date(2015, 2, 11), Scope(date(2015, 2, 1), date(2015, 2, 28))),
        ("month", date(2015, 11, 30), date(2015, 12, 1), Scope(date(2015, 11, 1), date(2015, 12, 31))),
        ("year", date(2015, 11, 30), date(2016, 1, 1), Scope(date(2015, 1, 1), date(2016, 12, 31))),
        ("month", None, None, rows.FULL),
    ],
)
def test_a_scope_in_months_or_years_ends_with_these(
    unit: Unit, first: date | None, last: date | None, expected: Scope
) -> None:
    assert Scope(first, last).in_whole(unit) == expected
