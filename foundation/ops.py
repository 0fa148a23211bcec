"""Owns the tables of the schema ops, beside the notes of `meshkeys`: what has landed, changed, been built and been verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshkeys import schema

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_LANDED = """
CREATE SCHEMA IF NOT EXISTS ops;

CREATE SEQUENCE IF NOT EXISTS ops.file_ids MAXVALUE 999999999;
CREATE SEQUENCE IF NOT EXISTS ops.large_file_ids START 1000000000 MINVALUE 1000000000;

CREATE TABLE IF NOT EXISTS ops.load_files (
    file_id bigint PRIMARY KEY,
    relation text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    packed_sha256 text,
    bytes bigint NOT NULL,
    rows_read bigint NOT NULL,
    rows_loaded bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    amount_sum numeric,
    uncounted_amounts bigint NOT NULL DEFAULT 0,
    min_date date,
    max_date date,
    undated_rows bigint NOT NULL DEFAULT 0,
    lowest_key bigint,
    highest_key bigint,
    has_repeated_keys boolean,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('landed')),
    UNIQUE (relation, name),
    CHECK (rows_read = rows_loaded + rows_rejected)
);
COMMENT ON TABLE ops.load_files IS
    'One row per file whose rows are in raw now; what was replaced or retired: ops.load_history';

CREATE TABLE IF NOT EXISTS ops.load_aliases (
    relation text NOT NULL,
    name text NOT NULL,
    file_id bigint NOT NULL REFERENCES ops.load_files ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    packed_sha256 text,
    bytes bigint NOT NULL,
    PRIMARY KEY (relation, name)
);
CREATE INDEX IF NOT EXISTS load_aliases_file_id ON ops.load_aliases (file_id);
COMMENT ON TABLE ops.load_aliases IS
    'One row per further name of a file whose bytes landed under another one; its rows are in raw once';

CREATE TABLE IF NOT EXISTS ops.load_history (
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL,
    file_id bigint NOT NULL,
    relation text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    rows_loaded bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    amount_sum numeric
);
COMMENT ON COLUMN ops.load_files.has_repeated_keys IS 'Whether two rows of the file have the same key; NULL: not known';
COMMENT ON TABLE ops.load_history IS 'One row per landing, replacement, renaming, replay and retirement of a file';

CREATE TABLE IF NOT EXISTS ops.rejected_rows (
    file_id bigint NOT NULL REFERENCES ops.load_files ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    file_name text NOT NULL,
    line_number bigint NOT NULL,
    reason text NOT NULL,
    raw_line text NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (file_id, line_number)
);
COMMENT ON TABLE ops.rejected_rows IS
    'One row per row of a landed file that could not be landed; card data in raw_line is masked';

CREATE SEQUENCE IF NOT EXISTS ops.ledger_ids;

CREATE TABLE IF NOT EXISTS ops.changes (
    change_id bigint PRIMARY KEY DEFAULT nextval('ops.ledger_ids'),
    relation text NOT NULL,
    starts_on date,
    ends_before date,
    columns text[],
    cause text NOT NULL,
    file_id bigint,
    happened_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((starts_on IS NULL) = (ends_before IS NULL))
);
CREATE INDEX IF NOT EXISTS changes_by_relation ON ops.changes (relation, change_id);
COMMENT ON TABLE ops.changes IS
    'One row per change of a relation that tables below it have to follow: the days, half open, NULL where it has none';
COMMENT ON COLUMN ops.changes.change_id IS
    'In one order with ops.evaluations.evaluation_id: a table evaluated later has seen the change';
COMMENT ON COLUMN ops.changes.columns IS 'The columns whose values changed; NULL: rows came, went or changed as a whole';

CREATE TABLE IF NOT EXISTS ops.load_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_change_at timestamptz NOT NULL
);
COMMENT ON TABLE ops.load_state IS 'When a landing last changed something, written at its end';

CREATE TABLE IF NOT EXISTS ops.pan_key (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    fingerprint text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ops.pan_key IS 'Recognises the key that made the card tokens in raw.cards, without revealing it';
"""

_BUILT = """
CREATE TABLE IF NOT EXISTS ops.models (
    model text PRIMARY KEY,
    node jsonb NOT NULL,
    definition jsonb,
    rendered jsonb,
    asks_for_the_time boolean NOT NULL DEFAULT true,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE ops.models ADD COLUMN IF NOT EXISTS rendered jsonb;
ALTER TABLE ops.models ADD COLUMN IF NOT EXISTS asks_for_the_time boolean NOT NULL DEFAULT true;
COMMENT ON TABLE ops.models IS 'One row per model of prod: what it reads, its query on prod''s views, and how it is evaluated';

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

CREATE TABLE IF NOT EXISTS ops.audit_history (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment text NOT NULL,
    model text NOT NULL,
    audits_passed integer NOT NULL,
    audits_failed integer NOT NULL,
    audited_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.audit_history IS 'One row per model that a build of revops evaluated and audited';

CREATE TABLE IF NOT EXISTS ops.durations (
    environment text NOT NULL,
    model text NOT NULL,
    seconds double precision NOT NULL,
    evaluated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, model)
);
COMMENT ON TABLE ops.durations IS 'One row per model of an environment: how long the build that evaluated it last took for it';

CREATE TABLE IF NOT EXISTS ops.attributes (
    relation text NOT NULL,
    key text NOT NULL,
    contents jsonb NOT NULL,
    PRIMARY KEY (relation, key)
);
COMMENT ON TABLE ops.attributes IS
    'One row per row of a dimension as it was last compared: what changed since is noted in ops.changes';

CREATE TABLE IF NOT EXISTS ops.touched_keys (
    reader text NOT NULL,
    evaluation_id bigint NOT NULL,
    starts_on date,
    ends_on date,
    keys bigint[],
    PRIMARY KEY (reader, evaluation_id)
);
COMMENT ON TABLE ops.touched_keys IS
    'One row per table that is restated by key and evaluation above it that it has not followed: which keys; NULL for all';

CREATE TABLE IF NOT EXISTS ops.compared (
    relation text PRIMARY KEY,
    change_id bigint NOT NULL,
    tables text NOT NULL DEFAULT ''
);
COMMENT ON TABLE ops.compared IS
    'One row per relation: up to which change its rows were compared with what is below it, and in which physical tables';

CREATE TABLE IF NOT EXISTS ops.planned (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    project text NOT NULL,
    plan_id text NOT NULL,
    planned_on date NOT NULL
);
COMMENT ON TABLE ops.planned IS 'One row: what prod was last planned from, with SQLMesh''s id of the plan and the day';
"""

# Upgrades an earlier version of this schema, in which evaluations had a separate sequence, work for a build was in
# ops.touched_days and ops.built_files, and what a model reads and is was in ops.declarations.
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
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'ops.declarations'::regclass AND attname = 'node' AND NOT attisdropped)
    THEN
        INSERT INTO ops.models (model, node, definition)
        SELECT model, node, definition FROM ops.declarations WHERE node IS NOT NULL ON CONFLICT DO NOTHING;
        ALTER TABLE ops.declarations DROP COLUMN node, DROP COLUMN definition;
    END IF;
    IF to_regclass('ops.touched_days') IS NOT NULL AND to_regclass('ops.changes') IS NOT NULL THEN
        INSERT INTO ops.changes (relation, starts_on, ends_before, cause, file_id)
        SELECT 'raw.' || relation, day, day + 1, 'landed', file_id FROM ops.touched_days WHERE built_at IS NULL;
        INSERT INTO ops.changes (relation, cause) SELECT DISTINCT 'raw.' || relation, 'landed' FROM ops.load_files;
        DROP TABLE ops.touched_days;
        DROP TABLE IF EXISTS ops.built_files;
    END IF;
END $$
"""


def create_for_landings(cursor: Cursor) -> None:
    """Creates what is missing of the tables that a landing writes."""
    cursor.execute(_LANDED)


def create_for_builds(cursor: Cursor) -> None:
    """Creates what is missing of the tables that builds and verifications write, the notes of `meshkeys` included."""
    schema.create(cursor)
    cursor.execute(_BUILT)
    cursor.execute(_UPGRADE)
