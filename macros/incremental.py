"""Which landed rows a range of days is about."""

from __future__ import annotations

from datetime import date, timedelta

from sqlmesh import SQL, macro


@macro()
def landed_in_range(evaluator, landed_date: SQL, transacted_at: SQL):
    """Whether a landed row belongs to the days from @start_ds to @end_ds.

    A row's days are those its text begins with: comparing text lets PostgreSQL find a day by index. A row that no fact can
    be made of on its own day (no date, before 2000, of a day that is not over) belongs to 2000-01-01, and is only looked
    for where that day is asked for. So all rows belong to a range from there to the last day that is over.
    """
    start, end, execution = (str(evaluator.locals[name]) for name in ("start_ds", "end_ds", "execution_ds"))
    if start <= "2000-01-01" and date.fromisoformat(execution) - date.fromisoformat(end) <= timedelta(days=1):
        return "TRUE"
    return f"""
    (
      {landed_date} BETWEEN '{start}' AND '{end} 24'
      OR (
        '{start}' <= '2000-01-01'
        AND (
          {transacted_at} IS NULL
          OR {transacted_at} < CAST('2000-01-01' AS TIMESTAMP)
          OR {transacted_at} >= CAST('{execution}' AS TIMESTAMP)
        )
      )
    )
    """


@macro()
def is_sound(evaluator, row_fault: SQL):
    """Whether a staged row has no fault.

    Says the same as IS NULL. Of that PostgreSQL believes, for an expression it has no statistics on, that one row in two
    hundred passes, and joins millions of rows in nested loops; of this, that half do.
    """
    return f"CASE WHEN {row_fault} IS NULL THEN TRUE ELSE FALSE END"
