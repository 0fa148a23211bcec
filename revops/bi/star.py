"""The star of serving, read from the models: tables, keys, relationships, columns with type and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foundation.errors import CheckFailed
from meshkeys.catalog import Relation
from revops import sqlmesh_project

if TYPE_CHECKING:
    from sqlmesh.core.model import Model

    from revops.settings import Settings

SCHEMA = "serving"
TAG = "star"
FACT = "fct_"
CALENDAR = "dim_date"


@dataclass(frozen=True)
class Where:
    """A server as a BI tool reaches it, and the login that it uses; the password is asked for by the tool."""

    host: str
    port: int
    database: str
    login: str


@dataclass(frozen=True)
class Column:
    """A column: its type by PostgreSQL, without sizes, and its meaning."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table of the star: its key is the one column of its grain."""

    name: str
    meaning: str
    key: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """A column by its name."""
        return next(each for each in self.columns if each.name == name)


@dataclass(frozen=True)
class Relationship:
    """Many rows of a table to one of a dimension; those between dimensions are not active, as the fact leads to each itself."""

    table: str
    column: str
    dimension: str
    key: str
    is_active: bool


@dataclass(frozen=True)
class Star:
    """The fact, its dimensions, and what joins them."""

    fact: Table
    dimensions: tuple[Table, ...]
    relationships: tuple[Relationship, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """The fact, then the dimensions."""
        return (self.fact, *self.dimensions)

    @property
    def day(self) -> str:
        """The column of the fact that leads to the calendar."""
        return next(each.column for each in self.relationships if each.is_active and each.dimension == CALENDAR)


def read(settings: Settings) -> Star:
    """The star of the project: its models of serving with the tag.

    Raises:
        CheckFailed: a file of the project cannot be read, or the models are no star; names what is wrong.
    """
    with closing(sqlmesh_project.context(settings)) as context:
        models = {Relation.of(fqn).name: model for fqn, model in context.models.items() if TAG in model.tags}
    tables = {name: _table(name, model) for name, model in sorted(models.items())}
    facts = [table for name, table in tables.items() if name.startswith(FACT)]
    if len(facts) != 1:
        raise CheckFailed(f"A star has one fact, named {FACT}...; the models with the tag {TAG} have {len(facts)}.")
    dimensions = tuple(table for table in tables.values() if table is not facts[0])
    return Star(facts[0], dimensions, tuple(_relationships(facts[0], dimensions, models)))


def _table(name: str, model: Model) -> Table:
    (grain,) = model.grains
    columns = tuple(
        Column(column, kind.sql(dialect="postgres").partition("(")[0].upper(), model.column_descriptions[column])
        for column, kind in (model.columns_to_types or {}).items()
    )
    return Table(name, model.description or "", str(grain.output_name), columns)


def _relationships(fact: Table, dimensions: tuple[Table, ...], models: Mapping[str, Model]) -> list[Relationship]:
    """Of each reference, what it leads to: the dimension with a key of its name, or of its alias."""
    by_key = {table.key: table.name for table in dimensions}
    found = []
    for table in (fact, *dimensions):
        for reference in models[table.name].all_references[len(models[table.name].grains) :]:
            if reference.name not in by_key:
                raise CheckFailed(f"{SCHEMA}.{table.name} references {reference.name}, the key of no dimension.")
            (column,) = reference.columns
            name = by_key[reference.name]
            found.append(Relationship(table.name, column, name, reference.name, table is fact))
    return found
