"""Notes which days of which physical table were rewritten, so that what is built on it knows what changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from meshkeys import catalog
from meshkeys.catalog import Relation
from meshkeys.names import in_letters
from meshkeys.queries import one_row, scalar
from meshkeys.settings import in_notes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import cursor as Cursor

# A fingerprint is kept as long as its table: a part of a materialized view may have been made of it.
_SAYS_NOTHING = (
    """
    DELETE FROM {notes}.evaluations
    WHERE to_regclass(format('%I.%I', split_part(relation, '.', 1), substring(relation FROM position('.' IN relation) + 1)))
          IS NULL
    """,
    """
    DELETE FROM {notes}.evaluations AS old USING {notes}.evaluations AS newer
    WHERE newer.relation = old.relation AND newer.evaluation_id > old.evaluation_id
      AND newer.starts_on <= old.starts_on AND newer.ends_on >= old.ends_on
    """,
    """
    DELETE FROM {notes}.evaluations AS old USING {notes}.evaluations AS newer
    WHERE newer.relation = old.relation AND newer.evaluation_id > old.evaluation_id AND old.starts_on IS NULL
      AND newer.starts_on IS NULL
      AND NOT EXISTS (SELECT FROM {notes}.evaluations AS e WHERE e.relation = old.relation AND e.fingerprint IS NOT NULL)
    """,
)
_NO_RANGE = "1970-01-01"
# A table that nothing was known of is analyzed when its keys are added.
_HAS_OUTGROWN_ITS_STATISTICS = """
SELECT reltuples > 0 AND pg_stat_get_xact_tuples_inserted(oid) > 2 * reltuples
FROM pg_class
WHERE oid = to_regclass(format('%%I.%%I', %s, %s))
"""


def record(cursor: Cursor, table: Relation, model: Any, days: tuple[str, str]) -> None:
    """Notes an evaluation, in its transaction, and for an incremental model the days.

    SQLMesh also runs a model's statements where it only creates the table, empty: with no range, which renders as 1970.
    """
    if days[0] > _NO_RANGE and catalog.is_table(cursor, table):
        note(cursor, table, days if model.kind.is_incremental_by_time_range else None)


def note(cursor: Cursor, table: Relation, days: tuple[object, object] | None = None) -> None:
    """Notes that a table was evaluated, in the transaction in which it was: from the first to the last day, or whole.

    A table that got more than twice its known rows is analyzed at once: what reads it comes next, and autovacuum later. By the
    statistics of a few rows of one month, ten years looked like one row, and windows were computed for each row anew.
    """
    cursor.execute(
        in_notes("INSERT INTO {notes}.evaluations (relation, starts_on, ends_on) VALUES (%s, %s, %s)"),
        (str(table), *(days or (None, None))),
    )
    if scalar(cursor, _HAS_OUTGROWN_ITS_STATISTICS, (table.schema, table.name)):
        cursor.execute(sql.SQL("ANALYZE {}").format(table.identifier))


def prune(cursor: Cursor) -> None:
    """Drops notes that say nothing any more: of tables that are gone, and of what was evaluated again since."""
    for statement in _SAYS_NOTHING:
        cursor.execute(in_notes(statement))


def take_fingerprints(cursor: Cursor, tables: Iterable[Relation]) -> None:
    """Notes a fingerprint of each table that was rewritten whole, with its last evaluation.

    Called for the inputs of a materialized view, which later asks `whole_changes` whether they changed. Other tables need not be
    read for a fingerprint.
    """
    cursor.execute(
        in_notes("""
        SELECT e.relation, max(e.evaluation_id) FROM {notes}.evaluations AS e WHERE e.relation = ANY (%s) GROUP BY e.relation
        HAVING (array_agg(e.starts_on IS NULL AND e.fingerprint IS NULL ORDER BY e.evaluation_id DESC))[1]
        """),
        ([str(t) for t in tables],),
    )
    for name, evaluation in cursor.fetchall():
        cursor.execute(
            in_notes("UPDATE {notes}.evaluations SET fingerprint = %s WHERE evaluation_id = %s"),
            (_fingerprint(cursor, Relation.parse(name)), evaluation),
        )


def latest(cursor: Cursor, tables: Iterable[Relation]) -> int:
    """The last evaluation of any of the tables; 0 where none was noted."""
    query = in_notes("SELECT coalesce(max(evaluation_id), 0) FROM {notes}.evaluations WHERE relation = ANY (%s)")
    return int(scalar(cursor, query, ([str(t) for t in tables],)))


def whole_changes(cursor: Cursor, tables: Iterable[Relation], since: int) -> list[str]:
    """The tables, of those rewritten whole, whose contents are not what they were at evaluation `since`."""
    cursor.execute(
        in_notes("""
        SELECT t.relation FROM unnest(%(tables)s) AS t (relation)
        WHERE (SELECT array[e.fingerprint] FROM {notes}.evaluations AS e
               WHERE e.relation = t.relation AND e.starts_on IS NULL ORDER BY e.evaluation_id DESC LIMIT 1)
          IS DISTINCT FROM
              (SELECT array[e.fingerprint] FROM {notes}.evaluations AS e
               WHERE e.relation = t.relation AND e.starts_on IS NULL AND e.evaluation_id <= %(since)s
               ORDER BY e.evaluation_id DESC LIMIT 1)
        """),
        {"tables": [str(t) for t in tables], "since": since},
    )
    return [row[0] for row in cursor.fetchall()]


def days_changed(cursor: Cursor, tables: Iterable[Relation], since: int, starts_on: Any, ends_before: Any) -> bool:
    """Whether a table rewritten by days was rewritten, after evaluation `since`, on any day of the period."""
    query = in_notes("""
        SELECT EXISTS (
            SELECT FROM {notes}.evaluations
            WHERE relation = ANY (%s) AND evaluation_id > %s AND starts_on IS NOT NULL
              AND starts_on < coalesce(%s::date, 'infinity') AND ends_on >= coalesce(%s::date, '-infinity'))
        """)
    return bool(scalar(cursor, query, ([str(t) for t in tables], since, ends_before, starts_on)))


def _fingerprint(cursor: Cursor, table: Relation) -> str:
    """Equal for equal contents, in any order of the rows."""
    contents = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} AS t")
    row = one_row(cursor, contents.format(table.identifier))
    return in_letters(hashlib.sha256(repr(row).encode()).hexdigest()[:32])
