"""What is in force for a time: from `valid_from_date` to the day before `valid_until_date`, which is NULL while it lasts."""

from __future__ import annotations

from sqlmesh import SQL, macro

NEVER = "9999-01-01"


@macro()
def is_in_force(evaluator, terms: SQL, day: SQL):
    """Whether a row of `terms` is in force on a day: `@is_in_force(rates, volume.transacted_on)`."""
    until = f"COALESCE({terms}.valid_until_date, CAST('{NEVER}' AS DATE))"
    return f"({day} >= {terms}.valid_from_date AND {day} < {until})"
