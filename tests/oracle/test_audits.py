"""The audits of sums are silent about a built warehouse, and each sees that a row is missing."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from tests.conftest import RunningServer
from tests.oracle import built

AUDIT = "sums_agree"
DAYS = {"start": "2000-01-01", "end": "2019-12-31", "execution_time": "2020-01-02"}
# Not every row of these is in a sum.
COUNTED = {
    "serving.active_clients": "period_kind = 'month' AND active_cards > 0",
    "serving.alert_capacity": "cards_a_day = 100",
    "serving.card_lifecycle": "is_used",
    "serving.client_cohorts": "active_clients > 0",
    "serving.client_value": "transaction_count > 0",
    "serving.decline_analysis": "decline_reason = 'Any error'",
    "serving.network_monitors": "event_count > 0",
    "serving.rule_overlap": "other_rule_name = 'all'",
    "serving.seasonality": "settled_count > 0",
}
Audits = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def audits(server: RunningServer) -> tuple[built.Built, Audits]:
    """Of each model with the audit: its query, and the model's own table."""
    from revops import sqlmesh_project

    warehouse = built.generated(server)
    found: Audits = {}
    with warehouse.as_revops() as settings, closing(sqlmesh_project.context(settings)) as context:
        prod = {info.name: info for info in context.state_reader.get_environment("prod").snapshots}
        snapshots = {s.name: s for s in context.state_reader.get_snapshots(list(prod.values())).values()}
        for snapshot in snapshots.values():
            for audit, arguments in snapshot.model.audits_with_args if snapshot.is_model else []:
                if audit.name == AUDIT:
                    query = snapshot.model.render_audit_query(audit, snapshots=snapshots, **DAYS, **arguments)
                    found[snapshot.model.name] = (query.sql("postgres"), snapshot.table_name())
    return warehouse, found


def test_sums_agree_in_a_built_warehouse(audits: tuple[built.Built, Audits]) -> None:
    warehouse, found = audits
    assert len(found) > 10
    assert {model: len(warehouse.rows(query)) for model, (query, _) in found.items()} == dict.fromkeys(found, 0)


def test_a_row_that_is_missing_is_seen(audits: tuple[built.Built, Audits]) -> None:
    warehouse, found = audits
    connection = psycopg2.connect(warehouse.url)
    silent = []
    try:
        for model, (query, table) in found.items():
            with connection.cursor() as cursor:
                counted = COUNTED.get(model, "TRUE")
                cursor.execute(f"DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table} WHERE {counted})")
                assert cursor.rowcount == 1
                cursor.execute(query)
                silent += [model] if cursor.fetchone() is None else []
            connection.rollback()
    finally:
        connection.close()
    assert silent == []
