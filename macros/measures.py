"""Money, rates and growth, written once, and the months and days that a range is about.

Money is summed in whole cents and shown in dollars; a rate is in basis points and NULL where there is nothing to divide by.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlglot import exp
from sqlmesh import SQL, macro

_WIDEST = "DECIMAL(30, 8)"
_EXACT_IN_FLOATS = 9 * 10**15
_DEVIATIONS = 1.96  # of the normal distribution, on both sides of 95 % of it
_MINUTES = {"hour": 60, "day": 1440}


@macro()
def cents(evaluator, amount: SQL):
    """US dollars as whole cents: sums of integers are exact, and cheap in moving windows."""
    return f"CAST({amount} * 100 AS BIGINT)"


@macro()
def dollars_of(evaluator, cents: SQL):
    """Whole cents as US dollars, 0 for NULL."""
    return f"CAST(CAST(COALESCE({cents}, 0) AS {_WIDEST}) / 100 AS DECIMAL(18, 2))"


@macro()
def basis_points(evaluator, part: SQL, whole: SQL):
    """The part of the whole in basis points, to two decimals; NULL where the whole is 0."""
    return f"CAST(10000 * CAST(COALESCE({part}, 0) AS {_WIDEST}) / NULLIF({whole}, 0) AS DECIMAL(18, 2))"


@macro()
def rate_low(evaluator, part: SQL, whole: SQL):
    """The lower end of the interval of 95 % around a rate by count, in basis points to two decimals; see `_wilson`."""
    return _wilson(part, whole, "-")


@macro()
def rate_high(evaluator, part: SQL, whole: SQL):
    """The upper end of the interval of 95 % around a rate by count, in basis points to two decimals; see `_wilson`."""
    return _wilson(part, whole, "+")


def _wilson(part, whole, sign):
    """Wilson's score interval: (k + z^2 / 2 -+ z * SQRT(k * (n - k) / n + z^2 / 4)) / (n + z^2); NULL where n is 0.

    With z = 1.96. It is never below 0 or above 100 %, and holds also where k is 0 or 1: E. B. Wilson, Probable Inference, the
    Law of Succession, and Statistical Inference, Journal of the American Statistical Association 22 (1927), 209-212.
    """
    k, n = (f"CAST({each} AS DOUBLE PRECISION)" for each in (f"COALESCE({part}, 0)", f"NULLIF({whole}, 0)"))
    square = round(_DEVIATIONS**2, 4)
    spread = f"{_DEVIATIONS} * SQRT({k} * ({n} - {k}) / {n} + {round(square / 4, 4)})"
    return f"CAST(10000 * ({k} + {round(square / 2, 4)} {sign} {spread}) / ({n} + {square}) AS DECIMAL(18, 2))"


@macro()
def ratio(evaluator, part: SQL, whole: SQL):
    """One number by another, to two decimals; NULL where the other is 0."""
    return _ratio(part, whole)


@macro()
def average_of(evaluator, total: SQL, count: SQL):
    """Dollars for each, from a total of dollars; NULL where there is none."""
    return _ratio(total, count)


def _ratio(part, whole):
    return f"CAST(CAST({part} AS {_WIDEST}) / NULLIF({whole}, 0) AS DECIMAL(18, 2))"


@macro()
def z_score(evaluator, value: SQL, count: SQL, total: SQL, squares: SQL):
    """Standard deviations of whole cents from the mean of `count` others; NULL where these are all alike.

    `total` is their sum and `squares` the sum of their squares, which PostgreSQL sums as NUMERIC: of plausible amounts, up to
    10^8 cents, BIGINT would hold the squares of 922. Floats hold whole numbers up to 2^53 exactly; of larger ones, the small
    difference of two products would be noise, so that it is taken of decimals. The score is at most 10^8 * SQRT(count).
    """
    n, whole, total_squares = (
        f"CAST({column} AS DOUBLE PRECISION)"
        for column in (count, f"CAST({total} AS BIGINT)", f"CAST({squares} AS BIGINT)")
    )
    exact = f"CASE WHEN {squares} <= {_EXACT_IN_FLOATS} THEN {n} * {total_squares} <= {_EXACT_IN_FLOATS} ELSE FALSE END"
    spread = f"""
    CASE WHEN {exact} THEN {n} * {total_squares} - {whole} * {whole}
    ELSE CAST({count} * CAST({squares} AS DECIMAL(38, 0))
      - CAST({total} AS DECIMAL(38, 0)) * CAST({total} AS DECIMAL(38, 0)) AS DOUBLE PRECISION)
    END
    """
    return f"({value} * {n} - {whole}) / SQRT(NULLIF({spread}, 0) * {n} / ({n} - 1))"


@macro()
def growth_percent(evaluator, now: SQL, before: SQL):
    """Growth in percent to two decimals; NULL where there was nothing before.

    Wider than the dollars that it is of: after a month of one cent it has four digits more than they.
    """
    return f"CAST(100 * CAST({now} - {before} AS {_WIDEST}) / NULLIF({before}, 0) AS DECIMAL(24, 2))"


@macro()
def in_range(evaluator, day: SQL, look_back: int = 0, look_ahead: int = 0):
    """Whether a day is from @start_ds to @end_ds, or up to `look_back` days before, or `look_ahead` days after.

    Dates as constants let PostgreSQL see how little of a table that is.
    """
    return _in_range(evaluator, day, look_back, look_ahead)


def _in_range(evaluator, day, look_back=0, look_ahead=0):
    start = _day(evaluator, "start_ds") - timedelta(days=int(look_back))
    end = _day(evaluator, "end_ds") + timedelta(days=int(look_ahead))
    return f"{day} BETWEEN CAST('{start}' AS DATE) AND CAST('{end}' AS DATE)"


@macro()
def in_months_of_range(evaluator, day: SQL, look_back: int = 0, look_ahead: int = 0):
    """Whether a day is of a month that the days from @start_ds to @end_ds touch, or near these months.

    Near are up to `look_back` days before the first of them and `look_ahead` days after the last.

    What has a row per month is computed from whole months: its models have the month as interval, so that SQLMesh widens
    any range of days to the months it touches.
    """
    return _in_months_of_range(evaluator, day, look_back, look_ahead)


def _in_months_of_range(evaluator, day, look_back=0, look_ahead=0):
    first = _day(evaluator, "start_ds").replace(day=1) - timedelta(days=int(look_back))
    end = _day(evaluator, "end_ds")
    last = date(end.year + end.month // 12, end.month % 12 + 1, 1) - timedelta(days=1 - int(look_ahead))
    return f"{day} BETWEEN CAST('{first}' AS DATE) AND CAST('{last}' AS DATE)"


@macro()
def in_years_of_range(evaluator, day: SQL):
    """Whether a day is of a year that the days from @start_ds to @end_ds touch, for models that have a row per year."""
    return _in_years_of_range(evaluator, day)


def _in_years_of_range(evaluator, day):
    first, last = _day(evaluator, "start_ds").year, _day(evaluator, "end_ds").year
    return f"{day} BETWEEN CAST('{first}-01-01' AS DATE) AND CAST('{last}-12-31' AS DATE)"


@macro()
def in_audited(evaluator, over: str, day: SQL):
    """In an audit, whether a day is one of what is audited.

    Of the range (`days`), of the months or years that it touches (`months`, `years`), or any (`all`).
    """
    if over == "days":
        return _in_range(evaluator, day)
    if over == "years":
        return _in_years_of_range(evaluator, day)
    return _in_months_of_range(evaluator, day) if over == "months" else "TRUE"


@macro()
def sides_of(evaluator, sums, side: str):
    """In an audit, the left or right side of each equation, 0 for NULL; of one equation alone in its parentheses too."""
    return [
        f"COALESCE({getattr(equation, side).sql(evaluator.dialect)}, 0)"
        for equation in sums.expressions or [sums.unnest()]
    ]


@macro()
def whole_model(evaluator):
    """In an audit, the table of the audited model with all its rows.

    @this_model has those of the audited range only, and so not the row of a month that began before it.
    """
    audited = evaluator.locals["this_model"]
    return audited.unnest().args["from_"].this.copy() if isinstance(audited, exp.Subquery) else audited


def _day(evaluator, name):
    return date.fromisoformat(str(evaluator.locals[name])[:10])


@macro()
def days_between(evaluator, first: SQL, last: SQL):
    """Whole days from one date to another; subtracting dates means something else elsewhere.

    Both are cast, because nobody knows the types of an audit's columns, and other engines are told days by their types.
    """
    if evaluator.dialect == "postgres":
        return f"(CAST({last} AS DATE) - CAST({first} AS DATE))"
    return f"DATEDIFF({last}, {first})"


@macro()
def calendar_months(evaluator, first: SQL, last: SQL):
    """Calendar months from that of one date to that of another, both counted."""
    years, months = (f"(EXTRACT({part} FROM {last}) - EXTRACT({part} FROM {first}))" for part in ("YEAR", "MONTH"))
    return f"CAST(12 * {years} + {months} + 1 AS INT)"


@macro()
def days_in_month(evaluator, month_start: SQL):
    """Calendar days of a month, from its first day."""
    return f"EXTRACT(DAY FROM {month_start} + INTERVAL '1 MONTH' - INTERVAL '1 DAY')"


@macro()
def minute_number(evaluator, moment: SQL):
    """Whole minutes since 1970-01-01 00:00 of a timestamp without time zone."""
    if evaluator.dialect == "postgres":
        return f"CAST(FLOOR(EXTRACT(EPOCH FROM {moment}) / 60) AS INT)"
    return f"CAST(FLOOR(UNIX_TIMESTAMP({moment}) / 60) AS INT)"


@macro()
def day_number(evaluator, minute: SQL):
    """The day, since 1970, that a minute so numbered is of."""
    return f"CAST(FLOOR({minute} / {_MINUTES['day']}) AS INT)"


@macro()
def minutes_in(evaluator, count: int, unit: str):
    """Minutes in so many hours or days, as a window over numbered minutes is long: `@minutes_in(24, hour)`."""
    return str(count * _MINUTES[unit])
