"""Notes at the end of each plan what prod's models read and are, and what a plan without evaluations makes out of date."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from foundation import ops
from meshkeys import catalog
from meshkeys.catalog import Relation
from revops.ledger import definitions, graph, ledger, rendered

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

# Days as runs of consecutive ones.
_EVALUATED_ON = """
INSERT INTO ops.evaluations (relation, starts_on, ends_on)
SELECT %s, lower(run), upper(run) - 1
FROM unnest((SELECT range_agg(daterange(day, day, '[]')) FROM unnest(%s::date[]) AS each (day))) AS runs (run)
"""


def note(cursor: Cursor, snapshots: Sequence[Any], tables: Mapping[str, Relation]) -> None:
    """Notes what prod's models read and are, for `revops build` and `revops verify` to find without SQLMesh.

    Args:
        cursor: in the transaction that notes what the models declare.
        snapshots: of prod's models.
        tables: the physical relation of each model by its name.
    """
    ops.create_for_builds(cursor)
    before = noted_nodes(cursor)
    nodes = {node.model: node for node in graph.nodes_of(snapshots, before)}
    cursor.execute("SELECT model, definition, rendered, asks_for_the_time FROM ops.models WHERE definition IS NOT NULL")
    noted = {model: found for model, *found in cursor.fetchall()}
    rows = []
    for snapshot in snapshots:
        name = f"{snapshot.model.schema_name}.{snapshot.model.view_name}"
        if name in tables:
            definition, text, asks = noted.get(name, (None, None, True))
            if definition is None or definition["version"] != definitions.version(snapshot):
                of_model = definitions.of(snapshot)
                how = rendered.of(snapshot, of_model)
                definition, text = of_model and asdict(of_model), how and asdict(how)
                asks = rendered.asks_for_the_time(snapshot, how)
            rows.append((name, *(each and json.dumps(each) for each in (asdict(nodes[name]), definition, text)), asks))
    if catalog.exists(cursor, Relation("ops", "changes")):  # else nothing has landed, and nothing can be out of date
        _record_kept_tables(cursor, before, nodes)
        _record_kept_readers(cursor, before, nodes)
    cursor.execute("DELETE FROM ops.models")
    cursor.executemany(
        "INSERT INTO ops.models (model, node, definition, rendered, asks_for_the_time) VALUES (%s, %s, %s, %s, %s)",
        rows,
    )


def are_noted(cursor: Cursor, snapshots: Sequence[Any]) -> bool:
    """Whether what is noted of prod's models is what this version of revops notes of these versions of them."""
    cursor.execute("SELECT definition ->> 'version' FROM ops.models WHERE definition IS NOT NULL")
    return {version for (version,) in cursor.fetchall()} <= {definitions.version(snapshot) for snapshot in snapshots}


def noted_nodes(cursor: Cursor) -> list[graph.Node]:
    """The models of prod and what they read, as noted when it was last planned; parents first."""
    cursor.execute("SELECT node FROM ops.models")
    return graph.in_order({node["model"]: graph.from_json(node) for (node,) in cursor.fetchall()})


def _record_kept_tables(cursor: Cursor, before: Iterable[graph.Node], nodes: Mapping[str, graph.Node]) -> None:
    """Notes tables that a forward-only change keeps for another query: all of their rows are to be made again."""
    for was in before:
        now = nodes.get(was.model)
        if now and now.relation and (now.relation == was.relation) and now.data_hash != was.data_hash:
            cursor.execute(
                "INSERT INTO ops.changes (relation, starts_on, ends_before, cause)"
                " VALUES (%s, %s, '9999-01-01', 'forward-only')",
                (graph.definition_of(now.model), ledger.FIRST_DAY),
            )


def _record_kept_readers(cursor: Cursor, before: list[graph.Node], nodes: Mapping[str, graph.Node]) -> None:
    """Notes that tables which are kept while a parent moves to another version are as up to date as they were.

    SQLMesh keeps them because the parent's change is not breaking: they read the same of its new version as of the old one,
    although the new one was evaluated later than they were.
    """
    relations = {node.model: node.relation for node in before}
    if all(relations.get(model, node.relation) == node.relation for model, node in nodes.items()):
        return
    today = datetime.now(timezone.utc).date()
    were, are = ledger.read(cursor, before, today), ledger.read(cursor, list(nodes.values()), today)
    for node in nodes.values():
        if node.relation is None or relations.get(node.model) != node.relation:
            continue
        if node.by_days:
            days = set(are.days.get(node.model, ())) - set(were.days.get(node.model, ()))
            cursor.execute(_EVALUATED_ON, (node.relation, sorted(days)))
        elif node.model in are.whole - were.whole:
            cursor.execute("INSERT INTO ops.evaluations (relation) VALUES (%s)", (node.relation,))
