"""Plans that would take something from prod's readers are refused before anything changes, and the way named instead works."""

from __future__ import annotations

import pytest

from tests.end_to_end.changes import DIM_CARDS, ENRICHED, FACTS, a_long_transaction, behind
from tests.end_to_end.warehouse import Reader, Warehouse

QUARANTINED = "models/quality/quarantined_transactions.sql"
DIM_MCC = "models/dimensions/dim_mcc.sql"
DIM_USERS = "models/dimensions/dim_users.sql"
LABELS = "models/facts/fct_fraud_labels.sql"
LAST_OF_THE_FACT = "  )::BOOLEAN AS is_refund /*"


def refused(warehouse: Warehouse, *said: str, environment: str = "prod", **options: object) -> None:
    """The plan is refused with these words, before it changed a table, a view or SQLMesh's state."""
    from sqlmesh.utils.errors import SQLMeshError

    before = recorded(warehouse)
    with pytest.raises(SQLMeshError) as error:
        warehouse.plan(environment, **options)
    for words in said:
        assert words in str(error.value)
    assert recorded(warehouse) == before


def recorded(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """All relations with their columns, and what SQLMesh knows of versions, environments and days."""
    return warehouse.query(
        "SELECT attrelid::regclass::text, string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attnum)"
        " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'v', 'm', 'p')"
        " AND relnamespace::regnamespace::text !~ '^(pg_|information_schema|raw|ops)'"
        " GROUP BY 1 UNION ALL SELECT 'snapshot', name || ' ' || identifier FROM sqlmesh._snapshots"
        " UNION ALL SELECT 'environment', name || ' ' || plan_id FROM sqlmesh._environments"
        " UNION ALL SELECT 'interval', name || ' ' || id FROM sqlmesh._intervals ORDER BY 1, 2"
    )


def test_a_column_is_added_forward_only_around_a_long_transaction(warehouse: Warehouse) -> None:
    table = f'sqlmesh__facts."{behind(warehouse, "facts", "fct_transactions")}"'
    facts = "SELECT count(*), sum(amount) FROM facts.fct_transactions"
    seen = warehouse.query(facts)[0]
    add_a_column(warehouse)
    with (
        Reader(warehouse.url, query=facts) as reader,
        a_long_transaction(warehouse, "facts.fct_transactions", awaited=table) as waited,
    ):
        warehouse.plan(forward_only=True)
    assert waited, "nothing had to wait for the long transaction: it tested nothing"
    reader.assert_undisturbed(seen)
    assert f'sqlmesh__facts."{behind(warehouse, "facts", "fct_transactions")}"' == table
    assert warehouse.query("SELECT count(*) FROM facts.fct_transactions WHERE is_check IS NOT NULL") == [(0,)]
    warehouse.build()
    warehouse.assert_sound()


def test_a_column_is_not_removed_forward_only(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(
        DIM_USERS, "per_capita_income::DECIMAL(12, 2), /*", "per_capita_income::DECIMAL(12, 2) AS income, /*"
    )
    warehouse.edit(
        ENRICHED, "clients.per_capita_income::DECIMAL(12, 2)", "clients.income::DECIMAL(12, 2) AS per_capita_income"
    )
    with Reader(warehouse.url) as reader:
        refused(
            warehouse,
            "dimensions.dim_users (column per_capita_income)",
            "serving.enriched_transactions (its query)",
            "without --forward-only",
            forward_only=True,
        )
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_type_is_not_changed_forward_only(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_USERS, "  num_credit_cards::INT", "  num_credit_cards::BIGINT AS num_credit_cards")
    with Reader(warehouse.url) as reader:
        refused(warehouse, "dimensions.dim_users", "num_credit_cards", "without --forward-only", forward_only=True)
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_what_is_served_from_a_materialized_view_is_not_changed_forward_only(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(ENRICHED, "cards.card_brand::TEXT, /*", "LOWER(cards.card_brand)::TEXT AS card_brand, /*")
    with Reader(warehouse.url) as reader:
        refused(warehouse, "serving.enriched_transactions", "without --forward-only", forward_only=True)
        warehouse.plan()
    reader.assert_undisturbed(before)
    assert warehouse.query("SELECT bool_and(card_brand = lower(card_brand)) FROM serving.enriched_transactions") == [
        (True,)
    ]
    warehouse.assert_sound()


def test_a_kind_that_is_forward_only_is_refused_too_and_its_removal_is_the_way(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(FACTS, "time_column transacted_at", "time_column transacted_at,\n    forward_only TRUE")
    warehouse.edit(FACTS, "staged.amount::DECIMAL(12, 2)", "staged.amount::DECIMAL(14, 3) AS amount")
    with Reader(warehouse.url) as reader:
        refused(
            warehouse, "facts.fct_transactions", "amount", "forward_only in the model's kind",
            allow_destructive_models=["facts.fct_transactions"],
        )  # fmt: skip
        warehouse.edit(FACTS, ",\n    forward_only TRUE", "")
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_forward_only_change_that_was_tried_elsewhere_is_refused_with_its_way(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_USERS, "  num_credit_cards::INT", "  num_credit_cards::BIGINT AS num_credit_cards")
    warehouse.plan("dev", forward_only=True)
    with Reader(warehouse.url) as reader:
        refused(warehouse, "dimensions.dim_users", "num_credit_cards", "sqlmesh invalidate", "sqlmesh janitor")
        warehouse.invalidate("dev")
        warehouse.janitor(ignore_ttl=True)
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


@pytest.mark.parametrize("option", ["skip_backfill", "empty_backfill"])
def test_prod_is_not_promoted_to_tables_that_nothing_filled(warehouse: Warehouse, option: str) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
    with Reader(warehouse.url) as reader:
        flag = f"--{option.replace('_', '-')}"
        refused(warehouse, "dimensions.dim_cards", flag, **{option: True})
        refused(warehouse, "dimensions.dim_cards", flag, **{option: True}, no_gaps=True)
        warehouse.plan("dev", **{option: True})
        assert warehouse.query("SELECT count(*) FROM dimensions__dev.dim_cards") == [(0,)]
        if option == "empty_backfill":
            refused(warehouse, "dimensions.dim_cards", "--restate-model")
            warehouse.plan("dev", restate_models=["dimensions.dim_cards"], start="2000-01-01")
        warehouse.plan()
    reader.assert_undisturbed(before)
    shown = "SELECT bool_and(card_brand = upper(card_brand)) FROM serving.enriched_transactions"
    assert warehouse.query(shown) == [(True,)]
    warehouse.assert_sound()


def test_a_backfill_may_be_skipped_where_nothing_new_is_served(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(FACTS, "@index(mcc, transacted_at);\n", "@index(merchant_id);\n")
    with Reader(warehouse.url) as reader:
        warehouse.plan(skip_backfill=True)
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_table_that_has_no_rows_because_there_are_none_is_promoted(warehouse: Warehouse) -> None:
    (warehouse.data / "train_fraud_labels.json").unlink()
    warehouse.load(prune=True, partial=True)
    warehouse.build()
    warehouse.edit(LABELS, "is_fraud::BOOLEAN /*", "(NOT NOT is_fraud)::BOOLEAN AS is_fraud /*")
    warehouse.plan("dev")
    warehouse.plan()
    assert warehouse.served()[2] == 0


@pytest.mark.parametrize("environment", ["prod", "dev"])
def test_a_breaking_change_of_a_plan_that_failed_is_not_overlooked(warehouse: Warehouse, environment: str) -> None:
    from sqlmesh.utils.errors import SQLMeshError

    table = behind(warehouse, "facts", "fct_transactions")
    quarantined = (warehouse.root / QUARANTINED).read_text()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
    warehouse.edit(QUARANTINED, "reason::TEXT, /*", "(reason::TEXT || (1 / 0)::TEXT)::TEXT AS reason, /*")
    with pytest.raises(SQLMeshError):
        warehouse.plan()
    (warehouse.root / QUARANTINED).write_text(quarantined)
    codes = (warehouse.root / DIM_MCC).read_text()
    with_a_column = codes.replace(
        "  mcc_description::TEXT", "  (mcc > 5000)::BOOLEAN AS is_high, /* */\n  mcc_description::TEXT"
    )
    (warehouse.root / DIM_MCC).write_text(with_a_column)
    refused(warehouse, "facts.fct_transactions", "dimensions.dim_cards", "by itself first", environment=environment)
    (warehouse.root / DIM_MCC).write_text(codes)
    warehouse.plan()
    (warehouse.root / DIM_MCC).write_text(with_a_column)
    warehouse.plan()
    assert behind(warehouse, "facts", "fct_transactions") != table, "it was not rebuilt for the change of the cards"
    assert warehouse.query("SELECT count(*) > 0 FROM dimensions.dim_mcc WHERE is_high") == [(True,)]
    warehouse.assert_sound()


def add_a_column(warehouse: Warehouse) -> None:
    warehouse.edit(
        FACTS,
        LAST_OF_THE_FACT,
        "  )::BOOLEAN AS is_refund, /* Whether money went back */\n  (staged.amount = 0)::BOOLEAN AS is_check /*",
    )
