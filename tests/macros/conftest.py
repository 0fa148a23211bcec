"""Macros, expanded as SQLMesh expands them, and PostgreSQL to say what the result is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2
import pytest
import sqlglot
from sqlmesh.core.macros import MacroEvaluator

from revops import bootstrap
from tests.project_macros import registered

Evaluate = Callable[[str, Sequence[Any]], list[Any]]


def expand(call: str, dialect: str = "postgres", **variables: str) -> str:
    """The SQL that a macro call stands for."""
    evaluator = MacroEvaluator(dialect=dialect)
    evaluator.locals.update(variables)
    expanded = evaluator.transform(sqlglot.parse_one(f"SELECT {call}", read=dialect))
    assert not isinstance(expanded, list)
    assert expanded is not None
    return expanded.sql(dialect=dialect).removeprefix("SELECT ")


@pytest.fixture(scope="module", autouse=True)
def macros() -> Iterator[None]:
    """The macros of the project, for all tests of this folder."""
    with registered():
        yield


@pytest.fixture(scope="module")
def evaluate(module_database_url: str) -> Iterator[Evaluate]:
    """A function from a macro call on `landed`, a text column, and texts to what PostgreSQL makes of each."""
    connection = psycopg2.connect(module_database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        bootstrap.complete(cursor)

    def on_server(call: str, texts: Sequence[Any]) -> list[Any]:
        with connection.cursor() as cursor:
            query = expand(call).replace("%", "%%")
            cursor.execute(
                f"SELECT {query} FROM unnest(%s::text[]) WITH ORDINALITY AS _ (landed, place) ORDER BY place",
                (list(texts),),
            )
            return [value for (value,) in cursor.fetchall()]

    yield on_server
    connection.close()
