"""Holidays, and a day against the days around it."""

from __future__ import annotations

from sqlmesh import SQL, macro

MONDAY, THURSDAY = 1, 4
# Month and day of the month.
FIXED = (
    (1, 1, "New Year''s Day"),
    (7, 4, "Independence Day"),
    (11, 11, "Veterans Day"),
    (12, 25, "Christmas Day"),
)
# Month, weekday, the days of the month of which it is one.
MOVING = (
    (1, MONDAY, (15, 21), "Martin Luther King Jr. Day"),
    (2, MONDAY, (15, 21), "Washington''s Birthday"),
    (5, MONDAY, (25, 31), "Memorial Day"),
    (9, MONDAY, (1, 7), "Labor Day"),
    (10, MONDAY, (8, 14), "Columbus Day"),
    (11, THURSDAY, (22, 28), "Thanksgiving Day"),
)


@macro()
def holiday_of(evaluator, dates: SQL):
    """The federal holiday of the United States on a day of dimensions.dim_dates, NULL for none (5 U.S.C. 6103).

    On the day itself, not on the weekday on which it is observed. Juneteenth is one since 2021.
    """
    day = f"EXTRACT(DAY FROM {dates}.date_day)"
    conditions = [
        *((f"{dates}.month_number = {month} AND {day} = {of_month}", name) for month, of_month, name in FIXED),
        (f"{dates}.month_number = 6 AND {day} = 19 AND {dates}.calendar_year >= 2021", "Juneteenth"),
        *(
            (
                f"{dates}.month_number = {month} AND {dates}.weekday_number = {weekday}"
                f" AND {day} BETWEEN {first} AND {last}",
                name,
            )
            for month, weekday, (first, last), name in MOVING
        ),
    ]
    cases = " ".join(f"WHEN {condition} THEN '{name}'" for condition, name in conditions)
    return f"CASE {cases} END"


@macro()
def index_of(evaluator, value: SQL, total: SQL, count: int):
    """A value by the mean of `count` values that make `total`, times 100, to two decimals; NULL where that is 0."""
    return f"CAST(100 * {count} * CAST({value} AS DECIMAL(30, 8)) / NULLIF({total}, 0) AS DECIMAL(18, 2))"
