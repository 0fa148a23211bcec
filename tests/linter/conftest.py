"""Models made of text, without a project or a database around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlglot import exp
from sqlmesh.core.dialect import parse
from sqlmesh.core.model import Model, create_external_model, load_sql_based_model

from tests.project_macros import registered

HEADER = "kind FULL, description 'One row per thing.', grain thing_id"
QUERY = "SELECT thing_id::INT /* The thing */ FROM staging.stg_things;\n@primary_key(thing_id)"


@pytest.fixture(scope="module", autouse=True)
def macros() -> Iterator[None]:
    """The macros of the project, which the models call."""
    with registered():
        yield


@pytest.fixture
def model_of(tmp_path: Path) -> Callable[..., Model]:
    """A function that makes a model of its name, the inside of its MODEL block and its query, in a file where it belongs."""

    def make(
        name: str = "dimensions.dim_things", query: str = QUERY, header: str = HEADER, file: str | None = None
    ) -> Model:
        schema, _, table = name.partition(".")
        path = tmp_path / (file or f"models/{schema}/{table}.sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n  ".join(part.strip() for part in [f"name {name}", *header.split(", ")])
        text = f"MODEL (\n  {lines}\n);\n\n{query}"
        path.write_text(text)
        return load_sql_based_model(
            parse(text, default_dialect="postgres"), path=path, dialect="postgres", default_catalog="warehouse"
        )

    return make


@pytest.fixture
def messages_of() -> Callable[..., list[str]]:
    """A function from a rule, a model and the models beside it to what the rule says."""

    def check(rule: Any, model: Model, beside: Iterable[Model] = ()) -> list[str]:
        known = {f"{exp.to_table(m.fqn).db}.{exp.to_table(m.fqn).name}": m for m in [model, *beside]}
        found = rule(SimpleNamespace(get_model=known.get, models=known)).check_model(model)
        violations = found if isinstance(found, list) else [found] if found else []
        return [violation.violation_msg for violation in violations]

    return check


@pytest.fixture
def external() -> Model:
    """A table of raw, to which no rule applies."""
    return create_external_model(
        "raw.a_table_of_the_loaders_with_a_name_of_any_length",
        columns={"id": exp.DataType.build("text"), "address": exp.DataType.build("text")},
        default_catalog="warehouse",
        dialect="postgres",
    )
