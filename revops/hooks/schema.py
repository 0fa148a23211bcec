"""Owns the tables in the schema ops that the hooks keep their notes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

DDL = """
CREATE SCHEMA IF NOT EXISTS ops;

CREATE TABLE IF NOT EXISTS ops.evaluations (
    evaluation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation text NOT NULL,
    starts_on date,
    ends_on date,
    fingerprint text,
    evaluated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS evaluations_by_relation ON ops.evaluations (relation, evaluation_id);
COMMENT ON TABLE ops.evaluations IS
    'One row per evaluation of a physical table: the days it rewrote, or, once it is shown, a fingerprint of one rewritten whole';

CREATE TABLE IF NOT EXISTS ops.materialized_parts (
    served text NOT NULL,
    part text NOT NULL,
    label text NOT NULL,
    starts_on date,
    ends_before date,
    row_count bigint NOT NULL,
    last_evaluation_id bigint NOT NULL,
    refreshed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (served, part)
);
COMMENT ON TABLE ops.materialized_parts IS
    'One row per part of a materialized view: its period, and the last evaluation of its inputs that it shows';

CREATE TABLE IF NOT EXISTS ops.refresh_history (
    refresh_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation text NOT NULL,
    part text NOT NULL,
    mode text NOT NULL,
    reason text NOT NULL,
    rows_before bigint,
    rows_after bigint NOT NULL,
    seconds double precision NOT NULL,
    lock_wait_seconds double precision,
    refreshed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.refresh_history IS 'One row per part of a materialized view that was built or refreshed';

CREATE TABLE IF NOT EXISTS ops.relaxed_foreign_keys (
    table_schema text NOT NULL,
    table_name text NOT NULL,
    constraint_name text NOT NULL,
    definition text NOT NULL,
    relaxed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_schema, table_name, constraint_name)
);
COMMENT ON TABLE ops.relaxed_foreign_keys IS
    'One row per foreign key of prod that another environment''s plan set aside, until it is put back at that plan''s end';

CREATE TABLE IF NOT EXISTS ops.declarations (
    model text PRIMARY KEY,
    relation text NOT NULL,
    declared jsonb NOT NULL,
    definition jsonb,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE ops.declarations ADD COLUMN IF NOT EXISTS definition jsonb;
COMMENT ON TABLE ops.declarations IS
    'One row per model of prod: the physical relation behind it, its query, and the keys and indexes it declares';

CREATE TABLE IF NOT EXISTS ops.digests (
    relation text NOT NULL,
    month_start date NOT NULL,
    row_count bigint NOT NULL,
    digest text NOT NULL,
    columns text NOT NULL,
    last_evaluation_id bigint NOT NULL,
    PRIMARY KEY (relation, month_start)
);
COMMENT ON TABLE ops.digests IS
    'One row per month of a table of reports: a hash of its rows at the end of the last plan of prod, for `revops verify`';

CREATE TABLE IF NOT EXISTS ops.dependents (
    view text NOT NULL,
    dependent text NOT NULL,
    kind text NOT NULL,
    depth integer NOT NULL,
    place integer NOT NULL,
    statement text NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    restored_at timestamptz,
    failure text,
    PRIMARY KEY (view, dependent, kind, place)
);
COMMENT ON TABLE ops.dependents IS
    'One row per statement that restores a grant on, or a view of somebody else''s over, a view that a promotion drops';

CREATE TABLE IF NOT EXISTS ops.audit_history (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment text NOT NULL,
    model text NOT NULL,
    audits_passed integer NOT NULL,
    audits_failed integer NOT NULL,
    audited_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.audit_history IS 'One row per model that a build of revops evaluated and audited';
"""


def create(cursor: Cursor) -> None:
    """Creates what is missing."""
    cursor.execute(DDL)
