"""Owns the bytes: the five files' published layout, written under a temporary name and renamed when whole."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from generator import figures as fig
from generator.draws import Draws, Ints
from generator.people import Cards, Users
from generator.rows import Rows

FILES = ("users_data.csv", "cards_data.csv", "mcc_codes.json", "transactions_data.csv", "train_fraud_labels.json")
USERS_HEADER = (
    "id,current_age,retirement_age,birth_year,birth_month,gender,address,"
    "latitude,longitude,per_capita_income,yearly_income,total_debt,credit_score,num_credit_cards"
)
CARDS_HEADER = (
    "id,client_id,card_brand,card_type,card_number,expires,"
    "cvv,has_chip,num_cards_issued,credit_limit,acct_open_date,year_pin_last_changed,card_on_dark_web"
)
TRANSACTIONS_HEADER = (
    "id,date,client_id,card_id,amount,use_chip,merchant_id,merchant_city,merchant_state,zip,mcc,errors"
)
_LABELS_AT_ONCE = 250_000


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes its name only when the block ends without an error."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_users(path: Path, users: Users) -> int:
    """Writes users_data.csv, LF, dollars without cents, coordinates without trailing zeros."""
    columns = (
        users.ids.tolist(),
        users.ages.tolist(),
        users.retirement_ages.tolist(),
        (users.birth_months // 12).tolist(),
        (users.birth_months % 12 + 1).tolist(),
        ["Female" if female else "Male" for female in users.females.tolist()],
        users.addresses,
        map(hundredths, users.latitudes.tolist()),
        map(hundredths, users.longitudes.tolist()),
        map("${}".format, users.incomes_per_capita.tolist()),
        map("${}".format, users.incomes.tolist()),
        map("${}".format, users.debts.tolist()),
        users.scores.tolist(),
        users.cards.tolist(),
    )
    return _write_table(path, USERS_HEADER, columns, "\n")


def write_cards(path: Path, cards: Cards, users: Users) -> int:
    """Writes cards_data.csv, CRLF, CVVs without leading zeros."""
    columns = (
        cards.ids.tolist(),
        users.ids[cards.owners].tolist(),
        cards.brands,
        cards.types,
        cards.numbers,
        map(month, cards.expires.tolist()),
        cards.cvvs.tolist(),
        ["YES" if chip else "NO" for chip in cards.has_chip.tolist()],
        cards.issued.tolist(),
        map("${}".format, cards.limits.tolist()),
        map(month, cards.opened.tolist()),
        cards.pin_years.tolist(),
        ["No"] * len(cards.ids),
    )
    return _write_table(path, CARDS_HEADER, columns, "\r\n")


def write_categories(path: Path) -> int:
    """Writes mcc_codes.json in the published order: four spaces, CRLF, no line end after the last brace."""
    codes = categories()
    text = json.dumps(codes, indent=4, ensure_ascii=False)
    with atomic(path) as file:
        file.write(text.replace("\n", "\r\n").encode())
    return len(codes)


def categories() -> dict[str, str]:
    """The published codes and descriptions, in the published order."""
    text = resources.files(__package__).joinpath("mcc_codes.json").read_text(encoding="utf-8")
    codes: dict[str, str] = json.loads(text)
    return codes


def write_labels(
    path: Path, seed: int, ids: npt.NDArray[np.uint32], frauds: npt.NDArray[np.bool_], tick: Callable[[int], None]
) -> int:
    """Writes train_fraud_labels.json: one line, random order, `json.dumps` separators."""
    order = Draws(seed, "label order").shuffled(len(ids)).astype(np.uint32)
    with atomic(path) as file:
        file.write(b'{"target": {')
        for start in range(0, len(ids), _LABELS_AT_ONCE):
            part = order[start : start + _LABELS_AT_ONCE]
            ends = np.where(frauds[part], 0, 2) + (np.arange(start, start + len(part)) == len(ids) - 1)
            texts = pa.array(['": "Yes", ', '": "Yes"', '": "No", ', '": "No"']).take(pa.array(ends))
            file.write(joined('"', pa.array(ids[part]).cast(pa.string()), texts))
            tick(start + len(part))
        file.write(b"}}")
    return len(ids)


class TransactionLines:
    """Turns columns of indexes into lines, by taking ready-made texts from tables."""

    def __init__(self, users: Users, cards: Cards, merchant_ids: Ints, places: list[str], mccs: Iterable[int]) -> None:
        self._cards = _texts(
            f"{users.ids[owner]},{card}" for card, owner in zip(cards.ids.tolist(), cards.owners.tolist(), strict=True)
        )
        self._merchants = _texts(map(str, merchant_ids.tolist()))
        self._places = _texts(places)
        self._channels = _texts(("Swipe Transaction", "Chip Transaction", "Online Transaction"))
        refunds = _texts(f"$-{dollars}.00" for dollars in range(fig.LARGEST_REFUND + 1))
        sales = _amounts(fig.LARGEST_CENTS)
        self._amounts = pa.chunked_array([sales, refunds]).combine_chunks()
        self._first_refund = len(sales)
        errors = ["", *(f'"{name}"' if "," in name else name for name, _, _ in fig.ERRORS)]
        self._ends = _texts(f"{mcc},{error}\n" for mcc in mccs for error in errors)
        self._errors = len(errors)
        self._clock = _texts(f"{minute // 60:02d}:{minute % 60:02d}:00" for minute in range(1440))

    def render(self, ids: Ints, days: list[str], rows: Rows, channels: Ints, errors: Ints) -> memoryview:
        """The lines of one month; `days` are its dates."""
        date = _texts(f"{day} " for day in days).take(pa.array(rows.minutes // 1440))
        date = pc.binary_join_element_wise(date, self._clock.take(pa.array(rows.minutes % 1440)), "")
        amounts = np.where(rows.refunds, self._first_refund + (-rows.cents) // 100, rows.cents)
        places = np.where(rows.places < 0, len(self._places) - 1, rows.places)
        return joined(
            pa.array(ids).cast(pa.string()),
            date,
            self._cards.take(pa.array(rows.cards)),
            self._amounts.take(pa.array(amounts)),
            self._channels.take(pa.array(channels)),
            self._merchants.take(pa.array(rows.merchants)),
            self._places.take(pa.array(places)),
            self._ends.take(pa.array(rows.categories * self._errors + errors)),
            separator=",",
        )


def joined(*columns: object, separator: str = "") -> memoryview:
    """The bytes of all rows, one after the other, each its columns' texts joined."""
    array = pc.binary_join_element_wise(*columns, separator)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    return memoryview(array.buffers()[2])[int(offsets[0]) : int(offsets[-1])]


def _texts(values: Iterable[str]) -> pa.StringArray:
    return pa.array(list(values), type=pa.string())


def _product(heads: list[str], tails: list[str]) -> pa.StringArray:
    """Every head with every tail, the tails running faster."""
    first = np.repeat(np.arange(len(heads)), len(tails))
    second = np.tile(np.arange(len(tails)), len(heads))
    return pc.binary_join_element_wise(_texts(heads).take(pa.array(first)), _texts(tails).take(pa.array(second)), "")


def _amounts(largest: int) -> pa.StringArray:
    """All amounts from no cents on, as published: no thousands comma, two decimals."""
    heads = [f"${dollars}." for dollars in range(largest // 100 + 1)]
    return _product(heads, [f"{cents:02d}" for cents in range(100)])


def hundredths(value: int) -> str:
    """A coordinate as published: one decimal at least, no trailing zero after it."""
    whole, rest = divmod(abs(value), 100)
    return f"{'-' if value < 0 else ''}{whole}.{rest // 10}{rest % 10 or ''}"


def month(value: int) -> str:
    """MM/YYYY of a month number."""
    return f"{value % 12 + 1:02d}/{value // 12:04d}"


def _write_table(path: Path, header: str, columns: Iterable[Iterable[object]], end: str) -> int:
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    with atomic(path) as file:
        file.write((end.join([header, *lines]) + end).encode())
    return len(lines)
