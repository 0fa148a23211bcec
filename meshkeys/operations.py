"""What is to be done to the keys and indexes of a table, as data. Knows no database; `execution` turns it into SQL."""

from __future__ import annotations

from dataclasses import dataclass

from meshkeys.catalog import Relation
from meshkeys.declarations import Index


@dataclass(frozen=True)
class CreateIndex:
    """Builds an index."""

    table: Relation
    index: Index

    def __str__(self) -> str:
        unique = "unique " if self.index.is_unique else ""
        return f"{self.table}: create {unique}index ({', '.join(self.index.columns)})"


@dataclass(frozen=True)
class DropIndex:
    """Drops an index that is not declared, or not valid."""

    table: Relation
    name: str

    def __str__(self) -> str:
        return f"{self.table}: drop index {self.name}"


@dataclass(frozen=True)
class AddPrimaryKey:
    """Makes columns the primary key."""

    table: Relation
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}: add primary key ({', '.join(self.columns)})"


@dataclass(frozen=True)
class DropConstraint:
    """Drops a key that is not declared, or points elsewhere."""

    table: Relation
    name: str

    def __str__(self) -> str:
        return f"{self.table}: drop constraint {self.name}"


@dataclass(frozen=True)
class AddForeignKey:
    """Points a column at a parent; rows that are there are not checked yet."""

    table: Relation
    name: str
    column: str
    parent: Relation
    parent_column: str

    def __str__(self) -> str:
        return f"{self.table}: add foreign key ({self.column}) to {self.parent} ({self.parent_column})"


@dataclass(frozen=True)
class ValidateConstraint:
    """Checks all rows against a foreign key."""

    table: Relation
    name: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}: validate foreign key {self.name}"


Operation = CreateIndex | DropIndex | AddPrimaryKey | DropConstraint | AddForeignKey | ValidateConstraint
