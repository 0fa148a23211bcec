"""Decisions outlive whatever is done to what SQLMesh builds: they are in no schema of its own."""

from __future__ import annotations

from revops.desk.decisions import SCHEMA
from tests.end_to_end.changes import change_a_dimension
from tests.end_to_end.warehouse import Warehouse

DECIDED = """
INSERT INTO desk.decisions (decided_by, transaction_id, transacted_at, card_id, score, rule_names, rules, decision)
SELECT 'alice', transaction_id, transacted_at, card_id, 30, 'large', '[]', 'fraud'
FROM serving.enriched_transactions ORDER BY transaction_id LIMIT 3
"""
DECISIONS = "SELECT * FROM desk.decisions ORDER BY decision_id"
STAGED = "SELECT decision_id, decided_by, is_fraud_reviewed FROM {}.stg_decisions ORDER BY decision_id"


def test_a_rebuild_a_promotion_a_rollback_and_the_janitor_leave_decisions_alone(warehouse: Warehouse) -> None:
    warehouse.build()
    warehouse.query(DECIDED)
    before, staged = warehouse.query(DECISIONS), warehouse.query(STAGED.format("staging"))
    assert len(before) == len(staged) == 3
    model = "models/dimensions/dim_users.sql"
    as_it_was = (warehouse.root / model).read_text()

    def assert_there() -> None:
        assert warehouse.query(DECISIONS) == before
        assert warehouse.query(STAGED.format("staging")) == staged
        owner = "SELECT pg_has_role(nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = %s"
        assert warehouse.query(owner, (SCHEMA,)) == [(True,)]

    change_a_dimension(warehouse)
    warehouse.plan("dev")
    assert warehouse.query(STAGED.format("staging__dev")) == staged, "another environment reads the same decisions"
    assert_there()
    warehouse.plan()
    assert_there()
    (warehouse.root / model).write_text(as_it_was)
    warehouse.build()  # back to the version before
    warehouse.invalidate("dev")
    warehouse.janitor(ignore_ttl=True)
    assert_there()
    warehouse.edit(
        "models/staging/stg_decisions.sql", "FROM desk.decisions", "FROM desk.decisions\nWHERE\n  decision_id > 0"
    )
    warehouse.build()
    assert_there()
    warehouse.load(replace=True, prune=True)
    warehouse.build()
    assert_there()
    warehouse.assert_sound()
