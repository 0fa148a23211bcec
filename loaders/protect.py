"""Owns card data on its way in: the key, the token of a card number, masking. Knows no data file and no database."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from foundation.errors import UsageError
from meshkeys.names import in_letters

KEY_VARIABLE = "REVOPS_PAN_KEY"
KEY_FILE = Path(".warehouse/pan.key")
_SHORTEST_KEY = 16
_FINGERPRINT_OF = b"revops card token key, version 1"

_DIGITS = re.compile(r"[0-9](?:[ \-\u00a0]?[0-9]){12,}")
_SEPARATORS = re.compile(r"[ \-\u00a0]")
_CARD_NUMBER = re.compile(r"[0-9]{13,19}")
# For lines of a file with card data whose fields cannot be told apart: a card number that lost its check digit, and
# anything as short as a security code that is no part of a date, an amount or a longer number.
_ANY_LONG_RUN = re.compile(r"[0-9](?:[ \-\u00a0]?[0-9]){9,}")
_MAYBE_CODE = re.compile(r"(?<![0-9/$.\-*])[0-9]{1,4}(?![0-9/.\-])")


@dataclass(frozen=True)
class Tokenizer:
    """Turns card numbers into tokens by HMAC-SHA256 with one key."""

    key: bytes = field(repr=False)

    def token(self, card_number: str) -> str:
        """Return the token of a card number: 64 letters from a to p, the same for the same number and key.

        The letters are hexadecimal digits, g to p in place of 0 to 9.
        """
        return self._digest(card_number.encode())

    @property
    def fingerprint(self) -> str:
        """What the database keeps to recognise the key: it does not reveal the key."""
        return self._digest(_FINGERPRINT_OF)

    def _digest(self, message: bytes) -> str:
        return in_letters(hmac.new(self.key, message, hashlib.sha256).hexdigest())

    def made(self, known_fingerprint: str) -> bool:
        """Tell whether this key has the fingerprint."""
        return hmac.compare_digest(self.fingerprint, known_fingerprint)

    def check(self, known_fingerprint: str) -> None:
        """Refuse to go on with another key than the one that made the tokens so far.

        Raises:
            UsageError: it is another one.
        """
        if not self.made(known_fingerprint):
            raise UsageError(
                "the key for card tokens is not the one that made the tokens in this warehouse\n"
                f"  Set {KEY_VARIABLE} or the key file to the earlier key."
            )


@dataclass(frozen=True)
class KeyStore:
    """Where the key for card tokens is found: the environment first, then a file of mode 600 outside the database.

    Attributes:
        path: the key file; created with a new key where a warehouse has no tokens yet.
        environ: the environment that may hold REVOPS_PAN_KEY.
    """

    path: Path = KEY_FILE
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def tokenizer(self, known_fingerprint: str | None) -> Tokenizer:
        """Return the tokenizer of this warehouse.

        Args:
            known_fingerprint: of the key that made the tokens in the warehouse, None where it has none yet.

        Raises:
            UsageError: the warehouse has tokens and the key is missing or another one, or the key is not safe to use.
        """
        given = self.environ.get(KEY_VARIABLE, "")
        if given:
            tokenizer = Tokenizer(_checked(given, KEY_VARIABLE))
        elif self.path.exists():
            tokenizer = Tokenizer(_checked(_read_private(self.path), str(self.path)))
        elif known_fingerprint is not None:
            raise UsageError(
                "the key that made this warehouse's card tokens is missing; a new one would change every token\n"
                f"  Set {KEY_VARIABLE} or put the key file back at {self.path}."
            )
        else:
            tokenizer = Tokenizer(_create(self.path).encode())
        if known_fingerprint is not None and not tokenizer.made(known_fingerprint) and self._draft.exists():
            drafted = Tokenizer(_checked(_read_private(self._draft), str(self._draft)))
            if drafted.made(known_fingerprint):  # a rotation was killed after its commit
                self.adopt()
                return drafted
        if known_fingerprint is not None:
            tokenizer.check(known_fingerprint)
        return tokenizer

    def successor(self) -> Tokenizer:
        """Return the tokenizer of the next key: the one in the environment, else a new one that is kept beside the old.

        The new key file takes the place of the old one by `adopt`.
        """
        given = self.environ.get(KEY_VARIABLE, "")
        if given:
            return Tokenizer(_checked(given, KEY_VARIABLE))
        self._draft.unlink(missing_ok=True)
        return Tokenizer(_create(self._draft).encode())

    def adopt(self) -> None:
        """Put the successor's key file in the place of the old one."""
        if self._draft.exists():
            self._draft.replace(self.path)

    @property
    def _draft(self) -> Path:
        return self.path.with_name(self.path.name + ".next")


def _checked(key: str, origin: str) -> bytes:
    if len(key.strip()) < _SHORTEST_KEY:
        raise UsageError(
            f"the key for card tokens in {origin} is too short\n  Use at least {_SHORTEST_KEY} characters, "
            "for instance those of `openssl rand -hex 32`."
        )
    return key.strip().encode()


def _read_private(path: Path) -> str:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(f"others than its owner can read the key file {path}\n  chmod 600 {path}")
    return path.read_text()


def _create(path: Path) -> str:
    """Write a new key file, whole or not at all, and return its key; another process that was faster wins."""
    key = secrets.token_hex(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(key + "\n")
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, path)
    except FileExistsError:
        return _read_private(path).strip()
    finally:
        draft.unlink()
    return key


def passes_luhn(digits: str) -> bool:
    """Tell whether the digits end in the check digit that Luhn's formula gives: all card numbers do."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def plain_digits(text: str) -> str:
    """Return the text without the spaces and dashes that people put between the digits of a card number."""
    return _SEPARATORS.sub("", text)


def is_card_shaped(digits: str) -> bool:
    """Tell whether the text consists of 13 to 19 digits, as card numbers do."""
    return _CARD_NUMBER.fullmatch(digits) is not None


def holds_card_number(text: str) -> bool:
    """Tell whether the text contains a card number: 13 to 19 digits that pass Luhn, in one run or in groups.

    Groups are separated by single spaces or dashes; several numbers may be side by side. Part of a longer run of up
    to 19 digits is no card number but an account of another kind.
    """
    for found in _DIGITS.finditer(text):
        groups = _SEPARATORS.split(found.group())
        for start in range(len(groups)):
            digits = ""
            for group in groups[start:]:
                digits += group
                if len(digits) > 19:
                    break
                if len(digits) >= 13 and passes_luhn(digits):
                    return True
        if any(len(group) > 19 and next(_luhn_windows(group), None) for group in groups):
            return True
    return False


def mask_card_numbers(text: str) -> str:
    """Return the text with each card number replaced by asterisks and its last four digits.

    Masks more than `holds_card_number` finds: every window of 13 to 19 digits that passes Luhn inside a longer run of
    digits, single spaces and dashes between them or not, because a damaged line may have lost its commas.
    """
    return _DIGITS.sub(_mask_digits, text)


def _mask_digits(match: re.Match[str]) -> str:
    masked = iter(_mask_windows(plain_digits(match.group())))
    return "".join(character if _SEPARATORS.match(character) else next(masked) for character in match.group())


def _mask_windows(digits: str) -> str:
    """Hide every window that passes Luhn but its last four digits, which a following window may hide in turn."""
    shown = list(digits)
    for start, end in _luhn_windows(digits):
        shown[start : end - 4] = "*" * (end - 4 - start)
    return "".join(shown)


def _luhn_windows(digits: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of windows that pass Luhn, each from the last four digits of the one before on.

    Sums up to each place spare adding up every window: a damaged line may hold a great many digits.
    """
    values = [int(digit) for digit in digits]
    doubled = [2 * value - 9 * (value > 4) for value in values]
    # By the parity of a window's end: its last digit counts as it is, the one before it doubled, and so on.
    sums = [
        list(accumulate((twice if place % 2 == parity else once for place, (once, twice) in pairs), initial=0))
        for parity, pairs in (
            (0, enumerate(zip(values, doubled, strict=True))),
            (1, enumerate(zip(values, doubled, strict=True))),
        )
    ]
    start = 0
    while start < len(digits):
        left = len(digits) - start
        for length in (left, 16, 15, 19, 18, 17, 14, 13):
            end = start + length
            if 13 <= length <= min(left, 19) and (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0:
                yield start, end
                start = end - 4
                break
        else:
            start += 1


def _hide(digits: str) -> str:
    return "*" * (len(digits) - 4) + digits[-4:]


def mask_sensitive_line(line: str) -> str:
    """Return a line of a file with card data, masked although its fields cannot be told apart.

    Every run of ten or more digits keeps its last four; every number as short as a security code goes, unless it is
    part of a date or an amount. That costs some harmless numbers: file and line number lead back to the source.
    """
    return _MAYBE_CODE.sub("", _ANY_LONG_RUN.sub(lambda found: _hide(plain_digits(found.group())), line))
