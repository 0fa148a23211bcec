"""Owns bringing a value that people write in another form into the published form. Knows no file, no row, no database.

There is one rule for each kind of value. Its target is what the transforms cast, so staging needs no rule for other forms.
Nothing is guessed and nothing is rounded: a value that has no exact published form is left as it is, with a reason.
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from loaders.sources import CHANNELS, ERRORS, NONE_WORDS, Form


class Read(NamedTuple):
    """What a value was read as.

    Attributes:
        text: the published form; the value as it is where there is none.
        fault: why it cannot be used, empty where it can.
        doubt: why it may be wrong although it can be used; else empty.
    """

    text: str
    fault: str = ""
    doubt: str = ""


BEFORE_2000 = "is before 2000"
"""The fault of a time that can be read, and is earlier than all that the warehouse serves."""

_MONEY = re.compile(r"(-?) ?[$]? ?(-?)(?:([0-9]+)|([0-9]{1,3}(?:,[0-9]{3})+))?(?:[.]([0-9]*))?")
_IN_BRACKETS = re.compile(r"\(([^()-]*)\)")
_WIDEST_WHOLE = 10
_MOST_CENTS = 100_000_000  # a million dollars
_BIRTH_YEARS = range(1900, 2021)
_CREDIT_SCORES = range(300, 851)
_ISO = re.compile(
    r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})(?:[Tt]| +)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]0*)?)?"
)
_US = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}),? +([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.]0*)?)?(?: ?([AaPp])[.]?[Mm][.]?)?"
)
_OFFSET = re.compile(r".*[0-9:.]\s*(?:[Zz]|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})", re.DOTALL)
_WHOLE = re.compile(r"-?([0-9]+)([.]0*)?")
_MOST_EXACT_DIGITS = 15  # of a number that went through floating point
_ZIP = re.compile(r"([0-9]{1,5})(?:[.]0*)?")
_ZIP_PLUS_4 = re.compile(r"[0-9]{5}-[0-9]{4}")
_BETWEEN_WORDS = re.compile("(?<=[A-Za-z])[-_](?=[A-Za-z])")  # not the sign of a number
_DEGREES = re.compile(r"[+]?(-?(?:[0-9]{1,3}(?:[.][0-9]*)?|[.][0-9]+))")
_YEAR = re.compile(r"([0-9]{4})(?:[.]0*|-...*)?", re.DOTALL)
_MONTHS = (
    re.compile(r"(?P<month>[0-9]{1,2})/(?P<year>[0-9]{4})"),
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})"),
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})(?:[T ]00:00:00(?:[.]0*)?)?"),
    re.compile(r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})(?: 0?0:00(?::00)?)?"),
    re.compile(r"(?P<name>[A-Za-z]{3})[- ](?P<year>[0-9]{4}|[0-9]{2})"),
)
_MONTH_NAMES = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_FIRST_YEAR_OF_THE_CENTURY_BEFORE = 30  # spreadsheets take 30 to 99 for 1930 to 1999

_CHANNELS = {channel.split()[0].lower(): channel for channel in CHANNELS}
_ERRORS = {error.lower(): error for error in ERRORS}
_NO_ERRORS = {word.lower() for word in NONE_WORDS} | {
    "no error", "no errors", "na", "nat", "nil", "no", "-", "0", "0.0", "false", "ok", "success", "approved",
}  # fmt: skip
_YES = {"yes", "y", "true", "t", "1", "1.0"}
_NO = {"no", "n", "false", "f", "0", "0.0"}
_FRAUD = {"fraud", "fraudulent"}
_NOT_FRAUD = {
    "not fraud", "non fraud", "nonfraud", "no fraud", "not fraudulent", "legit", "legitimate", "genuine",
}  # fmt: skip


def _money(text: str) -> tuple[str, str, str] | None:
    """Return sign, whole dollars and decimals without the zeros at their end, None for anything that is no amount."""
    bare = text.strip().replace("\u2212", "-")
    in_brackets = _IN_BRACKETS.fullmatch(bare)
    found = _MONEY.fullmatch(in_brackets[1].strip() if in_brackets else bare)
    if found is None:
        return None
    before, after, plain, grouped, decimals = found.groups()
    whole = (plain or (grouped or "").replace(",", "")).lstrip("0")
    if (before and after) or not (plain or grouped or decimals) or len(whole) > _WIDEST_WHOLE:
        return None
    return "-" if before or after or in_brackets else "", whole or "0", (decimals or "").rstrip("0")


def dollars(text: str) -> Read:
    """Read an amount as `$-77.00`."""
    money = _money(text)
    if money is None:
        return Read(text, "is not written like $-77.00")
    sign, whole, decimals = money
    if len(decimals) > 2:
        return Read(text, "has more than two decimals, and nothing is rounded")
    is_plausible = int(f"{whole}{decimals:0<2}") <= _MOST_CENTS
    return Read(f"${sign}{whole}.{decimals:0<2}", "" if is_plausible else "is beyond what is plausible")


def whole_dollars(text: str) -> Read:
    """Read an income, a debt or a limit as `$24295`."""
    money = _money(text)
    if money is None:
        return Read(text, "is not written like $24295")
    sign, whole, decimals = money
    return Read(text, "is not in whole dollars, and nothing is rounded") if decimals else Read(f"${sign}{whole}")


def moment(text: str) -> Read:
    """Read a date with a time of day as `2019-10-31 23:59:00`; `10/31/2019 23:59` has the month first, as in the US."""
    bare = text.strip()
    half: str | None = None
    if found := _ISO.fullmatch(bare):
        year, _, month, day, hour, minute, second = found.groups()
    elif found := _US.fullmatch(bare):
        month, day, year, hour, minute, second, half = found.groups()
    elif _OFFSET.fullmatch(bare):
        return Read(text, "has a time zone: write local times without one, as published")
    else:
        return Read(text, "is not written like 2010-01-31 23:59:00")
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return Read(text, "is no time of day")
        hours = hours % 12 + (12 if half in "Pp" else 0)
    try:
        value = datetime.datetime(int(year), int(month), int(day), hours, int(minute), int(second or 0))
    except ValueError:
        return Read(text, "is no day and time of the calendar, with the month before the day where slashes are used")
    return Read(f"{value:%Y-%m-%d %H:%M:%S}".rjust(19, "0"), "" if value.year >= 2000 else BEFORE_2000)


def _whole_number(text: str, lowest: int, highest: int) -> Read:
    bare = text.strip()
    found = _WHOLE.fullmatch(bare)
    if found is None:
        return Read(text, "is not a whole number")
    digits, point = found.groups()
    if point is not None:
        if len(digits) > _MOST_EXACT_DIGITS:
            return Read(text, "is a decimal number so long that digits are lost")
        bare = bare[: -len(point)]
    if len(digits.lstrip("0")) > 19 or not lowest <= int(bare) <= highest:
        return Read(text, "is too large")
    return Read(str(int(bare)) if bare.startswith("-0") else bare)


def number(text: str) -> Read:
    """Read a whole number; `5499.0` is 5499."""
    return _whole_number(text, -(2**31), 2**31 - 1)


def credit_score(text: str) -> Read:
    """Read a FICO score."""
    read = number(text)
    is_one = not read.fault and int(read.text) in _CREDIT_SCORES
    return Read(read.text, read.fault or ("" if is_one else "is not of 300 to 850"))


def identifier(text: str) -> Read:
    """Read a whole number of up to 63 bits."""
    return _whole_number(text, -(2**63), 2**63 - 1)


def channel(text: str) -> Read:
    """Read how a card was used, in any case, with or without the word transaction."""
    words = text.replace("_", " ").replace("-", " ").lower().split()
    if words[1:] == ["transaction"]:
        words = words[:1]
    known = _CHANNELS.get(words[0]) if len(words) == 1 else None
    return Read(text, "is none of swipe, chip and online") if known is None else Read(known)


def zip_code(text: str) -> Read:
    """Read a ZIP code as `8523.0`, the form in which it is published; none is empty."""
    bare = text.strip()
    if not bare or bare in NONE_WORDS:
        return Read("")
    if found := _ZIP.fullmatch(bare):
        return Read(f"{found[1]}.0")
    return Read(bare) if _ZIP_PLUS_4.fullmatch(bare) else Read(text, "is not a ZIP code")


def state(text: str) -> Read:
    """Read a state or country; none is empty."""
    return Read("" if text.strip() in NONE_WORDS else text)


def errors(text: str) -> Read:
    """Read a list of errors; none is empty, and an unknown error is left as it is."""
    bare = text.strip()
    if bare.lower() in _NO_ERRORS:
        return Read("")
    found = [_ERRORS.get(part.strip().lower()) for part in bare.strip(",").split(",")]
    return Read(",".join(part for part in found if part)) if all(found) else Read(text, doubt="is no known error")


def label(text: str) -> Read:
    """Read whether a transaction was fraud as Yes or No."""
    bare = " ".join(_BETWEEN_WORDS.sub(" ", text).lower().split())
    if bare in _YES or bare in _FRAUD:
        return Read("Yes")
    return Read("No") if bare in _NO or bare in _NOT_FRAUD else Read(text, "is neither Yes nor No")


def yes_no(text: str) -> Read:
    """Read a flag of a card: YES, Yes, NO and No as they are, other words as Yes or No."""
    bare = text.strip()
    if bare.upper() in ("YES", "NO"):
        return Read(bare)
    if bare.lower() in _YES:
        return Read("Yes")
    return Read("No") if bare.lower() in _NO else Read(text, "is neither yes nor no")


def month(text: str) -> Read:
    """Read a month as `09/2002`; of a day only where it is the first or last one of its month."""
    bare = text.strip()
    for pattern in _MONTHS:
        if found := pattern.fullmatch(bare):
            parts = found.groupdict()
            year = int(parts["year"])
            if year < 100:
                year += 1900 if year >= _FIRST_YEAR_OF_THE_CENTURY_BEFORE else 2000
            number = _MONTH_NAMES.get(parts["name"].lower(), 0) if "name" in parts else int(parts["month"])
            if year < 1 or not 1 <= number <= 12:
                break
            if "day" in parts and int(parts["day"]) not in (1, calendar.monthrange(year, number)[1]):
                break
            return Read(f"{number:02d}/{year:04d}")
    return Read(text, "is not a month written like 09/2002")


def birth_year(text: str) -> Read:
    """Read a year of birth; a day that begins with it will do."""
    bare = text.strip()
    found = _YEAR.fullmatch(bare)
    if found is None:
        return Read(text, "is not a year")
    year = found[1] if "." in bare[:5] else bare
    return Read(year, "" if int(found[1]) in _BIRTH_YEARS else "is not of 1900 to 2020")


def _degrees(text: str) -> Decimal | None:
    """Return a number of degrees with the six decimals that the transforms look at."""
    found = _DEGREES.fullmatch(text.strip())
    return None if found is None else Decimal(found[1]).quantize(Decimal("1e-6"), ROUND_HALF_UP)


def latitude(text: str) -> Read:
    """Read degrees north."""
    degrees = _degrees(text)
    if degrees is None or abs(degrees.quantize(Decimal("0.1"), ROUND_HALF_UP)) > 90:
        return Read(text, "is not a number of degrees")
    return Read(text.strip().lstrip("+"))


def longitude(text: str) -> Read:
    """Read degrees east."""
    degrees = _degrees(text)
    if degrees is None or abs(degrees) > 180:
        return Read(text, "is not a number of degrees")
    return Read(text.strip().lstrip("+"))


def some_text(text: str) -> Read:
    """Read a text that may not be empty."""
    return Read(text) if text.strip(" ") else Read(text, "is empty")


READERS: dict[Form, Callable[[str], Read]] = {
    "id": identifier,
    "number": number,
    "moment": moment,
    "dollars": dollars,
    "whole_dollars": whole_dollars,
    "channel": channel,
    "zip": zip_code,
    "state": state,
    "errors": errors,
    "label": label,
    "yes_no": yes_no,
    "month": month,
    "birth_year": birth_year,
    "credit_score": credit_score,
    "latitude": latitude,
    "longitude": longitude,
    "some_text": some_text,
}
"""The rule for each form; what is text is left as it is."""
