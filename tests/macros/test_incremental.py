"""Which landed rows belong to a range of days, and which are sound, asked of PostgreSQL row by row."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.macros.conftest import expand


@pytest.fixture(scope="module")
def connection(module_database_url: str) -> Iterator[Connection]:
    connection = psycopg2.connect(module_database_url)
    connection.autocommit = True
    yield connection
    connection.close()


def _is_in_range(connection: Connection, landed: str | None, at: str | None, start: str, end: str, now: str) -> bool:
    call = expand("@landed_in_range(landed, at)", start_ds=start, end_ds=end, execution_ds=now)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce({call}, false) FROM (SELECT %s::text AS landed, %s::timestamp AS at) AS _", (landed, at)
        )
        return bool((cursor.fetchone() or (None,))[0])


@pytest.mark.parametrize(
    ("landed", "at", "expected"),
    [
        ("2019-09-30 23:59:59", "2019-09-30 23:59:59", False),
        ("2019-10-01 00:00:00", "2019-10-01 00:00:00", True),
        ("2019-10-02 23:59:59", "2019-10-02 23:59:59", True),
        ("2019-10-03 00:00:00", "2019-10-03 00:00:00", False),
        ("2019-10-02", None, True),  # it begins with its day, though no fact can be made of it
        ("yesterday", None, False),
        (None, None, False),
        ("1999-12-31 23:59:00", "1999-12-31 23:59:00", False),
    ],
)
def test_a_row_belongs_to_the_day_that_its_text_begins_with(
    landed: str | None, at: str | None, expected: bool, connection: Connection
) -> None:
    assert _is_in_range(connection, landed, at, "2019-10-01", "2019-10-02", "2019-10-03") is expected


@pytest.mark.parametrize(
    ("landed", "at", "expected"),
    [
        ("2000-01-01 00:00:00", "2000-01-01 00:00:00", True),
        ("2000-01-02 00:00:00", "2000-01-02 00:00:00", False),
        ("2019-10-02 23:59:59", "2019-10-02 23:59:59", False),
        ("2019-10-03 00:00:00", "2019-10-03 00:00:00", True),  # not over
        ("1999-12-31 23:59:59", "1999-12-31 23:59:59", True),
        ("2019-10-02", None, True),
        ("yesterday", None, True),
        (None, None, True),
    ],
)
def test_the_first_day_of_2000_has_all_rows_without_a_usable_day(
    landed: str | None, at: str | None, expected: bool, connection: Connection
) -> None:
    assert _is_in_range(connection, landed, at, "2000-01-01", "2000-01-01", "2019-10-03") is expected


@pytest.mark.parametrize(
    ("landed", "at"), [("2019-10-02 23:59:59",) * 2, ("2019-10-03 00:00:00",) * 2, ("x", None), (None, None)]
)
def test_every_row_belongs_to_all_days(landed: str | None, at: str | None, connection: Connection) -> None:
    assert (
        expand("@landed_in_range(landed, at)", start_ds="2000-01-01", end_ds="2019-10-02", execution_ds="2019-10-03")
        == "TRUE"
    )
    parts = (("2000-01-01", "2010-12-31"), ("2011-01-01", "2019-10-02"))  # as the parts of all days say, too
    assert any(_is_in_range(connection, landed, at, *part, "2019-10-03") for part in parts)


@pytest.mark.parametrize(("fault", "expected"), [(None, True), ("", False), ("date is before 2000", False)])
def test_a_row_is_sound_that_has_no_fault(fault: str | None, expected: bool, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expand('@is_sound(fault)')} FROM (SELECT %s::text AS fault) AS _", (fault,))
        assert cursor.fetchone() == (expected,)
