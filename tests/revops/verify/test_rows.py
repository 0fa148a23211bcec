"""Which rows of days are compared."""

from __future__ import annotations

from datetime import date, timedelta
from unittest.mock import MagicMock

import pytest

from revops.ledger import definitions
from revops.ledger.days import Unit
from revops.ledger.definitions import Definition
from revops.verify import Scope
from revops.verify import rows as rows_module
from revops.verify.written import Written


@pytest.mark.unit
@pytest.mark.parametrize(
    ("unit", "first", "last", "expected"),
    [
        ("day", date(2015, 2, 10), date(2015, 2, 11), Scope(date(2015, 2, 10), date(2015, 2, 11))),
        ("month", date(2015, 2, 10), date(2015, 2, 11), Scope(date(2015, 2, 1), date(2015, 2, 28))),
        ("month", date(2015, 11, 30), date(2015, 12, 1), Scope(date(2015, 11, 1), date(2015, 12, 31))),
        ("year", date(2015, 11, 30), date(2016, 1, 1), Scope(date(2015, 1, 1), date(2016, 12, 31))),
        ("month", None, None, rows_module.FULL),
    ],
)
def test_a_scope_in_months_or_years_ends_with_these(
    unit: Unit, first: date | None, last: date | None, expected: Scope
) -> None:
    assert Scope(first, last).in_whole(unit) == expected


@pytest.mark.unit
@pytest.mark.parametrize(
    ("unit", "look_back", "rows_a_day", "is_much"),
    [
        ("day", 90, 10, False),
        ("day", 90, 4_000, True),
        ("day", 0, 40_000, False),
        ("month", 0, 3_600, False),
        ("year", 0, 3_600, True),
        ("year", 0, 10, False),
    ],
)
@pytest.mark.parametrize("is_due", [False, True])
def test_days_that_many_others_are_read_for_are_compared_when_their_turn_comes(
    unit: Unit, look_back: int, rows_a_day: int, is_much: bool, is_due: bool
) -> None:
    cursor = MagicMock()
    cursor.fetchone.return_value = (date(2015, 1, 1), date(2015, 3, 31))  # 90 days
    cursor.fetchall.return_value = []
    first = definitions.FIRST - timedelta(days=look_back)
    query = f"SELECT day FROM a.b WHERE day BETWEEN '{first}' AND '{definitions.LAST}'"
    model = MagicMock(definition=Definition("1", False, query, day_column="day", unit=unit), last_day=None)
    model.name = "features.windows"
    landed = MagicMock(facts=(rows_a_day * 90, 0))
    day = Scope(date(2015, 3, 31), date(2015, 3, 31))
    tasks = rows_module.plan(cursor, {model.name: model}, [day], landed, {}, lambda model: is_due)
    assert bool(tasks) == (is_due or not is_much)
    written = {model.name: Written(frozenset([date(2015, 3, 31)]))}
    assert rows_module.plan(cursor, {model.name: model}, [day], landed, written, lambda model: False)
