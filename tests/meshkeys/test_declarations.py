"""What models declare is read as PostgreSQL would read it, and comes back from the notes as it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from sqlmesh.core.dialect import parse
from sqlmesh.core.model import load_sql_based_model

from meshkeys import declarations
from meshkeys.declarations import Declarations, ForeignKey, Grant, Index, MaterializedView
from meshkeys.errors import DeclarationError

pytestmark = pytest.mark.unit


def declared(calls: str, header: str = "kind FULL") -> Declarations:
    text = f"MODEL (name a.b, {header}, dialect postgres); SELECT 1::int AS id; {calls}"
    model: Any = load_sql_based_model(parse(text, default_dialect="postgres"), dialect="postgres")
    return declarations.of(model)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ("", Declarations()),
        ("@primary_key(ID)", Declarations(("id",))),
        ('@primary_key("ID", day)', Declarations(("ID", "day"))),
        ("@foreign_key(User_id, A.users, user_id)", Declarations((), (ForeignKey("user_id", "a.users", "user_id"),))),
        ("@foreign_key(u, c.a.users, u)", Declarations((), (ForeignKey("u", "a.users", "u"),))),
        ("@index(day)", Declarations(indexes=(Index(("day",)),))),
        (
            "@index(day, at, unique := TRUE, include := (id, n), method := 'brin', where := n > 0)",
            Declarations(indexes=(Index(("day", "at"), True, "brin", ("id", "n"), "n > 0"),)),
        ),
        ("@index(day, include := id); @index(at)", Declarations(indexes=(Index(("day",), include=("id",)), Index(("at",))))),
        ("@fill_in_ranges(A.events)", Declarations(filled_like="a.events")),
        (
            "@materialized_view(unique_key := id, period := day, every := month, sorted_by := (day, id))",
            Declarations(materialized_view=MaterializedView("id", "day", "month", ("day", "id"))),
        ),
    ],
)  # fmt: skip
def test_a_call_is_read_with_all_its_arguments(calls: str, expected: Declarations) -> None:
    found = declared(calls)
    assert found == expected
    assert declarations.from_json(json.loads(json.dumps(asdict(found)))) == found


def test_grants_are_those_of_the_header() -> None:
    found = declared("", "kind FULL, grants ('select' = ['analyst', 'auditor'], 'update' = 'editor')")
    assert set(found.grants) == {Grant("select", "analyst"), Grant("select", "auditor"), Grant("update", "editor")}
    assert declarations.from_json(json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize(
    "call",
    [
        "@foreign_key(user_id)",
        "@foreign_key(a, b, c, d)",
        "@materialized_view(period := day)",
        "@materialized_view(unique_key := id, every := week)",
        "@primary_key(1 + 1)",
        "@index(lower(id))",
        "@index(id, include := (day, lower(id)))",
    ],
)
def test_what_is_not_written_as_the_macro_says_is_told_with_model_and_macro(call: str) -> None:
    with pytest.raises(DeclarationError, match=rf"a\.b.*{call.partition('(')[0]}") as raised:
        declared(call)
    assert len(str(raised.value).splitlines()) == 2


def test_notes_of_an_earlier_version_say_nothing_of_grants_and_order() -> None:
    old = asdict(Declarations(("id",), materialized_view=MaterializedView("id")))
    del old["grants"], old["materialized_view"]["sorted_by"]
    assert declarations.from_json(old) == Declarations(("id",), materialized_view=MaterializedView("id"))
