"""Which landed rows a range of days is about: one rule for facts, quarantine and their audit.

The day of a row is that of its time, where the time can be used: written as published, not before 2000, of a day that is
over. Every other row is accounted for under `UNDATED`. So all rows belong to a range from there to the last day that is over,
and each row to one day of it.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlmesh import SQL, macro

UNDATED = "2000-01-01"
AS_OF_NOW = "1970-01-01"  # when SQLMesh says that it is, where it was not told: `sqlmesh audit`


@macro()
def landed_in_range(evaluator, landed_date: SQL, transacted_at: SQL):
    """Whether a landed row belongs to the days from @start_ds to @end_ds.

    The time decides. The text is compared beside it, so that PostgreSQL finds the days by index: text that has a usable time
    is written as published, and so sorts like the time. Rows without one are looked for only where their day is asked for.
    The CASE is for the planner, as in `is_sound`.
    """
    start, end, execution = (_day(evaluator, name) for name in ("start_ds", "end_ds", "execution_ds"))
    has_undated = str(start) <= UNDATED <= str(end)
    if has_undated and str(execution) > AS_OF_NOW and execution - end <= timedelta(days=1):
        return "TRUE"
    first, until = max(str(start), UNDATED), end + timedelta(days=1)
    dated = f"""
    (
      {_text_in_range(landed_date, start, end)}
      AND CASE
        WHEN {transacted_at} >= CAST('{first}' AS TIMESTAMP)
          AND {transacted_at} < CAST('{until}' AS TIMESTAMP)
          AND {_is_over(evaluator, transacted_at)}
        THEN TRUE
        ELSE FALSE
      END
    )
    """
    undated = f"NOT COALESCE({_is_usable(evaluator, transacted_at)}, FALSE)"
    return f"({dated} OR {undated})" if has_undated else dated


@macro()
def sound_in_range(evaluator, row_fault: SQL, landed_date: SQL):
    """Whether a staged row has no fault and belongs to the days from @start_ds to @end_ds that are over.

    The same days as `landed_in_range` finds, from the text alone: a sound row is written as published, and its time, which
    would be cast once more to be compared, is not before 2000.
    """
    start, end, execution = (_day(evaluator, name) for name in ("start_ds", "end_ds", "execution_ds"))
    last = min(end, execution - timedelta(days=1))
    return f"({_is_sound(row_fault)} AND {_text_in_range(landed_date, start, last)})"


@macro()
def accounted_on(evaluator, transacted_at: SQL):
    """The day under which a landed row is accounted for; 2000-01-01 for a row without a usable time."""
    return (
        f"CASE WHEN {_is_usable(evaluator, transacted_at)} THEN CAST({transacted_at} AS DATE)"
        f" ELSE CAST('{UNDATED}' AS DATE) END"
    )


@macro()
def is_sound(evaluator, row_fault: SQL):
    """Whether a staged row has no fault.

    Equals IS NULL, as a CASE for the planner's sake: without statistics it estimates 0.5 % for IS NULL, and joins millions of
    rows in nested loops, but 50 % for a boolean expression.
    """
    return _is_sound(row_fault)


def _is_sound(row_fault):
    return f"CASE WHEN {row_fault} IS NULL THEN TRUE ELSE FALSE END"


def _is_usable(evaluator, transacted_at):
    return f"({transacted_at} >= CAST('{UNDATED}' AS TIMESTAMP) AND {_is_over(evaluator, transacted_at)})"


def _is_over(evaluator, transacted_at):
    execution = _day(evaluator, "execution_ds")
    today = "CURRENT_DATE" if str(execution) == AS_OF_NOW else f"'{execution}'"
    return f"{transacted_at} < CAST({today} AS TIMESTAMP)"


def _text_in_range(landed_date, first, last):
    return f"{landed_date} BETWEEN '{first}' AND '{last} 24'"


def _day(evaluator, name):
    return date.fromisoformat(str(evaluator.locals[name])[:10])
