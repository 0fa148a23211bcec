"""What cannot be applied of a declaration is said, with the model, the declaration and the cure; what can be is not."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmesh.core.dialect import parse
from sqlmesh.core.model import load_sql_based_model

from meshkeys import checks
from meshkeys.errors import DeclarationError

pytestmark = pytest.mark.unit

QUERY = "SELECT 1::int AS id, 2::int AS user_id, DATE '2020-01-01' AS day, NOW()::timestamp AS at"


def model(name: str, kind: str, declared: str, query: str = QUERY) -> Any:
    return load_sql_based_model(
        parse(f"MODEL (name {name}, kind {kind}, dialect postgres); {query}; {declared}", default_dialect="postgres"),
        dialect="postgres",
    )


USERS = model("a.users", "FULL", "@primary_key(user_id)")
NO_KEY = model("a.no_key", "FULL", "@index(user_id)")
VIEW = model("a.view", "VIEW", "")
DAYS = "INCREMENTAL_BY_TIME_RANGE (time_column day)"
MODELS = {checks.name_of(each): each for each in (USERS, NO_KEY, VIEW)}


@pytest.mark.parametrize(
    ("kind", "declared", "said"),
    [
        ("VIEW", "@primary_key(id)", "@primary_key on a view"),
        ("VIEW", "@foreign_key(user_id, a.users, user_id)", "@foreign_key on a view"),
        ("VIEW", "@index(id)", "@index on a view without @materialized_view"),
        ("EMBEDDED", "@index(id)", "a model of kind EMBEDDED has no table"),
        ("FULL", "@materialized_view(unique_key := id)", "@materialized_view is for kind VIEW, not FULL"),
        ("FULL", "@primary_key(missing)", "@primary_key names missing, which is no column"),
        ("FULL", "@index(id, include := (day, missing))", "@index names missing, which is no column"),
        ("FULL", '@primary_key("ID")', "@primary_key names ID, which is no column"),
        ("FULL", "@foreign_key(missing, a.users, user_id)", "@foreign_key names missing, which is no column"),
        ("FULL", "@foreign_key(user_id, a.other, user_id)", "a.other, which is no model here"),
        ("FULL", "@foreign_key(user_id, a.view, user_id)", "a.view, which is no table"),
        ("FULL", "@foreign_key(user_id, a.users, id)", "a.users (id), which is not unique there"),
        ("FULL", "@foreign_key(user_id, a.no_key, user_id)", "a.no_key (user_id), which is not unique there"),
        ("FULL", "@foreign_key(user_id)", "@foreign_key is not declared as it should be"),
        ("FULL", "@fill_in_ranges(a.users)", "@fill_in_ranges is for kind INCREMENTAL_BY_TIME_RANGE"),
        (DAYS, "@fill_in_ranges(a.users)", "a.users, which is no table that the model reads"),
        (DAYS, "@fill_in_ranges(a.users, a.view)", "@fill_in_ranges is not declared as it should be"),
        ("VIEW", "@materialized_view(unique_key := missing)", "@materialized_view names missing, which is no column"),
        ("VIEW", "@materialized_view(unique_key := id, period := at)", "at as its period, which is TIMESTAMP"),
        ("VIEW", "@materialized_view(unique_key := id, period := id)", "id as its period, which is INT"),
        ("VIEW", "@materialized_view(unique_key := id, sorted_by := (day, missing))", "names missing"),
        ("VIEW", "@materialized_view(unique_key := id, period := day, every := week)", "every is one of year"),
    ],
)
def test_what_cannot_be_applied_is_said(kind: str, declared: str, said: str) -> None:
    (fault,) = checks.faults(model("a.b", kind, declared), MODELS)
    assert said in fault
    with pytest.raises(DeclarationError, match=r"Nothing was changed.* a\.b: ") as raised:
        checks.check([*MODELS.values(), model("a.b", kind, declared)])
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        ("FULL", "@primary_key(ID); @index(day, include := (at)); @foreign_key(user_id, A.users, user_id)"),
        ("VIEW", "@materialized_view(unique_key := id, period := day, every := month, sorted_by := (at)); @index(day)"),
        ("VIEW", ""),
        ("EMBEDDED", ""),
    ],
)
def test_what_can_be_applied_is_let_through(kind: str, declared: str) -> None:
    checks.check([*MODELS.values(), model("a.b", kind, declared)])


def test_columns_that_are_not_known_before_the_query_runs_are_no_fault() -> None:
    unknown = model("a.b", "FULL", "@primary_key(id)", "SELECT * FROM somewhere.table")
    assert not unknown.columns_to_types
    checks.check([unknown])


def test_a_declaration_before_the_query_counts_too() -> None:
    """SQLMesh takes all statements of a seed for such."""
    early = load_sql_based_model(
        parse(f"MODEL (name a.b, kind FULL, dialect postgres); @primary_key(missing); {QUERY}"), dialect="postgres"
    )
    assert [fault.split()[0] for fault in checks.faults(early, {})] == ["@primary_key"]


def test_many_faults_are_counted() -> None:
    models = [model(f"a.b{number}", "VIEW", "@primary_key(id)") for number in range(5)]
    with pytest.raises(DeclarationError, match=r"\(and 2 more\)"):
        checks.check(models)
