"""The queries that a plan notes of prod's models, for any days."""

from __future__ import annotations

from datetime import date

import pytest
import sqlglot

from revops.ledger import definitions
from revops.ledger.definitions import Definition, Lookup

pytestmark = pytest.mark.unit

QUERY = (
    "SELECT a FROM b WHERE day BETWEEN '1900-12-01' AND '2998-02-20' AND seen >= '1900-09-02'"
    " AND landed <= '2998-02-20 24' AND at < '2998-02-21' AND month <= '2998-02-28' AND opened > '2000-01-01'"
    " AND other <= '2998-02-22' AND retry <= '2998-03-01'"
)


def test_a_query_is_of_the_days_it_is_asked_for() -> None:
    assert definitions.of_days(QUERY, date(2015, 3, 1), date(2015, 3, 31)) == (
        "SELECT a FROM b WHERE day BETWEEN '2015-03-01' AND '2015-03-31' AND seen >= '2014-12-01'"
        " AND landed <= '2015-03-31 24' AND at < '2015-04-01' AND month <= '2015-03-31' AND opened > '2000-01-01'"
        " AND other <= '2015-04-02' AND retry <= '2015-04-01'"
    )


def test_how_far_a_query_looks_back() -> None:
    assert Definition("1", False, QUERY).look_back == 90
    assert Definition("1", False, "SELECT '2000-01-01'").look_back == 0
    assert Definition("1", False, "SELECT '1900-01-01'", unit="year").look_back == 0, "its own year"


@pytest.mark.parametrize(
    ("query", "lookups"),
    [
        (
            "SELECT f.id::BIGINT AS id, l.flag::BOOLEAN AS flag FROM facts.f AS f LEFT JOIN facts.l AS l ON l.id = f.id",
            (Lookup("facts.l", {"id": "id"}, {"flag": "flag"}),),
        ),
        (
            "SELECT f.id, l.flag FROM facts.f AS f LEFT JOIN facts.l AS l ON l.id = f.other",
            (),
        ),  # not by the model's key
        ("SELECT f.id, l.flag FROM facts.f AS f JOIN facts.l AS l ON l.id = f.id", ()),  # leaves rows out
        ("SELECT f.id, NOT l.flag AS flag FROM facts.f AS f LEFT JOIN facts.l AS l ON l.id = f.id", ()),  # not as it is
        (
            "SELECT f.id, l.flag FROM facts.f AS f LEFT JOIN facts.l AS l ON l.id = f.id WHERE l.flag",
            (),
        ),  # used elsewhere
        ("SELECT f.id, l.flag FROM facts.f AS f LEFT JOIN facts.l AS l ON l.id > f.id", ()),  # more than one row
        (
            "SELECT f.id, l.flag FROM facts.f AS f LEFT JOIN facts.l AS l ON l.id = f.id AND l.day BETWEEN '1' AND '2'",
            (),
        ),  # of some rows only
    ],
)
def test_a_join_is_left_out_where_it_only_looks_up_by_the_key(query: str, lookups: tuple[Lookup, ...]) -> None:
    apart, found = definitions._apart(sqlglot.parse_one(query, read="postgres"), {"id"})
    assert found == lookups
    assert apart == ("SELECT CAST(f.id AS BIGINT) AS id FROM facts.f AS f" if lookups else None)
