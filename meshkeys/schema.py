"""Owns the tables in which notes are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import catalog
from meshkeys.settings import in_notes, note

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

TABLES = ("declarations", "dependents", "evaluations", "materialized_parts", "refresh_history")

_DDL = """
CREATE SCHEMA IF NOT EXISTS {notes};
CREATE SEQUENCE IF NOT EXISTS {notes}.ledger_ids;

CREATE TABLE IF NOT EXISTS {notes}.evaluations (
    evaluation_id bigint PRIMARY KEY DEFAULT nextval({sequence}),
    relation text NOT NULL,
    starts_on date,
    ends_on date,
    fingerprint text,
    evaluated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS evaluations_by_relation ON {notes}.evaluations (relation, evaluation_id);
COMMENT ON TABLE {notes}.evaluations IS
    'One row per evaluation of a physical table: the days it rewrote, or, once it is shown, a fingerprint of one rewritten whole';

CREATE TABLE IF NOT EXISTS {notes}.materialized_parts (
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
COMMENT ON TABLE {notes}.materialized_parts IS
    'One row per part of a materialized view: its period, and the last evaluation of its inputs that it shows';

CREATE TABLE IF NOT EXISTS {notes}.refresh_history (
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
COMMENT ON TABLE {notes}.refresh_history IS 'One row per part of a materialized view that was built or refreshed';

CREATE TABLE IF NOT EXISTS {notes}.declarations (
    model text PRIMARY KEY,
    relation text NOT NULL,
    declared jsonb NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE {notes}.declarations IS
    'One row per model of prod: the physical relation behind it, and what it declares';

CREATE TABLE IF NOT EXISTS {notes}.dependents (
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
COMMENT ON TABLE {notes}.dependents IS
    'One row per statement that restores a grant on one of our views, or a view of others that reads it; kept until it is back';

"""


def create(cursor: Cursor) -> None:
    """Creates what is missing."""
    cursor.execute(in_notes(_DDL, sequence=sql.Literal(catalog.quoted(note("ledger_ids")))))
