"""What is out of date: made before something above it changed, on the days on which it changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from revops.ledger.days import Days, days_in, ranges_of
from revops.ledger.graph import Node
from revops.ledger.ledger import FIRST_DAY, Change, find

pytestmark = pytest.mark.unit

TODAY = date(2010, 6, 1)
RAW, STAGED, DIMENSION, FACTS, REPORT, LOOKS_BACK, SUMMARY = (
    "raw.rows", "staging.rows", "dimensions.cards", "facts.rows", "serving.report", "features.windows", "serving.summary",
)  # fmt: skip
NODES = [
    Node(STAGED, None, False, parents=(RAW,)),
    Node(DIMENSION, "p.cards", False, parents=("raw.cards",)),
    Node(FACTS, "p.facts", True, parents=(STAGED, DIMENSION), columns={DIMENSION: ("card_id",)}),
    Node(REPORT, "p.report", True, parents=(FACTS, DIMENSION), columns={DIMENSION: ("card_id", "card_brand")}),
    Node(LOOKS_BACK, "p.windows", True, 30, parents=(FACTS,)),
    Node(SUMMARY, "p.summary", False, parents=(REPORT,)),
]
MADE = [
    Change(n, table, FIRST_DAY, TODAY) for n, table in enumerate(("p.facts", "p.report", "p.windows"), start=10)
] + [
    Change(2, "p.cards"),
    Change(20, "p.summary"),
]


def out_of_date(
    changes: Iterable[Change], evaluations: Iterable[Change] = (), today: date = TODAY
) -> dict[str, list[str]]:
    """Model -> days, or `whole`."""
    found = find(NODES, [Change(1, RAW, FIRST_DAY, TODAY), *changes], [*MADE, *evaluations], today)
    days = {model: [str(day) for day in days] for model, days in found.days.items()}
    return {**days, **{model: ["whole"] for model in found.whole}}


def on(number: int, relation: str, day: date, columns: tuple[str, ...] | None = None) -> Change:
    return Change(number, relation, day, day + timedelta(days=1), columns)


def test_nothing_is_where_all_was_made_after_what_it_reads() -> None:
    assert out_of_date([Change(1, RAW, FIRST_DAY, TODAY), Change(1, "raw.cards")]) == {}


def test_a_changed_day_is_felt_by_all_that_read_it() -> None:
    day = date(2010, 5, 20)
    found = out_of_date([on(30, RAW, day)])
    assert found[FACTS] == found[REPORT] == ["2010-05-20"]
    assert found[LOOKS_BACK] == [f"2010-05-{n}" for n in range(20, 32)]
    assert found[SUMMARY] == ["whole"]
    assert DIMENSION not in found


def test_a_changed_day_is_felt_on_the_days_before_by_what_looks_ahead_and_by_what_reads_that() -> None:
    nodes = [
        Node(FACTS, "p.facts", True),
        Node("facts.pairs", "p.pairs", True, 2, parents=(FACTS,), look_ahead=2),
        Node(REPORT, "p.report", True, parents=("facts.pairs",)),
        Node(LOOKS_BACK, "p.windows", True, 3, parents=(REPORT,)),
    ]
    made = [Change(n, f"p.{name}", FIRST_DAY, TODAY) for n, name in enumerate(("facts", "pairs", "report", "windows"))]
    found = {
        model: [day.day for day in days]
        for model, days in find(nodes, [], [*made, on(30, "p.facts", date(2010, 5, 20))], TODAY).days.items()
    }
    around = [18, 19, 20, 21, 22]
    assert found == {"facts.pairs": around, REPORT: around, LOOKS_BACK: [*around, 23, 24, 25]}
    new = find(nodes, [], [*made, on(30, "p.facts", TODAY - timedelta(days=1))], TODAY).days
    assert [str(day) for day in new[REPORT]] == ["2010-05-29", "2010-05-30", "2010-05-31"]
    first = find(nodes, [], [*made, on(30, "p.facts", FIRST_DAY)], TODAY).days
    assert [str(day) for day in first[REPORT]] == ["2000-01-01", "2000-01-02", "2000-01-03"]


def test_a_table_is_done_when_it_was_evaluated_after_its_parent_and_not_before() -> None:
    day = date(2009, 3, 1)
    facts = on(31, "p.facts", day)
    assert REPORT in out_of_date([on(30, RAW, day)], [facts])
    assert FACTS not in out_of_date([on(30, RAW, day)], [facts])
    # Evaluated after the change was noted, but before the facts had it: as a kill in between leaves it.
    assert REPORT in out_of_date([on(30, RAW, day)], [on(31, "p.report", day), on(32, "p.facts", day)])
    done = [
        facts,
        on(32, "p.report", day),
        Change(33, "p.windows", day, day + timedelta(days=31)),
        Change(40, "p.summary"),
    ]
    assert out_of_date([on(30, RAW, day)], done) == {}


def test_a_changed_attribute_is_felt_by_those_that_read_the_column() -> None:
    brand = on(30, DIMENSION, date(2009, 3, 1), ("card_brand",))
    assert set(out_of_date([brand])) == {REPORT, SUMMARY}
    assert out_of_date([on(30, DIMENSION, date(2009, 3, 1), ("credit_limit",))]) == {}
    assert set(out_of_date([on(30, DIMENSION, date(2009, 3, 1))])) == {FACTS, REPORT, LOOKS_BACK, SUMMARY}


def test_a_whole_table_is_out_of_date_and_the_tables_of_days_that_read_it_are_not() -> None:
    assert out_of_date([Change(30, "raw.cards")]) == {DIMENSION: ["whole"]}


def test_a_version_that_was_never_evaluated_is_out_of_date_everywhere() -> None:
    nodes = [Node(FACTS, "p.facts", True), Node(REPORT, "p.another", True, parents=(FACTS,))]
    found = find(nodes, [], MADE, TODAY)
    assert list(found.days) == [REPORT]
    assert len(found.days[REPORT]) == (TODAY - FIRST_DAY).days


def test_a_day_that_is_not_over_is_looked_at_under_the_first_day_until_it_is() -> None:
    changes = [on(30, RAW, TODAY)]
    assert out_of_date(changes)[FACTS] == [str(FIRST_DAY)]
    assert str(TODAY) in out_of_date(changes, today=TODAY + timedelta(days=1))[FACTS]


def test_a_day_that_ends_without_rows_makes_nothing_out_of_date() -> None:
    assert out_of_date([], today=TODAY + timedelta(days=3)) == {}


def test_tables_of_another_environment_are_taken_as_they_are() -> None:
    found = find(NODES, [on(30, RAW, date(2010, 5, 20))], MADE, TODAY, frozenset({"p.facts"}))
    assert not found


def test_what_reads_a_table_follows_it_on_the_days_between_that_it_is_evaluated_for() -> None:
    first, second = date(2009, 3, 1), date(2009, 3, 5)
    changes = [on(30, RAW, first), on(31, RAW, second)]
    found = find(NODES, changes, MADE, TODAY, widen=lambda days: days_in(ranges_of(days)))
    assert found.days[FACTS] == found.days[REPORT] == [first + timedelta(days=i) for i in range(5)]
    assert find(NODES, changes, MADE, TODAY).days[REPORT] == [first, second]


def test_days_are_joined_to_few_ranges_and_the_undated_one_to_none() -> None:
    days = [FIRST_DAY, date(2009, 1, 1), date(2009, 1, 20), date(2010, 1, 1)]
    assert ranges_of(days) == [
        Days(FIRST_DAY, FIRST_DAY), Days(date(2009, 1, 1), date(2009, 1, 20)), Days(date(2010, 1, 1), date(2010, 1, 1)),
    ]  # fmt: skip
    assert ranges_of(FIRST_DAY + timedelta(days=i) for i in range(100)) == [
        Days(FIRST_DAY, FIRST_DAY + timedelta(days=99))
    ]
    assert len(ranges_of(date(2001, 1, 1) + timedelta(days=60 * i) for i in range(80))) == 50
