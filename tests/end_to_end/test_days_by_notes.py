"""A day that landed after the last plan is built by what that plan noted, and by SQLMesh only where that is not enough."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest

from foundation.errors import CheckFailed
from revops import sqlmesh_project
from tests.end_to_end.changes import purchase, write_purchases
from tests.end_to_end.warehouse import Warehouse


def test_an_audit_that_fails_stops_the_build_and_is_counted(warehouse: Warehouse) -> None:
    ((day,),) = warehouse.query(
        "UPDATE raw.transactions SET merchant_city = '4111 1111 1111 1111', _is_regular = false"
        " WHERE ctid = (SELECT min(ctid) FROM raw.transactions) RETURNING left(date, 10)::date"
    )
    warehouse.query(
        "INSERT INTO ops.changes (relation, starts_on, ends_before, cause)"
        " VALUES ('raw.transactions', %s::date, %s::date + 1, 'landed')",
        (day, day),
    )
    with pytest.raises(CheckFailed) as error:
        warehouse.build()
    assert "facts.fct_transactions: audit no_card_numbers failed on 1 rows" in str(error.value)
    assert "Tables of prod may hold new rows of the restated days already." in str(error.value)
    counted = (
        "SELECT audits_failed FROM ops.audit_history WHERE model = 'facts.fct_transactions' ORDER BY 1 DESC LIMIT 1"
    )
    assert warehouse.query(counted) == [(1,)]


def test_a_build_of_a_day_starts_without_sqlmesh(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    write_purchases(warehouse, "transactions_data_late.csv", purchase(warehouse, 90000001, "2013-05-02"))
    warehouse.load()
    monkeypatch.setattr(sqlmesh_project, "context", MagicMock(side_effect=AssertionError("SQLMesh was asked for")))
    warehouse.build()
    assert warehouse.query("SELECT count(*) FROM serving.enriched_transactions WHERE transaction_id = 90000001") == [
        (1,)
    ]
    warehouse.assert_sound()


def test_a_model_of_a_kind_that_is_not_noted_is_built_by_sqlmesh(warehouse: Warehouse) -> None:
    warehouse.edit("models/dimensions/dim_mcc.sql", "@primary_key(", "ANALYZE raw.mcc_codes;\n\n@primary_key(")
    warehouse.build()
    unknown = "SELECT model FROM ops.models WHERE asks_for_the_time"
    assert warehouse.query(unknown) == [("dimensions.dim_mcc",)]
