"""Owns raw.superseded_rows: which landed rows give way to another row with the same key. Lands nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2 import sql

from foundation.queries import scalar
from loaders import manifest
from loaders.ranking import rank

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

KEYS = {
    "transactions": "id",
    "users": "id",
    "cards": "id",
    "mcc_codes": "mcc",
    "fraud_labels": "transaction_id",
}

ROW_FAULTS = Path(__file__).parent / "row_faults"
"""Per relation, the query of staging that tells a row's key and why it cannot be used: a test holds them equal."""

DDL = """
CREATE TABLE IF NOT EXISTS raw.superseded_rows (
    relation text NOT NULL,
    _file_id bigint NOT NULL,
    _line_number bigint NOT NULL,
    PRIMARY KEY (relation, _file_id, _line_number)
);
COMMENT ON TABLE raw.superseded_rows IS
    'One row per landed row that gives way to another row with its key: to a sound one, one of a later file, a later line';
"""

# The key as staging reads it, so that 7 and 007 are one; as it is written where staging cannot read it.
_FIND = """
CREATE TEMPORARY TABLE superseded_now ON COMMIT DROP AS
WITH keyed AS NOT MATERIALIZED (
{keyed}), repeated AS (
    SELECT key FROM keyed GROUP BY key HAVING count(*) > 1
), ranked AS (
    SELECT keyed._file_id, keyed._line_number,
           row_number() OVER (PARTITION BY keyed.key
                              ORDER BY keyed.row_fault IS NULL DESC, files.place DESC, keyed._line_number DESC) AS place
    FROM keyed JOIN repeated USING (key)
    JOIN unnest({files}::bigint[]) WITH ORDINALITY AS files (_file_id, place) USING (_file_id)
)
SELECT _file_id, _line_number FROM ranked WHERE place > 1
"""
_NUMBER = sql.SQL("landed.{0}::bigint")
_MOST_RANGES = 20
_MUCH_LARGER = 4

_CHANGED = """
CREATE TEMPORARY TABLE superseded_changed ON COMMIT DROP AS
SELECT coalesce(n._file_id, o._file_id) AS _file_id, coalesce(n._line_number, o._line_number) AS _line_number
FROM superseded_now AS n
FULL JOIN (SELECT * FROM raw.superseded_rows WHERE relation = %s) AS o USING (_file_id, _line_number)
WHERE n._file_id IS NULL OR o._file_id IS NULL
"""

_DAYS = """
SELECT DISTINCT left(landed.date, 10) FROM raw.transactions AS landed JOIN superseded_changed USING (_file_id, _line_number)
"""


# Files with about as many rows, the key range of one within that of the other, as far as ranges are known.
_ALIKE = """
SELECT mine.name, other.file_id, other.name
FROM ops.load_files AS mine JOIN ops.load_files AS other USING (relation)
WHERE mine.file_id = %s AND other.file_id <> mine.file_id
  AND mine.rows_loaded > 0 AND other.rows_loaded BETWEEN mine.rows_loaded / 2 AND mine.rows_loaded * 2
  AND coalesce(int8range(mine.lowest_key, mine.highest_key, '[]') @> int8range(other.lowest_key, other.highest_key, '[]')
               OR int8range(other.lowest_key, other.highest_key, '[]') @> int8range(mine.lowest_key, mine.highest_key, '[]'),
               true)
LIMIT %s
"""
_HAS_OTHER_KEYS = """
SELECT EXISTS (SELECT {key} FROM (SELECT {key} FROM {relation} WHERE _file_id = %(one)s LIMIT %(some)s) AS first
               EXCEPT SELECT {key} FROM {relation} WHERE _file_id = %(other)s)
"""
_MOST_ALIKE = 4


@dataclass(frozen=True)
class _Keys:
    """What the manifest knows of the keys of a file: from the lowest to the highest, and whether one repeats."""

    file_id: int
    lowest: int
    highest: int
    repeats: bool
    rows: int


def mark(cursor: Cursor, relation: str) -> set[str]:
    """Marks the superseded rows of a relation again, in the caller's transaction.

    Which row counts depends only on the files that have landed, not on their order: a row without a fault before
    one with a fault, then the row of the later file (loaders.ranking), then the later line.

    Only rows with keys in ranges where a file repeats keys, or where two files overlap, are read.

    Returns:
        For transactions, the days, as landed, of rows that have become superseded or are so no longer.
    """
    known = _known_keys(cursor, relation)
    rows = sql.SQL("true") if known is None else _where(known, relation)
    faults = (ROW_FAULTS / f"{relation}.sql").read_text(encoding="utf-8")
    cursor.execute(
        sql.SQL(_FIND).format(keyed=sql.SQL(faults).format(rows=rows), files=sql.Literal(_in_order(cursor, relation)))
    )
    cursor.execute(_CHANGED, (relation,))
    days: set[str] = set()
    if relation == "transactions":
        cursor.execute(_DAYS)
        days = {row[0] or "" for row in cursor.fetchall()}
    cursor.execute("DELETE FROM raw.superseded_rows WHERE relation = %s", (relation,))
    cursor.execute(
        "INSERT INTO raw.superseded_rows (relation, _file_id, _line_number)"
        " SELECT %s, _file_id, _line_number FROM superseded_now",
        (relation,),
    )
    cursor.execute("DROP TABLE superseded_now, superseded_changed")
    return days


def versions(cursor: Cursor, relation: str, file_id: int) -> list[tuple[str, str]]:
    """The landed files that are another version of a file (one has all keys of the other), each with the one that counts."""
    cursor.execute(_ALIKE, (file_id, _MOST_ALIKE))
    alike = cursor.fetchall()
    names = {"key": sql.Identifier(KEYS[relation]), "relation": sql.Identifier("raw", relation)}
    query = sql.SQL(_HAS_OTHER_KEYS).format(**names)

    def within(one: int, other: int) -> bool:
        # The first keys are enough to tell most files that are no versions.
        return not any(scalar(cursor, query, {"one": one, "other": other, "some": some}) for some in (100, None))

    return [
        (other_name, max(name, other_name, key=rank))
        for name, other, other_name in (alike if len(alike) < _MOST_ALIKE else ())  # so many are parts, not versions
        if within(file_id, other) or within(other, file_id)
    ]


def _in_order(cursor: Cursor, relation: str) -> list[int]:
    """The ids of a relation's files, the later one last; a file with several names counts as the last of them."""
    ranks = {file_id: max(map(rank, names)) for file_id, names in manifest.names(cursor, relation).items()}
    return sorted(ranks, key=ranks.__getitem__)


def _known_keys(cursor: Cursor, relation: str) -> list[_Keys] | None:
    """The keys of the relation's files, by their lowest; None where those of one are not known."""
    cursor.execute(
        "SELECT file_id, lowest_key, highest_key, has_repeated_keys, rows_loaded FROM ops.load_files"
        " WHERE relation = %s AND rows_loaded > 0 ORDER BY lowest_key, file_id",
        (relation,),
    )
    files = cursor.fetchall()
    return None if any(None in file for file in files) else [_Keys(*file) for file in files]


def shared_ranges(files: Sequence[tuple[int, int, bool]]) -> list[tuple[int, int]]:
    """Ranges of keys, in order, outside of which no key is in two rows; some keys inside may be in one row only.

    Args:
        files: the lowest and the highest key of each file, and whether it repeats one; ascending by the lowest.
    """
    ranges: list[tuple[int, int]] = []
    reached = -1
    for lowest, highest, repeats in files:
        end = highest if repeats else min(highest, reached)
        if end >= lowest:
            if ranges and lowest <= ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], max(ranges[-1][1], end))
            else:
                ranges.append((lowest, end))
        reached = max(reached, highest)
    while len(ranges) > _MOST_RANGES:
        at = min(range(1, len(ranges)), key=lambda place: ranges[place][0] - ranges[place - 1][1])
        ranges[at - 1 : at + 1] = [(ranges[at - 1][0], ranges[at][1])]
    return ranges


def _where(files: list[_Keys], relation: str) -> sql.Composable:
    """The condition on rows that may share their key with another row."""
    ranges = shared_ranges([(file.lowest, file.highest, file.repeats) for file in files])
    if not ranges:
        return sql.SQL("false")
    number = _NUMBER.format(sql.Identifier(KEYS[relation]))
    concerned = [file for file in files if any(file.lowest <= last and first <= file.highest for first, last in ranges)]
    inside = sql.SQL(" OR ").join(
        sql.SQL("{} BETWEEN {} AND {}").format(number, sql.Literal(first), sql.Literal(last)) for first, last in ranges
    )
    where = sql.SQL("landed._file_id IN ({}) AND ({})").format(
        sql.SQL(", ").join(sql.Literal(file.file_id) for file in concerned), inside
    )
    largest = max(concerned, key=lambda file: file.rows)
    others = [file for file in concerned if file is not largest]
    if largest.repeats or _MUCH_LARGER * sum(file.rows for file in others) > largest.rows:
        return where
    # A correction of a few rows of a large file: what is there twice is among those few.
    return sql.SQL("{} AND {} IN (SELECT {} FROM {} AS landed WHERE landed._file_id IN ({}))").format(
        where,
        number,
        number,
        sql.Identifier("raw", relation),
        sql.SQL(", ").join(sql.Literal(file.file_id) for file in others),
    )
