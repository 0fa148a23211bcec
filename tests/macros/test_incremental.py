"""Which landed rows belong to a range of days, and which are sound, asked of PostgreSQL row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection

from tests.macros.conftest import expand

NOW = "2019-10-03"
UNUSABLE = [
    "2019-10-02",
    "2019-10-01 10:00",
    "2019-10-01T10:00:00",
    "2019-10-01 9:05:00",
    "2019-10-01 24:00:00",
    "2019-10-01 23:59:60",
    " 2019-10-01 10:00:00",
    "2019-10-01 10:00:00 ",
    "2019-10-01 10:00:00 BC",
    "-2019-10-01 10:00:00",
    "12019-10-01 10:00:00",
    "2019-02-29 10:00:00",
    "٢٠١٩-١٠-٠١ 10:00:00",
    "1999-12-31 23:59:59",
    "0001-01-01 00:00:00",
    "2019-10-03 00:00:00",  # not over
    "9999-12-31 23:59:59",
    "infinity",
    "now",
    "epoch",
    "yesterday",
    "2019-10-01\t10:00:00",
    "\x01",
    "",
    None,
]


@pytest.fixture(scope="module")
def connection(module_database_url: str) -> Iterator[Connection]:
    connection = psycopg2.connect(module_database_url)
    connection.autocommit = True
    yield connection
    connection.close()


def _ask(connection: Connection, call: str, texts: list[Any], start: str, end: str, now: str = NOW) -> list[Any]:
    """What a macro call on `landed` and `at`, what staging makes of it, says of each text."""
    dates = {"start_ds": start, "end_ds": end, "execution_ds": now}
    expression, moment = (expand(each, **dates).replace("%", "%%") for each in (call, "@moment(landed)"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {expression} FROM (SELECT landed, place, {moment} AS at"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS texts (landed, place)) AS _ ORDER BY place",
            (texts,),
        )
        return [value for (value,) in cursor.fetchall()]


def _in_range(connection: Connection, texts: list[Any], start: str, end: str, now: str = NOW) -> list[Any]:
    return [bool(each) for each in _ask(connection, "@landed_in_range(landed, at)", texts, start, end, now)]


@pytest.mark.parametrize(
    ("landed", "expected"),
    [
        ("2019-09-30 23:59:59", False),
        ("2019-10-01 00:00:00", True),
        ("2019-10-02 23:59:59", True),
        ("2019-10-03 00:00:00", False),
    ],
)
def test_a_row_belongs_to_the_day_of_its_time(landed: str, expected: bool, connection: Connection) -> None:
    assert _in_range(connection, [landed], "2019-10-01", "2019-10-02") == [expected]
    assert _ask(connection, "@sound_in_range(NULL, landed)", [landed], "2019-10-01", "2019-10-02") == [expected]


def test_a_row_without_a_usable_time_belongs_to_the_first_day_of_2000_and_to_no_other(connection: Connection) -> None:
    everything = [True] * len(UNUSABLE)
    assert _in_range(connection, UNUSABLE, "2000-01-01", "2000-01-01") == everything
    assert _in_range(connection, UNUSABLE, "1970-01-01", "2005-01-01") == everything
    assert _in_range(connection, UNUSABLE, "2000-01-02", "2019-10-02") == [not each for each in everything]
    assert set(_ask(connection, "@accounted_on(at)", UNUSABLE, "2000-01-01", "2000-01-01")) == {date(2000, 1, 1)}


def test_other_rows_are_not_of_that_day(connection: Connection) -> None:
    texts = ["2000-01-01 00:00:00", "2000-01-02 00:00:00", "2019-10-02 23:59:59"]
    assert _in_range(connection, texts, "2000-01-01", "2000-01-01") == [True, False, False]


def test_all_days_have_all_rows_without_a_look_at_them(connection: Connection) -> None:
    for end in ("2019-10-02", "2019-10-03", "2020-01-01"):
        assert expand("@landed_in_range(landed, at)", start_ds="1970-01-01", end_ds=end, execution_ds=NOW) == "TRUE"


def test_an_audit_that_is_not_told_when_it_is_takes_it_to_be_now(connection: Connection) -> None:
    told, untold = (
        [_in_range(connection, [*UNUSABLE[:-5], "2019-10-01 00:00:00", "2999-01-01 00:00:00"], start, end, now)
         for start, end in (("1970-01-01", "2010-01-01"), ("2019-10-01", "2019-10-02"), ("1970-01-01", "2999-12-31"))]
        for now in ("2026-01-01", "1970-01-01")
    )  # fmt: skip
    assert told[:2] == untold[:2]
    assert all(untold[2])


def test_days_before_2000_have_none(connection: Connection) -> None:
    """Without dates, SQLMesh audits the first day of 1970, as of that day."""
    texts = [*UNUSABLE, "2019-10-01 00:00:00"]
    for now in ("1970-01-01", NOW):
        assert not any(_in_range(connection, texts, "1970-01-01", "1970-01-01", now))
        assert not any(_ask(connection, "@sound_in_range(NULL, landed)", texts[-1:], "1970-01-01", "1970-01-01", now))


def test_a_day_that_is_not_over_is_not_selected_whatever_is_asked_for(connection: Connection) -> None:
    texts = ["2019-10-02 00:00:00", "2019-10-03 00:00:00", "2019-10-04 00:00:00"]
    assert _in_range(connection, texts, "2019-10-01", "2019-10-09") == [True, False, False]
    assert _ask(connection, "@sound_in_range(NULL, landed)", texts, "2019-10-01", "2019-10-09") == [True, False, False]


days = st.dates(date(1999, 12, 29), date(2000, 1, 8))
moments = st.builds("{} {:02d}:{:02d}:{:02d}".format, days, st.integers(0, 25), st.integers(0, 60), st.integers(0, 60))
texts_of_dates = st.one_of(
    moments,
    st.sampled_from(UNUSABLE),
    st.builds(
        "{}{}{}".format, st.sampled_from(["", " ", "-", "1"]), moments, st.sampled_from(["", " ", "Z", " BC", "\n"])
    ),
    st.text("0123456789-: T", max_size=20),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
)


@settings(max_examples=40)
@given(
    texts=st.lists(texts_of_dates, min_size=1, max_size=30), cuts=st.sets(st.dates(date(2000, 1, 2), date(2000, 1, 6)))
)
def test_every_text_belongs_to_one_part_of_any_split_of_the_days_and_facts_agree(
    texts: list[Any], cuts: set[date], connection: Connection
) -> None:
    now = date(2000, 1, 7)
    starts = [date(2000, 1, 1), *sorted(cuts)]
    ends = [*(cut - timedelta(days=1) for cut in sorted(cuts)), now - timedelta(days=1)]
    found = [0] * len(texts)
    for start, end in zip(map(str, starts), map(str, ends), strict=True):
        here = _in_range(connection, texts, start, end, str(now))
        found = [count + each for count, each in zip(found, here, strict=True)]
        accounted = _ask(connection, "@accounted_on(at)", texts, start, end, str(now))
        assert here == [start <= str(day) <= end for day in accounted]
        sound = _ask(connection, "at >= '2000-01-01' AND @sound_in_range(NULL, landed)", texts, start, end, str(now))
        usable = _ask(connection, f"at >= '2000-01-01' AND at < '{now}'", texts, start, end, str(now))
        assert [bool(each) for each in sound] == [bool(one and two) for one, two in zip(usable, here, strict=True)]
    assert found == [1] * len(texts)


@pytest.mark.parametrize(("fault", "expected"), [(None, True), ("", False), ("date is before 2000", False)])
def test_a_row_is_sound_that_has_no_fault(fault: str | None, expected: bool, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expand('@is_sound(fault)')} FROM (SELECT %s::text AS fault) AS _", (fault,))
        assert cursor.fetchone() == (expected,)
