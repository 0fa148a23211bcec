"""Which days a verification since the last one looks at."""

from __future__ import annotations

from contextlib import closing
from datetime import date

import psycopg2
import pytest

import revops.verify as verification
from foundation import ops
from loaders import postgres
from revops.ledger import landings
from revops.verify import FULL, Scope, rows


def test_a_run_compares_the_days_evaluated_since_it_found_all_right(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        postgres.create_tables(connection)
        ops.create_for_builds(cursor)
        cursor.execute(
            "INSERT INTO ops.load_files (file_id, relation, name, sha256, bytes, rows_read, rows_loaded, rows_rejected,"
            " max_date, started_at, ended_at, status)"
            " VALUES (1, 'transactions', 'a.csv', 'x', 1, 9, 9, 0, '2015-03-31', now(), now(), 'landed')"
        )
        assert verification._touched(cursor) == [FULL], "nothing is known, and it is little"
        monkeypatch.setattr(rows, "ROWS_AT_ONCE", 5)
        assert verification._touched(cursor) == [Scope(date(2015, 3, 1), date(2015, 3, 31))]
        landings.mark_compared(cursor, "verified")
        assert verification._touched(cursor) == []
        for first, last in (("2012-05-03", "2012-05-03"), ("2014-01-01", "2014-01-02")):
            cursor.execute(
                "INSERT INTO ops.evaluations (relation, starts_on, ends_on) VALUES ('t', %s, %s)", (first, last)
            )
        assert verification._touched(cursor) == [
            Scope(date(2012, 5, 3), date(2012, 5, 3)), Scope(date(2014, 1, 1), date(2014, 1, 2)),
        ]  # fmt: skip
        cursor.execute("INSERT INTO ops.declarations (model, relation, declared) VALUES ('a.years', 'years', '{}')")
        cursor.execute(
            "INSERT INTO ops.models (model, node, definition) VALUES ('a.years', '{}', '{\"unit\": \"year\"}')"
        )
        for year in (2014, 2016):
            cursor.execute(
                "INSERT INTO ops.evaluations (relation, starts_on, ends_on) VALUES ('years', %s, %s)",
                (date(year, 1, 1), date(year, 2, 20)),
            )
        assert verification._touched(cursor) == [
            Scope(date(2012, 5, 3), date(2012, 5, 3)), Scope(date(2014, 1, 1), date(2014, 1, 2)),
            Scope(date(2016, 1, 1), date(2016, 2, 20)),
        ], "a year is evaluated for some of its days, where these are known"  # fmt: skip
        connection.rollback()
