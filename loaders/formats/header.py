"""Owns finding a relation's columns by their names, in any order and case and among other columns. Reads no file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from loaders.errors import InputRefused
from loaders.protect import mask_card_numbers
from loaders.sources import Source

SEPARATORS = ",;\t|"
_FIELDS = {
    separator: re.compile(rf'(?:"((?:[^"]|"")*)"|([^"{re.escape(separator)}]*))({re.escape(separator)}|\Z)')
    for separator in SEPARATORS
}
_TOKEN_NAMES = ("card_token", "token", "pan_token", "card_number_token", "card_number_hash", "pan_hash", "card_hash")
_LAST4_NAMES = ("card_last4", "last4", "last_4", "last_four", "card_last_4", "card_last_four")
_PAN_NAMES = ("pan", "card_no", "number")
_MOST_NAMED = 6


@dataclass(frozen=True)
class Columns:
    """Where a file has the columns of a relation.

    Attributes:
        width: how many columns the file has.
        places: the place of each column of the relation, None for one that the file may lack and does.
        token: the place of a column of card tokens made elsewhere.
        last4: the place of a column of last four digits.
        others: the names of the columns that are not read.
    """

    width: int
    places: tuple[int | None, ...]
    token: int | None = None
    last4: int | None = None
    others: tuple[str, ...] = ()

    @property
    def are_as_published(self) -> bool:
        """Whether the file has just the published columns, in their order."""
        return self.places == tuple(range(self.width))

    def fields(self, values: Sequence[str]) -> list[str]:
        """Return a row's values in the relation's order; empty where the file has no such column."""
        return ["" if place is None else values[place] for place in self.places]

    def delivered(self, values: Sequence[str]) -> tuple[str, str]:
        """Return the token and the last four digits that a row delivers, empty where it does not."""
        token = "" if self.token is None else values[self.token]
        return token, "" if self.last4 is None else values[self.last4]


def find_columns(source: Source, names: Sequence[str], by_alias: bool = True) -> Columns | str:
    """Find a relation's columns by name, else return the name of the first one that is missing.

    Case, blanks around, and blanks or dashes inside for underscores make no difference.

    Args:
        source: the relation.
        names: the file's header.
        by_alias: whether other names that people use will do.
    """
    plain = [plain_name(name) for name in names]
    taken: dict[str, int] = {}
    for place, name in enumerate(plain):
        taken.setdefault(name, place)
    places: list[int | None] = []
    for column in source.columns:
        tried = (column, *(source.aliases.get(column, ()) if by_alias else ()))
        if column == source.pan_column:
            tried += _PAN_NAMES
        found = next((taken[name] for name in tried if name in taken and taken[name] not in places), None)
        if found is None and column not in source.optional_columns:
            return column
        places.append(found)
    token = last4 = None
    if source.pan_column is not None:
        free = {name: place for name, place in taken.items() if place not in places}
        token = next((free[name] for name in _TOKEN_NAMES if name in free), None)
        last4 = next((free[name] for name in _LAST4_NAMES if name in free), None)
    used = {*places, token, last4}
    others = tuple(name for place, name in enumerate(names) if place not in used)
    return Columns(len(names), tuple(places), token, last4, others)


def check_names(source: Source, names: Sequence[str], file: str, line: int = 1) -> Columns:
    """Find a relation's columns by name.

    Raises:
        InputRefused: one is missing, or a name is given to two columns.
    """
    cure = f"Its first line must name the columns: {','.join(source.columns)}"
    found = find_columns(source, names)
    if isinstance(found, str):
        shown = ",".join(mask_card_numbers(name[:60]) for name in names[:_MOST_NAMED])
        more = ", ..." if len(names) > _MOST_NAMED else ""
        raise InputRefused(file, f"the header has no such column, it begins {shown!r}{more}", cure, line, found)
    plain = [plain_name(name) for name in names]
    for place in found.places:
        if place is not None and plain[place] and plain.count(plain[place]) > 1:
            raise InputRefused(file, "the header has this column twice", cure, line, plain[place])
    return found


def plain_name(name: str) -> str:
    """Return a column's name in lower case, with underscores for blanks and dashes, and without anything around it."""
    return re.sub(r"[\s\-]+", "_", name.removeprefix("\ufeff").strip().strip("?").lower())


def header_of(text: str) -> list[str]:
    """Return the names in the first line of a text, or in the second one after a line `sep=` for spreadsheet programs."""
    lines = text.split("\n", 2)
    line = lines[1] if len(lines) > 1 and lines[0].lower().startswith("sep=") else lines[0]
    return names_and_separator(line.split("\r")[0])[0]


def names_and_separator(line: str) -> tuple[list[str], str]:
    """Return the names in a header and what separates them."""
    separator = separator_of(line)
    return split_record(line, separator) or [line], separator


def separator_of(line: str) -> str:
    """Return the character that separates the fields of a header: the one of the usual ones that it has most of."""
    return max(SEPARATORS, key=line.count)


def split_record(text: str, separator: str = ",") -> list[str] | None:
    """Return the fields of one CSV record without its line end, None where its quoting is broken."""
    if '"' not in text:
        return text.split(separator)
    pattern = _FIELDS[separator]
    fields: list[str] = []
    place = 0
    while True:
        found = pattern.match(text, place)
        if found is None:
            return None
        quoted, plain, end = found.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        place = found.end()
        if not end:
            return fields


def unread_note(columns: Columns) -> str:
    """Say which columns of a file are not read, empty where all are."""
    if not columns.others:
        return ""
    shown = ", ".join(
        mask_card_numbers(name.strip()[:60]) or "one without a name" for name in columns.others[:_MOST_NAMED]
    )
    more = f" and {len(columns.others) - _MOST_NAMED} more" if len(columns.others) > _MOST_NAMED else ""
    return f"columns not read: {shown}{more}"
