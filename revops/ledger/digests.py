"""Notes what a table of days holds when a plan ends, by month: a change from outside is then found without computing it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from meshkeys import catalog
from meshkeys.catalog import Relation

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

# Equal for equal rows in any order. The outer hash: that of a record is linear in those of its columns, so that values which two
# rows exchange would leave the sum as it is. Letters only: a long run of digits might be taken for a card number.
_BY_MONTH = """
SELECT date_trunc('month', {day})::date AS month_start, count(*) AS row_count,
       translate(md5(sum(hashint8extended(hash_record_extended(ROW({columns}), 0), 0))::text),
                 '0123456789', 'ghijklmnop') AS digest
FROM {relation} WHERE {months} GROUP BY 1
"""
_WAITING = """
SELECT max(e.evaluation_id), array_agg(DISTINCT months.month_start::date ORDER BY months.month_start::date)
FROM ops.evaluations AS e
CROSS JOIN generate_series(date_trunc('month', e.starts_on), e.ends_on, '1 month') AS months (month_start)
WHERE e.relation = %(relation)s AND e.evaluation_id > coalesce(
    (SELECT max(d.last_evaluation_id) FROM ops.digests AS d WHERE d.relation = %(relation)s AND d.columns = %(columns)s), 0)
"""
_IS_CURRENT = """
SELECT (SELECT max(evaluation_id) FROM ops.evaluations WHERE relation = %(relation)s)
     = (SELECT max(last_evaluation_id) FROM ops.digests WHERE relation = %(relation)s AND columns = %(columns)s)
"""
_DIFFERENT = """
SELECT month_start FROM ({found}) AS found
FULL JOIN (SELECT month_start, row_count, digest FROM ops.digests WHERE relation = {name}) AS noted USING (month_start)
WHERE (found.row_count, found.digest) IS DISTINCT FROM (noted.row_count, noted.digest) ORDER BY month_start
"""


def note(cursor: Cursor, table: Relation, day: str) -> None:
    """Notes the months of a table that were evaluated since the last time; `day` is its column of days."""
    columns = catalog.columns(cursor, table)
    about = {"relation": str(table), "columns": ",".join(columns)}
    cursor.execute(_WAITING, about)
    latest, months = cursor.fetchone() or (None, None)
    if not months:
        return
    within = sql.SQL(
        "{0} >= {1} AND {0} < {2}::date + interval '1 month' AND date_trunc('month', {0})::date = ANY ({3}::date[])"
    ).format(sql.Identifier(day), *map(sql.Literal, (months[0], months[-1], months)))
    # One statement, so that no other month is taken for current when it is interrupted.
    cursor.execute(
        sql.SQL(
            """
            WITH found AS MATERIALIZED ({found}),
            others AS (UPDATE ops.digests SET last_evaluation_id = {latest}, columns = {columns}
                       WHERE relation = {name} AND NOT month_start = ANY ({months}::date[])),
            gone AS (DELETE FROM ops.digests WHERE relation = {name} AND month_start = ANY ({months}::date[])
                     AND month_start NOT IN (SELECT month_start FROM found))
            INSERT INTO ops.digests (relation, month_start, row_count, digest, columns, last_evaluation_id)
            SELECT {name}, month_start, row_count, digest, {columns}, {latest} FROM found
            ON CONFLICT (relation, month_start) DO UPDATE SET row_count = excluded.row_count, digest = excluded.digest,
                columns = excluded.columns, last_evaluation_id = excluded.last_evaluation_id
            """
        ).format(
            found=_by_month(table, day, columns, within),
            latest=sql.Literal(latest),
            columns=sql.Literal(about["columns"]),
            name=sql.Literal(str(table)),
            months=sql.Literal(months),
        )
    )


def different(cursor: Cursor, view: Relation, table: Relation, day: str) -> list[str] | None:
    """The months in which a view shows other rows than were noted of its table; None where nothing current is noted."""
    columns = catalog.columns(cursor, view)
    cursor.execute(_IS_CURRENT, {"relation": str(table), "columns": ",".join(columns)})
    row = cursor.fetchone()
    if not row or not row[0]:
        return None
    cursor.execute(
        sql.SQL(_DIFFERENT).format(found=_by_month(view, day, columns, sql.SQL("TRUE")), name=sql.Literal(str(table)))
    )
    return [f"{month:%Y-%m}" for (month,) in cursor.fetchall()]


def forget(cursor: Cursor, kept: list[Relation]) -> None:
    """Forgets all tables but these."""
    cursor.execute("DELETE FROM ops.digests WHERE relation <> ALL (%s)", ([str(table) for table in kept],))


def _by_month(relation: Relation, day: str, columns: list[str], months: sql.Composable) -> sql.Composed:
    return sql.SQL(_BY_MONTH).format(
        day=sql.Identifier(day),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        relation=relation.identifier,
        months=months,
    )
