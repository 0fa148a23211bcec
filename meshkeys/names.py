"""Names made of other names, within PostgreSQL's limit, and digests that can be part of names and tokens.

Keys and indexes have their table's name in theirs, with the version, because names of indexes are those of a schema.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshkeys.catalog import Relation
    from meshkeys.declarations import Index

LONGEST_NAME = 63
# A few in a thousand hexadecimal digests hold a run of digits that passes for a card number.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_DIGITS = 6
_LONGEST_BEFORE_DIGEST = LONGEST_NAME - len("_ix_") - _DIGITS


def bounded_name(*parts: str) -> str:
    """The parts joined to an identifier of at most 63 bytes; a longer one is cut and told apart by a hash."""
    name = "__".join(parts)
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{_cut(name, LONGEST_NAME - 9)}_{digest}"


def in_letters(digest: str) -> str:
    """A hexadecimal digest in letters alone, g to p for the digits 0 to 9."""
    return digest.translate(_LETTERS)


def of_index(table: Relation, index: Index) -> str:
    """The table's name, with its version, then the columns, then a hash of table and declaration."""
    digest = hashlib.sha256(f"{table.name} {index!r}".encode()).hexdigest()[:_DIGITS]
    name = f"{table.name}__{'_'.join(index.columns)}"
    return f"{_cut(name, _LONGEST_BEFORE_DIGEST)}_ix_{digest}"


def is_of_ours(table: Relation, name: str) -> bool:
    """Whether an index of the table has such a name as ours have."""
    return name.startswith(_cut(f"{table.name}__", _LONGEST_BEFORE_DIGEST))


def of_primary_key(table: Relation) -> str:
    """The table's name, with its version."""
    return bounded_name(table.name, "pk")


def of_foreign_key(table: Relation, column: str) -> str:
    """The table's name, with its version, then the column."""
    return bounded_name(table.name, column, "fk")


def _cut(name: str, most: int) -> str:
    """As much of the name as fits into so many bytes, by which PostgreSQL counts."""
    return name.encode()[:most].decode(errors="ignore")
