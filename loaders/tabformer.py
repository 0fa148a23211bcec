"""Owns IBM's TabFormer files, the ancestor of the published ones: the mapping of their columns to the published columns.

They are `card_transaction.v1.csv`, `sd254_users.csv` and `sd254_cards.csv`. Each row becomes a published row before it is
checked and landed, so everything after this module is the same for both. Names of people are not among what is mapped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from importlib import resources
from operator import itemgetter
from typing import Any

from loaders import forms
from loaders.errors import InputRefused
from loaders.formats.csv_rows import CsvReader, fault_of_quotes, whole_lines
from loaders.formats.header import names_and_separator, plain_name, split_record
from loaders.inputs import BLOCK, ByteStream
from loaders.rows import Chunk, RowEncoder

_IDS = 10**12
"""Transaction ids have up to twelve digits: a longer number may pass for a card number."""
_MERCHANTS = 999_999_937
"""Merchant ids have up to nine digits, as an `int` holds them: the largest prime of that width."""
_CARDS_OF_A_USER = 100
_MOST_CODES = 100_000


def transaction_id(user: str, card: str, year: str, month: str, day: str, time: str, *rest: str) -> str:
    """Return the id of a transaction: a hash of its values, the same in any file and among any other rows."""
    amount, use_chip, merchant, mcc, errors = rest
    if not amount.startswith("$"):
        amount = forms.dollars(amount).text
    parts = (user, card, moment(year, month, day, time), amount, use_chip, merchant, mcc, errors.strip(" ,"))
    digest = blake2b("\0".join(parts).encode(errors="surrogateescape"), digest_size=8).digest()
    return str(int.from_bytes(digest, "big") % _IDS)


def moment(year: str, month: str, day: str, time: str) -> str:
    """Return a date with its time of day."""
    return f"{_day(year, month, day)} {time}:00" if len(time) == 5 else f"{_day(year, month, day)} {time}"


@lru_cache(maxsize=20_000)
def _day(year: str, month: str, day: str) -> str:
    return f"{year}-{month:0>2}-{day:0>2}"


@lru_cache(maxsize=20_000)
def card_id(user: str, index: str) -> str:
    """Return the id of a card: its user's number, then two digits for which of the user's cards it is."""
    user, index = forms.number(user).text, forms.number(index).text
    if user.isdecimal() and index.isdecimal() and int(index) < _CARDS_OF_A_USER:
        return str(int(user) * _CARDS_OF_A_USER + int(index))
    return f"user {user} card {index}"  # no whole number: refused or quarantined as such


@lru_cache(maxsize=200_000)
def merchant_id(name: str) -> str:
    """Return the id of a merchant, whose name is published as a hash of 64 bits."""
    read = forms.identifier(name)
    return name if read.fault else str(int(read.text) % _MERCHANTS)


@lru_cache(maxsize=1000)
def description(code: str) -> str:
    """Return the published description of a merchant category; the files have none."""
    return _descriptions().get(forms.number(code).text, f"Category {code}")


@lru_cache(maxsize=1)
def _descriptions() -> dict[str, str]:
    text = resources.files("generator").joinpath("mcc_codes.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@dataclass(frozen=True)
class Made:
    """A published column that is made of others: by which function, of which columns."""

    by: Callable[..., str]
    of: tuple[str, ...]


PLACE = "(the row's place in the file, from 0)"
"""The users' file numbers nobody: a user is a place in it."""

_ID = Made(
    transaction_id,
    ("user", "card", "year", "month", "day", "time", "amount", "use_chip", "merchant_name", "mcc", "errors"),
)
MAPPINGS: dict[str, Mapping[str, str | Made]] = {
    "transactions": {
        "id": _ID,
        "date": Made(moment, ("year", "month", "day", "time")),
        "client_id": "user",
        "card_id": Made(card_id, ("user", "card")),
        "amount": "amount",
        "use_chip": "use_chip",
        "merchant_id": Made(merchant_id, ("merchant_name",)),
        "merchant_city": "merchant_city",
        "merchant_state": "merchant_state",
        "zip": "zip",
        "mcc": "mcc",
        "errors": "errors",
    },
    "fraud_labels": {"transaction_id": _ID, "is_fraud": "is_fraud"},
    "mcc_codes": {"mcc": "mcc", "description": Made(description, ("mcc",))},
    "users": {
        "id": PLACE,
        "current_age": "current_age",
        "retirement_age": "retirement_age",
        "birth_year": "birth_year",
        "birth_month": "birth_month",
        "gender": "gender",
        "address": "address",
        "latitude": "latitude",
        "longitude": "longitude",
        "per_capita_income": "per_capita_income_zipcode",
        "yearly_income": "yearly_income_person",
        "total_debt": "total_debt",
        "credit_score": "fico_score",
        "num_credit_cards": "num_credit_cards",
    },
    "cards": {
        "id": Made(card_id, ("user", "card_index")),
        "client_id": "user",
        "card_brand": "card_brand",
        "card_type": "card_type",
        "card_number": "card_number",
        "expires": "expires",
        "cvv": "cvv",
        "has_chip": "has_chip",
        "num_cards_issued": "cards_issued",
        "credit_limit": "credit_limit",
        "acct_open_date": "acct_open_date",
        "year_pin_last_changed": "year_pin_last_changed",
        "card_on_dark_web": "card_on_dark_web",
    },
}
"""By relation and published column: the column it comes from, by its plain name, or how it is made."""

_FILES = (("transactions", "fraud_labels", "mcc_codes"), ("cards",), ("users",))
"""What each of the files holds: the first relation is the one that it is recognised by."""
_MAY_LACK = {"cards": {"card_number", "cvv"}}
_REJECTED_ONCE = ("fraud_labels", "mcc_codes")  # a broken line is a reject of the transactions alone


def relations(names: Sequence[str]) -> tuple[str, ...]:
    """Return the relations whose rows a file with this header holds; none where it is not of TabFormer."""
    there = {plain_name(name) for name in names}
    for first, *others in _FILES:
        if _needed(first) <= there:
            return first, *(relation for relation in others if _needed(relation) <= there)
    return ()


def _needed(relation: str) -> set[str]:
    columns = (column.of if isinstance(column, Made) else (column,) for column in MAPPINGS[relation].values())
    return {name for names in columns for name in names} - {PLACE} - _MAY_LACK.get(relation, set())


class TabformerReader:
    """Reads one relation's rows from a file of TabFormer. Lines keep their numbers; a quoted field may hold no line end."""

    def __init__(self, stream: ByteStream, name: str, encoder: RowEncoder) -> None:
        self._published = _Published(stream, name, encoder.source.relation)
        self._rows = CsvReader(self._published, name, encoder)
        encoder.keeps_earlier = True

    def chunks(self) -> Iterator[Chunk]:
        """Yield the file's rows.

        Raises:
            InputRefused: its header has a column twice.
        """
        yield Chunk(notes=["IBM's TabFormer file, by its columns"])
        faults = self._published.faults
        for chunk in self._rows.chunks():
            if faults:
                chunk.rejects = [
                    replace(reject, reason=faults.pop(reject.line_number, reject.reason)) for reject in chunk.rejects
                ]
            yield chunk


class _Published(ByteStream):
    """The file converted to its published form, line by line.

    Attributes:
        faults: why a line of the file is no row, by its number; the line is passed on as a single field.
    """

    def __init__(self, stream: ByteStream, name: str, relation: str) -> None:
        self._name = name
        self._relation = relation
        self._blocks = self._published(stream)
        self.faults: dict[int, str] = {}

    def read(self, size: int = BLOCK) -> bytes:
        del size
        return next(self._blocks, b"")

    def _published(self, stream: ByteStream) -> Iterator[bytes]:
        convert: _Converter | None = None
        number = 0
        for block, _ in whole_lines(stream):
            text = block.decode("utf-8", "surrogateescape")
            if "\r" in text:
                text = text.replace("\r\n", "\n").replace("\r", "\n")
            lines = text.split("\n")
            if not lines[-1]:
                del lines[-1]
            published: list[str] = []
            for line in lines:
                number += 1
                if convert is not None:
                    published.append(convert(line, number))
                elif line.lower().startswith("sep="):
                    published.append("")  # before the header, which is in the next line
                else:
                    convert = _Converter(self._name, self._relation, line, number, self.faults)
                    published.append(",".join(MAPPINGS[self._relation]))
            yield ("\n".join(published) + "\n").encode("utf-8", "surrogateescape")


class _Converter:
    """Turns a line of a file into the published one, an empty one where it holds nothing of the relation."""

    def __init__(self, name: str, relation: str, header: str, line: int, faults: dict[int, str]) -> None:
        names, self._separator = names_and_separator(header)
        plain = [plain_name(column) for column in names]
        twice = next((column for column in _needed(relation) if plain.count(column) > 1), None)
        if twice is not None:
            raise InputRefused(name, "the header has this column twice", "Leave one of them out.", line, twice)
        places = {column: place for place, column in enumerate([*plain, PLACE, ""])}
        self._width = len(plain)
        self._rows = 0
        self._steps: list[tuple[Callable[..., str] | None, Callable[[list[str]], Any]]] = []
        for column in MAPPINGS[relation].values():
            of = column.of if isinstance(column, Made) else (column,)
            pick = itemgetter(*(places.get(each, self._width + 1) for each in of))
            self._steps.append((column.by if isinstance(column, Made) else None, pick))
        self._needs_quotes = self._separator != "," or relation == "mcc_codes"  # descriptions hold commas
        self._relation = relation
        self._codes: set[str] | None = set() if relation == "mcc_codes" else None
        self._faults = faults

    def __call__(self, line: str, number: int) -> str:
        has_quotes = '"' in line
        values = split_record(line, self._separator) if has_quotes else line.split(self._separator)
        if values is not None and len(values) == self._width + 1 and not values[-1].strip():
            del values[-1]
        if values is None or len(values) != self._width:
            return self._no_row(line, number, values)
        values += (str(self._rows), "")
        self._rows += 1
        published: list[str] = [
            pick(values) if by is None else by(*found) if isinstance(found := pick(values), tuple) else by(found)
            for by, pick in self._steps
        ]
        if self._codes is not None and not self._is_new(published[0]):
            return ""
        if has_quotes or self._needs_quotes:
            return ",".join(map(_quoted, published))
        return ",".join(published)

    def _no_row(self, line: str, number: int, values: list[str] | None) -> str:
        if not line.strip(f" \t{self._separator}"):
            return ""
        self._rows += 1
        if self._relation in _REJECTED_ONCE:
            return ""
        self._faults[number] = (
            fault_of_quotes(line) if values is None else f"{len(values)} fields instead of {self._width}"
        )
        shown = "(not kept: it may hold a person's name)" if self._relation == "users" else line
        return '"' + shown.replace('"', '""') + '"'

    def _is_new(self, code: str) -> bool:
        assert self._codes is not None
        if code in self._codes or forms.number(code).fault:
            return False
        if len(self._codes) < _MOST_CODES:
            self._codes.add(code)
        return True


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if '"' in value or "," in value else value
