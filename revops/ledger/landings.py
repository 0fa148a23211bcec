"""Settles what has landed before a build looks at it: superseded rows, the planner's statistics, days that are over by now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from psycopg2 import sql
from psycopg2.extras import execute_values

from foundation.queries import first_row, relations_exist, scalar
from loaders import duplicates, manifest, postgres
from loaders.sources import SOURCES, UNDATED_DAY

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

_CHANGED = """
SELECT DISTINCT substring(c.relation FROM 5)
FROM ops.changes AS c LEFT JOIN ops.compared AS k ON k.relation = c.relation
WHERE c.relation = ANY (%s) AND c.change_id > coalesce(k.change_id, 0) ORDER BY 1
"""

# Autovacuum analyzes partitions, never the parent. ANALYZE of the parent takes seconds, so it runs only when a tenth of the
# rows is new.
_MUCH_IS_NEW = """
SELECT coalesce(sum(rows_loaded) FILTER (WHERE file_id IN (
           SELECT c.file_id FROM ops.changes AS c LEFT JOIN ops.compared AS k ON k.relation = c.relation
           WHERE c.relation = 'raw.' || f.relation AND c.change_id > coalesce(k.change_id, 0))), 0) * 10 >= sum(rows_loaded)
FROM ops.load_files AS f WHERE relation = %s
"""

# Rows without a usable day, which may have gone with their file: its days are those of its text.
_UNDATED = """
SELECT EXISTS (SELECT FROM quality.quarantined_transactions WHERE quarantined_on = %s)
"""

_OVER_NOW = """
SELECT DISTINCT left(landed_date, 10)::date FROM quality.quarantined_transactions
WHERE reason = 'the day is not over yet' AND left(landed_date, 10)::date < %s
"""


def today() -> date:
    """The day that is not over: its rows wait in quarantine. In UTC, as SQLMesh counts days."""
    return datetime.now(timezone.utc).date()


def are_waiting(cursor: Cursor) -> bool:
    """Whether anything has landed, or a day has ended, that `settle` has not looked at."""
    if not relations_exist(cursor, "ops.changes", "ops.compared"):
        return True
    return first_row(cursor, _CHANGED, ([f"raw.{relation}" for relation in SOURCES],)) is not None


def settle(connection: Connection) -> bool:
    """Settles what landed since the last time; commits. What it finds to follow is noted in the same transaction.

    Returns:
        Whether anything landed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, ([f"raw.{relation}" for relation in SOURCES],))
        changed = [row[0] for row in cursor.fetchall()]
        for relation in changed:
            postgres.index_days(cursor, SOURCES[relation])
            if scalar(cursor, _MUCH_IS_NEW, (relation,)):
                cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("raw", relation)))
            moved = {_day(text) for text in duplicates.mark(cursor, relation)}
            record(cursor, "raw.transactions", moved, "superseded")
        if relations_exist(cursor, "quality.quarantined_transactions"):
            _look_at_undated_rows(cursor, has_changed="transactions" in changed)
        for relation in changed:
            mark_compared(cursor, f"raw.{relation}")
    connection.commit()
    return bool(changed)


def record(
    cursor: Cursor, relation: str, days: Iterable[date], cause: str, columns: Iterable[str] | None = None
) -> None:
    """Notes that rows of these days changed, in the caller's transaction; nothing where there are none."""
    names = None if columns is None else sorted(columns)
    execute_values(
        cursor,
        "INSERT INTO ops.changes (relation, starts_on, ends_before, columns, cause) VALUES %s",
        [(relation, first, before, names, cause) for first, before in manifest.spans(days)],
        template="(%s, %s, %s, %s::text[], %s)",
        page_size=1000,
    )


def mark_compared(cursor: Cursor, relation: str, tables: str = "") -> None:
    """Notes that a relation was compared, with all that has happened until now."""
    cursor.execute(
        "INSERT INTO ops.compared (relation, change_id, tables) VALUES (%s, nextval('ops.ledger_ids'), %s)"
        " ON CONFLICT (relation) DO UPDATE SET change_id = excluded.change_id, tables = excluded.tables",
        (relation, tables),
    )


def _look_at_undated_rows(cursor: Cursor, has_changed: bool) -> None:
    cursor.execute(_OVER_NOW, (today(),))
    over = {row[0] for row in cursor.fetchall()}
    if over or (has_changed and scalar(cursor, _UNDATED, (UNDATED_DAY,))):
        over.add(UNDATED_DAY)
    record(cursor, "raw.transactions", over, "undated")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return UNDATED_DAY
