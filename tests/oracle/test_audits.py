"""Audits of sums and of the star's keys are silent about a built warehouse, and each sees what it is for."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from tests.conftest import RunningServer
from tests.oracle import built

AUDIT = "sums_agree"
OF_KEYS = "holds_every_key_of"
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
# No scorecard is trained there: its rows are compared in tests/revops/scoring.
EMPTY = {"serving.scorecards"}
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


@pytest.fixture(scope="module")
def audits_of_keys(server: RunningServer) -> tuple[built.Built, dict[str, tuple[str, str, str]]]:
    """Of each dimension of the star: the audit's query, the table of the report that has all keys, and its column."""
    from revops import sqlmesh_project

    warehouse = built.generated(server)
    found = {}
    with warehouse.as_revops() as settings, closing(sqlmesh_project.context(settings)) as context:
        prod = {info.name: info for info in context.state_reader.get_environment("prod").snapshots}
        snapshots = {s.name: s for s in context.state_reader.get_snapshots(list(prod.values())).values()}
        tables = {s.model.name: s.table_name() for s in snapshots.values() if s.is_model}
        for snapshot in snapshots.values():
            for audit, arguments in snapshot.model.audits_with_args if snapshot.is_model else []:
                if audit.name == OF_KEYS:
                    query = snapshot.model.render_audit_query(audit, snapshots=snapshots, **DAYS, **arguments)
                    holder = tables[arguments["holder"].sql("postgres")]
                    found[snapshot.model.name] = (query.sql("postgres"), holder, arguments["column"].name)
    return warehouse, found


def test_a_key_without_its_row_in_the_dimension_is_seen(
    audits_of_keys: tuple[built.Built, dict[str, tuple[str, str, str]]],
) -> None:
    warehouse, found = audits_of_keys
    assert {model.partition(".")[2] for model in found} == {
        "dim_card", "dim_category", "dim_client", "dim_date", "dim_merchant", "dim_place",
    }  # fmt: skip
    unknown = {"transacted_on": "DATE '1999-01-01'", "place": "'Nowhere'"}
    with closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
        for model, (query, holder, column) in found.items():
            cursor.execute(query)
            assert cursor.fetchall() == [], model
            cursor.execute(
                f"UPDATE {holder} SET {column} = {unknown.get(column, '-1')}"
                f" WHERE ctid = (SELECT min(ctid) FROM {holder})"
            )
            assert cursor.rowcount == 1
            cursor.execute(query)
            assert len(cursor.fetchall()) == 1, model
            connection.rollback()


def test_sums_agree_in_a_built_warehouse(audits: tuple[built.Built, Audits]) -> None:
    warehouse, found = audits
    assert len(found) > 10
    assert {model: len(warehouse.rows(query)) for model, (query, _) in found.items()} == dict.fromkeys(found, 0)


def test_a_row_that_is_missing_is_seen(audits: tuple[built.Built, Audits]) -> None:
    warehouse, found = audits
    connection = psycopg2.connect(warehouse.url)
    silent = []
    try:
        for model in found.keys() - EMPTY:
            query, table = found[model]
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
