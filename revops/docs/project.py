"""What the documentation says of each relation: read from the models by SQLMesh, and from the notes of a database."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation import database
from foundation.queries import relations_exist
from meshkeys import declarations
from meshkeys.catalog import Relation
from revops import sqlmesh_project
from revops.embedded import server

if TYPE_CHECKING:
    from sqlmesh import Context
    from sqlmesh.core.model import Model

    from revops.settings import Settings

LAYERS = ("serving", "features", "facts", "dimensions", "quality", "staging", "seeds", "raw", "desk", "ops")
_AUDITS = """
SELECT DISTINCT ON (model) model, audits_passed, audits_failed, audited_at FROM ops.audit_history
WHERE environment = 'prod' ORDER BY model, audit_id DESC
"""
_BUILT = """
SELECT d.model, max(e.evaluated_at) FROM ops.declarations AS d JOIN ops.evaluations AS e USING (relation) GROUP BY d.model
"""


@dataclass(frozen=True)
class Column:
    """A column: its type and meaning, the columns that its values come from, and those that they go into."""

    name: str
    type: str
    meaning: str
    sources: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Described:
    """All that the project says of a relation; `tests` are names and files of unit tests."""

    name: str
    kind: str
    description: str
    file: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    freshness: str
    reads: tuple[str, ...]
    read_by: tuple[str, ...]
    audits: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]

    @property
    def layer(self) -> str:
        """The schema."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class State:
    """What a database says: the figures of `revops status`, and for each relation lines about its last build and audits."""

    status: Mapping[str, Any]
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)


def read(settings: Settings) -> list[Described]:
    """The relations of the project, those for analysts first. Asks no database.

    Raises:
        CheckFailed: a file of the project cannot be read; names it.
    """
    with closing(sqlmesh_project.context(settings)) as context:
        models = {str(Relation.of(fqn)): model for fqn, model in context.models.items()}
        tests = _tests(settings.root)
        found = [_described(context, settings.root, name, model, models, tests) for name, model in models.items()]
    feeds: dict[str, set[str]] = defaultdict(set)
    read_by: dict[str, set[str]] = defaultdict(set)
    for relation in found:
        for parent in relation.reads:
            read_by[parent].add(relation.name)
        for column in relation.columns:
            for source in column.sources:
                feeds[source].add(f"{relation.name}.{column.name}")
    complete = [
        replace(
            relation,
            read_by=tuple(sorted(read_by[relation.name])),
            columns=tuple(
                replace(column, feeds=tuple(sorted(feeds[f"{relation.name}.{column.name}"])))
                for column in relation.columns
            ),
        )
        for relation in found
    ]
    return sorted(complete, key=lambda relation: (LAYERS.index(relation.layer), relation.name))


def definitions(root: Path) -> str:
    """The definitions of the metrics, in Markdown: the section of docs/decisions.md where each has its one place."""
    path = root / "docs" / "decisions.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    section = re.search(r"^## What the numbers mean\n(.*?)(?=^## )", text, flags=re.MULTILINE | re.DOTALL)
    return section[1].strip() if section is not None else ""


def state(settings: Settings, found: Mapping[str, Any]) -> State | None:
    """What the running database says; `found` is what `revops status` says of it."""
    dsn = server.current(settings)
    if dsn is None:
        return None
    lines: dict[str, list[str]] = defaultdict(list)
    for row in found["rows"]:
        if row["rows"] is not None:
            lines[row["relation"]].append(f"{row['rows']:,} rows ({row['about']})")
    with closing(database.connect(dsn, "revops docs", autocommit=True)) as connection, connection.cursor() as cursor:
        if not relations_exist(cursor, "ops.audit_history", "ops.declarations", "ops.evaluations"):
            return State(found, lines)
        cursor.execute(_BUILT)
        for model, at in cursor.fetchall():
            lines[model].append(f"last evaluated {at:%Y-%m-%d %H:%M} UTC")
        cursor.execute(_AUDITS)
        for model, passed, failed, at in cursor.fetchall():
            lines[model].append(f"last audits {at:%Y-%m-%d %H:%M} UTC: {passed} passed, {failed} failed")
    return State(found, lines)


def _described(
    context: Context,
    root: Path,
    name: str,
    model: Model,
    models: Mapping[str, Model],
    tests: Mapping[str, list[tuple[str, str]]],
) -> Described:
    path = Path(str(model._path))
    return Described(
        name=name,
        kind=str(model.kind.name).replace("_", " ").lower(),
        description=model.description or "",
        file=path.relative_to(root).as_posix() if path.is_relative_to(root) else "",
        columns=_columns(context, model, models),
        keys=_keys(model),
        freshness=_freshness(model),
        reads=tuple(sorted({str(Relation.of(parent)) for parent in model.depends_on} & set(models))),
        read_by=(),
        audits=tuple(sorted(_audit(audit, arguments) for audit, arguments in model.audits)),
        tests=tuple(tests.get(name, ())),
        tags=tuple(sorted(model.tags)),
    )


def _columns(context: Context, model: Model, models: Mapping[str, Model]) -> tuple[Column, ...]:
    from sqlmesh.core.lineage import column_dependencies

    found = []
    for name, kind in (model.columns_to_types or {}).items():
        sources: set[str] = set()
        if not (model.kind.is_external or model.kind.is_seed):
            for parent, columns in column_dependencies(context, model.fqn, name).items():
                relation = str(Relation.of(parent)) if parent.count(".") else ""
                sources |= {f"{relation}.{column}" for column in columns if relation in models}
        meaning = model.column_descriptions.get(name, "")
        found.append(Column(name, kind.sql(dialect=model.dialect), meaning, tuple(sorted(sources))))
    return tuple(found)


def _keys(model: Model) -> tuple[str, ...]:
    """Primary and foreign keys, indexes and the materialized view, as declared; the grain where no key is enforced."""
    declared = declarations.of(model)
    lines = [f"primary key ({', '.join(declared.primary_key)})"] if declared.primary_key else []
    if not lines and model.grains:
        lines = ["one row per " + "; ".join(grain.sql(dialect=model.dialect) for grain in model.grains)]
    lines += [f"foreign key ({key.column}) to {key.parent} ({key.parent_column})" for key in declared.foreign_keys]
    for index in declared.indexes:
        kind = " ".join(["unique" if index.is_unique else "", index.method, "index"]).strip()
        included = f" including ({', '.join(index.include)})" if index.include else ""
        where = f" where {index.where}" if index.where else ""
        lines.append(f"{kind} on ({', '.join(index.columns)}){included}{where}")
    if (view := declared.materialized_view) is not None:
        parts = f", in parts by {view.every} of {view.period}" if view.period else ""
        lines.append(f"materialized view, unique on {view.unique_key}{parts}")
    return tuple(lines)


def _freshness(model: Model) -> str:
    if model.kind.is_external:
        return "written by the loaders, as files land"
    if model.kind.is_seed:
        return "changes with its file in seeds/"
    if model.kind.is_incremental_by_time_range:
        look_back = f", and {model.lookback} before them" if model.lookback else ""
        return f"each build computes the days of {model.time_column.column.name} that changed{look_back}"
    if model.kind.is_view:
        return "always that of the relations it reads"
    return "each build that finds a change above computes it whole"


def _audit(name: str, arguments: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{key}: {value.sql(dialect='postgres')}" for key, value in sorted(arguments.items()))
    return f"{name} ({' '.join(shown.split())})" if shown else name


def _tests(root: Path) -> dict[str, list[tuple[str, str]]]:
    """Names and files of the unit tests, by model."""
    from sqlmesh.utils.yaml import load

    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((root / "tests" / "models").rglob("test_*.yaml")):
        for name, body in load(path, render_jinja=False).items():
            found[str(body["model"])].append((name, path.relative_to(root).as_posix()))
    return found
