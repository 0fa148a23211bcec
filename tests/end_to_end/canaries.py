"""Marked card numbers and security codes, and files of every kind that hold them, good and broken."""

from __future__ import annotations

import gzip
import json
import random
import re
import zipfile
from pathlib import Path

import pyarrow
import zstandard
from pyarrow import parquet

from loaders.sources import SOURCES
from tests.loaders.made import CARDS, CARDS_HEADER, TRANSACTIONS, card, card_number, csv_file, transaction

USERS_HEADER = ",".join(SOURCES["users"].columns)


class Canaries:
    """Card numbers and security codes that stand nowhere else, and how each may be written."""

    def __init__(self) -> None:
        self._random = random.Random(4929)
        self.numbers: list[str] = []
        self.codes: list[str] = []

    def number(self, length: int = 16, luhn: bool = True) -> str:
        """A new card number, which passes Luhn; the published ones seldom do."""
        self.numbers.append(card_number(self._random.randrange(10**9), length, luhn))
        return self.numbers[-1]

    def grouped(self, separator: str = " ") -> str:
        """A new card number as people write it."""
        number = self.number()
        return separator.join(number[i : i + 4] for i in range(0, 16, 4))

    def code(self) -> str:
        """A new security code, one of those that no year, amount or id of these files holds."""
        self.codes.append(str(8401 + len(self.codes)))
        return self.codes[-1]

    def card(self, number: int, **changed: str) -> str:
        """A card with a number and a code of their own."""
        pan = changed.pop("pan", None) or self.number(luhn=number % 2 == 0)
        return card(number, pan=pan, cvv=self.code(), **changed)

    def found_in(self, content: bytes) -> set[str]:
        """The card numbers in these bytes, in whatever groups."""
        return {number for number in self.numbers if self._pattern(number).search(content)}

    @staticmethod
    def _pattern(number: str) -> re.Pattern[bytes]:
        return re.compile(rb"[ \-]?".join(digit.encode() for digit in number))

    def codes_in(self, text: str) -> set[str]:
        """The security codes that stand in the text as numbers of their own."""
        without_last_four = re.sub(r"\*{4}[ \-]?[0-9]{4}", "", text)
        return set(re.findall(r"(?<![0-9.])[0-9]{4}(?![0-9])", without_last_four)) & set(self.codes)


def user(number: int, address: str = "1 Main Street") -> str:
    return f'{number},50,66,1970,3,Female,"{address}",40.71,-74.0,$20000,$40000,$1000,700,2'


def plant(folder: Path, canaries: Canaries) -> None:
    """Every kind of file, sound and broken, each with canaries of its own."""
    cards = [canaries.card(number) for number in range(1, 40)]
    cards += [canaries.card(40, pan=canaries.grouped()), canaries.card(41, pan=canaries.grouped("-"))]
    csv_file(folder, "cards_data.csv", cards, header=CARDS_HEADER)
    broken = [
        canaries.card(50) + ",one,more",
        canaries.card(51).replace(",", ";"),
        canaries.card(52).rpartition(",")[0],
        '"' + canaries.card(53),
        canaries.card(54).replace("Visa", 'Vi"sa'),
        canaries.card(55).encode() + b"\xff\xfe",
        canaries.card(56) + "\0",
        canaries.card(57, card_type=canaries.number()),
        canaries.card(58, expires=canaries.grouped()),
        canaries.card(59, card_brand=f"Visa {canaries.grouped('-')}"),
        canaries.card(60, client_id=canaries.number(13)),
        canaries.card(61, pan=f'"{canaries.number(15)}\n{canaries.number()}"'),
        canaries.card(62, pan=canaries.number(19) + "0"),
        canaries.card(63).replace(",", "\t"),
        canaries.card(64, card_brand="x" * 5000),
    ]
    csv_file(folder, "cards_broken.csv", broken, header=CARDS_HEADER)
    csv_file(folder, "cards_crlf.csv", [canaries.card(70), canaries.card(71)], header=CARDS_HEADER, end=b"\r\n")
    (folder / "cards_utf16.csv").write_text("\n".join([CARDS_HEADER, canaries.card(90)]), encoding="utf-16")
    csv_file(folder, "cards_without_header.csv", [canaries.card(73)], header=canaries.card(72))
    csv_file(folder, "cards_other_header.csv", [canaries.card(74)], header=CARDS_HEADER + "," + canaries.number())
    csv_file(folder, f"cards {canaries.number()}.csv", [canaries.card(75)], header=CARDS_HEADER)
    csv_file(folder, f"notes {canaries.grouped()}.txt", [canaries.number()], header=canaries.number())
    (folder / f"cards_{canaries.number()}.csv.gz").write_bytes(
        gzip.compress("\n".join([CARDS_HEADER, canaries.card(76)]).encode())
    )
    (folder / "cards_cut.csv.gz").write_bytes(gzip.compress("\n".join([CARDS_HEADER, canaries.card(77)]).encode())[:-9])
    (folder / "cards_packed.csv.zst").write_bytes(
        zstandard.compress("\n".join([CARDS_HEADER, canaries.card(78)]).encode())
    )
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr(f"cards_{canaries.number()}.csv", "\n".join([CARDS_HEADER, canaries.card(79)]))
    rows = [dict(zip(CARDS.columns, canaries.card(number).split(","), strict=True)) for number in (80, 81)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "cards_text.parquet")
    numbers = [{**row, "card_number": int(canaries.number()), "cvv": int(canaries.code())} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(numbers), folder / "cards_numbers.parquet")

    payments = [transaction(number, client_id="825", card_id=str(number % 40 + 1)) for number in range(1, 3000)]
    payments += [
        transaction(4000, merchant_city=canaries.number()),
        transaction(4001, merchant_city=f"Call {canaries.grouped()} now"),
        transaction(4002, errors=canaries.grouped("-")),
        transaction(4003, zip=canaries.number(15)),
        transaction(4004, merchant_state=canaries.number(13)),
        transaction(4005, amount=canaries.number()),
        transaction(4006, date=canaries.number()),
        transaction(4007, card_id=canaries.number()),
        transaction(4008, merchant_city=f'"{canaries.number()}'),
        transaction(4009, merchant_city=f'a"{canaries.number()}'),
        transaction(4010) + "," + canaries.number(),
        transaction(4011, merchant_city=f'"two\n{canaries.number()}"'),
        transaction(4012, merchant_city=f"id{canaries.number()}x"),
        transaction(4013).replace("4013", canaries.number(19), 1),
    ]
    csv_file(folder, "transactions_data.csv", payments)
    csv_file(
        folder, "transactions_without_header.csv", [transaction(4020)], header=transaction(4021, zip=canaries.number())
    )
    row = dict(zip(TRANSACTIONS.columns, transaction(4030).split(","), strict=True))
    parquet.write_table(
        pyarrow.Table.from_pylist([row, {**row, "id": "4031", "merchant_city": canaries.number()}]),
        folder / "transactions.parquet",
    )
    csv_file(
        folder,
        "users_data.csv",
        [
            user(825),
            user(826, canaries.number()),
            user(827, f"c/o {canaries.grouped()}"),
            user(828, 'x"' + canaries.number()),
        ],
        header=USERS_HEADER,
    )
    codes = {"5499": "Shops", canaries.number(): "number", "5500": f"of {canaries.grouped()}"}
    (folder / "mcc_codes.json").write_text(json.dumps(codes))
    (folder / "mcc_codes_cut.json").write_text(json.dumps({"1": canaries.number()})[:-1])
    labels = {"1": "No", "2": "Yes", canaries.number(): "No", "3": canaries.number(), "4": canaries.grouped()}
    (folder / "train_fraud_labels.json").write_text(json.dumps({"target": labels}))
    (folder / "labels_cut.json").write_text('{"target": {"5": "No", "' + canaries.number())
    (folder / "labels_other.json").write_text('{"target": ["' + canaries.number() + '"]}')
