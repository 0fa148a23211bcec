"""The dashboard without a browser: its statements, its connection, what it says when it cannot show figures, its command."""

from __future__ import annotations

import math
import re
import secrets
import socket
import subprocess
import sys
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import sqlglot
from psycopg2 import errors
from sqlglot import exp
from streamlit.testing.v1 import AppTest

from revops import demo_set
from revops.dashboard import parts, queries, reader, serve
from tests.conftest import ROOT, RunningServer
from tests.oracle import built
from tests.revops.processes import ask

QUERIES = {name: text for name, text in vars(queries).items() if name.isupper()}
REVOPS = [sys.executable, "-m", "loaders"]


@pytest.fixture(scope="module")
def built_url(server: RunningServer) -> str:
    """A built warehouse of all models; only read, or put back as it was."""
    return built.generated(server).url


def _page(url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The first page, made without a browser."""
    monkeypatch.delenv("REVOPS_EMBEDDED_URL", raising=False)
    monkeypatch.setenv("DB_CONNECTION_STRING", url)
    return AppTest.from_file(str(serve.PAGE), default_timeout=60).run()


@pytest.mark.parametrize("name", QUERIES)
def test_query_finds_something_as_the_analyst(name: str, built_url: str) -> None:
    with reader.opened(built_url) as opened:
        transaction = opened.value("SELECT MIN(transaction_id) FROM serving.fraud_alerts")
        values = {"since": date(2010, 1, 1), "until": date(2020, 1, 1), "first_day": date(2010, 1, 1)}
        values |= {"last_day": date(2020, 1, 1), "most": 5, "transaction_id": transaction}
        found = opened.rows(QUERIES[name], values)
        assert opened.reads_as == "revops_analyst"
    assert not found.empty
    assert not found.isna().all(axis=None)


@pytest.mark.unit
@pytest.mark.parametrize("name", QUERIES)
def test_query_reads_the_analysts_schema_only(name: str) -> None:
    parsed = sqlglot.parse_one(QUERIES[name], read="postgres")
    assert {table.db for table in parsed.find_all(exp.Table)} == {"serving"}


@pytest.mark.unit
def test_every_query_is_shown_on_a_page() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(queries.__file__).parent.glob("*.py"))
    assert [name for name in QUERIES if f"queries.{name}" not in code] == []


def test_the_headline_is_the_last_complete_month_and_compares_it_with_its_neighbours(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        headline = opened.rows(queries.HEADLINE).iloc[0]
    months = {
        month: figures
        for month, *figures in _all(
            built_url,
            "SELECT month_start, settled_refunds, decline_rate_bp, active_clients FROM serving.monthly_executive_summary"
            " WHERE is_complete",
        )
    }
    complete = "SELECT max(month_start) FROM serving.monthly_executive_summary WHERE is_complete"
    ((last,),) = _all(built_url, complete)
    before = date(last.year - (last.month == 1), (last.month - 2) % 12 + 1, 1)
    year_before = last.replace(year=last.year - 1)
    assert headline.month_start == last
    for neighbour, suffix in ((before, "mom"), (year_before, "yoy")):
        refunds, declined, clients = (float(value) for value in months.get(neighbour, [math.nan] * 3))
        for name, expected in (
            ("refunds_{}_percent", 100 * (headline.settled_refunds / refunds - 1) if refunds else math.nan),
            ("decline_rate_{}_bp", headline.decline_rate_bp - declined),
            ("active_clients_{}_percent", 100 * (headline.active_clients / clients - 1)),
        ):
            found = headline[name.format(suffix)]
            found = math.nan if found is None else float(found)
            assert found == pytest.approx(expected, abs=0.01, nan_ok=True), name


def test_it_reads_serving_and_nothing_else_and_writes_nothing(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        assert opened.value("SHOW transaction_read_only") == "on"
        assert opened.value("SHOW transaction_isolation") == "read committed", "else a promotion empties a page"
        assert opened.value("SHOW statement_timeout") == reader.LIMITS["statement_timeout"]
        with pytest.raises(errors.InsufficientPrivilege):
            opened.value("SELECT count(*) FROM facts.fct_transactions")
    with reader.opened(built_url) as opened, pytest.raises(errors.ReadOnlySqlTransaction):
        opened.value("CREATE TEMPORARY TABLE mine AS SELECT 1")


def test_an_account_that_may_not_take_the_role_reads_as_itself(built_url: str, database_url: str) -> None:
    user, password = f"in_test_{secrets.token_hex(4)}", secrets.token_hex(8)
    assert ask(built_url, "SELECT to_regrole('revops_analyst') IS NOT NULL") is True
    ask(database_url, f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    try:
        parts_of_url = urlsplit(database_url)
        login = urlunsplit(
            parts_of_url._replace(netloc=f"{user}:{password}@{parts_of_url.hostname}:{parts_of_url.port}")
        )
        with reader.opened(login) as opened:
            assert opened.reads_as == user
            assert opened.value("SHOW transaction_read_only") == "on"
    finally:
        ask(database_url, f"DROP ROLE {user}")


def test_synthetic_rows_are_announced(built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _page(built_url, monkeypatch).warning
    demo_set.mark(built_url, True)
    try:
        page = _page(built_url, monkeypatch)
    finally:
        demo_set.mark(built_url, False)
    assert "Synthetic" in page.warning[0].value
    assert [metric.label for metric in page.metric] == ["Net volume", "Refunds", "Decline rate", "Active clients"]
    assert not page.error
    assert not page.exception


def test_where_nothing_is_built_it_says_what_to_run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = _page(database_url, monkeypatch)
    assert re.search("Nothing is built here yet.*revops run", page.info[0].value)
    assert not page.error
    assert not page.exception


def test_a_database_out_of_reach_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    page = _page("postgresql://u:hid%40den@127.0.0.1:1/d", monkeypatch)
    assert page.error[0].value == "The figures cannot be read."
    assert "postgresql://u@127.0.0.1:1/d" in page.code[0].value
    assert "hid" not in page.code[0].value
    assert not page.exception


@pytest.mark.parametrize("command", ["dashboard", "ui"])
def test_a_port_that_is_taken_is_refused_before_anything_starts(command: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*REVOPS, command, "--port", port],
            cwd=ROOT,
            env={
                "REVOPS_HOME": str(home),
                "REVOPS_ENV_FILE": str(tmp_path / "env"),
                "DB_CONNECTION_STRING": "postgresql://u@127.0.0.1:1/d",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"Cannot listen on 127.0.0.1, port {port}: the port is taken.",
        "  Choose another with --host and --port.",
    ]
    assert not home.exists()


@pytest.mark.unit
def test_it_tells_nobody_and_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit import net_util
    from streamlit.web import cli

    def ask_outside() -> str:
        raise AssertionError("asked a server outside")

    monkeypatch.setattr(net_util, "get_external_ip", ask_outside)
    monkeypatch.setattr(cli, "main", lambda prog_name: net_util.get_external_ip())
    serve.main()
    options = serve.command("127.0.0.1", 8501)
    assert "--browser.gatherUsageStats=false" in options
    assert "--server.headless=true" in options
    assert "--server.address=127.0.0.1" in options


@pytest.mark.unit
def test_the_key_of_the_card_tokens_is_kept_from_it() -> None:
    assert serve.environment({"REVOPS_PAN_KEY": "x", "DB_CONNECTION_STRING": "y"}) == {"DB_CONNECTION_STRING": "y"}


@pytest.mark.unit
def test_words_from_the_database_are_no_markup() -> None:
    assert parts.plain("[a](b) **$5** <i>") == r"\[a\]\(b\) \*\*\$5\*\* \<i\>"


def _all(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()
