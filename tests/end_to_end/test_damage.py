"""What `revops verify` says of a warehouse that was damaged behind its back: which invariant fails, and where."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from revops.ledger.models import noted_nodes
from revops.status import status
from revops.verify import Result, rows, verify_and_note
from revops.verify.models import Model
from revops.verify.written import RUNS, share
from tests.conftest import RunningServer
from tests.end_to_end.changes import keep_clients, purchase, write_purchases
from tests.end_to_end.conftest import NAME, recreate
from tests.end_to_end.warehouse import Warehouse, copy_of_project

WHOLE = "warehouse_whole"
EXPECTED = {
    "files = raw + rejects",
    "raw = facts + quarantine",
    "facts = served",
    "labels agree",
    "no bytes landed twice",
    "all that landed is built",
    "keys and indexes as declared",
    "served from materialized views",
    "views show what they should",
    "rows as their models make them",
    "no card data",
    "analysts read serving only",
}


@pytest.fixture(scope="module")
def whole(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The whole project, built of a small set with an orphan, a duplicate, an unreadable row and a reject."""
    from generator import generate

    data = tmp_path_factory.mktemp("whole") / "data"
    data.mkdir()
    generate(data, scale=0.002, seed=5)
    keep_clients(data, 150)
    transactions = data / "transactions_data.csv"
    lines = transactions.read_text().splitlines()
    first = lines[1].split(",")
    orphan = ["900000001", first[1], "99999999", *first[3:]]
    twice = [first[0], first[1], *first[2:4], "$12.34", *first[5:]]
    unreadable = ["900000002", first[1], *first[2:4], "much", *first[5:]]
    transactions.write_text("\n".join([*lines, *map(",".join, (orphan, twice, unreadable)), "900000003,broken"]) + "\n")
    labels = data / "train_fraud_labels.json"
    labelled = json.loads(labels.read_text())
    known = [line.split(",")[0] for line in lines[1:40]]
    labelled["target"].update({known[7]: "Yes", known[8]: "No", "99999999999": "Yes"})
    labels.write_text(json.dumps(labelled))
    recreate(server, NAME, "template0")
    root = copy_of_project(tmp_path_factory.mktemp("whole_project") / "project", whole=True)
    warehouse = Warehouse(root, server.database(NAME), data)
    warehouse.load()
    warehouse.build()
    recreate(server, WHOLE, NAME)
    yield warehouse
    recreate(server, WHOLE, "template0")


@pytest.fixture
def damaged(whole: Warehouse, server: RunningServer) -> Warehouse:
    """A copy of the whole warehouse to damage."""
    recreate(server, NAME, WHOLE)
    return whole


def of_table(model: str, statement: str) -> str:
    """A statement on the physical table behind a model, where it says {}."""
    table = f"(SELECT relation FROM ops.declarations WHERE model = '{model}')"
    return f"DO $do$ BEGIN EXECUTE replace($sql${statement}$sql$, '{{}}', {table}); END $do$"


def one(relation: str, change: str, where: str = "TRUE", key: str = "ctid") -> str:
    """A change of one row."""
    return f"UPDATE {relation} SET {change} WHERE {key} = (SELECT min({key}) FROM {relation} WHERE {where})"


def changed(model: str, change: str, where: str = "TRUE") -> str:
    """A change of one row of the table behind a model."""
    return of_table(model, one("{}", change, where))


def exchanged(model: str, column: str, key: str, among: str = "TRUE") -> str:
    """Two rows of a model, with different values, exchange them: no sum and no count changes."""
    return of_table(
        model,
        f"""
        WITH first AS (SELECT {key} AS k, {column} AS v FROM {{}} WHERE {among} ORDER BY {key} LIMIT 1),
        second AS (SELECT t.{key} AS k, t.{column} AS v FROM {{}} AS t, first
                   WHERE t.{column} IS DISTINCT FROM first.v AND ({among}) ORDER BY t.{key} LIMIT 1)
        UPDATE {{}} AS t SET {column} = CASE t.{key} WHEN first.k THEN second.v ELSE first.v END
        FROM first, second WHERE t.{key} IN (first.k, second.k)
        """,
    )


def emptied(model: str) -> str:
    """All rows of a model are gone."""
    return of_table(model, "DELETE FROM {}")


def month_deleted(model: str, column: str) -> str:
    """All rows of the last month of a model are gone."""
    last = f"(SELECT date_trunc('month', max({column})) FROM {{}})"
    return of_table(model, f"DELETE FROM {{}} WHERE date_trunc('month', {column}) = {last}")


def doubled(model: str, column: str, value: str) -> str:
    """A row more: another one's, with another key."""
    return of_table(
        model,
        f"INSERT INTO {{}} SELECT (jsonb_populate_record(t, jsonb_build_object('{column}', {value}))).*"
        " FROM {} AS t LIMIT 1",
    )


def pointed_at(view: str, query: str) -> str:
    """A served view shows something else: {} is the table behind it."""
    return of_table(view, f"CREATE OR REPLACE VIEW {view} AS {query}")


REPORTS = {
    "serving.active_clients": "active_cards",
    "serving.alert_capacity": "reviewed_cards",
    "serving.authorisation": "lost_volume",
    "serving.card_lifecycle": "estimated_lifetime_value",
    "serving.card_risk": "labelled_count",
    "serving.client_activity": "transaction_count",
    "serving.client_cohorts": "lost_clients",
    "serving.client_value": "estimated_interchange",
    "serving.daily_revenue": "estimated_interchange",
    "serving.decline_analysis": "declined_amount",
    "serving.fraud_by_card_age": "labelled_count",
    "serving.fraud_by_channel_month": "fraud_rate_bp",
    "serving.fraud_by_geography": "labelled_count",
    "serving.fraud_by_hour": "vampire_index",
    "serving.fraud_by_merchant_category": "fraud_loss",
    "serving.fraud_runs": "loss_after_alert",
    "serving.issuer_revenue": "estimated_labelled_margin",
    "serving.issuer_revenue_by_place": "estimated_labelled_margin",
    "serving.merchant_risk": "transaction_count",
    "serving.monthly_executive_summary": "settled_volume",
    "serving.revenue_by_merchant_category": "average_ticket",
    "serving.revenue_by_state": "active_clients",
    "serving.rule_overlap": "share_bp",
    "serving.rule_performance": "precision_bp",
    "serving.seasonality": "settled_count_index_35d",
}

DAMAGES: dict[str, tuple[str, str]] = {
    # what landed
    "raw amount": (one("raw.transactions", "amount = '$0.77'", "_is_regular", "id"), "transactions_data.csv"),
    "raw state": (
        one("raw.transactions", "merchant_state = 'HI'", "merchant_state = 'CA'", "id"),
        "facts.fct_transactions",
    ),
    "raw time": (
        one("raw.transactions", "date = overlay(date placing '23:58' from 12)", "_is_regular", "id"),
        "facts.fct_transactions",
    ),
    "raw amounts exchanged": (
        """
        WITH first AS (SELECT id AS k, amount AS v FROM raw.transactions WHERE _is_regular ORDER BY id LIMIT 1),
        second AS (SELECT t.id AS k, t.amount AS v FROM raw.transactions AS t, first WHERE t._is_regular AND t.amount <> first.v
                   ORDER BY t.id DESC LIMIT 1)
        UPDATE raw.transactions AS t SET amount = CASE t.id WHEN first.k THEN second.v ELSE first.v END
        FROM first, second WHERE t.id IN (first.k, second.k)
        """,
        "facts.fct_transactions",
    ),
    "raw row deleted": (
        "DELETE FROM raw.transactions WHERE id = (SELECT max(id) FROM raw.transactions)",
        "transactions_data.csv",
    ),
    "raw label flipped": (
        one("raw.fraud_labels", "is_fraud = 'Yes'", "is_fraud = 'No'", "transaction_id"),
        "facts.fct_fraud_labels",
    ),
    "raw user": (one("raw.users", "gender = 'Other'", key="id"), "dimensions.dim_users"),
    "raw card": (one("raw.cards", "card_brand = 'Diners'", key="id"), "dimensions.dim_cards"),
    "raw category": (one("raw.mcc_codes", "description = 'Other'", key="mcc"), "dimensions.dim_mcc"),
    "superseded row forgotten": ("DELETE FROM raw.superseded_rows", "quality.quarantined_transactions"),
    "superseded row invented": (
        "INSERT INTO raw.superseded_rows SELECT 'transactions', _file_id, min(_line_number) + 50 FROM raw.transactions"
        " WHERE _is_regular GROUP BY 2",
        "transactions",
    ),
    "reject missing": ("DELETE FROM ops.rejected_rows", "transactions_data.csv"),
    "manifest's rows": (
        "UPDATE ops.load_files SET rows_read = rows_read + 1, rows_loaded = rows_loaded + 1 WHERE relation = 'users'",
        "users_data.csv",
    ),
    "manifest's dollars": (
        "UPDATE ops.load_files SET amount_sum = amount_sum + 0.01 WHERE relation = 'transactions'",
        "transactions_data.csv",
    ),
    "manifest's keys": (
        "UPDATE ops.load_files SET highest_key = highest_key - 1 WHERE relation = 'fraud_labels'",
        "train_fraud_labels.json",
    ),
    "file forgotten": ("DELETE FROM ops.load_files WHERE relation = 'mcc_codes'", "in raw, but never landed"),
    # facts
    "fact's amount": (changed("facts.fct_transactions", "amount = amount + 1"), "facts.fct_transactions"),
    "facts' amounts exchanged": (
        exchanged("facts.fct_transactions", "amount", "transaction_id"),
        "facts.fct_transactions",
    ),
    "fact's state": (changed("facts.fct_transactions", "merchant_state = 'HI'"), "facts.fct_transactions"),
    "fact's country": (changed("facts.fct_transactions", "merchant_country = 'Italy'"), "facts.fct_transactions"),
    "fact's minute": (
        changed("facts.fct_transactions", "transacted_at = transacted_at + interval '1 minute'"),
        "facts.fct_transactions",
    ),
    "fact's day": (
        changed(
            "facts.fct_transactions",
            "transacted_at = transacted_at + interval '1 day', transacted_on = transacted_on + 1",
        ),
        "facts.fct_transactions",
    ),
    "fact's decline": (changed("facts.fct_transactions", "has_bad_pin = NOT has_bad_pin"), "facts.fct_transactions"),
    "fact's card": (exchanged("facts.fct_transactions", "card_id", "transaction_id"), "facts.fct_transactions"),
    "fact deleted": (
        of_table("facts.fct_transactions", "DELETE FROM {} WHERE ctid = (SELECT min(ctid) FROM {})"),
        "facts.fct_transactions",
    ),
    "fact invented": (doubled("facts.fct_transactions", "transaction_id", "1"), "facts.fct_transactions"),
    "month of facts deleted": (month_deleted("facts.fct_transactions", "transacted_on"), "facts.fct_transactions"),
    "label fact flipped": (changed("facts.fct_fraud_labels", "is_fraud = NOT is_fraud"), "facts.fct_fraud_labels"),
    "label facts exchanged": (
        exchanged("facts.fct_fraud_labels", "is_fraud", "transaction_id"),
        "facts.fct_fraud_labels",
    ),
    "label fact deleted": (
        of_table("facts.fct_fraud_labels", "DELETE FROM {} WHERE is_fraud"),
        "facts.fct_fraud_labels",
    ),
    "outcome flipped": (
        changed("facts.fct_outcomes", "is_fraud = NOT is_fraud", "is_fraud IS NOT NULL"),
        "facts.fct_outcomes",
    ),
    "outcomes exchanged": (
        exchanged("facts.fct_outcomes", "is_fraud", "transaction_id", "is_fraud IS NOT NULL"),
        "facts.fct_outcomes",
    ),
    "outcome labelled": (changed("facts.fct_outcomes", "is_fraud = FALSE", "is_fraud IS NULL"), "facts.fct_outcomes"),
    "outcome's cents": (changed("facts.fct_outcomes", "purchase_cents = purchase_cents + 1"), "facts.fct_outcomes"),
    "outcome's minute": (changed("facts.fct_outcomes", "minute_number = minute_number + 1"), "facts.fct_outcomes"),
    "outcome's country": (changed("facts.fct_outcomes", "is_foreign = NOT is_foreign"), "facts.fct_outcomes"),
    "outcome reversed": (changed("facts.fct_outcomes", "is_reversed = NOT is_reversed"), "facts.fct_outcomes"),
    "pair broken": (changed("facts.fct_reversals", "is_reversed = FALSE", "is_reversed"), "facts.fct_reversals"),
    "pairs exchanged": (
        exchanged("facts.fct_reversals", "counterpart_id", "transaction_id", "is_reversed"),
        "facts.fct_reversals",
    ),
    "month of outcomes deleted": (month_deleted("facts.fct_outcomes", "transacted_on"), "facts.fct_outcomes"),
    "card month": (changed("facts.fct_card_months", "client_id = client_id + 1"), "facts.fct_card_months"),
    "month of card months deleted": (month_deleted("facts.fct_card_months", "month_start"), "facts.fct_card_months"),
    "merchant months exchanged": (
        exchanged("facts.fct_merchant_months", "fraud_loss_cents", "merchant_id", "fraud_loss_cents >= 0"),
        "facts.fct_merchant_months",
    ),
    "merchant month's last day": (
        changed("facts.fct_merchant_months", "last_seen_on = last_seen_on + 1"),
        "facts.fct_merchant_months",
    ),
    "merchant year": (
        changed("facts.fct_merchant_years", "transaction_count = transaction_count + 1"),
        "facts.fct_merchant_years",
    ),
    # quarantine
    "quarantined reason": (
        changed("quality.quarantined_transactions", "reason = 'mcc is of no known category'"),
        "quality.quarantined_transactions",
    ),
    "quarantined text": (
        changed("quality.quarantined_transactions", "landed_merchant_city = 'Nowhere'"),
        "quality.quarantined_transactions",
    ),
    "quarantine emptied": (emptied("quality.quarantined_transactions"), "quality.quarantined_transactions"),
    "quarantined record invented": (
        of_table("quality.quarantined_records", "INSERT INTO {} VALUES ('users', 1, 'no reason', 1, 1)"),
        "quality.quarantined_records",
    ),
    # dimensions and seeds
    "user's attribute": (changed("dimensions.dim_users", "credit_score = credit_score + 1"), "dimensions.dim_users"),
    "card's attribute": (
        changed("dimensions.dim_cards", "card_expires_on = card_expires_on + 1"),
        "dimensions.dim_cards",
    ),
    "cards' attributes exchanged": (
        exchanged("dimensions.dim_cards", "credit_limit", "card_id"),
        "dimensions.dim_cards",
    ),
    "category's description": (changed("dimensions.dim_mcc", "mcc_description = 'Other'"), "dimensions.dim_mcc"),
    "merchant's day": (
        changed("dimensions.dim_merchants", "first_seen_on = first_seen_on - 1"),
        "dimensions.dim_merchants",
    ),
    "weekend": (changed("dimensions.dim_dates", "is_weekend = NOT is_weekend"), "dimensions.dim_dates"),
    "state's name": (changed("seeds.us_states", "state_name = 'Elsewhere'"), "seeds.us_states"),
    "rule's weight": (changed("seeds.fraud_rules", "weight = weight + 1"), "seeds.fraud_rules"),
    "rate": (changed("seeds.interchange_rates", "rate_bp = rate_bp + 1"), "seeds.interchange_rates"),
    # features, rules, alerts
    "feature": (
        changed("features.transaction_features", "card_transactions_7d = card_transactions_7d + 1"),
        "features.transaction_features",
    ),
    "features exchanged": (
        exchanged("features.transaction_features", "minutes_since_previous", "transaction_id"),
        "features.transaction_features",
    ),
    "month of features deleted": (
        month_deleted("features.transaction_features", "transacted_on"),
        "features.transaction_features",
    ),
    "hit's reason": (changed("features.rule_hits", "reason = 'because'"), "features.rule_hits"),
    "hit deleted": (
        of_table("features.rule_hits", "DELETE FROM {} WHERE ctid = (SELECT max(ctid) FROM {})"),
        "features.rule_hits",
    ),
    "month of alerts deleted": (month_deleted("serving.fraud_alerts", "transacted_on"), "serving.fraud_alerts"),
    "alert's score": (changed("serving.fraud_alerts", "score = score + 1"), "serving.fraud_alerts"),
    "alert's label": (
        changed("serving.fraud_alerts", "is_fraud = CASE WHEN is_fraud IS NULL THEN TRUE END"),
        "serving.fraud_alerts",
    ),
    # reports
    **{
        f"{model}: {column}": (changed(model, f"{column} = coalesce({column}, 0) + 1"), model)
        for model, column in REPORTS.items()
    },
    "report emptied": (emptied("serving.fraud_by_geography"), "serving.fraud_by_geography"),
    "month of a report deleted": (month_deleted("serving.rule_performance", "month_start"), "serving.rule_performance"),
    "report's row invented": (doubled("serving.fraud_by_hour", "hour_of_day", "24"), "serving.fraud_by_hour"),
    "report's name": (changed("serving.revenue_by_state", "place_name = 'Elsewhere'"), "serving.revenue_by_state"),
    # views
    "served view of nothing": (
        pointed_at("serving.fraud_by_hour", "SELECT * FROM {} WHERE FALSE"),
        "serving.fraud_by_hour",
    ),
    "facts' view filtered": (
        pointed_at("facts.fct_transactions", "SELECT * FROM {} WHERE amount <> 0"),
        "facts.fct_transactions",
    ),
    "star without some purchases": (
        pointed_at("serving.fct_transaction", "SELECT * FROM {} WHERE NOT is_reversed"),
        "serving.fct_transaction",
    ),
    "star's dimension of a copy": (
        of_table(
            "serving.dim_client",
            "CREATE TABLE public.copied AS SELECT * FROM {} WHERE client_segment <> 'poor';"
            "CREATE OR REPLACE VIEW serving.dim_client AS SELECT * FROM public.copied",
        ),
        "serving.dim_client",
    ),
    "view of a copy": (
        of_table(
            "serving.daily_revenue",
            "CREATE TABLE public.copied AS SELECT * FROM {};"
            "CREATE OR REPLACE VIEW serving.daily_revenue AS SELECT * FROM public.copied",
        ),
        "serving.daily_revenue",
    ),
    "staging filtered": (
        of_table(
            "staging.stg_users", "CREATE OR REPLACE VIEW staging.stg_users AS SELECT * FROM {} WHERE credit_score > 0"
        ),
        "staging.stg_users",
    ),
    "enriched of a copy": (
        "CREATE TABLE public.copied AS SELECT * FROM serving.enriched_transactions;"
        "GRANT SELECT ON public.copied TO PUBLIC;"
        "CREATE OR REPLACE VIEW serving.enriched_transactions AS SELECT * FROM public.copied",
        "serving.enriched_transactions is not served from a materialized view",
    ),
    "enriched that may not be read": (
        "CREATE TABLE public.copied AS SELECT * FROM serving.enriched_transactions;"
        "CREATE OR REPLACE VIEW serving.enriched_transactions AS SELECT * FROM public.copied",
        "permission denied",
    ),
    "enriched, filtered": (
        "CREATE VIEW public.filtered AS SELECT * FROM serving.enriched_transactions WHERE card_brand <> 'Discover';"
        "DO $$ DECLARE shown text := pg_get_viewdef('serving.enriched_transactions'::regclass); BEGIN"
        " DROP VIEW public.filtered;"
        " EXECUTE 'CREATE OR REPLACE VIEW serving.enriched_transactions AS '"
        " || rtrim(shown, ';') || ' WHERE card_brand <> ''Discover'''; END $$",
        "serving.enriched_transactions",
    ),
    "parts stale": (
        "UPDATE raw.cards SET card_type = 'Credit' WHERE card_type = 'Debit'"
        + ";"
        + of_table(
            "dimensions.dim_cards",
            "UPDATE {} SET card_type = staged.card_type FROM staging.stg_cards AS staged WHERE staged.card_id = {}.card_id",
        ),
        "serving.enriched_transactions",
    ),
    # keys
    "triggers disabled": (
        of_table("facts.fct_transactions", "ALTER TABLE {} DISABLE TRIGGER ALL"),
        "facts.fct_transactions does not enforce",
    ),
    "parent's triggers disabled": (
        of_table("dimensions.dim_users", "ALTER TABLE {} DISABLE TRIGGER ALL"),
        "client_id -> dimensions.dim_users",
    ),
    "triggers of replicas": (
        of_table(
            "facts.fct_transactions",
            "DO $each$ DECLARE name text; BEGIN FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = '{}'::regclass"
            " LOOP EXECUTE format('ALTER TABLE {} ENABLE REPLICA TRIGGER %I', name); END LOOP; END $each$",
        ),
        "facts.fct_transactions does not enforce",
    ),
    "foreign key dropped": (
        of_table(
            "facts.fct_transactions",
            "DO $each$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = '{}'::regclass"
            " AND contype = 'f' LIMIT 1 LOOP EXECUTE format('ALTER TABLE {} DROP CONSTRAINT %I', name); END LOOP; END $each$",
        ),
        "facts.fct_transactions lacks a validated foreign key",
    ),
    "foreign key not validated": (
        of_table(
            "facts.fct_transactions",
            "DO $each$ DECLARE name text; said text; BEGIN SELECT conname, pg_get_constraintdef(oid) INTO name, said"
            " FROM pg_constraint WHERE conrelid = '{}'::regclass AND contype = 'f' LIMIT 1;"
            " EXECUTE format('ALTER TABLE {} DROP CONSTRAINT %I', name);"
            " EXECUTE format('ALTER TABLE {} ADD CONSTRAINT %I %s NOT VALID', name, said); END $each$",
        ),
        "facts.fct_transactions lacks a validated foreign key",
    ),
    "foreign key on another column": (
        of_table(
            "facts.fct_transactions",
            "DO $each$ DECLARE name text; said text; BEGIN SELECT conname, pg_get_constraintdef(oid) INTO name, said"
            " FROM pg_constraint WHERE conrelid = '{}'::regclass AND contype = 'f' AND conname LIKE '%client%';"
            " EXECUTE format('ALTER TABLE {} DROP CONSTRAINT %I', name);"
            " EXECUTE format('ALTER TABLE {} ADD CONSTRAINT %I %s', name,"
            " replace(said, 'FOREIGN KEY (client_id)', 'FOREIGN KEY (merchant_id)') || ' NOT VALID'); END $each$",
        ),
        "client_id -> dimensions.dim_users",
    ),
    "primary key dropped": (
        of_table(
            "facts.fct_outcomes",
            "DO $each$ DECLARE name text; BEGIN SELECT conname INTO name FROM pg_constraint WHERE conrelid = '{}'::regclass"
            " AND contype = 'p'; EXECUTE format('ALTER TABLE {} DROP CONSTRAINT %I', name); END $each$",
        ),
        "facts.fct_outcomes lacks its primary key",
    ),
    "index dropped": (
        of_table(
            "facts.fct_transactions",
            "DO $each$ DECLARE name text; BEGIN SELECT indexrelid::regclass INTO name FROM pg_index"
            " WHERE indrelid = '{}'::regclass AND NOT indisunique LIMIT 1; EXECUTE 'DROP INDEX ' || name; END $each$",
        ),
        "facts.fct_transactions lacks index",
    ),
    "index of the same name on another column": (
        of_table(
            "facts.fct_outcomes",
            "DO $each$ DECLARE name text; short text; BEGIN SELECT indexrelid::regclass, c.relname INTO name, short FROM pg_index"
            " JOIN pg_class AS c ON c.oid = indexrelid WHERE indrelid = '{}'::regclass AND NOT indisunique"
            " AND indpred IS NULL LIMIT 1;"
            " EXECUTE 'DROP INDEX ' || name; EXECUTE format('CREATE INDEX %I ON {} (mcc)', short); END $each$",
        ),
        "facts.fct_outcomes lacks index (transacted_on)",
    ),
    "part without its index": (
        "DO $$ DECLARE name text; BEGIN SELECT i.indexrelid::regclass INTO name FROM pg_index AS i JOIN pg_class AS c"
        " ON c.oid = i.indrelid AND c.relkind = 'm' WHERE i.indisunique LIMIT 1; EXECUTE 'DROP INDEX ' || name; END $$",
        "lacks an index",
    ),
    # nothing at all
    "nothing served": (
        "TRUNCATE raw.transactions; DELETE FROM ops.load_files WHERE relation = 'transactions';"
        + "".join(emptied(model) + ";" for model in ("facts.fct_outcomes", "facts.fct_transactions")),
        "there are no transactions to serve",
    ),
    # card data
    "card number in a fact": (
        changed("facts.fct_transactions", "errors = 'Call 4539148803436467'"),
        "fct_transactions",
    ),
}


def test_the_undamaged_warehouse_passes_every_check(damaged: Warehouse) -> None:
    results = damaged.verify()
    assert {result.name for result in results} == EXPECTED
    assert not [result for result in results if not result.passed]
    assert not [result.detail for result in results if "computed again from" in result.detail], "all days are compared"
    quarantined = damaged.query("SELECT count(DISTINCT reason) FROM quality.quarantined_transactions")
    assert quarantined == [(3,)], "an orphan, a duplicate and an unreadable row"


# Of a model's own rows. Models that read one another in no way are damaged at once, because a verification takes seconds.
OF_MODELS = {
    damage: (statement, model)
    for damage, (statement, model) in DAMAGES.items()
    if f"model = '{model}'" in statement and "public." not in statement
}


def missed(whole: Warehouse, server: RunningServer, damages: Iterable[str]) -> list[str]:
    """Of these damages to models, those that a verification does not name."""
    with closing(psycopg2.connect(whole.url)) as connection, connection.cursor() as cursor:
        depth: dict[str, int] = {}
        for node in noted_nodes(cursor):  # parents first
            depth[node.model] = 1 + max((depth.get(parent, 0) for parent in node.parents), default=0)
    left, unnamed = list(damages), []
    while left:
        deepest = max(depth[OF_MODELS[damage][1]] for damage in left)
        at_once = {OF_MODELS[each][1]: each for each in left if depth[OF_MODELS[each][1]] == deepest}
        recreate(server, NAME, WHOLE)
        for damage in at_once.values():
            whole.query(OF_MODELS[damage][0])
        said = found(whole.verify())
        unnamed += [f"{damage}: {said}" for model, damage in at_once.items() if not re.search(rf"{model}\b", said)]
        left = [damage for damage in left if damage not in at_once.values()]
    return unnamed


def test_damage_to_models_is_found_and_named(whole: Warehouse, server: RunningServer) -> None:
    assert not missed(whole, server, OF_MODELS)


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if damage not in OF_MODELS])
def test_damage_is_found_and_named(damaged: Warehouse, damage: str) -> None:
    statement, named = DAMAGES[damage]
    damaged.query(statement)
    assert named in found(damaged.verify())


# What is found whatever the size: of reports, only one month is computed again here.
ALWAYS_FOUND = (
    "raw amounts exchanged",
    "facts' amounts exchanged",
    "fact's state",
    "fact's minute",
    "label fact flipped",
    "outcome flipped",
    "outcomes exchanged",
    "outcome's cents",
    "month of outcomes deleted",
    "card month",
    "merchant months exchanged",
    "month of features deleted",
    "hit deleted",
    "month of alerts deleted",
    "serving.rule_performance: precision_bp",
    "report emptied",
    "report's name",
    "user's attribute",
    "rule's weight",
    "enriched, filtered",
)


@pytest.fixture
def large(damaged: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The same, taken for one that is too large to compute again."""
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(rows, "ROWS_IN_TURN", 1)
    monkeypatch.setattr(rows, "ROWS_LOOKED_BACK", 1)
    return damaged


def test_of_a_large_warehouse_some_days_are_computed_again(large: Warehouse) -> None:
    results = {result.name: result for result in large.verify()}
    assert not [result for result in results.values() if not result.passed]
    assert "relations computed again from" in results["rows as their models make them"].detail


def test_damage_to_models_of_a_large_warehouse_is_found_outside_these_days(
    large: Warehouse, server: RunningServer
) -> None:
    assert not missed(large, server, [damage for damage in ALWAYS_FOUND if damage in OF_MODELS])


@pytest.mark.parametrize("damage", [damage for damage in ALWAYS_FOUND if damage not in OF_MODELS])
def test_damage_of_a_large_warehouse_is_found_outside_these_days(large: Warehouse, damage: str) -> None:
    statement, named = DAMAGES[damage]
    large.query(statement)
    assert named in found(large.verify())


def test_what_was_written_again_as_it_was_is_right_and_sealed_again(large: Warehouse) -> None:
    large.query(of_table("facts.fct_outcomes", "UPDATE {} SET is_fraud = is_fraud"))
    compared = [result.detail for result in noted(large, full=True) if result.name == "rows as their models make them"]
    first, last = large.query("SELECT min(transacted_on), max(transacted_on) FROM facts.fct_outcomes")[0]
    assert f"computed again from {first} to {last}" in compared[0]
    again = [result.detail for result in large.verify() if result.name == "rows as their models make them"]
    assert f"computed again from {first} to {last}" not in again[0]


def noted(warehouse: Warehouse, full: bool = False) -> list[Result]:
    """Verifies as `revops run` does, or as `revops verify`, and notes it."""
    return verify_and_note(warehouse.settings, since_last=not full)


def turn_to(warehouse: Warehouse, turn: int) -> None:
    """As after so many runs that found all right."""
    warehouse.query("DELETE FROM ops.verifications WHERE mode = 'since-last'")
    warehouse.query(
        "INSERT INTO ops.verifications (mode, checks, failed, seconds)"
        " SELECT 'since-last', 1, '{}', 1 FROM generate_series(1, %s)",
        (turn,),
    )


def found(results: list[Result]) -> str:
    return "\n".join(f"{result.name}: {result.detail}" for result in results if not result.passed)


@pytest.mark.parametrize(
    ("model", "changing"),
    [
        ("facts.fct_transactions", "has_bad_pin = NOT has_bad_pin"),
        ("facts.fct_outcomes", "is_foreign = NOT is_foreign"),
        ("serving.fraud_alerts", "score = score + 1"),
    ],
)
@pytest.mark.parametrize("is_large", [False, True])
def test_damage_to_an_untouched_day_is_found_by_the_run_whose_turn_it_is(
    damaged: Warehouse, monkeypatch: pytest.MonkeyPatch, model: str, changing: str, is_large: bool
) -> None:
    if is_large:
        monkeypatch.setattr(rows, "ROWS_AT_ONCE", 1)
    assert not found(noted(damaged))
    assert not found(noted(damaged)), "and again, with nothing new"
    day = damaged.query(f"SELECT max(transacted_on) - 400 FROM {model}")[0][0]
    day = damaged.query(f"SELECT min(transacted_on) FROM {model} WHERE transacted_on >= %s", (day,))[0][0]
    damaged.query(changed(model, changing, f"transacted_on = '{day}'"))
    turn = next(turn for turn in range(RUNS) if share(turn, day, day))
    turn_to(damaged, turn + RUNS - 1)
    assert model not in found(noted(damaged)), "another day's turn"
    turn_to(damaged, turn + RUNS)
    assert model in found(noted(damaged))
    assert model in found(noted(damaged)), "until it is put right"


@pytest.mark.parametrize("is_large", [False, True])
def test_damage_to_a_touched_day_is_found_by_the_next_run(
    damaged: Warehouse, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    if is_large:
        monkeypatch.setattr(rows, "ROWS_AT_ONCE", 1)
    assert not found(noted(damaged, full=True))
    day = damaged.query(
        "SELECT max(transacted_on) FROM facts.fct_outcomes"
        " WHERE transacted_on < (SELECT max(transacted_on) - 400 FROM facts.fct_outcomes)"
    )[0][0]
    turn_to(damaged, next(turn for turn in range(RUNS) if not share(turn, day, day + timedelta(days=90))))
    with closing(psycopg2.connect(damaged.url)) as connection, connection.cursor() as cursor:
        after: dict[str, int] = {}
        before: dict[str, int] = {}
        for node in noted_nodes(cursor):  # as a build would that evaluated the day, and what looks at it
            after[node.model] = node.look_back + max((after.get(parent, 0) for parent in node.parents), default=0)
            before[node.model] = node.look_ahead + max((before.get(parent, 0) for parent in node.parents), default=0)
            if node.relation:
                span = (day - timedelta(days=before[node.model]), day + timedelta(days=after[node.model]))
                days = span if node.by_days else (None, None)
                cursor.execute(
                    "INSERT INTO ops.evaluations (relation, starts_on, ends_on) VALUES (%s, %s, %s)",
                    (node.relation, *days),
                )
        connection.commit()
    assert not found(damaged.verify(since_last=True))
    damaged.query(changed("facts.fct_outcomes", "is_foreign = NOT is_foreign", f"transacted_on = '{day}'"))
    assert "facts.fct_outcomes" in found(noted(damaged))


SMALL = ("dimensions.dim_users", "dimensions.dim_cards", "dimensions.dim_mcc")


@pytest.mark.parametrize(
    ("damaging", "named"),
    [
        (one("raw.users", "credit_score = '300'", "credit_score <> '300'"), "dimensions.dim_users"),
        (changed("dimensions.dim_cards", "credit_limit = credit_limit + 1"), "dimensions.dim_cards"),
        (changed("dimensions.dim_mcc", "mcc_description = 'Nothing'"), "dimensions.dim_mcc"),
    ],
)
def test_of_a_large_warehouse_small_tables_are_computed_again_only_if_they_were_written_to(
    damaged: Warehouse, monkeypatch: pytest.MonkeyPatch, damaging: str, named: str
) -> None:
    transactions = damaged.query("SELECT count(*) FROM raw.transactions")[0][0]
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", transactions - 1)
    computed: set[str] = set()

    def compare(model: Model, *arguments: Any) -> rows.Compared:
        computed.add(model.name)
        return compared(model, *arguments)

    compared = rows._compare
    monkeypatch.setattr(rows, "_compare", compare)
    assert not found(noted(damaged))
    assert set(SMALL) <= computed, "nothing was known of them"
    turns_of = {-zlib.crc32(name.encode()) % RUNS for name in SMALL}
    turn = next(turn for turn in range(RUNS) if not {turn, turn + 1} & turns_of)
    turn_to(damaged, turn)
    computed.clear()
    assert not found(noted(damaged))
    assert not set(SMALL) & computed
    damaged.query(damaging)
    assert named in found(noted(damaged))


def test_status_says_when_each_verification_was_last_done(damaged: Warehouse) -> None:
    noted(damaged, full=True)
    noted(damaged)
    damaged.query(emptied("serving.fraud_by_hour"))
    noted(damaged, full=True)
    said = {row["mode"]: row for row in status(damaged.settings)["verifications"]}
    assert (said["full"]["failed"], said["since-last"]["failed"]) == (1, 0)
    assert said["full"]["all_right_at"] < said["since-last"]["verified_at"] < said["full"]["verified_at"]
    assert said["since-last"]["all_right_at"] == said["since-last"]["verified_at"]


def test_verification_changes_nothing_and_waits_for_no_lock(damaged: Warehouse) -> None:
    holder = psycopg2.connect(damaged.url)
    try:
        with holder.cursor() as cursor:
            cursor.execute("LOCK TABLE facts.fct_outcomes IN ROW EXCLUSIVE MODE")
            before = damaged.query("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")
            assert not [result for result in damaged.verify() if not result.passed]
            assert damaged.query("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables") == before
    finally:
        holder.close()


def test_merchants_of_the_day_alone_are_restated_and_all_where_others_are_at_fault(
    damaged: Warehouse, tmp_path: Path
) -> None:
    warehouse = replace(damaged, data=shutil.copytree(damaged.data, tmp_path / "data"))
    of_day, other = (row[0] for row in warehouse.query("SELECT merchant_id FROM serving.merchant_risk LIMIT 2"))
    right = "SELECT declined_count FROM serving.merchant_risk WHERE merchant_id = %s"
    count = "SELECT transaction_count FROM serving.merchant_risk WHERE merchant_id = %s"
    (declined_before,), (before,) = warehouse.query(right, (other,))[0], warehouse.query(count, (of_day,))[0]

    def damage_and_build(number: int, column: str) -> None:
        warehouse.query(of_table("serving.merchant_risk", f"UPDATE {{}} SET {column} = -1 WHERE merchant_id = {other}"))
        bought = purchase(warehouse, number, "2013-05-02", merchant_id=str(of_day))
        write_purchases(warehouse, f"transactions_data_{number}.csv", bought)
        warehouse.load()
        warehouse.build()
        assert warehouse.query("SELECT * FROM ops.touched_keys") == []

    damage_and_build(90000001, "declined_count")  # which no audit sees
    assert warehouse.query(right, (other,)) == [(-1,)]
    assert warehouse.query(count, (of_day,)) == [(before + 1,)]
    damage_and_build(90000002, "fraud_loss")  # which one does
    assert warehouse.query(right, (other,)) == [(declined_before,)]
    assert warehouse.query(count, (of_day,)) == [(before + 2,)]
    warehouse.assert_sound()


def test_a_label_that_moves_the_rate_of_all_merchants_restates_them_all(damaged: Warehouse, tmp_path: Path) -> None:
    warehouse = replace(damaged, data=shutil.copytree(damaged.data, tmp_path / "data"))
    ((number,),) = warehouse.query(
        "SELECT transaction_id FROM facts.fct_outcomes WHERE is_fraud IS NULL AND is_approved LIMIT 1"
    )
    rates = "SELECT merchant_id, estimated_fraud_rate_bp FROM serving.merchant_risk ORDER BY 1"
    before = warehouse.query(rates)
    (warehouse.data / "train_fraud_labels_late.json").write_text(json.dumps({"target": {str(number): "Yes"}}))
    warehouse.load()
    warehouse.build()
    after = warehouse.query(rates)
    assert sum(was != now for was, now in zip(before, after, strict=True)) > len(before) / 2
    warehouse.assert_sound()
