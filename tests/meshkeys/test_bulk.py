"""A first fill that is cut into ranges of days gives what it would give in one piece."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from meshkeys import bulk
from meshkeys.catalog import Relation
from tests.conftest import RunningServer, fresh_database
from tests.meshkeys.project import Project
from tests.revops.processes import ask

EVENTS = """
MODEL (name sqlmesh_example.events, kind FULL);

SELECT n::int AS id, ('2020-01-01'::date + n / 1000)::date AS day, (n % 7)::int AS account
FROM GENERATE_SERIES(1, 200000) AS g(n);

@primary_key(id);
"""
RECENT = """
MODEL (name sqlmesh_example.recent, kind INCREMENTAL_BY_TIME_RANGE (time_column day), start '2020-01-01');

SELECT id::int, day::date, recent::bigint FROM (
  SELECT id, day, COUNT(*) OVER two_days AS recent
  FROM sqlmesh_example.events WHERE day BETWEEN @start_date - INTERVAL '2 DAYS' AND @end_date
  WINDOW two_days AS (PARTITION BY account ORDER BY day RANGE BETWEEN '2 DAYS' PRECEDING AND '1 DAY' PRECEDING)
) AS counted WHERE day BETWEEN @start_date AND @end_date;

@primary_key(id);
@fill_in_ranges(sqlmesh_example.events);
"""
IN_ONE_PIECE = """
SELECT count(*), count(DISTINCT written.xmin::text), count(*) FILTER (WHERE written.recent IS DISTINCT FROM expected.recent)
FROM {written} AS written FULL JOIN (
  SELECT id, COUNT(*) OVER two_days AS recent FROM sqlmesh_example.events
  WINDOW two_days AS (PARTITION BY account ORDER BY day RANGE BETWEEN '2 DAYS' PRECEDING AND '1 DAY' PRECEDING)
) AS expected USING (id)
"""
TABLE = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname ~ '^sqlmesh__' AND tablename ~ 'recent' AND tablename !~ 'dev$'
"""


def test_ranges_are_filled_side_by_side_and_say_the_same(server: RunningServer, tmp_path: Path) -> None:
    with fresh_database(server) as url:
        project = Project(tmp_path, url)
        project.init()
        for model in (tmp_path / "models").iterdir():
            model.unlink()
        for test in (tmp_path / "tests").iterdir():
            test.unlink()
        project.add_the_package()
        project.write("models/events.sql", EVENTS)
        project.write("models/recent.sql", RECENT)
        project.query("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET max_parallel_workers_per_gather = 3',"
                      " current_database()); END $$")  # fmt: skip
        project.plan()
        ((table,),) = project.query(TABLE)
        assert project.query(IN_ONE_PIECE.format(written=table)) == [(200_000, 3, 0)]


@pytest.mark.parametrize(
    ("workers", "rows", "days"),
    [(2, 300_000, 1), (4, 300_000, 3), (1, 300_000, 0), (4, 1_000, 0), (4, 0, 0)],
)
def test_cuts_divide_the_rows_of_the_parent_evenly(database_url: str, workers: int, rows: int, days: int) -> None:
    made = "CREATE TABLE many AS SELECT '2020-01-01'::date + n / 1000 AS day FROM generate_series(0, {} - 1) AS g (n)"
    ask(database_url, made.format(rows))
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('max_parallel_workers_per_gather', %s, false)", (str(workers),))
        cuts = bulk.cuts(cursor, Relation("public", "many"), "day")
        cursor.execute("SELECT count(*) FROM many")
        assert len(cuts) == days
        for place, cut in enumerate(cuts, 1):
            cursor.execute("SELECT count(*) FROM many WHERE day < %s", (cut,))
            (before,) = cursor.fetchone() or (0,)
            assert abs(before / rows - place / workers) < 0.2
