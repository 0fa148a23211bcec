"""Compares what is declared for a table with what the catalog says of it: gives operations, touches no database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from meshkeys import catalog, names
from meshkeys.operations import (
    AddForeignKey,
    AddPrimaryKey,
    CreateIndex,
    DropConstraint,
    DropIndex,
    Operation,
    ValidateConstraint,
)

if TYPE_CHECKING:
    from meshkeys.catalog import Keys, Relation
    from meshkeys.declarations import Declarations, Index

    Matches = Callable[[Relation, Index, catalog.Index], bool]


def of_table(
    table: Relation,
    declared: Declarations,
    parents: Mapping[str, Relation],
    found: Keys,
    matches: Matches | None = None,
) -> list[Operation]:
    """All that is to be done to a table; arguments as for the functions below."""
    return [
        *of_indexes(table, declared.indexes, found.indexes, matches),
        *of_primary_key(table, declared.primary_key, found),
        *of_foreign_keys(table, declared, parents, found),
    ]


def of_indexes(
    table: Relation, declared: Iterable[Index], found: Sequence[catalog.Index], matches: Matches | None = None
) -> list[Operation]:
    """Drops indexes of ours that are not declared or not valid, then creates those that are missing.

    Args:
        table: a table or materialized view.
        declared: its indexes as declared.
        found: its indexes as they are.
        matches: whether an index that was found is a declared one: `is_named`, or `serves`.
    """
    matches = matches or is_named
    wanted = list(declared)
    drops = [
        DropIndex(table, index.name)
        for index in found
        if names.is_of_ours(table, index.name)
        and not index.backs_constraint
        and not (index.is_valid and any(matches(table, each, index) for each in wanted))
    ]
    creates = [
        CreateIndex(table, each)
        for each in wanted
        if not any(index.is_valid and matches(table, each, index) for index in found)
    ]
    return [*drops, *creates]


def of_primary_key(table: Relation, columns: tuple[str, ...], found: Keys) -> list[Operation]:
    """Drops a primary key of other columns, and one that is not enforced; adds the declared one where there is none."""
    key = found.primary_key
    operations: list[Operation] = []
    if key is not None and (key.columns != columns or not key.is_enforced):
        operations.append(DropConstraint(table, key.name))
        key = None
    if key is None and columns:
        operations.append(AddPrimaryKey(table, columns))
    return operations


def of_foreign_keys(
    table: Relation, declared: Declarations, parents: Mapping[str, Relation], found: Keys
) -> list[Operation]:
    """Drops foreign keys that point elsewhere, adds those that are missing, and has all rows checked.

    Args:
        table: the table.
        declared: what its model declares.
        parents: the table behind each parent that has one; a key to any other is left out.
        found: what there is.
    """
    wanted = {
        ((key.column,), parents[key.parent], (key.parent_column,)): key
        for key in declared.foreign_keys
        if key.parent in parents
    }
    there = {(key.columns, key.parent, key.parent_columns): key for key in found.foreign_keys}
    operations: list[Operation] = [DropConstraint(table, key.name) for what, key in there.items() if what not in wanted]
    for what, key in wanted.items():
        found_key = there.get(what)
        name = found_key.name if found_key else names.of_foreign_key(table, key.column)
        if found_key is None:
            operations.append(AddForeignKey(table, name, key.column, parents[key.parent], key.parent_column))
        if found_key is None or not found_key.is_validated:
            operations.append(ValidateConstraint(table, name, key.column))
    return operations


def is_named(table: Relation, declared: Index, found: catalog.Index) -> bool:
    """Whether an index has the name of a declared one: it was built for it, however PostgreSQL writes the condition."""
    return found.name == names.of_index(table, declared)


def serves(_: Relation, declared: Index, found: catalog.Index) -> bool:
    """Whether an index of any name does what a declared one is for."""
    return (
        found.is_valid
        and not found.has_expressions
        and found.columns == declared.columns
        and set(declared.include) <= set(found.include)
        and (found.is_unique or not declared.is_unique)
        and found.method == declared.method
        and _bare(found.where) == _bare(declared.where)
    )


def _bare(condition: str | None) -> str:
    """A condition reduced to what PostgreSQL and the model write alike: no casts, brackets, blanks, quoted names or case."""
    return re.sub(r"::[a-z ]+|[\s()\"]", "", (condition or "").lower())
