"""Owns the tables in the schema ops that the hooks keep their notes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

DDL = """
CREATE SCHEMA IF NOT EXISTS ops;
CREATE SEQUENCE IF NOT EXISTS ops.ledger_ids;

CREATE TABLE IF NOT EXISTS ops.evaluations (
    evaluation_id bigint PRIMARY KEY DEFAULT nextval('ops.ledger_ids'),
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
    node jsonb,
    definition jsonb,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE ops.declarations ADD COLUMN IF NOT EXISTS node jsonb, ADD COLUMN IF NOT EXISTS definition jsonb;
COMMENT ON TABLE ops.declarations IS
    'One row per model of prod: the physical relation behind it, what it declares, what it reads and its query';

CREATE TABLE IF NOT EXISTS ops.seals (
    relation text NOT NULL,
    part bigint NOT NULL,
    day date NOT NULL,
    writers bigint[] NOT NULL,
    row_count bigint NOT NULL,
    PRIMARY KEY (relation, part, day)
);
COMMENT ON TABLE ops.seals IS
    'One row per day of a relation, and file where it landed: which transactions wrote its rows, and how many each';

CREATE TABLE IF NOT EXISTS ops.sealed (
    relation text PRIMARY KEY,
    up_to bigint NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.sealed IS 'One row per relation in ops.seals: up to which of its evaluations it is sealed';

CREATE TABLE IF NOT EXISTS ops.verifications (
    verification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode text NOT NULL,
    checks integer NOT NULL,
    failed text[] NOT NULL,
    seconds double precision NOT NULL,
    verified_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.verifications IS
    'One row per verification by revops run or revops verify: full or since-last, and which checks failed';

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

CREATE TABLE IF NOT EXISTS ops.attributes (
    relation text NOT NULL,
    key text NOT NULL,
    contents jsonb NOT NULL,
    PRIMARY KEY (relation, key)
);
COMMENT ON TABLE ops.attributes IS
    'One row per row of a dimension as it was last compared: what changed since is noted in ops.changes';

CREATE TABLE IF NOT EXISTS ops.compared (
    relation text PRIMARY KEY,
    change_id bigint NOT NULL,
    tables text NOT NULL DEFAULT ''
);
COMMENT ON TABLE ops.compared IS
    'One row per relation: up to which change its rows were compared with what is below it, and in which physical tables';
"""

# What an earlier version of this schema lacks. Evaluations had numbers apart from those of changes; what waited for a build
# was in ops.touched_days and ops.built_files.
_UPGRADE = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'ops.evaluations'::regclass AND attname = 'evaluation_id'
               AND attidentity <> '') THEN
        ALTER TABLE ops.evaluations ALTER COLUMN evaluation_id DROP IDENTITY;
        ALTER TABLE ops.evaluations ALTER COLUMN evaluation_id SET DEFAULT nextval('ops.ledger_ids');
        PERFORM setval('ops.ledger_ids', greatest((SELECT coalesce(max(evaluation_id), 1) FROM ops.evaluations),
                                                  (SELECT last_value FROM ops.ledger_ids)));
    END IF;
    DROP TABLE IF EXISTS ops.digests;
    IF to_regclass('ops.touched_days') IS NOT NULL AND to_regclass('ops.changes') IS NOT NULL THEN
        INSERT INTO ops.changes (relation, starts_on, ends_before, cause, file_id)
        SELECT 'raw.' || relation, day, day + 1, 'landed', file_id FROM ops.touched_days WHERE built_at IS NULL;
        INSERT INTO ops.changes (relation, cause) SELECT DISTINCT 'raw.' || relation, 'landed' FROM ops.load_files;
        DROP TABLE ops.touched_days;
        DROP TABLE IF EXISTS ops.built_files;
    END IF;
END $$
"""


def create(cursor: Cursor) -> None:
    """Creates what is missing."""
    cursor.execute(DDL)
    cursor.execute(_UPGRADE)
