"""What others hang on the served relations, and who holds the lock, through a plan."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from foundation.errors import LockHeld
from revops import lock
from revops.status import status
from tests.end_to_end.changes import change_a_dimension
from tests.end_to_end.warehouse import ROOT, Warehouse

DIM_CARDS = "models/dimensions/dim_cards.sql"
ENRICHED = "models/serving/enriched_transactions.sql"
SPENT = "SELECT card_brand, sum(amount) FROM serving.enriched_transactions GROUP BY 1 ORDER BY 1"
SCORE = "clients.credit_score::INT, /*"
ANOTHER_SCORE = "clients.credit_score::INT AS fico_score, /*"
GRANTED = "SELECT has_table_privilege('reader_in_test', %s, 'SELECT')"
# All that there is to a view, apart from what it reads.
DESCRIBED = """
SELECT c.relkind::text, c.reloptions, pg_get_viewdef(c.oid), pg_get_userbyid(c.relowner), c.relacl::text, c.relispopulated,
       array(SELECT a.attname || coalesce(a.attacl::text, '') FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0
             ORDER BY a.attnum),
       array(SELECT d.objsubid || d.description FROM pg_description AS d WHERE d.objoid = c.oid ORDER BY 1),
       array(SELECT indexdef FROM pg_indexes WHERE schemaname = 'reports' AND tablename = c.relname ORDER BY 1)
FROM pg_class AS c WHERE c.oid = to_regclass(%s)
"""


@pytest.fixture
def others(warehouse: Warehouse) -> Iterator[list[str]]:
    """Views of others over the served relation: one on the other, one materialized, one that reads the credit score."""
    warehouse.query("DROP ROLE IF EXISTS reader_in_test, owner_in_test")
    for statement in (
        "CREATE ROLE reader_in_test",
        "CREATE ROLE owner_in_test",
        "CREATE SCHEMA reports",
        "GRANT USAGE, CREATE ON SCHEMA reports TO owner_in_test",
        "GRANT SELECT ON serving.enriched_transactions TO reader_in_test, owner_in_test",
        "CREATE VIEW reports.by_brand WITH (security_barrier) AS SELECT card_brand, sum(amount) AS spent,"
        " sum(transaction_id % 7) AS odd, count(*) FILTER (WHERE merchant_city LIKE 'A%') AS in_a"
        " FROM serving.enriched_transactions GROUP BY 1",
        "COMMENT ON VIEW reports.by_brand IS 'What each brand''s cards spent: 100 %'",
        "COMMENT ON COLUMN reports.by_brand.spent IS 'Dollars'",
        "CREATE VIEW reports.top AS SELECT * FROM reports.by_brand WHERE spent > 0",
        "GRANT SELECT (card_brand) ON reports.top TO reader_in_test",
        "CREATE MATERIALIZED VIEW reports.kept WITH (fillfactor = 70) AS SELECT * FROM reports.by_brand",
        "CREATE UNIQUE INDEX kept_brand ON reports.kept (card_brand)",
        "CREATE VIEW reports.scores WITH (security_barrier) AS SELECT credit_score FROM serving.enriched_transactions",
        "COMMENT ON VIEW reports.scores IS 'Scores'",
        "CREATE VIEW reports.best AS SELECT max(credit_score) AS best FROM reports.scores",
        "GRANT SELECT ON reports.scores, reports.best TO reader_in_test WITH GRANT OPTION",
        "GRANT SELECT ON reports.best TO PUBLIC",
        *(f"ALTER TABLE reports.{name} OWNER TO owner_in_test" for name in ("by_brand", "top", "scores", "best")),
    ):
        warehouse.query(statement)
    yield [f"reports.{name}" for name in ("best", "by_brand", "kept", "scores", "top")]
    warehouse.query("DROP SCHEMA reports CASCADE")
    warehouse.query("DROP OWNED BY reader_in_test, owner_in_test")
    warehouse.query("DROP ROLE reader_in_test, owner_in_test")


def described(warehouse: Warehouse, names: list[str]) -> dict[str, object]:
    return {name: warehouse.query(DESCRIBED, (name,)) for name in names}


def sqlmesh(warehouse: Warehouse, *arguments: str) -> str:
    """What plain `sqlmesh` prints."""
    environ = {**os.environ, **warehouse.settings.child_environment(warehouse.url, {}), "COLUMNS": "2000"}
    environ.pop(lock.HOLDER, None)
    command = [sys.executable, "-c", "from sqlmesh.cli.main import cli; cli()", *arguments]
    environ["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=warehouse.root, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_views_and_grants_of_others_stay(warehouse: Warehouse, others: list[str]) -> None:
    before = described(warehouse, others)
    same = "SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE relnamespace = 'reports'::regnamespace"
    objects = warehouse.query(same)
    change_a_dimension(warehouse)
    warehouse.plan()

    assert described(warehouse, others) == before
    assert warehouse.query(same) == objects, "they were dropped and made again"
    brands = warehouse.query(SPENT)
    assert {brand for brand, _ in brands} >= {"VISA", "MASTERCARD"}
    assert warehouse.query("SELECT card_brand, spent FROM reports.top ORDER BY 1") == brands
    assert warehouse.query(GRANTED, ("serving.enriched_transactions",)) == [(True,)]
    assert warehouse.query(GRANTED, ("facts.fct_transactions",)) == [(False,)]
    warehouse.query("REFRESH MATERIALIZED VIEW CONCURRENTLY reports.kept")
    assert warehouse.query("SELECT card_brand, spent FROM reports.kept ORDER BY 1") == brands
    warehouse.assert_sound()


def test_views_of_others_that_no_longer_fit_are_named_before_and_come_back_with_all_that_was_theirs(
    warehouse: Warehouse, others: list[str]
) -> None:
    before, original = described(warehouse, others), (warehouse.root / ENRICHED).read_text()
    warehouse.edit(ENRICHED, SCORE, ANOTHER_SCORE)
    printed = sqlmesh(warehouse, "plan", "--auto-apply", "--no-prompts", "--skip-tests")

    named = printed.index("reports.scores does not fit the new serving.enriched_transactions")
    assert named < printed.index("reports.best does not fit") < printed.index("Virtual layer updated")
    fits = [name for name in others if name not in ("reports.scores", "reports.best")]
    assert described(warehouse, fits) == {name: before[name] for name in fits}
    assert warehouse.query("SELECT spent FROM reports.kept") == warehouse.query("SELECT spent FROM reports.by_brand")
    assert warehouse.query(GRANTED, ("serving.enriched_transactions",)) == [(True,)]
    lost = status(warehouse.settings)["lost_views"]
    assert [(row["dependent"], row["view"]) for row in lost] == [
        (f"reports.{name}", "serving.enriched_transactions") for name in ("best", "scores")
    ]
    assert "credit_score" in lost[1]["failure"]

    change_a_dimension(warehouse)
    warehouse.plan()  # they are kept through other plans
    (warehouse.root / ENRICHED).write_text(original)
    warehouse.plan()
    assert described(warehouse, others) == before
    assert not status(warehouse.settings)["lost_views"]
    warehouse.assert_sound()


def test_a_view_that_is_forgotten_stays_away(warehouse: Warehouse, others: list[str]) -> None:
    original = (warehouse.root / ENRICHED).read_text()
    warehouse.edit(ENRICHED, SCORE, ANOTHER_SCORE)
    warehouse.plan()
    warehouse.query("DELETE FROM ops.dependents WHERE dependent = 'reports.best'")
    (warehouse.root / ENRICHED).write_text(original)
    warehouse.plan()
    there = warehouse.query("SELECT to_regclass('reports.scores') IS NOT NULL, to_regclass('reports.best') IS NOT NULL")
    assert there == [(True, False)]


def test_a_model_that_goes_takes_views_of_others_with_it_and_brings_them_back(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    model = warehouse.root / "models/serving/served_days.sql"
    text = "MODEL (name serving.served_days, kind VIEW); SELECT date_day::DATE FROM dimensions.dim_dates"
    model.write_text(text)
    warehouse.plan()
    warehouse.query("CREATE SCHEMA reports")
    warehouse.query("CREATE VIEW reports.days AS SELECT max(date_day) FROM serving.served_days")
    days = warehouse.query("SELECT * FROM reports.days")
    model.unlink()
    warehouse.plan()
    assert "reports.days does not fit the new serving.served_days" in caplog.text
    assert warehouse.query("SELECT to_regclass('serving.served_days'), to_regclass('reports.days')") == [(None, None)]
    model.write_text(text)
    warehouse.plan()
    assert warehouse.query("SELECT * FROM reports.days") == days


def test_a_plan_beside_another_run_is_refused(warehouse: Warehouse) -> None:
    change_a_dimension(warehouse)
    with lock.hold(warehouse.url, "somebody else", environ={}):
        with pytest.raises(Exception, match="Another run holds the warehouse's lock") as refused:
            warehouse.plan()
        assert LockHeld.__name__ in repr(refused.value.__cause__) or "lock" in str(refused.value)
    warehouse.plan()
    warehouse.assert_sound()
