"""The table of scorecards: rows are added only, and nobody but the account writes them."""

from __future__ import annotations

from contextlib import closing
from datetime import date

import psycopg2
import pytest
from click.testing import CliRunner
from psycopg2 import errors

from foundation.errors import UsageError
from revops import bootstrap, cli
from revops.roles import ANALYST, INVESTIGATOR, LOADER, TRANSFORMER
from revops.scoring import scorecards, train
from tests.revops.processes import ask
from tests.revops.scoring import made

MONTH = date(2015, 3, 1)
WRITES = (
    "UPDATE desk.scorecards SET points = 0",
    "DELETE FROM desk.scorecards",
    "TRUNCATE desk.scorecards",
)


@pytest.fixture
def url(database_url: str) -> str:
    """A database with one scorecard."""
    with closing(psycopg2.connect(database_url)) as connection:
        bootstrap.prepare(connection)
    made.add(database_url, MONTH, 1)
    return database_url


@pytest.mark.parametrize("statement", WRITES)
def test_a_scorecard_is_not_changed_even_by_the_account(url: str, statement: str) -> None:
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="train another one"):
        ask(url, statement)


@pytest.mark.parametrize("role", [LOADER, TRANSFORMER, ANALYST, INVESTIGATOR])
def test_no_role_adds_one(url: str, role: str) -> None:
    row = "INSERT INTO desk.scorecards SELECT * FROM desk.scorecards LIMIT 1"
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(row)


def test_one_that_knows_of_its_month_is_refused(url: str) -> None:
    with pytest.raises(errors.CheckViolation):
        ask(
            url,
            "INSERT INTO desk.scorecards SELECT 2, version, month_start, now(), training_from_date, month_start, fraud_count,"
            " legitimate_count, sampled_count, training_auc_bp, base_points, feature, bin, at_least, points"
            " FROM desk.scorecards LIMIT 1",
        )


def test_the_days_of_its_month_alone_have_to_be_scored_again(url: str) -> None:
    assert ask(url, "SELECT relation || ' ' || starts_on || ' ' || ends_before FROM ops.changes") == (
        "desk.scorecards 2015-03-01 2015-04-01"
    )


def test_the_one_added_last_scores_the_month(url: str) -> None:
    later = made.add(url, MONTH, 2)
    made.add(url, date(2015, 4, 1), 3)
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        assert scorecards.current(cursor, MONTH) == later
        assert scorecards.current(cursor, date(2015, 5, 1)) is None


def test_without_the_library_the_cure_is_said_and_no_server_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "LIBRARY", "no-such-library")
    monkeypatch.setattr(cli, "_start", lambda: pytest.fail("a server was started"))
    result = CliRunner().invoke(cli.cli, ["train"])
    assert isinstance(result.exception, UsageError)
    assert "make .venv/score" in str(result.exception)
    assert result.exception.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--month", "2015-01", "--since", "2014-01"], "--month is one month"),
        (["--since", "2015-02", "--until", "2015-01"], "is after"),
    ],
)
def test_months_that_contradict_each_other_are_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(cli.cli, ["train", *arguments])
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
