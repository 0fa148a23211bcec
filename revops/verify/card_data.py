"""Looks for card numbers in all that the database holds, and for columns that would hold them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from psycopg2 import sql

from loaders import protect
from meshkeys.catalog import Relation
from revops.result import Result

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_TEXT_COLUMNS = """
SELECT n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::int,
       array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_toast%' AND n.nspname NOT LIKE 'pg_temp%'
  AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'json'::regtype, 'jsonb'::regtype)
GROUP BY 1, 2, 3
ORDER BY 1, 2
"""
# Values that PostgreSQL noted as common and that hold no long run of digits, by their columns.
_HARMLESS = """
SELECT attname,
       ARRAY(SELECT value FROM unnest(most_common_vals::text::text[]) AS value
             WHERE octet_length(value) >= 13 AND value !~ '[0-9]([ -]?[0-9]){12}')
FROM pg_stats WHERE schemaname = %s AND tablename = %s AND most_common_vals IS NOT NULL AND attname = ANY (%s)
"""
# From so many blocks on, a search takes longer than to ask for harmless values.
_MANY_BLOCKS = 50
# What is passed over before the costly pattern: values that were looked at here because they are common, and dates, in which
# no run of digits is long. A hash is no card.
_LONG_DIGITS = (
    "octet_length({0}) >= 13 AND {0} <> ALL ({1}::text[]) AND {0} NOT LIKE '____-__-__ __:__:__'"
    " AND {0} ~ '[0-9]([ -]?[0-9]){{12}}' AND {0} !~ '^[0-9a-f]{{32,64}}$'"
)
_HASH = re.compile("[0-9a-f]{32,64}")
# The CASE spares PostgreSQL the estimate of how many rows each pattern lets pass, which takes longer than the search.
_SUSPICIOUS = "SELECT * FROM ({rows}) AS searched ({names}) WHERE CASE WHEN {is_suspicious} THEN 1 END = 1"
# A relation whose builder searches for card numbers itself is searched by one of so many stretches of blocks at a time.
STRETCHES = 50
_TIMES_AND_IDENTIFIERS = re.compile(r"\b1[0-9]{12}\b|\b(?=[0-9-]*[a-f])[0-9a-f-]{32,36}\b")
_CARD_COLUMNS = """
SELECT n.nspname, c.relname, a.attname
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm', 'v')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname ~* '(^|_)(cvv|cvc|card_number)' AND a.attname !~ '^has_bad_'
"""


Hits = Counter[tuple[str, str, str]]
Task = Callable[["Cursor"], Hits]


@dataclass(frozen=True)
class _Part:
    """The rows of a relation that are searched."""

    relation: Relation
    within: sql.Composable
    blocks: int


def plan(
    cursor: Cursor,
    proven: Set[Relation] = frozenset(),
    intact: Set[Relation] = frozenset(),
    turn: int | None = None,
) -> list[Task]:
    """What there is to search for what could be a card number: every text column. The longest first.

    Args:
        cursor: a transaction.
        proven: relations whose rows were all found to be made of rows that are searched anyway: they are skipped.
        intact: relations that were not written to since they were built by code that searches for card numbers: one stretch
            of each is searched.
        turn: which stretch, so that each has its turn; a random one where None.
    """
    turn = random.randrange(STRETCHES) if turn is None else turn
    cursor.execute(_TEXT_COLUMNS)
    alike: dict[tuple[str, ...], list[_Part]] = {}
    for schema, table, blocks, columns in cursor.fetchall():
        relation = Relation(schema, table)
        if relation not in proven:
            part = _stretch(relation, blocks, turn) if relation in intact else _Part(relation, sql.SQL("TRUE"), blocks)
            alike.setdefault(tuple(columns), []).append(part)
    largest_first = sorted(alike.items(), key=lambda shape: -sum(part.blocks for part in shape[1]))
    return [partial(_search, parts, columns) for columns, parts in largest_first]


def summed_up(cursor: Cursor, found: Iterable[Hits]) -> Result:
    """One line about what was searched, and about columns that would hold what may not be kept."""
    hits: Hits = sum(found, Counter())
    shown = [f"{'.'.join(place)} ({count} values)" for place, count in sorted(hits.items())]
    cursor.execute(_CARD_COLUMNS)
    named = [f"{schema}.{table}.{column}" for schema, table, column in cursor.fetchall()]
    cursor.execute(_TEXT_COLUMNS)
    count = sum(len(columns) for *_, columns in cursor.fetchall())
    return Result(
        "no card data",
        not shown and not named,
        "; ".join([*shown, *named][:3]) or f"{count} text columns searched for card numbers, no column for a CVV",
    )


def _stretch(relation: Relation, blocks: int, turn: int) -> _Part:
    """The rows of some of a relation's blocks: of all of them, once each stretch had its turn."""
    count = blocks // STRETCHES + 1
    first = count * (turn % max(-(-blocks // count), 1))
    within = sql.SQL("ctid >= {}::tid AND ctid < {}::tid").format(
        sql.Literal(f"({first},0)"), sql.Literal(f"({first + count},0)")
    )
    return _Part(relation, within, count)


def _search(parts: Sequence[_Part], columns: Sequence[str], cursor: Cursor) -> Hits:
    """Searches relations that have the same columns with text."""
    names = [sql.Identifier(f"value_{place}") for place in range(len(columns))]
    shown = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
    rows = [
        sql.SQL("SELECT {}::text, {}::text, {} FROM {} WHERE {}").format(
            sql.Literal(part.relation.schema),
            sql.Literal(part.relation.name),
            shown,
            part.relation.identifier,
            part.within,
        )
        for part in parts
    ]
    harmless = _harmless(cursor, parts, columns)
    tests = [
        sql.SQL(_LONG_DIGITS).format(name, sql.Literal(harmless.get(column, [])))
        for name, column in zip(names, columns, strict=True)
    ]
    cursor.execute(
        sql.SQL(_SUSPICIOUS).format(
            rows=sql.SQL(" UNION ALL ").join(rows),
            names=sql.SQL(", ").join([sql.Identifier("schema"), sql.Identifier("table"), *names]),
            is_suspicious=sql.SQL(" OR ").join(tests),
        )
    )
    hits: Hits = Counter()
    for schema, table, *values in cursor:
        for column, value in zip(columns, values, strict=True):
            if value and not _HASH.fullmatch(value) and shows_card_number(value, schema.startswith("sqlmesh")):
                hits[schema, table, column] += 1
    return hits


def _harmless(cursor: Cursor, parts: Sequence[_Part], columns: Sequence[str]) -> dict[str, list[str]]:
    """Values that need not be searched, because they are common, by PostgreSQL's statistics, and were looked at once.

    Only the largest relation is asked about: those with the same columns mostly are parts of one view.
    """
    if sum(part.blocks for part in parts) < _MANY_BLOCKS:
        return {}
    largest = max(parts, key=lambda part: part.blocks).relation
    cursor.execute(_HARMLESS, (largest.schema, largest.name, list(columns)))
    return dict(cursor.fetchall())


def shows_card_number(text: str, is_sqlmeshs: bool) -> bool:
    """Whether a run of digits could be a card number.

    Any that passes Luhn; and as published numbers often fail it, any that begins like one. But SQLMesh's state is full of
    times in milliseconds, versions and random identifiers: these are passed over there, and Luhn decides on the rest.
    """
    if is_sqlmeshs:
        return protect.holds_card_number(_TIMES_AND_IDENTIFIERS.sub("", text))
    runs = re.findall(r"(?<![0-9])[2-6][0-9 -]{11,}[0-9](?![0-9])", text)
    return protect.holds_card_number(text) or any(13 <= len(re.sub(r"[ -]", "", run)) <= 19 for run in runs)
