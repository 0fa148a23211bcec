"""Staging's views over raw, made from the models as SQLMesh renders them, without SQLMesh's own state."""

from __future__ import annotations

from sqlmesh.core.dialect import parse
from sqlmesh.core.model import load_sql_based_model
from sqlmesh.utils.metaprogramming import import_python_file

from tests.conftest import ROOT


def create_view(relation: str) -> str:
    """The statement that creates staging's view of a relation of raw."""
    # Anew: a project that another test loaded leaves macros behind whose module is gone, and SQLMesh needs its source.
    for module in ("casting", "masking"):
        import_python_file(ROOT / "macros" / f"{module}.py", ROOT)
    name = f"stg_{relation}"
    text = (ROOT / "models" / "staging" / f"{name}.sql").read_text()
    model = load_sql_based_model(parse(text, default_dialect="postgres"), dialect="postgres")
    query = model.render_query_or_raise().sql(dialect="postgres")
    return f"CREATE SCHEMA IF NOT EXISTS staging; CREATE OR REPLACE VIEW staging.{name} AS {query}"
