"""`revops status`: its figures are noted ones, said to be so, and it counts nothing."""

from __future__ import annotations

import psycopg2

from foundation import ops
from revops import settings as reader
from revops import status as state
from tests.conftest import ROOT

WAREHOUSE = """
CREATE SCHEMA facts; CREATE SCHEMA raw; CREATE SCHEMA serving; CREATE SCHEMA physical;
CREATE TABLE raw.users (id text);
CREATE TABLE physical.sealed AS SELECT n FROM generate_series(1, 10) AS n;
CREATE VIEW facts.sealed AS SELECT * FROM physical.sealed;
CREATE TABLE physical.analyzed AS SELECT n FROM generate_series(1, 500) AS n;
ANALYZE physical.analyzed;
CREATE VIEW facts.analyzed AS SELECT * FROM physical.analyzed;
CREATE VIEW physical.served AS SELECT * FROM physical.sealed;
CREATE VIEW serving.served AS SELECT * FROM physical.served;
CREATE FUNCTION public.refuse() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'rows are being read'; END $$;
CREATE VIEW serving.slow AS SELECT n FROM physical.sealed WHERE n > public.refuse();
INSERT INTO ops.declarations (model, relation, declared) VALUES
    ('facts.sealed', 'physical.sealed', '{}'), ('facts.analyzed', 'physical.analyzed', '{}'),
    ('serving.served', 'physical.other', '{}'), ('serving.slow', 'physical.slow', '{}');
INSERT INTO ops.sealed (relation, up_to) VALUES ('physical.sealed', 1);
INSERT INTO ops.seals VALUES
    ('physical.sealed', 0, '2010-01-01', '{{1,7}}', 7), ('physical.sealed', 0, '2010-01-02', '{{1,4}}', 4);
INSERT INTO ops.materialized_parts (served, part, label, row_count, last_evaluation_id) VALUES
    ('physical.served', 'physical.a', '2010q1', 20, 1), ('physical.served', 'physical.b', '2010q2', 1, 1),
    ('physical.gone', 'physical.c', '2010q1', 1000, 1);
INSERT INTO ops.load_files (file_id, relation, name, sha256, bytes, rows_read, rows_loaded, rows_rejected, started_at,
                            ended_at, status)
VALUES (1, 'users', 'a', 'x', 1, 3, 3, 0, now(), now(), 'landed'), (2, 'users', 'b', 'y', 1, 2, 2, 0, now(), now(), 'landed');
"""


def test_rows_are_noted_ones_and_none_is_counted(database_url: str) -> None:
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        ops.create_for_landings(cursor)
        ops.create_for_builds(cursor)
        cursor.execute(WAREHOUSE)
    connection.close()
    environ = {"DB_CONNECTION_STRING": database_url, "REVOPS_ENV_FILE": "/nonexistent"}
    rows = {row["relation"]: (row["rows"], row["about"]) for row in state.status(reader.load(environ, ROOT))["rows"]}
    assert rows == {
        "raw.users": (5, "landed"),
        "facts.sealed": (11, "at the last build"),
        "facts.analyzed": (500, "estimate"),
        "serving.served": (21, "in the parts"),
        "serving.slow": (None, "not counted"),
    }
