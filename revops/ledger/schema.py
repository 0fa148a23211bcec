"""Owns the tables of ops in which this warehouse keeps what its models are and read, beside the notes of `meshkeys`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshkeys import schema

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_DDL = """
CREATE TABLE IF NOT EXISTS ops.models (
    model text PRIMARY KEY,
    node jsonb NOT NULL,
    definition jsonb,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.models IS 'One row per model of prod: what it reads, and its query on the views of prod';

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
# was in ops.touched_days and ops.built_files; what a model reads and is was in ops.declarations.
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


def create(cursor: Cursor) -> None:
    """Creates what is missing, the notes of `meshkeys` included."""
    schema.create(cursor)
    cursor.execute(_DDL)
    cursor.execute(_UPGRADE)
