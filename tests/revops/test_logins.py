"""The SQL by which a page has logins of analysts made: what it limits, and what the login sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2 import errors

from tests.conftest import ROOT, RunningServer
from tests.oracle import built

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
(CREATED,) = [text for text in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) if "CREATE ROLE alice" in text]
LISTED_BY_PSQL = """
SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND pg_table_is_visible(c.oid)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
LISTED_BY_TOOLS = """
SELECT table_schema || '.' || table_name FROM information_schema.tables
WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
"""


def ask(url: str, *statements: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def warehouse(server: RunningServer) -> str:
    return built.generated(server).url


@pytest.fixture
def alice(warehouse: str) -> Iterator[str]:
    """The URL of a login made by the text of the page, as it stands there."""
    assert "PASSWORD '...'" in CREATED
    ask(warehouse, CREATED)
    parts = urlsplit(warehouse)
    yield urlunsplit(parts._replace(netloc=f"alice:...@{parts.hostname}:{parts.port}"))
    ask(warehouse, "DROP ROLE alice")


def test_a_session_starts_with_limits(alice: str) -> None:
    shown = "SELECT name, setting || coalesce(unit, '') FROM pg_settings WHERE name = ANY (%s)"
    names = ("search_path", "statement_timeout", "idle_in_transaction_session_timeout", "work_mem")
    with closing(psycopg2.connect(alice)) as connection, connection.cursor() as cursor:
        cursor.execute(shown, (list(names),))
        assert dict(cursor.fetchall()) == {
            "search_path": "serving",
            "statement_timeout": "300000ms",
            "idle_in_transaction_session_timeout": "300000ms",
            "work_mem": "65536kB",
        }
    assert ask(alice, "SELECT count(*) > 0 FROM fct_transaction") == [(True,)]


def test_a_login_opens_ten_sessions_and_no_more(alice: str) -> None:
    opened = [psycopg2.connect(alice) for _ in range(10)]
    try:
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            psycopg2.connect(alice)
    finally:
        for each in opened:
            each.close()


def test_lists_of_tables_hold_what_can_be_read_and_no_more(warehouse: str, alice: str) -> None:
    served = "SELECT 'serving.' || relname FROM pg_class WHERE relnamespace = 'serving'::regnamespace AND relkind = 'v'"
    expected = sorted(ask(warehouse, served))
    assert len(expected) > 30
    assert sorted(ask(alice, LISTED_BY_TOOLS)) == expected
    assert sorted(ask(alice, LISTED_BY_PSQL)) == expected
    everything = ask(alice, "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')")
    assert everything[0][0] > len(expected), "names of others are in the catalog by nature, as docs/bi.md says"
    with pytest.raises(errors.InsufficientPrivilege):
        ask(alice, "SELECT count(*) FROM facts.fct_transactions")
