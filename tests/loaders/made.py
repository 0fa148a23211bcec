"""Rows and files made for the tests of the loaders: nothing here belongs to anybody."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from loaders.formats.csv_rows import CsvReader
from loaders.protect import Tokenizer
from loaders.rows import Chunk, RowEncoder, Tally
from loaders.sources import SOURCES

TRANSACTIONS = SOURCES["transactions"]
CARDS = SOURCES["cards"]
HEADER = ",".join(TRANSACTIONS.columns)
CARDS_HEADER = ",".join(CARDS.columns)


def transaction(number: int = 7475327, **changed: str) -> str:
    """A transaction as published, some columns changed (as they stand in the file, quotes and all)."""
    values = {
        "id": str(number),
        "date": "2010-01-01 00:01:00",
        "client_id": "1556",
        "card_id": "2972",
        "amount": "$-77.00",
        "use_chip": "Swipe Transaction",
        "merchant_id": "59935",
        "merchant_city": "Beulah",
        "merchant_state": "ND",
        "zip": "58523.0",
        "mcc": "5499",
        "errors": "",
    }
    return ",".join({**values, **changed}.values())


def card_number(seed: int = 1, length: int = 16, luhn: bool = True) -> str:
    """A card number of nobody that passes Luhn, or one that does not."""
    digits = "9" + "".join(random.Random(seed).choices("0123456789", k=length - 2))
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    check = -total % 10
    return digits + str(check if luhn else (check + 5) % 10)


def card(number: int = 1, pan: str | None = None, cvv: str = "987", **changed: str) -> str:
    """A card as published."""
    values = {
        "id": str(number),
        "client_id": "825",
        "card_brand": "Visa",
        "card_type": "Debit",
        "card_number": pan or card_number(number),
        "expires": "12/2022",
        "cvv": cvv,
        "has_chip": "YES",
        "num_cards_issued": "2",
        "credit_limit": "$24295",
        "acct_open_date": "09/2002",
        "year_pin_last_changed": "2008",
        "card_on_dark_web": "No",
    }
    return ",".join({**values, **changed}.values())


def csv_file(folder: Path, name: str, rows: Sequence[str | bytes], header: str = HEADER, end: bytes = b"\n") -> Path:
    """Write a CSV file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    lines = [header.encode(), *(row if isinstance(row, bytes) else row.encode() for row in rows)]
    path.write_bytes(end.join(lines) + end)
    return path


class Bytes:
    """A stream for readers: bytes in blocks of a given size."""

    def __init__(self, data: bytes, block: int = 1 << 20) -> None:
        self._data = data
        self._block = block
        self._place = 0

    def read(self, size: int = 0) -> bytes:
        """Return the next block, whatever size was asked for."""
        start, self._place = self._place, self._place + self._block
        return self._data[start : self._place]


def gathered(chunks: Iterator[Chunk]) -> tuple[list[str], list[tuple[int, str]], Tally]:
    """Return COPY's lines, rejects as (line, reason), and the tally of all chunks."""
    tally = Tally()
    lines: list[str] = []
    rejects: list[tuple[int, str]] = []
    for chunk in chunks:
        tally.add(chunk)
        lines += chunk.copy.decode().split("\n")[:-1]
        rejects += [(reject.line_number, reject.reason) for reject in chunk.rejects]
    assert len(lines) == tally.rows_loaded
    return lines, rejects, tally


def read(data: bytes, block: int = 1 << 20, quick: bool = True, source: Any = TRANSACTIONS) -> Any:
    """What the CSV reader makes of bytes that come in blocks of a size; on the slow path alone unless `quick`."""
    tokenizer = Tokenizer(b"k" * 32) if source.pan_column else None
    reader = CsvReader(Bytes(data, block), "made.csv", RowEncoder(source, 9, tokenizer))  # type: ignore[arg-type]
    if not quick:
        reader._checker = None
    return gathered(reader.chunks())


def file_of(*lines: str | bytes, end: bytes = b"\n", header: str = HEADER) -> bytes:
    """A CSV file of these lines."""
    return end.join([header.encode(), *(x if isinstance(x, bytes) else x.encode() for x in lines)]) + end
