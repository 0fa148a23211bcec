"""What a build that fails says: the model, the cause, and what prod shows meanwhile."""

from __future__ import annotations

import pytest

from foundation.errors import RevopsError
from tests.end_to_end.changes import DIM_CARDS
from tests.end_to_end.warehouse import Warehouse

SHOWN = "card_brand::TEXT, /*"


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("('95186x' || LEFT(card_brand, 0))::INT::TEXT AS card_brand, /*", 1, "integer: \"95186x\""),
        ("no_such_column::TEXT AS card_brand, /*", 1, 'column "no_such_column" does not exist'),
        ("NULLIF(card_brand, card_brand)::TEXT AS card_brand, /*", 1, "audit not_null failed on"),
        ("PG_TERMINATE_BACKEND(PG_BACKEND_PID())::TEXT AS card_brand, /*", 4, "server closed the connection unexpectedly"),
    ],
)  # fmt: skip
def test_a_model_that_fails_is_named_with_its_cause(warehouse: Warehouse, query: str, code: int, said: str) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_CARDS, SHOWN, query)
    with pytest.raises(RevopsError) as error:
        warehouse.build()
    assert error.value.exit_code == code
    first, *others = str(error.value).splitlines()
    assert "dimensions.dim_cards: " in first
    assert said in first
    assert len(others) == 1
    assert code == 4 or "The views of prod are unchanged. Correct it" in others[0]
    assert warehouse.served() == before


def test_a_lint_rule_is_named_with_model_and_column(warehouse: Warehouse) -> None:
    warehouse.edit("config.yaml", "linter:\n  enabled: false", "linter:\n  enabled: true")
    warehouse.edit(DIM_CARDS, SHOWN, "card_brand, /*")
    with pytest.raises(RevopsError) as error:
        warehouse.build()
    first = str(error.value).splitlines()[0]
    assert "dim_cards.sql" in first
    assert "columnsarecast" in first
    assert "card_brand" in first


def test_a_build_notes_how_long_each_model_took(warehouse: Warehouse) -> None:
    noted = (
        "SELECT model, seconds > 0 FROM ops.durations WHERE environment = 'prod' AND model = 'facts.fct_transactions'"
    )
    assert warehouse.query(noted) == [("facts.fct_transactions", True)]
    warehouse.query("UPDATE ops.durations SET seconds = -1")
    warehouse.query(
        "INSERT INTO ops.changes (relation, starts_on, ends_before, cause)"
        " SELECT 'raw.transactions', day, day + 1, 'landed' FROM (VALUES (date '2015-03-01'), (date '2012-05-01')) AS d (day)"
    )
    warehouse.build()
    assert warehouse.query(noted) == [("facts.fct_transactions", True)]


def test_a_restatement_that_an_audit_stops_does_not_say_that_all_is_as_it_was(warehouse: Warehouse) -> None:
    from contextlib import closing

    from revops import sqlmesh_project

    ((day,),) = warehouse.query(
        "UPDATE raw.transactions SET merchant_city = '4111 1111 1111 1111', _is_regular = false"
        " WHERE ctid = (SELECT min(ctid) FROM raw.transactions) RETURNING left(date, 10)::date"
    )
    failing = pytest.raises(RevopsError, match="audit no_card_numbers failed on 1 row")
    with warehouse.commands(), closing(sqlmesh_project.context(warehouse.settings)) as context, failing as error:
        sqlmesh_project.evaluate(
            context, "prod", sqlmesh_project.versions(context, "prod"), {"facts.fct_transactions": [(day, day)]}, ()
        )
    assert "Tables of prod may hold new rows of the restated days already." in str(error.value)
