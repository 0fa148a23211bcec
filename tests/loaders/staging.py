"""Staging's views over raw, made from the models as SQLMesh renders them, without SQLMesh's own state.

`python -m tests.loaders.staging` writes loaders/row_faults/ again, after a change of staging.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlglot import exp
from sqlmesh.core.dialect import parse
from sqlmesh.core.model import load_sql_based_model
from sqlmesh.utils.metaprogramming import import_python_file

from loaders.duplicates import KEYS, ROW_FAULTS
from tests.conftest import ROOT

_HEADER = "-- Made from models/staging/stg_{relation}.sql by `python -m tests.loaders.staging`; do not edit.\n"
_SUPERSEDED = "superseding_line"


def create_view(relation: str) -> str:
    """The statement that creates staging's view of a relation of raw."""
    query = _rendered(relation).sql(dialect="postgres")
    return f"CREATE SCHEMA IF NOT EXISTS staging; CREATE OR REPLACE VIEW staging.stg_{relation} AS {query}"


def row_faults(relation: str) -> str:
    """The query of staging's view, cut down to each row's key and fault, whether or not another row supersedes it."""
    query = _rendered(relation)
    typed = query.find(exp.CTE).this
    key = next(
        each.alias for each in typed.selects if KEYS[relation] in {column.name for column in each.find_all(exp.Column)}
    )
    typed.set("joins", None)
    typed.set("expressions", [each for each in typed.selects if each.alias_or_name not in (_SUPERSEDED, "_loaded_at")])
    typed.select(f"landed.{KEYS[relation]} AS written_key", copy=False)
    fault = next(each for each in query.selects if each.alias == "row_fault")
    for branch in fault.find(exp.Case).args["ifs"]:
        if _SUPERSEDED in {column.name for column in branch.this.find_all(exp.Column)}:
            branch.pop()
    kept: list[Any] = [f"COALESCE({key}::TEXT, written_key) AS key", fault, "_file_id", "_line_number"]
    query.select(*kept, append=False, copy=False)
    for node in query.walk():
        node.comments = None
        if isinstance(node, exp.Identifier):
            node.set("quoted", False)
    text = query.sql(dialect="postgres", pretty=True)
    table = f"FROM raw.{relation} AS landed"
    assert text.count(table) == 1
    return _HEADER.format(relation=relation) + text.replace(table, f"{table}\n  WHERE {{rows}}") + "\n"


def _rendered(relation: str) -> Any:
    # Again each time: a project that another test loaded leaves macros behind whose module is gone, and SQLMesh needs its
    # source.
    for path in sorted((ROOT / "macros").glob("*.py")):
        if path.stem in ("casting", "masking"):
            import_python_file(path, ROOT)
    text = (ROOT / "models" / "staging" / f"stg_{relation}.sql").read_text()
    model = load_sql_based_model(parse(text, default_dialect="postgres"), dialect="postgres")
    return model.render_query_or_raise().copy()


def main(folder: Path = ROW_FAULTS) -> None:
    """Write the queries of all relations."""
    folder.mkdir(exist_ok=True)
    for relation in KEYS:
        (folder / f"{relation}.sql").write_text(row_faults(relation), encoding="utf-8")


if __name__ == "__main__":
    main()
