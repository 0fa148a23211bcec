"""Notes which days of which physical table were rewritten, so that what is built on it knows what changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from revops.hooks import catalog
from revops.hooks.catalog import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import cursor as Cursor

_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def record(cursor: Cursor, table: Relation, model: Any, days: tuple[str, str]) -> None:
    """Notes an evaluation, in its transaction: the days for an incremental model, else a fingerprint of all rows."""
    if not catalog.is_table(cursor, table):
        return
    values: tuple[str, str | None, str | None, str | None]
    if model.kind.is_incremental_by_time_range:
        values = (str(table), *days, None)
    else:
        values = (str(table), None, None, _fingerprint(cursor, table))
    cursor.execute(
        "INSERT INTO ops.evaluations (relation, starts_on, ends_on, fingerprint) VALUES (%s, %s, %s, %s)", values
    )


def latest(cursor: Cursor, tables: Iterable[Relation]) -> int:
    """The last evaluation of any of the tables; 0 where none was noted."""
    cursor.execute(
        "SELECT coalesce(max(evaluation_id), 0) FROM ops.evaluations WHERE relation = ANY (%s)",
        ([str(t) for t in tables],),
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def whole_changes(cursor: Cursor, tables: Iterable[Relation], since: int) -> list[str]:
    """The tables, of those rewritten whole, whose contents are not what they were at evaluation `since`."""
    cursor.execute(
        """
        SELECT t.relation FROM unnest(%(tables)s) AS t (relation)
        WHERE (SELECT array[e.fingerprint] FROM ops.evaluations AS e
               WHERE e.relation = t.relation AND e.starts_on IS NULL ORDER BY e.evaluation_id DESC LIMIT 1)
          IS DISTINCT FROM
              (SELECT array[e.fingerprint] FROM ops.evaluations AS e
               WHERE e.relation = t.relation AND e.starts_on IS NULL AND e.evaluation_id <= %(since)s
               ORDER BY e.evaluation_id DESC LIMIT 1)
        """,
        {"tables": [str(t) for t in tables], "since": since},
    )
    return [row[0] for row in cursor.fetchall()]


def days_changed(cursor: Cursor, tables: Iterable[Relation], since: int, starts_on: Any, ends_before: Any) -> bool:
    """Whether a table rewritten by days was rewritten, after evaluation `since`, on any day of the period."""
    cursor.execute(
        """
        SELECT EXISTS (
            SELECT FROM ops.evaluations
            WHERE relation = ANY (%s) AND evaluation_id > %s AND starts_on IS NOT NULL
              AND starts_on < coalesce(%s::date, 'infinity') AND ends_on >= coalesce(%s::date, '-infinity'))
        """,
        ([str(t) for t in tables], since, ends_before, starts_on),
    )
    row = cursor.fetchone()
    return bool(row and row[0])


def _fingerprint(cursor: Cursor, table: Relation) -> str:
    """Equal for equal contents, whatever the order of the rows."""
    cursor.execute(
        sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} AS t").format(table.identifier)
    )
    row = cursor.fetchone()
    # Letters only: a long run of digits might be taken for a card number.
    return hashlib.sha256(repr(row).encode()).hexdigest()[:32].translate(_LETTERS)
