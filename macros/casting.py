"""Casts that never fail: text that is not written as it should be becomes NULL, and the quarantine says why.

On PostgreSQL pg_input_is_valid decides, at the price of one more cast; a regular expression costs thirty times that. (PostgreSQL
16 has it; revops/bootstrap.py defines it on 15.) Elsewhere TRY_CAST does.

Rows with `_is_regular` TRUE were validated by the loader (loaders/sources.py, SHAPES); their casts skip the check.
"""

from __future__ import annotations

from sqlmesh import SQL, macro

MOST_DOLLARS = 1000000
KNOWN_ERRORS = (
    "Bad Card Number",
    "Bad CVV",
    "Bad Expiration",
    "Bad PIN",
    "Bad Zipcode",
    "Insufficient Balance",
    "Technical Glitch",
)
NO_ERROR = (
    "", "nan", "na", "n/a", "<na>", "nat", "none", "null", "nil", "no", "no error", "no errors", "-", "0", "0.0", "false",
    "ok", "success", "approved",
)  # fmt: skip


def try_cast(evaluator, text, data_type, is_written_so=None):
    """The SQL of a cast that gives NULL instead of an error. All is SQL; `is_written_so` is true where the cast cannot fail."""
    if evaluator.dialect == "postgres":
        valid = f"PG_INPUT_IS_VALID({text}, '{data_type}')"
        return f"CASE WHEN {_either(is_written_so, valid)} THEN CAST({text} AS {data_type}) END"
    return f"TRY_CAST({text} AS {data_type})"


def has_only(text, others):
    """The SQL of whether text holds digits and, in this order, these other characters."""
    return f"TRANSLATE({text}, '0123456789', '') = '{others}'"


def _either(known, asked):
    return asked if known is None else f"({known} OR ({asked}))"


@macro()
def cast_or_null(evaluator, text: SQL, data_type: str, is_regular: SQL = None):
    """The text as the type, NULL where it does not cast; a whole number is digits, and nothing that only a server reads so.

    A negative number is written in one way only, without leading zeros, and 0 without a sign: the loaders, which look for
    rows with the same key, compare what has a sign as text.
    """
    value = try_cast(evaluator, text, data_type, is_regular)
    if data_type.lower() not in ("int", "bigint"):
        return value
    is_one = f"{has_only(text, '')} OR ({has_only(text, '-')} AND NOT {text} LIKE '-0%')"
    return f"CASE WHEN {_either(is_regular, is_one)} THEN {value} END"


@macro()
def moment(evaluator, text: SQL, is_regular: SQL = None):
    """`2019-10-31 23:59:00` as a timestamp, NULL for anything that is not written like that."""
    moment = try_cast(evaluator, text, "TIMESTAMP", is_regular)
    of_a_day = (
        f"SUBSTRING({text}, 12, 2) < '24' AND SUBSTRING({text}, 18, 2) < '60'"  # else the cast goes to the next day
    )
    is_one = f"{text} LIKE '____-__-__ __:__:__' AND {has_only(text, '-- ::')} AND {of_a_day}"
    return f"CASE WHEN {_either(is_regular, is_one)} THEN {moment} END"


@macro()
def blank_to_null(evaluator, text: SQL, is_regular: SQL = None):
    """The text without the blanks around it; NULL where nothing is left."""
    return _without_blanks(text, is_regular)


def _without_blanks(text, is_regular):
    bare = f"NULLIF(TRIM({text}), '')"
    return bare if is_regular is None else f"CASE WHEN {is_regular} THEN {text} ELSE {bare} END"


@macro()
def error_text(evaluator, text: SQL, is_regular: SQL = None):
    """What went wrong, NULL for nothing: for no text, and for the words that other programs write where there is none."""
    words = ", ".join(f"'{word}'" for word in NO_ERROR)
    is_none = f"LOWER(TRIM({text})) IN ({words})"
    return f"CASE WHEN {text} IS NULL OR {is_none} THEN NULL ELSE {_without_blanks(text, is_regular)} END"


@macro()
def has_error(evaluator, errors: SQL, error: SQL):
    """Whether one of the published errors is what went wrong, alone or beside others, as the columns of the facts say it."""
    return f"COALESCE({errors} LIKE '%' || {error} || '%', FALSE)"


@macro()
def has_other_error(evaluator, errors: SQL):
    """Whether anything went wrong that is none of the published errors, alone or beside them."""
    rest = errors
    for error in KNOWN_ERRORS:
        rest = f"REPLACE({rest}, '{error}', '')"
    return f"COALESCE(TRANSLATE({rest}, ', ', '') <> '', FALSE)"


@macro()
def dollars(evaluator, text: SQL, is_regular: SQL = None):
    """`$-77.00` as DECIMAL(12, 2), NULL for anything that is not written like that.

    Exactly two decimals, and nothing but digits around one point and one sign, so that no amount is ever rounded or guessed:
    `$1,234.50`, `(12.00)`, `$.50`, `$NaN` and `$1e5.00` are NULL. The loaders sum amounts by the same rule.
    """
    amount = try_cast(evaluator, f"SUBSTRING({text}, 2)", "DECIMAL(12, 2)", is_regular)
    is_one = f"{text} LIKE '$%_.__' AND NOT {text} LIKE '$-.%' AND TRANSLATE({text}, '0123456789', '') IN ('$.', '$-.')"
    return f"CASE WHEN {_either(is_regular, is_one)} THEN {amount} END"


@macro()
def is_plausible(evaluator, amount: SQL):
    """Whether an amount is of a card transaction: at most $1,000,000 either way, 150 times the largest published one.

    The limit keeps sums in range: a million dollars are 10^8 cents, of which BIGINT holds the sum of 9 * 10^10 rows.
    """
    return f"{amount} BETWEEN -{MOST_DOLLARS} AND {MOST_DOLLARS}"


@macro()
def is_plausible_as_written(evaluator, text: SQL):
    """Whether `$999999.99` or the like is plausible by its length alone: so of nearly every row no amount is cast to ask."""
    return f"OCTET_LENGTH({text}) <= {len(f'${MOST_DOLLARS}.00') - 1}"


@macro()
def whole_dollars(evaluator, text: SQL):
    """`$24295` as DECIMAL(12, 2), NULL for anything that is not written like that."""
    amount = try_cast(evaluator, f"SUBSTRING({text}, 2)", "DECIMAL(12, 2)")
    return f"CASE WHEN {text} LIKE '$%' AND TRANSLATE({text}, '0123456789', '') IN ('$', '$-') THEN {amount} END"


@macro()
def zip_code(evaluator, text: SQL, is_regular: SQL = None):
    """`8523.0`, as a spreadsheet left it, as `08523`; a ZIP+4 gives its first five digits; NULL for anything else."""
    digits = f"SPLIT_PART(SPLIT_PART(TRIM({text}), '.', 1), '-', 1)"
    bare = f"TRIM({text})"
    forms = f"{bare} IN ({digits}, {digits} || '.0') OR ({bare} LIKE '_____-____' AND {has_only(bare, '-')})"
    is_code = f"{digits} <> '' AND {has_only(digits, '')} AND LENGTH({digits}) <= 5 AND ({forms})"
    regular = "" if is_regular is None else f"WHEN {is_regular} THEN LPAD(SPLIT_PART({text}, '.', 1), 5, '0') "
    return f"CASE {regular}WHEN {is_code} THEN LPAD({digits}, 5, '0') END"


@macro()
def first_of_month(evaluator, text: SQL):
    """`09/2002` as 2002-09-01, NULL for anything that is not a month written like that."""
    day = try_cast(evaluator, f"CONCAT(SUBSTRING({text}, 4, 4), '-', SUBSTRING({text}, 1, 2), '-01')", "DATE")
    return f"CASE WHEN {text} LIKE '__/____' AND {has_only(text, '/')} THEN {day} END"


@macro()
def yes_no(evaluator, text: SQL):
    """`YES`, `No` and the like as a boolean, NULL for anything else."""
    return f"CASE UPPER(TRIM({text})) WHEN 'YES' THEN TRUE WHEN 'NO' THEN FALSE END"
