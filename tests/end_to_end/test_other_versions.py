"""The same on the oldest server that is at hand: one warehouse through the changes of its life, read all the while."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import PROGRAMS_15, RunningServer, fresh_database
from tests.end_to_end.changes import DIM_CARDS, DIM_USERS, FACTS, land_a_new_user
from tests.end_to_end.warehouse import Reader, Warehouse, copy_of_project

OLDEST = 15 if PROGRAMS_15.is_dir() else 16
"""Of PostgreSQL 15, the oldest that is supported, there is no wheel."""


def test_keys_and_what_is_served_survive_every_kind_of_change(
    server_of: Callable[[int], RunningServer], tmp_path: Path
) -> None:
    from generator import generate

    server = server_of(OLDEST)
    with fresh_database(server) as url:
        warehouse = Warehouse(copy_of_project(tmp_path / "project"), url, tmp_path / "data")
        assert warehouse.query("SELECT current_setting('server_version_num')::int / 10000") == [(OLDEST,)]
        generate(warehouse.data, scale=0.0005, seed=11)
        warehouse.load()
        warehouse.build()
        warehouse.assert_sound()
        before = warehouse.served()
        assert before[0] > 0, "nothing of what landed is a fact"
        original = (warehouse.root / DIM_CARDS).read_text()
        with Reader(url) as reader:
            warehouse.edit(
                DIM_USERS,
                "  num_credit_cards::INT",
                "  (num_credit_cards > 3)::BOOLEAN AS has_many_cards, /* Over three */\n  num_credit_cards::INT",
            )
            warehouse.plan()
            warehouse.edit(DIM_CARDS, "card_brand::TEXT, /*", "LOWER(card_brand)::TEXT AS card_brand, /*")
            warehouse.plan("dev")
            warehouse.assert_sound()
            warehouse.plan()
            (warehouse.root / DIM_CARDS).write_text(original)
            warehouse.plan()
            warehouse.edit(FACTS, "staged.amount < 0", "0 > staged.amount")
            warehouse.plan()
            warehouse.plan(restate_models=["dimensions.dim_users"])
            warehouse.refresh("concurrently")
            warehouse.refresh("swap")
            warehouse.invalidate("dev")
            warehouse.janitor(ignore_ttl=True)
            warehouse.assert_sound()
        reader.assert_undisturbed(before)
        land_a_new_user(warehouse)
        warehouse.build()
        warehouse.assert_sound()
        assert warehouse.served()[0] == before[0] + 1
