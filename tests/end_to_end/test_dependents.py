"""What others hang on the served relations, and who holds the lock, through a plan."""

from __future__ import annotations

import logging

import pytest

from loaders.errors import LockHeld
from revops import lock
from tests.end_to_end.warehouse import Warehouse

DIM_CARDS = "models/dimensions/dim_cards.sql"
ENRICHED = "models/serving/enriched_transactions.sql"
SPENT = "SELECT card_brand, sum(amount) FROM serving.enriched_transactions GROUP BY 1 ORDER BY 1"


def change_a_dimension(warehouse: Warehouse) -> None:
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")


def test_views_and_grants_of_others_come_back(warehouse: Warehouse) -> None:
    warehouse.query("DROP ROLE IF EXISTS reader_in_test")
    warehouse.query("CREATE ROLE reader_in_test")
    try:
        warehouse.query("CREATE SCHEMA reports")
        warehouse.query(
            "CREATE VIEW reports.by_brand AS"
            " SELECT card_brand, sum(amount) AS spent FROM serving.enriched_transactions GROUP BY 1"
        )
        warehouse.query("CREATE VIEW reports.top AS SELECT * FROM reports.by_brand WHERE spent > 0")
        warehouse.query("CREATE MATERIALIZED VIEW reports.kept AS SELECT * FROM reports.by_brand")
        warehouse.query("CREATE UNIQUE INDEX kept_brand ON reports.kept (card_brand)")
        warehouse.query("GRANT SELECT ON serving.enriched_transactions, reports.top TO reader_in_test")

        change_a_dimension(warehouse)
        warehouse.plan()

        brands = warehouse.query(SPENT)
        assert {brand for brand, _ in brands} >= {"VISA", "MASTERCARD"}
        assert warehouse.query("SELECT * FROM reports.by_brand ORDER BY 1") == brands
        assert warehouse.query("SELECT * FROM reports.kept ORDER BY 1") == brands
        assert warehouse.query("SELECT indexname FROM pg_indexes WHERE tablename = 'kept'") == [("kept_brand",)]
        granted = "SELECT has_table_privilege('reader_in_test', %s, 'SELECT')"
        assert warehouse.query(granted, ("serving.enriched_transactions",)) == [(True,)]
        assert warehouse.query(granted, ("reports.top",)) == [(True,)]
        assert warehouse.query(granted, ("facts.fct_transactions",)) == [(False,)]
        assert warehouse.query("SELECT count(*) FROM ops.dependents WHERE restored_at IS NULL") == [(0,)]
    finally:
        warehouse.query("DROP OWNED BY reader_in_test")
        warehouse.query("DROP ROLE reader_in_test")


def test_a_view_that_does_not_fit_any_more_is_named_and_kept(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse.query("CREATE SCHEMA reports")
    warehouse.query("CREATE VIEW reports.scores AS SELECT credit_score FROM serving.enriched_transactions")
    warehouse.query("CREATE VIEW reports.brands AS SELECT card_brand FROM serving.enriched_transactions")
    warehouse.edit(ENRICHED, "clients.credit_score::INT, /*", "clients.credit_score::INT AS fico_score, /*")
    with caplog.at_level(logging.INFO):
        warehouse.plan()
    assert "reports.scores hangs on a view of prod" in caplog.text
    assert "reports.scores does not fit the new serving.enriched_transactions" in caplog.text
    assert warehouse.query("SELECT count(*) > 0 FROM reports.brands") == [(True,)]
    kept = warehouse.query(
        "SELECT statement FROM ops.dependents WHERE dependent = 'reports.scores' AND restored_at IS NULL"
    )
    assert any("credit_score" in statement for (statement,) in kept)


def test_a_plan_beside_another_run_is_refused(warehouse: Warehouse) -> None:
    change_a_dimension(warehouse)
    with lock.hold(warehouse.url, "somebody else", environ={}):
        with pytest.raises(Exception, match="Another run holds the warehouse's lock") as refused:
            warehouse.plan()
        assert LockHeld.__name__ in repr(refused.value.__cause__) or "lock" in str(refused.value)
    warehouse.plan()
    warehouse.assert_sound()
