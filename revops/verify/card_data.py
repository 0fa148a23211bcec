"""Looks for card numbers in all that the database holds, and for columns that would hold them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Set
from typing import TYPE_CHECKING

from psycopg2 import sql

from foundation.queries import scalar
from loaders import protect
from meshkeys import catalog
from meshkeys.catalog import Relation
from revops.result import Result

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_TEXT_COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_toast%' AND n.nspname NOT LIKE 'pg_temp%'
  AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'json'::regtype, 'jsonb'::regtype)
GROUP BY 1, 2
ORDER BY 1, 2
"""
# What is passed over before the costly pattern: values that were looked at here because they are common, and dates, in which
# no run of digits is long. A hash is no card.
_LONG_DIGITS = sql.SQL(
    "octet_length({0}::text) >= 13 AND {0}::text <> ALL ({1}::text[]) AND {0}::text NOT LIKE '____-__-__ __:__:__'"
    " AND {0}::text ~ '[0-9]([ -]?[0-9]){{12}}' AND {0}::text !~ '^[0-9a-f]{{32,64}}$'"
)
_COMMON = """
SELECT attname, most_common_vals::text::text[] FROM pg_stats
WHERE schemaname = %s AND tablename = %s AND most_common_vals IS NOT NULL AND attname = ANY (%s)
"""
# A relation whose builder searches for card numbers itself is searched by one of so many stretches of blocks at a time.
STRETCHES = 50
_TIMES_AND_IDENTIFIERS = re.compile(r"\b1[0-9]{12}\b|\b(?=[0-9-]*[a-f])[0-9a-f-]{32,36}\b")
_CARD_COLUMNS = """
SELECT n.nspname, c.relname, a.attname
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm', 'v')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname ~* '(^|_)(cvv|cvc|card_number)' AND a.attname !~ '^has_bad_'
"""


def check(cursor: Cursor, proven: Set[Relation] = frozenset(), intact: Set[Relation] = frozenset()) -> Result:
    """Searches every text column for what could be a card number.

    Args:
        cursor: a transaction.
        proven: relations whose rows were all found to be made of rows that are searched anyway: they are skipped.
        intact: relations that were not written to since they were built by code that searches for card numbers: a changing
            stretch of each is searched.
    """
    place = random.random()
    cursor.execute(_TEXT_COLUMNS)
    relations = cursor.fetchall()
    alike: dict[tuple[str, ...], list[sql.Composed]] = {}
    for schema, table, columns in relations:
        relation = Relation(schema, table)
        if relation not in proven:
            within = _stretch(cursor, relation, place) if relation in intact else sql.SQL("TRUE")
            alike.setdefault(tuple(columns), []).append(_suspicious(cursor, schema, table, columns, within))
    hits: Counter[tuple[str, str, str]] = Counter()
    for columns, queries in alike.items():  # relations of one shape in one query, which PostgreSQL runs in parallel
        cursor.execute(sql.SQL(" UNION ALL ").join(queries))
        for schema, table, *values in cursor:
            for column, value in zip(columns, values, strict=True):
                if value and shows_card_number(value, schema.startswith("sqlmesh")):
                    hits[schema, table, column] += 1
    found = [f"{'.'.join(place)} ({count} values)" for place, count in sorted(hits.items())]
    cursor.execute(_CARD_COLUMNS)
    named = [f"{schema}.{table}.{column}" for schema, table, column in cursor.fetchall()]
    count = sum(len(columns) for _, _, columns in relations)
    return Result(
        "no card data",
        not found and not named,
        "; ".join([*found, *named][:3]) or f"{count} text columns searched for card numbers, no column for a CVV",
    )


def _stretch(cursor: Cursor, relation: Relation, place: float) -> sql.Composed:
    """The rows of some of a relation's blocks."""
    size = "SELECT pg_relation_size(to_regclass(%s)) / current_setting('block_size')::int"
    blocks = scalar(cursor, size, (catalog.quoted(relation),))
    count = blocks // STRETCHES + 1
    first = int(place * max(blocks - count + 1, 1))
    return sql.SQL("ctid >= {}::tid AND ctid < {}::tid").format(
        sql.Literal(f"({first},0)"), sql.Literal(f"({first + count},0)")
    )


def _suspicious(cursor: Cursor, schema: str, table: str, columns: list[str], within: sql.Composable) -> sql.Composed:
    """A query for the rows of a relation with a long run of digits: where they are, and the values that have one."""
    harmless = _harmless(cursor, schema, table, columns)
    suspicious = {
        column: _LONG_DIGITS.format(sql.Identifier(column), sql.Literal(harmless.get(column, []))) for column in columns
    }
    shown = [
        sql.SQL("CASE WHEN {} THEN {}::text END").format(test, sql.Identifier(c)) for c, test in suspicious.items()
    ]
    return sql.SQL("SELECT {}::text, {}::text, {} FROM {} WHERE {} AND ({})").format(
        sql.Literal(schema),
        sql.Literal(table),
        sql.SQL(", ").join(shown),
        sql.Identifier(schema, table),
        within,
        sql.SQL(" OR ").join(suspicious.values()),
    )


def _harmless(cursor: Cursor, schema: str, table: str, columns: list[str]) -> dict[str, list[str]]:
    """Values that are common by PostgreSQL's statistics and hold no long run of digits, so that equal values can be skipped."""
    cursor.execute(_COMMON, (schema, table, columns))
    return {
        column: [text for text in values if len(text) >= 13 and not re.search("[0-9]([ -]?[0-9]){12}", text)]
        for column, values in cursor.fetchall()
    }


def shows_card_number(text: str, is_sqlmeshs: bool) -> bool:
    """Whether a run of digits could be a card number.

    Any that passes Luhn; and as published numbers often fail it, any that begins like one. But SQLMesh's state is full of
    times in milliseconds, versions and random identifiers: these are passed over there, and Luhn decides on the rest.
    """
    if is_sqlmeshs:
        return protect.holds_card_number(_TIMES_AND_IDENTIFIERS.sub("", text))
    runs = re.findall(r"(?<![0-9])[2-6][0-9 -]{11,}[0-9](?![0-9])", text)
    return protect.holds_card_number(text) or any(13 <= len(re.sub(r"[ -]", "", run)) <= 19 for run in runs)
