"""What the casting macros make of text on PostgreSQL: of the right form the value, of anything else NULL, of nothing an error."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

import pytest
import sqlglot
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loaders import forms
from loaders.rows import cents_of
from loaders.sources import AMOUNT_PATTERN
from revops.verify import landed
from tests.macros.conftest import Evaluate, expand

CALLS = [
    "@cast_or_null(landed, 'int')",
    "@moment(landed)",
    "@cast_or_null(landed, 'timestamp')",
    "@cast_or_null(landed, 'decimal(9, 6)')",
    "@blank_to_null(landed)",
    "@error_text(landed)",
    "@has_other_error(landed)",
    "@dollars(landed)",
    "@whole_dollars(landed)",
    "@zip_code(landed)",
    "@first_of_month(landed)",
    "@yes_no(landed)",
]
ON_SERVER = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            "@cast_or_null(landed, 'int')",
            {"12": 12, "-12": -12, "007": 7, "2147483647": 2147483647, "2147483648": None, "12.0": None, "1e3": None,
             "12a": None, "one": None, "": None, "NaN": None, None: None, "1_000": None, "0x10": None, "+7": None, " 7": None,
             "5-": None, "-0": None, "-05": None, "-": None},
        ),
        ("@cast_or_null(landed, 'bigint')", {"2147483648": 2147483648, "9223372036854775808": None, "1.5": None}),
        (
            "@cast_or_null(landed, 'timestamp')",
            {"2020-02-29 23:59:00": datetime.datetime(2020, 2, 29, 23, 59), "2019-02-29 23:59:00": None, "soon": None},
        ),
        (
            "@moment(landed)",
            {"2020-02-29 23:59:00": datetime.datetime(2020, 2, 29, 23, 59), "2019-02-29 23:59:00": None, "2020-02-29": None,
             "2020-02-29T23:59:00": None, " 2020-02-29 23:59:00": None, "2020-02-29 24:60:00": None, "": None, None: None,
             "2010-01-01 24:00:00": None, "2010-01-01 23:59:60": None, "2010--6-01 00:01:00": None,
             "2010-01-01 Z0:06:00": None, "2010-04-01 00:01:n0": None,
             "2010-01-01 23:59:59": datetime.datetime(2010, 1, 1, 23, 59, 59)},
        ),
        ("@cast_or_null(landed, 'decimal(9, 6)')", {"-117.76": Decimal("-117.76"), "1000.0": None, "12°": None}),
        ("@error_text(landed)", {"Bad PIN": "Bad PIN", " Bad PIN ": "Bad PIN", "nan": None, " No Error": None, "": None,
                                 "Nonesuch": "Nonesuch", None: None}),
        ("@has_other_error(landed)", {"Bad PIN": False, "Bad PIN,Bad CVV": False, "Bad PIN, Bad CVV": False, "Lost": True,
                                      "Bad PIN,Lost": True, "bad pin": True, None: False}),
        ("@blank_to_null(landed)", {"a": "a", "  a b ": "a b", "": None, "   ": None, None: None}),
        (
            "@dollars(landed)",
            {"$-77.00": Decimal("-77.00"), "$14.57": Decimal("14.57"), "$0.00": Decimal(0), "$-0.00": Decimal(0),
             "$9999999999.99": Decimal("9999999999.99"), "$10000000000.00": None, "$1,234.50": None, "(12.00)": None,
             "($12.00)": None, "$NaN": None, "NaN": None, "$1e5.00": None, "1e5": None, "77.00": None, "$77": None,
             "$77.0": None, "$77.000": None, "-$77.00": None, "$--7.00": None, "$7-7.00": None, "$7.-00": None,
             " $7.00": None, "$7.00 ": None, "$ 7.00": None, "$+7.00": None, "£7.00": None, "$٧.00": None, "$.": None,
             "": None, None: None},
        ),
        (
            "@whole_dollars(landed)",
            {"$24295": Decimal(24295), "$0": Decimal(0), "$-5": Decimal(-5), "24295": None, "$24,295": None, "$": None,
             "$-": None, "$24295.50": None, "$5-": None, "$1e5": None, "$NaN": None, " $5": None, "": None, None: None},
        ),
        (
            "@zip_code(landed)",
            {"58523.0": "58523", "8523.0": "08523", "501.0": "00501", "58523": "58523", "02139-4307": "02139",
             " 8523.0 ": "08523", "123456": None, "1234567.0": None, "K1A 0B6": None, "-8523.0": None, "1e4": None,
             ".0": None, "": None, " ": None, None: None, "8523.8": None, "8523--": None, "5523.x": None, "6.2.0": None},
        ),
        (
            "@first_of_month(landed)",
            {"09/2002": datetime.date(2002, 9, 1), "12/2022": datetime.date(2022, 12, 1), "13/2022": None,
             "00/2022": None, "9/2002": None, "2002/09": None, "09-2002": None, "09/02": None, "09/2002 ": None,
             "-9/2007": None, "02/ 602": None, "1e/2 02": None, "09//200": None,
             "": None, None: None},
        ),
        (
            "@yes_no(landed)",
            {"YES": True, "Yes": True, "yes": True, " Yes ": True, "NO": False, "No": False, "Y": None, "true": None,
             "1": None, "": None, None: None},
        ),
    ],
)  # fmt: skip
def test_each_text_becomes_its_value_or_null(call: str, expected: dict[Any, Any], evaluate: Evaluate) -> None:
    assert dict(zip(expected, evaluate(call, list(expected)), strict=True)) == expected


@pytest.mark.parametrize("call", CALLS)
@ON_SERVER
@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=24), max_size=20)
)
@example(texts=["J0", "4714-11-24 BC", "infinity"])
def test_no_text_is_an_error(call: str, texts: list[str], evaluate: Evaluate) -> None:
    as_text = f"CAST({call} AS TEXT)"  # Python has no year before the first
    assert len(evaluate(as_text, texts)) == len(texts)


def _dollars(text: str) -> Decimal | None:
    """The loaders' rule: a dollar sign, at most one minus, a digit or more, a point, two digits; and it fits twelve digits."""
    cents = cents_of(text)
    return None if cents is None else Decimal(cents).scaleb(-2)


nearly_dollars = st.one_of(
    st.from_regex(r"\A\$-?[0-9]{0,12}\.[0-9]{2}\Z", alphabet=st.characters(codec="ascii")),
    st.from_regex(r"\A[$€]?[-+(]?[0-9]{0,3}[.,]?[0-9]{0,3}[)-]?\Z"),
    st.text("$-+.,0123456789eE NaN_()", max_size=12),
    st.lists(st.sampled_from(["$", "-", ".", "0", "7", "123", "00", "\n", " "]), max_size=7).map("".join),
)


@settings(ON_SERVER, max_examples=100)
@given(texts=st.lists(nearly_dollars, min_size=1, max_size=40))
@example(
    texts=[
        "$-0.00",
        "$1e5.00",
        "$00000000000007.00",
        "$٣.00",
        "$.50",
        "$-.50",
        "$7-7.00",
        "$-7-7.00",
        "$7.00\n",
        "$7.0",
        "7.00",
    ]
)
@example(
    texts=[
        "$10000000000.00",
        "$-9999999999.99",
        "$-.",
        "$7-.00",
        "$ 7.00",
        " $7.00",
        "$7.00 ",
        "$-",
        "$.",
        ".00",
        "$--.00",
    ]
)
def test_loaders_models_and_verify_agree_on_what_is_an_amount(texts: list[str], evaluate: Evaluate) -> None:
    expected = [_dollars(text) for text in texts]
    assert evaluate("@dollars(landed)", texts) == expected
    assert evaluate("@dollars(landed, NULL::boolean)", texts) == expected
    in_verify = landed.DOLLARS.string.replace("%%", "%").replace("amount", "landed")
    assert evaluate(in_verify, texts) == expected
    assert evaluate(f"CASE WHEN landed ~ '{AMOUNT_PATTERN}' THEN substr(landed, 2)::numeric END", texts) == expected


@ON_SERVER
@given(cents=st.lists(st.integers(-(10**12) + 1, 10**12 - 1), min_size=1, max_size=40))
def test_dollars_gives_back_every_amount_to_the_cent(cents: list[int], evaluate: Evaluate) -> None:
    amounts = [Decimal(each).scaleb(-2) for each in cents]
    assert evaluate("@dollars(landed)", [f"${amount:.2f}" for amount in amounts]) == amounts


@ON_SERVER
@given(numbers=st.lists(st.integers(0, 99_999), min_size=1, max_size=40))
def test_a_zip_that_went_through_a_spreadsheet_is_what_it_was(numbers: list[int], evaluate: Evaluate) -> None:
    codes = [f"{number:05d}" for number in numbers]
    assert evaluate("@zip_code(landed)", [f"{number}.0" for number in numbers]) == codes
    assert evaluate("@zip_code(landed)", codes) == codes


@ON_SERVER
@given(texts=st.lists(st.text("0123456789.- x", max_size=10), min_size=1, max_size=40))
def test_a_zip_has_five_digits_or_is_none(texts: list[str], evaluate: Evaluate) -> None:
    found = evaluate("@zip_code(landed)", texts)
    assert [code for code in found if code is not None and not re.fullmatch("[0-9]{5}", code)] == []


@ON_SERVER
@given(days=st.lists(st.dates(datetime.date(1000, 1, 1)), min_size=1, max_size=40))
def test_each_month_is_read_as_its_first_day(days: list[datetime.date], evaluate: Evaluate) -> None:
    texts = [f"{day.month:02d}/{day.year}" for day in days]
    assert evaluate("@first_of_month(landed)", texts) == [day.replace(day=1) for day in days]


@pytest.mark.unit
@pytest.mark.parametrize("call", CALLS)
def test_for_spark_each_is_sql_that_spark_reads_and_that_fails_on_no_text(call: str) -> None:
    spark = expand(call, "spark")
    assert "PG_" not in spark
    assert not [
        cast for cast in sqlglot.parse_one(spark, read="spark").find_all(sqlglot.exp.Cast) if not _is_safe(cast)
    ]


def _is_safe(cast: sqlglot.exp.Cast) -> bool:
    return isinstance(cast, sqlglot.exp.TryCast)


@pytest.mark.unit
def test_the_words_for_no_error_are_those_of_the_loaders() -> None:
    from macros.casting import NO_ERROR

    assert [word for word in NO_ERROR if forms.errors(word).text] == []
