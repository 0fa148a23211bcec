"""What each model reads: its parents, and the columns of those without days. Reads SQLMesh's models, touches no database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from foundation.errors import UsageError
from meshkeys import declarations
from meshkeys.catalog import Relation
from meshkeys.names import in_letters

if TYPE_CHECKING:
    from sqlmesh.core.model import Model

_KNOWN: dict[tuple[str, Any], tuple[str, Mapping[str, tuple[str, ...]]]] = {}


@dataclass(frozen=True)
class RestatedBy:
    """`@restated_by(key, tables, overall)`, as macros/restated_by.py describes it."""

    key: str
    tables: tuple[str, ...]
    overall: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """A model in one environment.

    Attributes:
        model: its name.
        relation: the physical table that holds its rows, None for a view.
        by_days: whether it is evaluated by ranges of days; otherwise it is evaluated whole.
        look_back: how many days before its own a row of it reads.
        look_ahead: how many days after its own a row of it reads.
        parents: the models and landed relations that it reads.
        columns: of each parent that is a model, the columns that it reads.
        data_hash: of its rendered query: another one in the same table is a forward-only change. SQLMesh's own hash would change
            with a declared index too.
        version: of the model, as SQLMesh tells versions apart.
        restated_by: by which key its rows are restated, None where they are restated by days or whole.
    """

    model: str
    relation: str | None
    by_days: bool
    look_back: int = 0
    parents: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    data_hash: str = ""
    look_ahead: int = 0
    version: str = ""
    restated_by: RestatedBy | None = None


def nodes_of(snapshots: Iterable[Any], noted: Iterable[Node] = ()) -> list[Node]:
    """The nodes of the snapshots of an environment, parents first.

    Args:
        snapshots: of all its models.
        noted: nodes of an earlier time: queries of versions that are still the same are not read again, which takes a second.
    """
    known = {(node.model, node.version): node for node in noted if node.version}
    nodes = {}
    for snapshot in snapshots:
        if snapshot.version and not snapshot.is_symbolic:
            model = snapshot.model
            parents = sorted(_name(parent) for parent in model.depends_on)
            name, version = _name(model.fqn), str(snapshot.identifier)
            was = known.get((name, version))
            data_hash, columns = (was.data_hash, was.columns) if was else _read(snapshot)
            nodes[name] = Node(
                model=name,
                relation=None if model.kind.is_view else str(Relation.of(snapshot.table_name())),
                by_days=model.kind.is_incremental_by_time_range,
                look_back=_declared(model, "look_back", "felt_for_days"),  # the latter in versions that are still used
                look_ahead=_declared(model, "look_ahead"),
                parents=(*parents, definition_of(name)),
                data_hash=data_hash,
                columns=columns,
                version=version,
                restated_by=_restated_by(model),
            )
    return in_order(nodes)


def _read(snapshot: Any) -> tuple[str, Mapping[str, tuple[str, ...]]]:
    """The hash of a model's query and the columns that it reads: told once of each version, for a build asks several times."""
    model = snapshot.model
    if not model.is_sql:
        return in_letters(model.data_hash), {}
    key = (snapshot.name, snapshot.fingerprint)
    if key not in _KNOWN:
        _KNOWN[key] = _hash(model.render_query_or_raise()), _columns(model)
    return _KNOWN[key]


def definition_of(model: str) -> str:
    """The name under which a model's query counts as one of its inputs, which changes when a table is kept for another query."""
    return f"definition.{model}"


def from_json(found: Mapping[str, Any]) -> Node:
    """What `dataclasses.asdict` and JSON made of a node."""
    columns = {parent: tuple(names) for parent, names in found["columns"].items()}
    by = found.get("restated_by")
    restated_by = by and RestatedBy(by["key"], tuple(by["tables"]), tuple(by["overall"]))
    return Node(**{**found, "parents": tuple(found["parents"]), "columns": columns, "restated_by": restated_by})


def in_order(nodes: Mapping[str, Node]) -> list[Node]:
    """The nodes by name, parents first."""
    ordered: dict[str, Node] = {}

    def add(node: Node) -> None:
        for parent in node.parents:
            if parent in nodes and parent not in ordered:
                add(nodes[parent])
        ordered[node.model] = node

    for name in sorted(nodes):
        if name not in ordered:
            add(nodes[name])
    return list(ordered.values())


def _declared(model: Model, *names: str) -> int:
    """How many days a model declares by `@look_back(n)` or `@look_ahead(n)`, 0 where it declares nothing.

    Raises:
        UsageError: it is not a whole number; names the model.
    """
    for name, arguments, _ in declarations.calls(model) if model.is_sql else ():
        if name in names:
            text = arguments[0].sql() if len(arguments) == 1 else ""
            if not text.isdigit():
                raise UsageError(f"Model {model.name}: @{name} takes a number of days, such as @{name}(2)")
            return int(text)
    return 0


def _restated_by(model: Model) -> RestatedBy | None:
    """What a model declares by `@restated_by`.

    Raises:
        UsageError: it is not written as macros/restated_by.py says; names the model.
    """
    for name, arguments, options in declarations.calls(model) if model.is_sql else ():
        if name == "restated_by":
            tables = tuple(map(declarations.table_of, declarations.listed(options.get("tables"))))
            parents = {_name(parent) for parent in model.depends_on}
            if len(arguments) != 1 or not tables or not parents.issuperset(tables):
                raise UsageError(
                    f"Model {model.name}: @restated_by takes a key and tables that the model reads.\n"
                    "  See macros/restated_by.py."
                )
            overall = (each.sql(dialect="postgres") for each in declarations.listed(options.get("overall")))
            return RestatedBy(declarations.name_of(arguments[0]), tables, tuple(overall))
    return None


def _columns(model: Model) -> dict[str, tuple[str, ...]]:
    """The columns that a model's query names of each table it reads; if it reads one table only, all belong to that one."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    found: dict[str, set[str]] = {}
    for scope in traverse_scope(model.render_query_or_raise()):
        tables = {alias: _name(source) for alias, source in scope.sources.items() if isinstance(source, exp.Table)}
        for column in scope.columns:
            of = [tables[column.table]] if column.table in tables else [] if column.table else list(tables.values())
            for table in of:
                found.setdefault(table, set()).add(column.name)
    return {table: tuple(sorted(names)) for table, names in sorted(found.items())}


def _hash(query: Any) -> str:
    return in_letters(hashlib.sha256(query.sql(dialect="postgres", comments=False).encode()).hexdigest()[:32])


def _name(relation: Any) -> str:
    return str(Relation.of(relation))
