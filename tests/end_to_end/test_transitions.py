"""Keys, indexes and what is served, through everything that SQLMesh does to a model; a reader polls all the while."""

from __future__ import annotations

import shutil

import pytest

from tests.end_to_end.changes import DIM_CARDS, DIM_USERS, ENRICHED, FACTS, behind, land_a_new_user
from tests.end_to_end.warehouse import ROOT, Reader, Warehouse

STAGED = "models/staging/stg_transactions.sql"
FRESHNESS = "models/serving/data_freshness.sql"


def test_the_first_build_declares_keys_and_serves(warehouse: Warehouse) -> None:
    warehouse.assert_sound()


def test_a_second_build_changes_nothing(warehouse: Warehouse) -> None:
    before = warehouse.served()
    parts = warehouse.query("SELECT count(*) FROM ops.refresh_history")
    with Reader(warehouse.url) as reader:
        warehouse.build()
    reader.assert_undisturbed(before)
    assert warehouse.query("SELECT count(*) FROM ops.refresh_history") == parts
    warehouse.assert_sound()


@pytest.mark.parametrize(
    "model", ["staging.stg_users", "dimensions.dim_cards", "facts.fct_transactions", "facts.fct_fraud_labels"]
)
def test_a_restatement(warehouse: Warehouse, model: str) -> None:
    before = warehouse.served()
    with Reader(warehouse.url) as reader:
        warehouse.plan(restate_models=[model], start="2015-01-01", end="2015-12-31")
        warehouse.build()  # the days around the range, of which rows read days of the range
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_non_breaking_change_of_a_dimension_moves_the_foreign_key_with_it(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(
        DIM_USERS,
        "  num_credit_cards::INT",
        "  (num_credit_cards > 3)::BOOLEAN AS has_many_cards, /* Over three */\n  num_credit_cards::INT",
    )
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()
    land_a_new_user(warehouse)
    warehouse.build()
    warehouse.assert_sound()


def test_a_breaking_change_of_a_dimension(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(before)
    assert warehouse.query("SELECT bool_and(card_brand = upper(card_brand)) FROM serving.enriched_transactions") == [
        (True,)
    ]
    warehouse.assert_sound()


def test_a_breaking_change_of_the_fact(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(FACTS, "staged.channel::TEXT", "UPPER(staged.channel)::TEXT AS channel")
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_breaking_change_of_a_staging_view(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(
        STAGED,
        "@error_text(landed.errors, landed._is_regular) AS errors,",
        "UPPER(@error_text(landed.errors, landed._is_regular)) AS errors,",
    )
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_change_of_a_seed(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(
        "seeds/us_states.csv", "PR,Puerto Rico,territory\n", "PR,Puerto Rico,territory\nXX,Somewhere,territory\n"
    )
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_forward_only_change_of_the_fact(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(
        FACTS,
        "  )::BOOLEAN AS is_refund /*",
        "  )::BOOLEAN AS is_refund, /* Whether money went back */\n  (staged.amount = 0)::BOOLEAN AS is_check /*",
    )
    with Reader(warehouse.url) as reader:
        warehouse.plan(forward_only=True)
        assert is_built(warehouse) is False, "rows that are there have no value in the new column"
        warehouse.build()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()
    assert warehouse.query("SELECT count(*) FROM facts.fct_transactions WHERE is_check IS NULL") == [(0,)]


def test_a_new_index_is_built_without_rebuilding_the_table_and_an_old_one_goes(warehouse: Warehouse) -> None:
    table = behind(warehouse, "facts", "fct_transactions")
    warehouse.edit(
        FACTS, "@index(mcc, transacted_at);\n", "@index(merchant_id, include := (amount), where := amount > 0);\n"
    )
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(warehouse.served())
    assert behind(warehouse, "facts", "fct_transactions") == table
    definitions = " ".join(
        row[0] for row in warehouse.query("SELECT indexdef FROM pg_indexes WHERE tablename = %s", (table,))
    )
    assert "(merchant_id) INCLUDE (amount) WHERE (amount > (0)::numeric)" in definitions
    assert "(mcc, transacted_at)" not in definitions
    warehouse.assert_sound()


def test_a_new_index_on_what_is_served_is_built_on_every_part_and_an_old_one_goes(warehouse: Warehouse) -> None:
    before = warehouse.served()
    parts = warehouse.query("SELECT matviewname FROM pg_matviews ORDER BY 1")
    warehouse.edit(ENRICHED, "@index(card_id, transacted_at)", "@index(merchant_id, include := (amount))")
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(before)
    assert warehouse.query("SELECT matviewname FROM pg_matviews ORDER BY 1") == parts
    count = "SELECT count(*) FROM pg_indexes WHERE tablename ~ '__mv_' AND indexdef ~ %s"
    assert warehouse.query(count, (r"\(merchant_id\) INCLUDE \(amount\)",)) == [(len(parts),)]
    assert warehouse.query(count, (r"\(card_id, transacted_at\)",)) == [(0,)]
    warehouse.assert_sound()


def test_a_dev_environment_gets_its_own_view_and_its_promotion_is_served(warehouse: Warehouse) -> None:
    before = warehouse.served()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "LOWER(card_brand)::TEXT AS card_brand, /*")
    with Reader(warehouse.url) as reader:
        warehouse.plan("dev")
        assert warehouse.query(
            "SELECT count(*), sum(amount), count(is_fraud) FROM serving__dev.enriched_transactions"
        ) == [before]
        shown = "SELECT DISTINCT card_brand = lower(card_brand) FROM {}.enriched_transactions"
        assert warehouse.query(shown.format("serving__dev")) == [(True,)]
        assert warehouse.query(shown.format("serving")) == [(False,)]
        warehouse.assert_sound()
        warehouse.plan()
        assert warehouse.query(shown.format("serving")) == [(True,)]
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_dev_plan_that_shares_tables_does_not_refuse_prods_next_user(warehouse: Warehouse) -> None:
    warehouse.edit(
        DIM_USERS,
        "  num_credit_cards::INT",
        "  (num_credit_cards > 3)::BOOLEAN AS has_many_cards, /* Over three */\n  num_credit_cards::INT",
    )
    warehouse.plan("dev")
    warehouse.assert_sound()
    warehouse.edit(DIM_USERS, "  (num_credit_cards > 3)::BOOLEAN AS has_many_cards, /* Over three */\n", "")
    land_a_new_user(warehouse)
    warehouse.build()
    warehouse.assert_sound()


def test_a_rollback_serves_the_earlier_version_again(warehouse: Warehouse) -> None:
    before = warehouse.served()
    original = (warehouse.root / DIM_CARDS).read_text()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
    warehouse.plan()
    (warehouse.root / DIM_CARDS).write_text(original)
    with Reader(warehouse.url) as reader:
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


@pytest.mark.parametrize("ignore_ttl", [False, True])
def test_the_janitor_takes_no_key_away(warehouse: Warehouse, ignore_ttl: bool) -> None:
    before = warehouse.served()
    warehouse.edit(
        DIM_USERS,
        "  num_credit_cards::INT",
        "  (num_credit_cards > 3)::BOOLEAN AS has_many_cards, /* Over three */\n  num_credit_cards::INT",
    )
    warehouse.plan("dev")
    warehouse.plan()
    warehouse.invalidate("dev")
    with Reader(warehouse.url) as reader:
        warehouse.janitor(ignore_ttl)
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_a_plan_that_failed_half_way_and_was_run_again(warehouse: Warehouse) -> None:
    from sqlmesh.utils.errors import SQLMeshError

    before = warehouse.served()
    warehouse.edit(FACTS, "staged.channel::TEXT", "UPPER(staged.channel)::TEXT AS channel")
    warehouse.edit(
        "models/quality/quarantined_transactions.sql",
        "reason::TEXT, /*",
        "(reason::TEXT || (1 / 0)::TEXT)::TEXT AS reason, /*",
    )
    warehouse.edit(
        ENRICHED,
        "cards.card_brand::TEXT, /*",
        "(cards.card_brand || (1 / (facts.mcc - facts.mcc))::TEXT)::TEXT AS card_brand, /*",
    )
    with Reader(warehouse.url) as reader:
        with pytest.raises(SQLMeshError):
            warehouse.plan()
        assert warehouse.served() == before
        warehouse.edit(
            "models/quality/quarantined_transactions.sql",
            "(reason::TEXT || (1 / 0)::TEXT)::TEXT AS reason, /*",
            "reason::TEXT, /*",
        )
        warehouse.edit(
            ENRICHED,
            "(cards.card_brand || (1 / (facts.mcc - facts.mcc))::TEXT)::TEXT AS card_brand, /*",
            "cards.card_brand::TEXT, /*",
        )
        warehouse.plan()
    reader.assert_undisturbed(before)
    warehouse.assert_sound()


def test_parts_that_a_failed_plan_had_built_make_way_for_the_next_one(warehouse: Warehouse) -> None:
    from sqlmesh.utils.errors import SQLMeshError

    def parts() -> int:
        return int(warehouse.query("SELECT count(*) FROM pg_matviews")[0][0])

    before, served = parts(), warehouse.served()
    shown = "cards.card_brand::TEXT, /*"
    fails_in_2019 = (
        "(cards.card_brand || (1 / (EXTRACT(YEAR FROM facts.transacted_on) - 2019))::TEXT)::TEXT AS card_brand, /*"
    )
    warehouse.edit(ENRICHED, shown, fails_in_2019)
    left = []
    for _ in range(2):
        with pytest.raises(SQLMeshError):
            warehouse.plan()
        left.append(parts())
        assert warehouse.served() == served
    assert before < left[0] < 2 * before, "some were to be built before one failed"
    assert left[1] < 2 * before, "what the first had left is still there"
    warehouse.edit(
        ENRICHED, fails_in_2019, shown.replace("cards.card_brand::TEXT", "LOWER(cards.card_brand)::TEXT AS card_brand")
    )
    warehouse.plan()
    assert parts() == before
    warehouse.assert_sound()


def test_nothing_materialized_is_left_over(warehouse: Warehouse) -> None:
    def parts() -> int:
        return int(warehouse.query("SELECT count(*) FROM pg_matviews")[0][0])

    before = parts()
    warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*")
    warehouse.plan("dev")
    assert parts() == 2 * before
    warehouse.plan()
    assert parts() == before
    warehouse.invalidate("dev")
    warehouse.plan()
    assert parts() == before


def test_a_change_of_one_day_refreshes_one_part(warehouse: Warehouse) -> None:
    day = warehouse.query("SELECT min(transacted_on) FROM facts.fct_transactions WHERE transacted_on >= '2014-05-01'")[
        0
    ][0]
    warehouse.query("SELECT 1")
    refreshed = "SELECT part FROM ops.refresh_history WHERE refresh_id > %s ORDER BY part"
    (last,) = warehouse.query("SELECT max(refresh_id) FROM ops.refresh_history")[0]
    warehouse.plan(restate_models=["facts.fct_transactions"], start=str(day), end=str(day))
    assert warehouse.query(refreshed, (last,)) == [("2014q2",)]


@pytest.mark.parametrize("forward_only", [False, True])
def test_a_view_is_read_while_a_table_that_it_reads_changes(warehouse: Warehouse, forward_only: bool) -> None:
    shutil.copy2(ROOT / FRESHNESS, warehouse.root / FRESHNESS)
    warehouse.plan()
    asked = "SELECT count(*), max(last_transaction_on)::text FROM serving.data_freshness"
    before = warehouse.query(asked)[0]
    warehouse.edit(
        "models/facts/fct_outcomes.sql",
        "  labels.is_fraud::BOOLEAN /*",
        "  (facts.amount = 0)::BOOLEAN AS is_check, /* Whether it only asked */\n  labels.is_fraud::BOOLEAN /*",
    )
    with Reader(warehouse.url, query=asked) as reader:
        warehouse.plan(forward_only=forward_only)
    reader.assert_undisturbed(before)
    table = behind(warehouse, "facts", "fct_outcomes")
    ((view,),) = warehouse.query(
        "SELECT pg_get_viewdef(format('sqlmesh__serving.%%I', table_name)::regclass)"
        " FROM information_schema.view_table_usage WHERE view_schema = 'serving' AND view_name = %s",
        ("data_freshness",),
    )
    assert table in view, "it reads the table of another version"


def is_built(warehouse: Warehouse) -> bool:
    """Whether `revops verify` finds nothing that is out of date."""
    return {result.name: result.passed for result in warehouse.verify()}["all that landed is built"]
