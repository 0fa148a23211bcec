"""The names of keys and indexes: each has its table's in it, with the version, because names of indexes are those of a schema."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from meshkeys.catalog import LONGEST_NAME, bounded_name

if TYPE_CHECKING:
    from meshkeys.catalog import Relation
    from meshkeys.declarations import Index

_DIGITS = 6
_LONGEST_BEFORE_DIGEST = LONGEST_NAME - len("_ix_") - _DIGITS


def of_index(table: Relation, index: Index) -> str:
    """The table's name, with its version, then the columns, then a hash of table and declaration."""
    digest = hashlib.sha256(f"{table.name} {index!r}".encode()).hexdigest()[:_DIGITS]
    name = f"{table.name}__{'_'.join(index.columns)}"
    return f"{name[:_LONGEST_BEFORE_DIGEST]}_ix_{digest}"


def is_of_ours(table: Relation, name: str) -> bool:
    """Whether an index of the table has such a name as ours have."""
    return name.startswith(f"{table.name}__"[:_LONGEST_BEFORE_DIGEST])


def of_primary_key(table: Relation) -> str:
    """The table's name, with its version."""
    return bounded_name(table.name, "pk")


def of_foreign_key(table: Relation, column: str) -> str:
    """The table's name, with its version, then the column."""
    return bounded_name(table.name, column, "fk")
