"""Notes which transactions wrote the rows of each relation, by day: what was not written to since need not be read by value.

PostgreSQL keeps with each row the number of the transaction that wrote it (`xmin`). A row that is changed, moved, exchanged or
invented, by any statement, has another number; a row that is deleted is missing from the count. So the numbers of a day's
rows, with how many rows each wrote, say whether the day is unchanged, at a tenth of the cost of a hash of all values. They do
not say whether it was right at first: `revops verify` compares rows where a seal is broken, and elsewhere in turn.

A seal can be broken without a changed value, such as by a restored backup. That costs a comparison, and is no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from psycopg2 import sql

from foundation.queries import relations_exist, scalar
from meshkeys import catalog, sessions
from meshkeys.catalog import Relation

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

# Of one part and day: the transactions that wrote its rows, and how many each. Rows of no day are under -infinity.
_SCAN = """
SELECT part, day, array_agg(ARRAY[writer::text::bigint, row_count] ORDER BY writer::text::bigint) AS writers,
       sum(row_count)::bigint AS row_count
FROM (SELECT {part} AS part, coalesce({day}, '-infinity')::date AS day, xmin AS writer, count(*) AS row_count
      FROM {relation} WHERE {where} GROUP BY 1, 2, 3) AS of_writer
GROUP BY part, day
"""
# In one statement, so that a kill leaves a relation with its earlier seals or with these.
_NOTE = """
WITH found AS MATERIALIZED ({scan}),
gone AS (DELETE FROM ops.seals AS s WHERE relation = {name} AND {noted_where}
         AND NOT EXISTS (SELECT FROM found WHERE found.part = s.part AND found.day = s.day)),
sealed AS (INSERT INTO ops.sealed (relation, up_to) VALUES ({name}, {up_to})
           ON CONFLICT (relation) DO UPDATE SET up_to = excluded.up_to, sealed_at = clock_timestamp())
INSERT INTO ops.seals (relation, part, day, writers, row_count) SELECT {name}, part, day, writers, row_count FROM found
ON CONFLICT (relation, part, day) DO UPDATE SET writers = excluded.writers, row_count = excluded.row_count
"""
# A finished transaction writes no more rows: if each has as many rows as noted, no day can have changed.
_IS_UNTOUCHED = """
SELECT NOT EXISTS (
    SELECT FROM (
        SELECT part, writer::text::bigint AS writer, row_count
        FROM (SELECT {part} AS part, xmin AS writer, count(*) AS row_count FROM {relation} GROUP BY 1, 2) AS of_writer
    ) AS found
    FULL JOIN (
        SELECT part, writers[at][1] AS writer, sum(writers[at][2]) AS row_count
        FROM ops.seals CROSS JOIN generate_subscripts(writers, 1) AS places (at)
        WHERE relation = {name} GROUP BY 1, 2
    ) AS noted USING (part, writer)
    WHERE found.row_count IS DISTINCT FROM noted.row_count)
"""
_BROKEN = """
SELECT DISTINCT part, nullif(day, '-infinity') FROM ({scan}) AS found
FULL JOIN (SELECT part, day, writers FROM ops.seals WHERE relation = {name} AND {noted_where}) AS noted USING (part, day)
WHERE found.writers IS DISTINCT FROM noted.writers
"""
# Days that were evaluated since a table was sealed, None for all.
_EVALUATED = """
SELECT e.relation, max(e.evaluation_id),
       array_agg(DISTINCT ARRAY[e.starts_on, e.ends_on]) FILTER (WHERE e.evaluation_id > coalesce(s.up_to, 0)),
       s.relation IS NULL OR bool_or(e.starts_on IS NULL AND e.evaluation_id > s.up_to)
FROM ops.evaluations AS e LEFT JOIN ops.sealed AS s USING (relation)
WHERE e.relation = ANY (%s) AND e.evaluation_id > coalesce(s.up_to, 0)
GROUP BY e.relation, s.relation
"""
# `refreshed_at` of a part says when it was found up to date as well.
_NEW_PARTS = """
SELECT p.part, p.last_evaluation_id FROM ops.materialized_parts AS p LEFT JOIN ops.sealed AS s ON s.relation = p.part
WHERE to_regclass(format('%I.%I', split_part(p.part, '.', 1), substring(p.part FROM position('.' IN p.part) + 1))) IS NOT NULL
  AND (s.relation IS NULL
       OR EXISTS (SELECT FROM ops.refresh_history AS h
                  WHERE h.relation = p.served AND h.part = p.label AND h.refreshed_at > s.sealed_at))
"""
_NEW_FILES = """
SELECT f.relation, array_agg(f.file_id ORDER BY f.file_id) FROM ops.load_files AS f
WHERE f.rows_loaded > 0
  AND NOT EXISTS (SELECT FROM ops.seals AS s WHERE s.relation = 'raw.' || f.relation AND s.part = f.file_id)
GROUP BY f.relation
"""
_FORGET_FILES = """
DELETE FROM ops.seals AS s WHERE relation LIKE 'raw.%' AND part <> 0
  AND NOT EXISTS (SELECT FROM ops.load_files AS f WHERE 'raw.' || f.relation = s.relation AND f.file_id = s.part)
"""
_FORGET_TABLES = """
WITH gone AS (DELETE FROM ops.sealed WHERE to_regclass(
    format('%I.%I', split_part(relation, '.', 1), substring(relation FROM position('.' IN relation) + 1))) IS NULL
    RETURNING relation)
DELETE FROM ops.seals WHERE relation IN (SELECT relation FROM gone)
"""
_ROWS = """
SELECT d.model, coalesce(sum(s.row_count), 0)::bigint
FROM ops.declarations AS d JOIN ops.sealed AS k USING (relation) LEFT JOIN ops.seals AS s USING (relation)
WHERE NOT EXISTS (SELECT FROM ops.evaluations AS e WHERE e.relation = d.relation AND e.evaluation_id > k.up_to)
GROUP BY d.model
"""
SUPERSEDED = Relation("raw", "superseded_rows")


@dataclass(frozen=True)
class Sealed:
    """A relation that is sealed.

    Attributes:
        relation: the table with its rows, because a view shows no `xmin`.
        part: the column of the part, which is a file; None where it has none.
        day: its day as SQL; None where it has none.
        day_column: the column that the day is of, by which days are found; its values are texts in raw.
    """

    relation: Relation
    part: str | None = None
    day: sql.Composable | None = None
    day_column: str | None = None

    def within(self, spans: Iterable[tuple[date, date]]) -> sql.Composable:
        """The rows of some days, from the first to the last of each span; of all where it has no days."""
        if self.day_column is None:
            return sql.SQL("TRUE")
        is_text = self.part is not None
        ranges = [
            sql.SQL("({0} >= {1} AND {0} < {2})").format(
                sql.Identifier(self.day_column),
                sql.Literal(str(first) if is_text else first),
                sql.Literal(str(last + timedelta(days=1)) if is_text else last + timedelta(days=1)),
            )
            for first, last in spans
        ]
        return sql.SQL("(") + sql.SQL(" OR ").join(ranges) + sql.SQL(")") if ranges else sql.SQL("FALSE")


def of_landed(relation: str) -> Sealed:
    """A landed relation: by file, and transactions by the day in their text where it is one."""
    if relation != "transactions":
        return Sealed(Relation("raw", relation), "_file_id")
    day = sql.SQL("CASE WHEN _is_regular THEN left(date, 10) END")
    return Sealed(Relation("raw", relation), "_file_id", day, "date")


def of_table(table: Relation, day_column: str | None) -> Sealed:
    """The table of a model, or a part of a materialized view."""
    if day_column is None:
        return Sealed(table)
    return Sealed(table, None, sql.SQL("{}::date").format(sql.Identifier(day_column)), day_column)


def note_all(cursor: Cursor) -> None:
    """Seals what was landed, evaluated or refreshed since the last time; if nothing was, that costs a few look-ups.

    The cursor's connection commits by itself.
    """
    cursor.execute(_FORGET_TABLES)
    has_files = catalog.exists(cursor, Relation("ops", "load_files"))  # else nothing has landed
    tasks = _landed_since(cursor) if has_files else []
    cursor.execute(
        "SELECT d.relation, m.definition ->> 'day_column' FROM ops.declarations AS d JOIN ops.models AS m USING (model)"
        " WHERE m.definition IS NOT NULL AND NOT (m.definition ->> 'is_view')::boolean"
    )
    days = dict(cursor.fetchall())
    cursor.execute(_EVALUATED, (list(days),))
    for name, latest, spans, is_whole in cursor.fetchall():
        sealed = of_table(Relation.parse(name), days[name])
        tasks.append(
            partial(note, sealed, latest, None if is_whole else [(first, last) for first, last in spans], None)
        )
    cursor.execute(_NEW_PARTS)
    tasks += [
        partial(note, of_table(Relation.parse(name), None), latest, None, None) for name, latest in cursor.fetchall()
    ]
    sessions.side_by_side(cursor, tasks)


def _landed_since(cursor: Cursor) -> list[Callable[[Cursor], None]]:
    """Forgets files that are gone; returns what is to be sealed of those that are new."""
    cursor.execute(_FORGET_FILES)
    has_landed = cursor.rowcount > 0
    cursor.execute(_NEW_FILES)
    tasks: list[Callable[[Cursor], None]] = [
        partial(note, of_landed(relation), 0, None, files) for relation, files in cursor.fetchall()
    ]
    # Each landing settles again which rows are superseded.
    if (tasks or has_landed) and catalog.is_table(cursor, SUPERSEDED):
        tasks.append(partial(note, of_table(SUPERSEDED, None), 0, None, None))
    return tasks


def note(
    sealed: Sealed,
    up_to: int,
    spans: Iterable[tuple[date, date]] | None,
    files: Iterable[int] | None,
    cursor: Cursor,
) -> None:
    """Seals a relation as it is: all of it, the days of some spans, or some files."""
    where, noted_where = _conditions(sealed, spans, files)
    cursor.execute(
        sql.SQL(_NOTE).format(
            scan=_scan(sealed, where),
            name=sql.Literal(str(sealed.relation)),
            noted_where=noted_where,
            up_to=sql.Literal(up_to),
        )
    )


def note_again(cursor: Cursor, sealed: Sealed, spans: Iterable[tuple[date, date]] | None) -> None:
    """Seals a relation that was found right, up to its last evaluation that is noted."""
    up_to = scalar(
        cursor,
        "SELECT greatest((SELECT max(up_to) FROM ops.sealed WHERE relation = %(name)s),"
        " (SELECT max(evaluation_id) FROM ops.evaluations WHERE relation = %(name)s), 0)",
        {"name": str(sealed.relation)},
    )
    note(sealed, up_to, spans, None, cursor)


def broken(cursor: Cursor, sealed: Sealed, spans: Iterable[tuple[date, date]] | None = None) -> tuple[set[date], bool]:
    """The days on which a relation was written to since it was sealed, and whether rows of no day were.

    Args:
        cursor: a transaction.
        sealed: the relation.
        spans: the days to look at, all where None; a relation without days is always looked at whole.
    """
    if spans is None and _is_untouched(cursor, sealed):
        return set(), False
    where, noted_where = _conditions(sealed, spans, None)
    cursor.execute(
        sql.SQL(_BROKEN).format(
            scan=_scan(sealed, where), name=sql.Literal(str(sealed.relation)), noted_where=noted_where
        )
    )
    found = {day for _, day in cursor.fetchall()}
    return found - {None}, None in found


def _conditions(
    sealed: Sealed, spans: Iterable[tuple[date, date]] | None, files: Iterable[int] | None
) -> tuple[sql.Composable, sql.Composable]:
    """Which rows of the relation, and which of its seals."""
    true = sql.SQL("TRUE")
    if files is not None:
        listed = sql.Literal(list(files))
        return (
            sql.SQL("{} = ANY ({}::bigint[])").format(sql.Identifier(sealed.part or ""), listed),
            sql.SQL("part = ANY ({}::bigint[])").format(listed),
        )
    if spans is None or sealed.day is None:
        return true, true
    spans = list(spans)
    own = Sealed(sealed.relation, day_column="day")
    rows = sealed.within(spans)
    if sealed.part is not None:  # a text that is no day may be anywhere between
        rows = sql.SQL("({} AND _is_regular)").format(rows)
    return rows, own.within(spans)


def rows(cursor: Cursor) -> dict[str, int]:
    """The rows of each model of prod, as they were sealed, where it was not evaluated since: by the model's name."""
    if not relations_exist(cursor, "ops.declarations", "ops.sealed"):
        return {}
    cursor.execute(_ROWS)
    return dict(cursor.fetchall())


def were_written_by(cursor: Cursor, sealed: Sealed, writers: Mapping[tuple[int, int], int]) -> bool:
    """Whether a relation is as it was sealed, judged by its rows per part and transaction."""
    cursor.execute(
        "SELECT part, writers[at][1], sum(writers[at][2])::bigint"
        " FROM ops.seals CROSS JOIN generate_subscripts(writers, 1) AS places (at) WHERE relation = %s GROUP BY 1, 2",
        (str(sealed.relation),),
    )
    return {(part, writer): rows for part, writer, rows in cursor.fetchall()} == dict(writers)


def _is_untouched(cursor: Cursor, sealed: Sealed) -> bool:
    """Whether all of a relation is as it was sealed: without telling its days apart, in half the time."""
    query = sql.SQL(_IS_UNTOUCHED).format(
        part=_part(sealed), relation=sealed.relation.identifier, name=sql.Literal(str(sealed.relation))
    )
    return bool(scalar(cursor, query))


def _part(sealed: Sealed) -> sql.Composable:
    return sql.Identifier(sealed.part) if sealed.part else sql.SQL("0::bigint")


def _scan(sealed: Sealed, where: sql.Composable) -> sql.Composed:
    return sql.SQL(_SCAN).format(
        part=_part(sealed),
        day=sealed.day or sql.SQL("NULL"),
        relation=sealed.relation.identifier,
        where=where,
    )
