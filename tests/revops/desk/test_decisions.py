"""Decisions are written through one function, by those who may call it, in their own name; nobody changes or deletes one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2 import errors

from revops import access, bootstrap
from revops.desk import decisions
from revops.roles import ANALYST, INVESTIGATOR, LOADER, TRANSFORMER
from tests.revops.processes import ask

ALERT = 7475327
# What the models of the whole project make, with one alert.
SERVED = f"""
CREATE SCHEMA serving; CREATE SCHEMA seeds;
CREATE TABLE seeds.fraud_rules (rule_name text, weight int, min_amount_cents bigint, channel text);
INSERT INTO seeds.fraud_rules VALUES ('large', 30, 10000, NULL), ('other', 20, NULL, NULL);
CREATE VIEW serving.fraud_alerts AS
SELECT {ALERT}::bigint AS transaction_id, timestamp '2019-10-30 12:00' AS transacted_at, 2428 AS card_id, 30 AS score,
       'large'::text AS rule_names;
GRANT USAGE ON SCHEMA serving TO {ANALYST}; GRANT SELECT ON serving.fraud_alerts TO {ANALYST};
"""
DECIDE = "SELECT desk.decide(%s, %s, %s, %s)"
COUNT = "SELECT count(*) FROM desk.decisions"
REFUSED = (errors.InsufficientPrivilege,)

Login = Callable[..., str]


@pytest.fixture
def desk(database_url: str) -> str:
    """A database with the desk and one alert."""
    with closing(psycopg2.connect(database_url)) as connection:
        bootstrap.prepare(connection)
    ask(database_url, SERVED)
    return database_url


@pytest.fixture
def login(desk: str) -> Iterator[Login]:
    """A function that makes a login in a role, and returns its URL."""
    made: list[str] = []

    def make(role: str) -> str:
        user, password = f"in_test_{secrets.token_hex(4)}", secrets.token_hex(8)
        ask(desk, f"CREATE ROLE {user} LOGIN PASSWORD '{password}' IN ROLE {role}")
        made.append(user)
        parts = urlsplit(desk)
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))

    yield make
    for user in made:
        ask(desk, f"DROP OWNED BY {user}", f"DROP ROLE {user}")


def _run(url: str, statement: str, values: Any = None) -> Any:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _decide(url: str, decision: str, note: str | None = None, assignee: str | None = None, alert: int = ALERT) -> int:
    ((made,),) = _run(url, DECIDE, (alert, decision, note, assignee))
    return int(made)


def _name(url: str) -> str:
    return str(urlsplit(url).username)


def test_a_decision_is_in_the_name_of_its_login_with_the_rules_as_they_were(desk: str, login: Login) -> None:
    investigator = login(INVESTIGATOR)
    first = _decide(investigator, "fraud", "  the client knows nothing of it\n", _name(investigator))
    ask(desk, "UPDATE seeds.fraud_rules SET min_amount_cents = 20000")
    second = _decide(investigator, "not fraud")
    rows = _run(
        desk,
        "SELECT decision_id, decided_by, transaction_id, card_id, score, rules, decision, assigned_to, note"
        " FROM desk.decisions ORDER BY decision_id",
    )
    name = _name(investigator)
    rule = {"rule_name": "large", "weight": 30, "min_amount_cents": 10000}
    assert rows == [
        (first, name, ALERT, 2428, 30, [rule], "fraud", name, "the client knows nothing of it"),
        (second, name, ALERT, 2428, 30, [{**rule, "min_amount_cents": 20000}], "not fraud", None, None),
    ]
    assert ask(desk, "SELECT bool_and(decided_at BETWEEN now() - interval '5 minutes' AND now()) FROM desk.decisions")


def test_the_investigator_reads_what_the_analyst_reads(desk: str, login: Login) -> None:
    analyst, investigator = login(ANALYST), login(INVESTIGATOR)
    for url in (analyst, investigator):
        assert _run(url, "SELECT transaction_id FROM serving.fraud_alerts") == [(ALERT,)]
    for relation in ("desk.decisions", "ops.load_files", "raw.users", "seeds.fraud_rules"):
        with pytest.raises(REFUSED):
            _run(investigator, f"SELECT * FROM {relation}")


@pytest.mark.parametrize("role", [ANALYST, LOADER, TRANSFORMER])
def test_nobody_else_decides(role: str, desk: str, login: Login) -> None:
    with pytest.raises(REFUSED):
        _decide(login(role), "fraud")
    assert ask(desk, COUNT) == 0


@pytest.mark.parametrize("role", [ANALYST, INVESTIGATOR, LOADER, TRANSFORMER])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO desk.decisions (decided_by, transaction_id, transacted_at, card_id, score, rule_names, rules, decision)"
        " VALUES ('another', 1, now(), 1, 1, '', '[]', 'fraud')",
        "UPDATE desk.decisions SET decided_by = 'another'",
        "DELETE FROM desk.decisions",
        "TRUNCATE desk.decisions",
        "ALTER TABLE desk.decisions DISABLE TRIGGER ALL",
        "DROP TABLE desk.decisions",
        "SELECT setval('desk.decisions_decision_id_seq', 1)",
        "CREATE TABLE desk.mine (a int)",
        "ALTER FUNCTION desk.decide(bigint, text, text, text) SECURITY INVOKER",
        "CREATE OR REPLACE FUNCTION desk.decide(alert bigint, decision text, note text, assignee text) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 1::bigint'",
    ],
)
def test_no_role_writes_past_the_function(statement: str, role: str, desk: str, login: Login) -> None:
    _decide(desk, "fraud")
    with pytest.raises(REFUSED):
        _run(login(role), statement)
    assert _run(desk, "SELECT decided_by, decision FROM desk.decisions") == [(_name(desk), "fraud")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE desk.decisions SET decision = 'not fraud'",
        "DELETE FROM desk.decisions",
        "TRUNCATE desk.decisions",
    ],
)
def test_not_even_the_owner_changes_a_decision_by_mistake(statement: str, desk: str) -> None:
    _decide(desk, "fraud")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="a correction is a new decision"):
        _run(desk, statement)
    assert ask(desk, COUNT) == 1


def test_nobody_decides_in_the_name_of_another(desk: str, login: Login) -> None:
    alice, bob = login(INVESTIGATOR), login(INVESTIGATOR)
    for statement in (
        f"SET SESSION AUTHORIZATION {_name(bob)}",
        f"SET ROLE {_name(bob)}",
        "SELECT desk.decide(1, 'fraud', NULL, NULL, decided_by => 'bob')",
    ):
        with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedFunction)):
            _run(alice, statement)
    _run(alice, f"SET ROLE {INVESTIGATOR}; SELECT desk.decide({ALERT}, 'fraud')")
    assert ask(desk, "SELECT decided_by FROM desk.decisions") == _name(alice)


def test_names_of_the_caller_are_not_looked_at(desk: str, login: Login) -> None:
    """Tables and functions in the caller's path, also temporary ones, do not take the place of the function's own."""
    ask(
        desk,
        f"GRANT TEMPORARY ON DATABASE {urlsplit(desk).path[1:]} TO {INVESTIGATOR}",
        f"CREATE SCHEMA theirs; GRANT ALL ON SCHEMA theirs TO {INVESTIGATOR}",
    )
    investigator = login(INVESTIGATOR)
    with closing(psycopg2.connect(investigator)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE pg_roles AS"
            f" SELECT 'nobody' AS rolname, true AS rolcanlogin, '{_name(investigator)}'::regrole::oid AS oid;"
            "CREATE FUNCTION theirs.btrim(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'taken'::text $$;"
            "SET search_path = pg_temp, theirs, pg_catalog"
        )
        cursor.execute(DECIDE, (ALERT, "fraud", "as written", None))
        cursor.execute("SAVEPOINT before")
        with pytest.raises(errors.InvalidParameterValue, match="no login of an investigator"):
            cursor.execute(DECIDE, (ALERT, "fraud", None, "nobody"))
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert ask(desk, "SELECT note FROM desk.decisions") == "as written"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"decision": "perhaps"}, "fraud, not fraud or undecided"),
        ({"decision": None}, "fraud, not fraud or undecided"),
        ({"alert": 1}, "transaction 1 has no alert"),
        ({"note": "x" * (decisions.LONGEST_NOTE + 1)}, "at most 2000 characters"),
        ({"note": "the card is 4000 0000-0000 0002"}, "13 digits in a row"),
        ({"note": "4000\n000000\t000002"}, "13 digits in a row"),
        ({"assignee": "nobody in particular"}, "no login of an investigator"),
    ],
)
def test_what_is_no_decision_is_refused(arguments: dict[str, Any], said: str, desk: str, login: Login) -> None:
    with pytest.raises(errors.InvalidParameterValue, match=said):
        _decide(login(INVESTIGATOR), **{"decision": "fraud", **arguments})
    assert ask(desk, COUNT) == 0


def test_an_alert_is_given_to_investigators_only(desk: str, login: Login) -> None:
    analyst, investigator, other = login(ANALYST), login(INVESTIGATOR), login(INVESTIGATOR)
    _decide(investigator, "undecided", None, _name(other))
    with pytest.raises(errors.InvalidParameterValue):
        _decide(investigator, "undecided", None, _name(analyst))
    assert ask(desk, "SELECT array_agg(assigned_to) FROM desk.decisions") == [_name(other)]


def test_a_form_that_is_sent_twice_makes_one_decision(desk: str, login: Login) -> None:
    investigator = login(INVESTIGATOR)
    with ThreadPoolExecutor(4) as threads:
        made = set(threads.map(lambda _: _decide(investigator, "fraud", "once"), range(8)))
    assert len(made) == 1
    assert _decide(investigator, "fraud", "and another note") not in made
    assert _decide(investigator, "fraud", "once") not in made, "what was said before something else is said again"
    assert ask(desk, COUNT) == 3


def test_it_goes_on_when_a_promotion_makes_the_alerts_again(desk: str, login: Login) -> None:
    investigator = login(INVESTIGATOR)
    with closing(psycopg2.connect(investigator)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(DECIDE, (ALERT, "fraud", None, None))
        ask(
            desk,
            "ALTER VIEW serving.fraud_alerts RENAME TO before; CREATE VIEW serving.fraud_alerts AS"
            " SELECT transaction_id, transacted_at, card_id, 99 AS score, rule_names FROM serving.before",
        )
        cursor.execute(DECIDE, (ALERT, "not fraud", None, None))
    assert ask(desk, "SELECT array_agg(score ORDER BY decision_id) FROM desk.decisions") == [30, 99]


def test_to_prepare_again_changes_nothing_and_brings_an_earlier_function_up_to_date(desk: str, login: Login) -> None:
    investigator = login(INVESTIGATOR)
    _decide(investigator, "fraud")
    ask(
        desk,
        "CREATE OR REPLACE FUNCTION desk.decide(alert bigint, decision text, note text DEFAULT NULL, assignee text DEFAULT NULL)"
        " RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'; GRANT EXECUTE ON FUNCTION desk.decide TO PUBLIC",
    )
    for _ in range(2):
        with closing(psycopg2.connect(desk)) as connection:
            bootstrap.prepare(connection)
    assert _decide(investigator, "not fraud") > 1
    assert ask(desk, COUNT) == 2
    with pytest.raises(REFUSED):
        _decide(login(ANALYST), "fraud")


def test_what_the_investigator_may_is_looked_up(desk: str) -> None:
    with closing(psycopg2.connect(desk)) as connection, connection.cursor() as cursor:
        assert access.of_role(cursor, INVESTIGATOR).faults == ()
        for statement, fault in (
            (f"GRANT INSERT ON desk.decisions TO {INVESTIGATOR}", "may write to desk.decisions"),
            (f"GRANT SELECT ON desk.decisions TO {INVESTIGATOR}", "reads desk.decisions"),
            (
                f"GRANT USAGE ON SCHEMA desk TO {ANALYST}; GRANT EXECUTE ON FUNCTION desk.decide TO {ANALYST}",
                "may call desk.decide",
            ),
            (
                "CREATE FUNCTION public.any() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
                "may call public.any",
            ),
        ):
            cursor.execute(statement)
            found = [
                text
                for role in (ANALYST, INVESTIGATOR)
                for text in access.of_role(cursor, role).faults
                if fault in text
            ]
            connection.rollback()
            assert found, statement
