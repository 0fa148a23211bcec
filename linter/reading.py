"""What several rules read from a model. Holds no rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlglot import exp
from sqlmesh.core.dialect import MacroFunc
from sqlmesh.core.model import Model, SqlModel


def is_ours(model: Model) -> bool:
    """Whether the model is a file of this project, rather than a table that something else fills."""
    return not model.kind.is_external


def is_table(model: Model) -> bool:
    """Whether the model fills a table; seeds apart, whose keys are audited and whose rows are few."""
    return bool(model.kind.is_materialized and not model.kind.is_seed)


def short_name(name: str) -> str:
    """`schema.name` of a table name with or without catalog and quotes."""
    table = exp.to_table(name, dialect="postgres")
    return f"{table.db}.{table.name}"


def schema_of(name: str) -> str:
    """The schema, which is the layer, of a table name with or without catalog and quotes."""
    return str(exp.to_table(name, dialect="postgres").db)


def query_as_written(model: Model) -> Any:
    """The query with its macros not yet expanded; None for a seed or a Python model."""
    return model.query if isinstance(model, SqlModel) else None


def query_as_run(model: Model) -> Any:
    """The query with its macros expanded; as written, where they cannot be expanded yet; None where there is none."""
    written = query_as_written(model)
    return None if written is None else model.render_query() or written


def final_projections(query: Any) -> Iterator[Any]:
    """The columns of the final SELECT; of each branch, where it is a UNION."""
    if isinstance(query, exp.SetOperation):
        yield from final_projections(query.left)
        yield from final_projections(query.right)
    elif isinstance(query, exp.Subquery):
        yield from final_projections(query.this)
    else:
        yield from query.selects


def tables_read(query: Any) -> set[str]:
    """`schema.name` of the tables that the query names, its own steps left out."""
    return {f"{table.db}.{table.name}" for table in query.find_all(exp.Table) if table.db}


def grains_of(model: Model) -> list[tuple[str, ...]]:
    """Each grain as the tuple of its columns."""
    return [tuple(_names(grain)) for grain in model.grains]


def _names(expression: Any) -> Iterable[str]:
    if isinstance(expression, exp.Tuple | exp.Paren):
        inner = expression.expressions if isinstance(expression, exp.Tuple) else [expression.this]
        return [name for part in inner for name in _names(part)]
    return [str(expression.name)]


def named(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(sorted(names))


def is_macro(expression: Any) -> bool:
    """Whether the expression is a call of a macro."""
    return isinstance(expression, MacroFunc)
