"""What each role may do and what it may not, tried by logging in as a member of it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2 import errors, sql

import meshkeys.settings
from meshkeys import roles
from meshkeys.settings import Roles
from revops import access, bootstrap, declared
from revops.roles import ANALYST, LOADER, READ, ROLES, TRANSFORMER
from tests.end_to_end.changes import change_a_dimension
from tests.end_to_end.conftest import NAME, Built
from tests.end_to_end.warehouse import Reader, Warehouse

SERVED = "SELECT count(*) FROM serving.enriched_transactions"
RELATIONS = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
READS_WHAT_ANOTHER_OWNS = """
SELECT v.oid::regclass::text, t.oid::regclass::text
FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
JOIN pg_class AS v ON v.oid = r.ev_class JOIN pg_class AS t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
WHERE pg_get_userbyid(v.relowner) = %s AND pg_get_userbyid(t.relowner) <> %s
  AND t.relnamespace <> ALL ('{raw, ops, desk}'::regnamespace[])
"""
Login = Callable[..., str]


def as_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


def attempt(url: str, statement: str | sql.Composable) -> object:
    """What comes back; the name of what is denied instead."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except errors.InsufficientPrivilege:
            return "denied"
        return cursor.fetchall() if cursor.description else []


def readable(warehouse: Warehouse, url: str) -> set[str]:
    """All relations of the database of which the login can read a row."""
    found = set()
    for schema, name in warehouse.query(RELATIONS):
        statement = sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(schema, name))
        if attempt(url, statement) != "denied":
            found.add(f"{schema}.{name}")
    return found


@pytest.fixture
def login(built: Built) -> Iterator[Login]:
    """A function that makes a login with these words behind its password, and returns its URL."""
    url = built.server.database(NAME)
    made: list[str] = []

    def make(*words: str) -> str:
        user, password = f"in_test_{secrets.token_hex(4)}", secrets.token_hex(8)
        attempt(url, f"CREATE ROLE {user} LOGIN PASSWORD '{password}' {' '.join(words)}")
        made.append(user)
        return as_user(url, user, password)

    yield make
    for user in made:
        attempt(url, f"REASSIGN OWNED BY {user} TO CURRENT_USER; DROP OWNED BY {user} CASCADE; DROP ROLE {user}")


def test_the_analyst_reads_serving_and_nothing_else_whatever_a_plan_or_a_refresh_does(
    warehouse: Warehouse, login: Login
) -> None:
    warehouse.build()  # a copy of a database has not the rights of its template
    analyst = login("IN ROLE", ANALYST)
    served = {"serving.enriched_transactions"}

    def assert_served() -> None:
        assert attempt(analyst, SERVED) == warehouse.query(SERVED)
        assert readable(warehouse, analyst) == served
        warehouse.assert_sound()

    before = warehouse.served()
    with Reader(analyst) as reader:
        assert_served()
        change_a_dimension(warehouse)
        warehouse.plan("dev")
        assert warehouse.query("SELECT count(*) > 0 FROM serving__dev.enriched_transactions") == [(True,)]
        assert_served()
        warehouse.plan()
        assert_served()
        for mode in ("concurrently", "swap"):
            warehouse.refresh(mode)
            assert_served()
        warehouse.build()
        assert_served()
    reader.assert_undisturbed(before)


def test_the_analyst_writes_and_makes_nothing(warehouse: Warehouse, login: Login) -> None:
    warehouse.build()
    analyst = login("IN ROLE", ANALYST)
    for statement in (
        "CREATE TABLE serving.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE TEMP TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "ALTER VIEW serving.enriched_transactions OWNER TO CURRENT_USER",
        f"SET ROLE {TRANSFORMER}",
    ):
        assert attempt(analyst, statement) == "denied", statement
    writes = (
        "SELECT has_table_privilege('serving.enriched_transactions', 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES')"
    )
    assert attempt(analyst, writes) == [(False,)]


def test_somebody_without_a_role_cannot_even_connect(warehouse: Warehouse, login: Login) -> None:
    warehouse.build()
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        psycopg2.connect(login())


def test_an_analyst_reads_another_environment_only_where_it_was_granted(warehouse: Warehouse, login: Login) -> None:
    change_a_dimension(warehouse)
    warehouse.plan("dev")
    analyst = login("IN ROLE", ANALYST)
    in_dev = "SELECT count(*) FROM serving__dev.enriched_transactions"
    assert attempt(analyst, in_dev) == "denied"
    warehouse.query(f"GRANT USAGE ON SCHEMA serving__dev TO {ANALYST}")
    assert attempt(analyst, in_dev) == warehouse.query(in_dev)
    warehouse.plan("dev")
    assert attempt(analyst, in_dev) == warehouse.query(in_dev)
    warehouse.assert_sound()


def test_the_loader_writes_raw_and_its_records_and_reads_nothing_else(warehouse: Warehouse, login: Login) -> None:
    warehouse.plan()
    loader = login("IN ROLE", LOADER)
    for statement in (
        "INSERT INTO raw.users (id, _file_id, _line_number, _loaded_at) VALUES ('1', 1, 1, now())",
        "UPDATE ops.load_files SET status = status",
        "DELETE FROM raw.transactions",
    ):
        assert attempt(loader, statement) == [], statement
    assert attempt(loader, "SELECT nextval('ops.file_ids')") != "denied"
    assert {name.partition(".")[0] for name in readable(warehouse, loader)} == {"raw", "ops"}
    assert attempt(loader, "CREATE SCHEMA mine") == "denied"


def test_the_transformer_reads_raw_and_owns_what_is_built(warehouse: Warehouse, login: Login) -> None:
    change_a_dimension(warehouse)
    warehouse.plan()
    transformer = login("IN ROLE", TRANSFORMER)
    for schema in ("raw", "ops", "desk"):
        for (table,) in warehouse.query("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)):
            name = sql.Identifier(schema, table)
            assert attempt(transformer, sql.SQL("DELETE FROM {}").format(name)) == "denied", table
    assert attempt(transformer, "SELECT count(*) FROM raw.transactions") == warehouse.query(
        "SELECT count(*) FROM raw.transactions"
    )
    others = warehouse.query(
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname NOT IN ('raw', 'ops', 'desk', 'sqlmesh', 'information_schema', 'pg_catalog', 'pg_toast')"
        " AND c.relkind IN ('r', 'p', 'v', 'm') AND pg_get_userbyid(c.relowner) <> %s",
        (TRANSFORMER,),
    )
    assert others == []
    for statement in ("ALTER VIEW serving.enriched_transactions RENAME TO renamed", "CREATE TABLE facts.mine (a int)"):
        assert attempt(transformer, statement) == [], statement


def test_what_somebody_locks_keeps_its_owner_with_what_reads_it_and_the_next_command_gives_it(
    warehouse: Warehouse,
) -> None:
    owned = (
        "SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname ~ '^(sqlmesh__)?(staging|dimensions|facts|serving)(__dev)?$' AND c.relkind IN ('r', 'v', 'm')"
        " AND pg_get_userbyid(c.relowner) {} %s"
    )
    change_a_dimension(warehouse)
    warehouse.plan("dev")
    given = warehouse.query(owned.format("="), (TRANSFORMER,))
    assert warehouse.query(owned.format("<>"), (TRANSFORMER,)) == []
    warehouse.query(f"REASSIGN OWNED BY {TRANSFORMER} TO CURRENT_USER")
    with closing(psycopg2.connect(warehouse.url)) as reading, reading.cursor() as cursor:
        for relation in ("dimensions.dim_dates", "staging.stg_users"):
            cursor.execute(f"SELECT count(*) FROM {relation}")
        warehouse.refresh()
    left = {name for (name,) in warehouse.query(owned.format("<>"), (TRANSFORMER,))}
    assert {"dimensions.dim_dates", "staging.stg_users"} < left
    # The views, the physical relations that they show, and whatever else reads these.
    assert len(left) <= 6, left
    assert not warehouse.query(READS_WHAT_ANOTHER_OWNS, (TRANSFORMER, TRANSFORMER))
    warehouse.refresh()
    assert warehouse.query(owned.format("<>"), (TRANSFORMER,)) == []
    assert len(given) == len(warehouse.query(owned.format("="), (TRANSFORMER,)))


def test_verify_notices_what_is_not_as_it_should_be(warehouse: Warehouse) -> None:
    warehouse.build()
    detail = {result.name: result.detail for result in warehouse.verify()}["analysts read serving only"]
    assert "reads 1 relations of serving, none of" in detail
    for statement, fault in (
        ("GRANT SELECT ON raw.cards TO PUBLIC; GRANT USAGE ON SCHEMA raw TO {0}", "reads raw.cards"),
        ("GRANT SELECT (amount) ON facts.fct_transactions TO {0}; GRANT USAGE ON SCHEMA facts TO {0}", "reads facts."),
        ("GRANT DELETE ON serving.enriched_transactions TO {0}", "may write to serving.enriched_transactions"),
        ("REVOKE SELECT ON serving.enriched_transactions FROM {0}", "may not read serving.enriched_transactions"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "may make things in schema public"),
        ("GRANT {1} TO {0}", "may make things in schema facts"),
        (
            "CREATE VIEW serving.cards AS SELECT card_token FROM raw.cards; GRANT SELECT ON serving.cards TO {0}",
            "reads serving.cards, which has a column for none to see",
        ),
    ):
        with closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
            cursor.execute(statement.format(ANALYST, TRANSFORMER))  # never committed
            faults = access.of_readers(cursor).faults
        assert [text for text in faults if fault in text], statement


def test_what_a_model_no_longer_grants_is_gone_with_the_next_plan(warehouse: Warehouse, login: Login) -> None:
    warehouse.plan()
    analyst = login("IN ROLE", ANALYST)
    warehouse.edit(
        "models/serving/enriched_transactions.sql", "  grants (\n    'select' = 'revops_analyst'\n  ),\n", ""
    )
    warehouse.plan()
    assert attempt(analyst, SERVED) == "denied"


def use(monkeypatch: pytest.MonkeyPatch, changed: Roles) -> None:
    """Lets other roles hold for a test, also where the project is loaded again."""
    monkeypatch.setattr(declared, "SETTINGS", replace(declared.SETTINGS, roles=changed))
    monkeypatch.setattr(meshkeys.settings, "_current", declared.SETTINGS)


def test_an_account_that_may_make_no_role_builds_all_the_same_and_says_what_to_run(
    empty_warehouse: Warehouse, login: Login, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, replace(ROLES, names=(*ROLES.names, "absent_in_test")))
    monkeypatch.setattr(roles, "_told", set())
    empty_warehouse.edit(
        "models/serving/enriched_transactions.sql", "'revops_analyst'", "('revops_analyst', 'absent_in_test')"
    )
    account = login()
    name = urlsplit(account).username
    empty_warehouse.query(f"ALTER DATABASE {NAME} OWNER TO {name}")
    plain = Warehouse(empty_warehouse.root, account, empty_warehouse.data)
    plain.load()
    with caplog.at_level(logging.WARNING):
        plain.build()
    assert caplog.text.count('CREATE ROLE "absent_in_test" NOLOGIN;') == 1
    assert f'GRANT "{TRANSFORMER}" TO "{name}";' in caplog.text
    plain.assert_sound()

    empty_warehouse.query(f"CREATE ROLE absent_in_test NOLOGIN; GRANT {TRANSFORMER} TO {name}")
    try:
        plain.build()
        granted = "SELECT has_table_privilege('absent_in_test', 'serving.enriched_transactions', 'SELECT')"
        assert plain.query(granted) == [(True,)]
        change_a_dimension(plain)
        plain.plan()
        plain.refresh("concurrently")
        owners = "SELECT DISTINCT viewowner FROM pg_views WHERE schemaname IN ('serving', 'facts', 'staging')"
        assert plain.query(owners) == [(TRANSFORMER,)]
        plain.assert_sound()
    finally:
        empty_warehouse.query("DROP OWNED BY absent_in_test; DROP ROLE absent_in_test")


def test_an_account_that_may_make_roles_but_is_no_superuser_gives_away_what_it_built_and_still_uses_it(
    empty_warehouse: Warehouse, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"{name}_in_test" for name in ROLES.names)
    rights = ((names[1], "facts", READ),)
    use(monkeypatch, Roles(names, names[1], rights, tuple((name, "CONNECT") for name in names)))
    account = login("CREATEROLE")
    empty_warehouse.query(f"ALTER DATABASE {NAME} OWNER TO {urlsplit(account).username}")
    try:
        with closing(psycopg2.connect(account)) as connection:
            bootstrap.prepare(connection)
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "CREATE SCHEMA facts; CREATE TABLE facts.built (a int); CREATE VIEW facts.shown AS TABLE facts.built"
                )
                roles.settle(cursor, ["facts"])
                cursor.execute("SELECT tableowner FROM pg_tables WHERE schemaname = 'facts'")
                assert cursor.fetchall() == [(names[1],)]
                cursor.execute(
                    "INSERT INTO facts.built VALUES (1); DROP VIEW facts.shown; ALTER TABLE facts.built ADD b int"
                )
                roles.settle(cursor, ["facts"])
    finally:
        for name in names:
            attempt(empty_warehouse.url, f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")
