"""An error names its cause in one line, however much was wrapped around it."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest
from sqlmesh.utils.concurrency import NodeExecutionFailedError
from sqlmesh.utils.errors import ConfigError, MacroEvalError, NodeAuditsErrors, PlanError, SQLMeshError

from foundation.errors import CheckFailed
from revops import settings, sqlmesh_project
from revops.terminal import failures
from tests.end_to_end.warehouse import copy_of_project

pytestmark = pytest.mark.unit

CARD = "4111111111111111"


def wrapped(cause: BaseException, *wrappers: BaseException, explicitly: bool = True) -> BaseException:
    """The outermost of errors that were raised one while another was handled."""
    for wrapper in wrappers:
        if explicitly:
            wrapper.__cause__ = cause
        wrapper.__context__ = cause
        cause = wrapper
    return cause


def test_the_drivers_error_behind_sqlmeshs_is_the_reason() -> None:
    cause = psycopg2.errors.InvalidTextRepresentation('invalid input syntax for type integer: "95186x"\nLINE 1: SELECT')
    error = wrapped(cause, NodeExecutionFailedError("SnapshotId<facts>"))
    assert failures.reason(error) == 'invalid input syntax for type integer: "95186x"'


def test_what_the_drivers_error_came_of_is_not_the_reason() -> None:
    cause = wrapped(KeyError("x"), psycopg2.errors.UndefinedColumn('column "a" does not exist'), explicitly=False)
    assert failures.reason(wrapped(cause, PlanError("Plan application failed."))) == 'column "a" does not exist'


def test_our_own_error_behind_a_macros_is_known_by_its_text_and_code() -> None:
    error = wrapped(
        CheckFailed("Refused: x"),
        MacroEvalError("An error occurred during evaluation of 'begin_change'"),
        ConfigError("Failed to resolve macros for\n\n@begin_change()"),
        SQLMeshError("An error occurred during rendering of the 'before_all' statements"),
        explicitly=False,
    )
    known = failures.known(error)
    assert isinstance(known, CheckFailed)
    assert str(known) == "Refused: x"


def test_an_audit_is_named_with_its_rows() -> None:
    audit = SQLMeshError("audit error")
    audit.audit_name, audit.count = "accepted_range", 3
    errors = NodeAuditsErrors([audit])
    error = wrapped(psycopg2.ProgrammingError("of before"), errors, NodeExecutionFailedError("SnapshotId<facts>"))
    assert failures.reason(error) == "audit accepted_range failed on 3 rows"


def test_a_deadlock_is_the_databases_and_may_be_tried_again() -> None:
    deadlock = psycopg2.errors.DeadlockDetected("deadlock detected\nDETAIL: Process 1")
    deadlock.__setstate__({"pgcode": "40P01"})  # type: ignore[no-untyped-call]
    error = wrapped(deadlock, PlanError("failed"))
    known = failures.known(error)
    assert known is not None
    assert known.exit_code == 4
    assert "deadlock detected" in str(known)
    assert "run the same command again" in str(known)


def test_what_lost_a_connection_says_more_than_what_was_asked_of_it_afterwards() -> None:
    lost = psycopg2.OperationalError("server closed the connection unexpectedly")
    error = wrapped(lost, psycopg2.InterfaceError("connection already closed"), PlanError("failed"), explicitly=False)
    known = failures.known(error)
    assert known is not None
    assert "server closed the connection unexpectedly" in str(known)


@pytest.mark.parametrize("debug", [False, True])
def test_no_card_number_is_shown(debug: bool, capsys: pytest.CaptureFixture[str]) -> None:
    cause = psycopg2.errors.InvalidTextRepresentation(f'invalid input syntax for type integer: "{CARD}"')
    assert CARD not in failures.reason(wrapped(cause, PlanError("Plan application failed.")))
    assert failures.report(cause, debug=debug) == 1
    shown = capsys.readouterr().err
    assert CARD not in shown
    assert "invalid input syntax" in shown


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "models/dimensions/dim_users.sql",
            "gender::TEXT,",
            "gender::TEXT,, (",
            "models/dimensions/dim_users.sql:{line}: Expecting )",
        ),
        (
            "models/dimensions/dim_users.sql",
            "kind FULL",
            "kind FULL,\n  knd X",
            "models/dimensions/dim_users.sql: Invalid field name present in the MODEL block: 'knd'",
        ),
        (
            "models/staging/stg_users.sql",
            "@whole_dollars(landed.yearly",
            "@whole_dollarz(landed.yearly",
            "models/staging/stg_users.sql: Macro 'whole_dollarz' does not exist.",
        ),
        ("macros/measures.py", "from sqlmesh", "from nowhere import x\nfrom sqlmesh", "macros/measures.py:{line}: "),
        ("macros/measures.py", "def ", "def (", "macros/measures.py:{line}: "),
        ("config.yaml", "dialect: postgres", "dialect: [postgres", "config.yaml: expected"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_is_wrong(
    file: str, old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy_of_project(tmp_path / "project")
    path = root / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    url = "postgresql://nobody:x@127.0.0.1:1/none"
    chosen = settings.load(
        {"DB_CONNECTION_STRING": url, "REVOPS_HOME": str(tmp_path / "home"), "REVOPS_ENV_FILE": "/nonexistent"}, root
    )
    for name, value in chosen.child_environment(url, {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(root)
    with pytest.raises(CheckFailed) as error:
        sqlmesh_project.context(chosen)
    first, cure = str(error.value).splitlines()
    line = text[: text.index(old)].count("\n") + 1 if file.endswith(".py") else 35
    assert said.format(line=line) in first, json.dumps(first)
    assert cure.strip() == "Correct it and run the same command again."
