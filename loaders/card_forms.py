"""Owns what a card lands as, for each form in which its number may be delivered: a token, the last four digits, both or neither.

Nothing is made up: what a file does not hold stays empty.
"""

from __future__ import annotations

import re
from typing import Literal

from loaders.protect import Tokenizer, holds_card_number, is_card_shaped, plain_digits
from loaders.sources import NONE_WORDS
from meshkeys.names import in_letters

Kind = Literal["number", "none", "masked", "last four", "hash", "token"]

_AS_DECIMAL = re.compile(r"([0-9]{13,15})[.]0*")  # a longer one may have lost digits
_LAST_FOUR = re.compile(r"[0-9]{4}")
_MASKED = re.compile(r"(?:[0-9][ -]?){0,8}(?:[*xX#\u2022.\u2026][ -]?){3,}((?:[0-9][ -]?){0,3}[0-9])?")
_HASH = re.compile(r"(?=.*[a-fA-F])(?:[0-9a-fA-F]{32,128}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_TOKEN = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_\-+/=.:|]{8,200}")
_SHORTENED = re.compile(r"([0-9]{1,4})(?:[.]0*)?")
_DIGITS_OF_A_NUMBER = range(10, 21)
_FEWEST_OTHERS = 4  # beside so many digits; with fewer, it is a damaged card number


def kind_of(value: str) -> Kind | None:
    """Tell in which form a card's number was delivered, None where it is in none that can be used."""
    bare = value.strip()
    if bare in NONE_WORDS:
        return "none"
    if is_card_shaped(plain_digits(bare)) or _AS_DECIMAL.fullmatch(bare):
        return "number"
    if _LAST_FOUR.fullmatch(bare):
        return "last four"
    masked = _MASKED.fullmatch(bare)
    if masked:
        return "masked" if masked[1] is None or len(plain_digits(masked[1])) == 4 else None
    if _HASH.fullmatch(bare):
        return "hash"
    digits = sum(character in "0123456789" for character in bare)
    damaged = digits in _DIGITS_OF_A_NUMBER and len(bare) - digits < _FEWEST_OTHERS
    return "token" if _TOKEN.fullmatch(bare) and not damaged else None


def identity(number: str, token: str, last4: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """Return token and last four digits of a card; empty where the file does not hold them.

    Args:
        number: the value of the column of card numbers, of a kind that `kind_of` knows.
        token: the value of a column of tokens, empty where there is none.
        last4: the value of a column of last four digits, empty where there is none.
        tokenizer: makes the token of a card number.
    """
    found_token = found_last4 = ""
    for value in (number, token):
        bare = value.strip()
        kind = kind_of(bare)
        if kind == "number":
            decimal = _AS_DECIMAL.fullmatch(bare)
            digits = decimal[1] if decimal else plain_digits(bare)
            found_token = found_token or tokenizer.token(digits)
            found_last4 = found_last4 or digits[-4:]
        elif kind == "last four":
            found_last4 = found_last4 or bare
        elif kind == "masked":
            masked = _MASKED.fullmatch(bare)
            found_last4 = found_last4 or plain_digits((masked and masked[1]) or "")
        elif kind == "hash":
            found_token = found_token or in_letters(bare.lower())
        elif kind == "token":
            found_token = found_token or (tokenizer.token(bare) if holds_card_number(bare) else bare)
    shortened = _SHORTENED.fullmatch(last4.strip())
    return found_token, found_last4 or (shortened[1].zfill(4) if shortened else "")
