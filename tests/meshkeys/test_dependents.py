"""Views of others over a view of ours that is exchanged for one with other columns, by PostgreSQL alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from meshkeys import dependents, schema
from meshkeys.catalog import Relation

OURS = Relation("serving", "paid")
MADE = """
CREATE SCHEMA serving; CREATE SCHEMA "their own";
CREATE TABLE serving.rows (amount int, city text);
INSERT INTO serving.rows VALUES (7, 'A'), (9, 'B');
CREATE VIEW serving.paid AS SELECT amount, city FROM serving.rows;
GRANT SELECT ON serving.paid TO PUBLIC;
CREATE VIEW "their own"."odd" WITH (security_barrier) AS SELECT amount % 2 AS odd, amount FROM serving.paid;
COMMENT ON COLUMN "their own".odd.odd IS '1 of 2, 50 %: ''odd''';
GRANT SELECT (odd) ON "their own".odd TO PUBLIC;
CREATE MATERIALIZED VIEW "their own".kept AS SELECT sum(amount) AS total FROM "their own".odd;
CREATE UNIQUE INDEX kept_total ON "their own".kept (total);
CREATE MATERIALIZED VIEW "their own".empty AS SELECT amount FROM serving.paid WITH NO DATA;
CREATE VIEW "their own".cities AS SELECT city FROM serving.paid;
CREATE VIEW "their own".first AS SELECT min(city) FROM "their own".cities;
"""
EVERYTHING = """
SELECT c.relname, c.reloptions, pg_get_viewdef(c.oid), c.relacl::text, c.relispopulated,
       array(SELECT a.attname || coalesce(a.attacl::text, '') || coalesce(col_description(c.oid, a.attnum), '')
             FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum),
       array(SELECT indexdef FROM pg_indexes WHERE schemaname = 'their own' AND tablename = c.relname)
FROM pg_class AS c WHERE c.relnamespace = '"their own"'::regnamespace AND c.relkind IN ('v', 'm') ORDER BY 1
"""
WITHOUT_CITY = "CREATE VIEW serving.new AS SELECT 'x' AS added, amount FROM serving.rows"
WITH_CITY = "CREATE VIEW serving.new AS SELECT 'x' AS added, amount, city FROM serving.rows"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(database_url)) as made:
        with made.cursor() as cursor:
            schema.create(cursor)
            cursor.execute(MADE)
        made.commit()
        made.autocommit = True
        yield made


def everything(connection: Connection) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(EVERYTHING)
        return cursor.fetchall()


def exchange(connection: Connection, new: str) -> None:
    """As a promotion does; then as the end of a plan."""
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        cursor.execute(new)
        dependents.replace(cursor, OURS, OURS.sibling("new"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        dependents.settle(cursor)


def missing(connection: Connection) -> list[str]:
    with connection.cursor() as cursor:
        return [name for name, _, _ in dependents.missing(cursor)]


def test_what_fits_comes_back_with_all_that_was_its(connection: Connection) -> None:
    before = everything(connection)
    exchange(connection, WITH_CITY)
    assert everything(connection) == before
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.total, has_table_privilege('public', 'serving.paid', 'SELECT') FROM \"their own\".kept p"
        )
        assert cursor.fetchone() == (16, True)
        cursor.execute("SELECT count(*) FROM ops.dependents")
        assert cursor.fetchone() == (0,), "it is kept although it is there"


def test_what_does_not_fit_is_kept_until_it_does(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    before = everything(connection)
    exchange(connection, WITHOUT_CITY)
    assert [row[0] for row in everything(connection)] == ["empty", "kept", "odd"]
    assert missing(connection) == ["their own.cities", "their own.first"]
    assert "their own.cities does not fit the new serving.paid and is gone: it reads city" in caplog.text
    exchange(connection, WITHOUT_CITY)
    assert missing(connection) == ["their own.cities", "their own.first"]
    exchange(connection, WITH_CITY)
    assert everything(connection) == before
    assert not missing(connection)


def test_what_its_owner_dropped_stays_dropped(connection: Connection) -> None:
    exchange(connection, WITH_CITY)
    with connection.cursor() as cursor:
        cursor.execute('DROP VIEW "their own".first')
    exchange(connection, WITHOUT_CITY)
    exchange(connection, WITH_CITY)
    assert "first" not in [row[0] for row in everything(connection)]


def test_what_somebody_made_again_himself_is_left_alone(connection: Connection) -> None:
    exchange(connection, WITHOUT_CITY)
    with connection.cursor() as cursor:
        cursor.execute('CREATE VIEW "their own".cities AS SELECT 1 AS one')
        dependents.settle(cursor)
        cursor.execute('SELECT * FROM "their own".cities')
        assert cursor.fetchall() == [(1,)]
    assert missing(connection) == ["their own.first"]


def test_those_that_will_not_fit_are_known_before(connection: Connection) -> None:
    with connection.cursor() as cursor:
        lost = dependents.losing(cursor, OURS, ["amount", "added"])
    assert lost == {Relation("their own", "cities"): ["city"], Relation("their own", "first"): []}


def test_while_we_wait_for_a_view_of_others_ours_is_not_locked(connection: Connection, database_url: str) -> None:
    """Else a reader that holds the one and wants the other deadlocks with us."""
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = '\"their own\".kept'::regclass)"
    exchanging = threading.Thread(target=exchange, args=(connection, WITH_CITY))
    with closing(psycopg2.connect(database_url)) as reading, reading.cursor() as reader:
        reader.execute('SELECT FROM "their own".kept')
        exchanging.start()
        try:
            for _ in range(5):
                while (reader.execute(waiting), reader.fetchone())[1] != (True,):
                    assert exchanging.is_alive()
                reader.execute("SET LOCAL lock_timeout = '20ms'; SELECT count(*) FROM serving.paid")
                assert reader.fetchone() == (2,)
        finally:
            reading.rollback()
            exchanging.join(60)
    assert not exchanging.is_alive()
    assert not missing(connection)
