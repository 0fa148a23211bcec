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

CREATE TABLE IF NOT EXISTS ops.declarations (
    model text PRIMARY KEY,
    relation text NOT NULL,
    declared jsonb NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.declarations IS
    'One row per model of prod: the physical relation behind it, and the keys, indexes and materialized view it declares';

CREATE TABLE IF NOT EXISTS ops.dependents (
    view text NOT NULL,
    dependent text NOT NULL,
    kind text NOT NULL,
    depth integer NOT NULL,
    place integer NOT NULL,
    statement text NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    failure text,
    PRIMARY KEY (view, dependent, kind, place)
);
COMMENT ON TABLE ops.dependents IS
    'One row per statement that restores a grant on one of our views, or a view of others that reads it; kept until it is back';

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
