"""The raw files, read by the standard library alone: nothing here is shared with the loaders or the models."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path

CHANNELS = {"Swipe Transaction": "swipe", "Chip Transaction": "chip", "Online Transaction": "online"}


@dataclass(frozen=True)
class Transaction:
    """One line of transactions_data.csv with its label."""

    number: int
    at: datetime
    client: int
    card: int
    merchant: int
    mcc: int
    cents: int
    channel: str
    state: str | None
    country: str | None
    errors: tuple[str, ...]
    fraud: bool | None
    pair: int | None = None
    apart: int | None = None
    second: bool = False
    has_opposite: bool = False

    @cached_property
    def day(self) -> date:
        return self.at.date()

    @cached_property
    def month(self) -> date:
        return self.day.replace(day=1)

    @property
    def approved(self) -> bool:
        return not self.errors

    @property
    def purchase(self) -> int:
        """Cents of purchase volume."""
        return self.cents if self.approved and self.cents > 0 else 0

    @property
    def refund(self) -> int:
        return -self.cents if self.approved and self.cents < 0 else 0

    @property
    def kind(self) -> str:
        if self.cents <= 0:
            return "refund" if self.cents else "check"
        return "purchase" if self.approved else "declined"

    @property
    def settled(self) -> int:
        """Cents of a purchase that was not reversed."""
        return 0 if self.pair else self.purchase

    @property
    def settled_refund(self) -> int:
        return 0 if self.pair else self.refund

    @property
    def foreign(self) -> bool:
        return self.country is not None and self.country != "United States"

    @property
    def place(self) -> str:
        """Where the merchant is; nobody knows where `ga` is."""
        if self.state is None:
            return "NO PLACE"
        return "UNKNOWN" if self.country is None else self.state

    @property
    def seen_at(self) -> str | None:
        """Where the card was; online it was nowhere, whatever state the merchant names."""
        return None if self.channel == "online" or self.state is None else self.place

    @property
    def present(self) -> bool:
        return self.seen_at not in (None, "UNKNOWN")

    @property
    def bad_card_data(self) -> bool:
        return bool({"Bad Card Number", "Bad CVV", "Bad Expiration"} & set(self.errors))


@dataclass(frozen=True)
class Card:
    """One line of cards_data.csv, what reports need of it."""

    client: int
    brand: str
    kind: str
    last4: str
    opened: date
    expires: date
    limit: Decimal
    has_chip: bool


@dataclass(frozen=True)
class Client:
    """One line of users_data.csv, what reports need of it."""

    income: Decimal
    debt: Decimal
    score: int
    gender: str
    birth_year: int
    per_capita_income: Decimal
    home: tuple[Decimal, Decimal]


@dataclass
class Raw:
    """All that the oracle knows."""

    transactions: list[Transaction]
    clients: dict[int, Client]
    cards: dict[int, Card]
    categories: dict[int, str]
    lines: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


def read(folder: Path, root: Path) -> Raw:
    """Reads a folder of the five published files, those of transactions and labels perhaps in several pieces."""
    labels = {
        number: label
        for path in sorted(folder.glob("train_fraud_labels*.json"))
        for number, label in json.loads(path.read_text())["target"].items()
    }
    categories = {int(code): text for code, text in json.loads((folder / "mcc_codes.json").read_text()).items()}
    users = _lines(folder / "users_data.csv")
    clients = {
        int(line["id"]): Client(
            _money(line["yearly_income"]), _money(line["total_debt"]), int(line["credit_score"]), line["gender"],
            int(line["birth_year"]), _money(line["per_capita_income"]),
            (_degrees(line["latitude"]), _degrees(line["longitude"])),
        )
        for line in users
    }  # fmt: skip
    cards = {
        int(line["id"]): Card(
            int(line["client_id"]), line["card_brand"], line["card_type"], line["card_number"][-4:],
            datetime.strptime(line["acct_open_date"], "%m/%Y").date(), _month_end(line["expires"]),
            _money(line["credit_limit"]), line["has_chip"] == "YES",
        )
        for line in _lines(folder / "cards_data.csv")
    }  # fmt: skip
    countries = {line["state_code"]: "United States" for line in seed(root, "us_states")}
    countries |= {line["country_name"]: line["country_name"] for line in seed(root, "countries")}
    transactions = [
        _transaction(line, labels, countries)
        for path in sorted(folder.glob("transactions_data*.csv"))
        for line in _lines(path)
    ]
    lines = {
        "transactions": len(transactions), "users": len(users), "cards": len(cards),
        "mcc_codes": len(categories), "fraud_labels": len(labels),
    }  # fmt: skip
    names = {"mcc_codes": "mcc_codes.json", "fraud_labels": "train_fraud_labels*.json"}
    files = {name: len(list(folder.glob(names.get(name, f"{name}_data*.csv")))) for name in lines}
    return Raw(paired(transactions), clients, cards, categories, lines, files)


def paired(transactions: list[Transaction]) -> list[Transaction]:
    """The same rows, each with the one that it is reversed by or reverses, and whether an opposite one went before it."""
    opposites = defaultdict(list)
    for row in transactions:
        if row.approved:
            opposites[row.card, row.merchant, row.cents].append(row)
    near = {row.number: _near(row, opposites[row.card, row.merchant, -row.cents]) for row in transactions}
    found = []
    for row in transactions:
        first = near[row.number][0] if near[row.number] else None
        is_pair = first is not None and near[first.number][0].number == row.number
        found.append(replace(
            row,
            pair=first.number if first and is_pair else None,
            apart=_minutes_apart(row, first) if first and is_pair else None,
            has_opposite=first is not None,
            second=any(other.at < row.at for other in near[row.number]),
        ))  # fmt: skip
    return found


def _near(row: Transaction, opposites: list[Transaction]) -> list[Transaction]:
    """What is exactly opposite within a day, the nearest first; of two as near the earlier, then the lower number."""
    if not row.approved or not row.cents:
        return []
    within = [other for other in opposites if abs(other.at - row.at) <= timedelta(days=1)]
    return sorted(within, key=lambda other: (_minutes_apart(row, other), other.at, other.number))


def _minutes_apart(row: Transaction, other: Transaction) -> int:
    return int(abs(other.at - row.at).total_seconds() // 60)


def _month_end(text: str) -> date:
    return (datetime.strptime(text, "%m/%Y").date() + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def seed(root: Path, name: str) -> list[dict[str, str]]:
    """A seed: decisions of people, which the models and the oracle both follow."""
    return _lines(root / "seeds" / f"{name}.csv")


def _money(text: str) -> Decimal:
    return Decimal(text.replace("$", ""))


def _degrees(text: str) -> Decimal:
    return Decimal(text).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _transaction(line: dict[str, str], labels: dict[str, str], countries: dict[str, str]) -> Transaction:
    cents = Decimal(line["amount"].replace("$", "")) * 100
    assert cents == int(cents)
    return Transaction(
        number=int(line["id"]),
        at=datetime.strptime(line["date"], "%Y-%m-%d %H:%M:%S"),
        client=int(line["client_id"]),
        card=int(line["card_id"]),
        merchant=int(line["merchant_id"]),
        mcc=int(line["mcc"]),
        cents=int(cents),
        channel=CHANNELS[line["use_chip"]],
        state=line["merchant_state"] or None,
        country=countries.get(line["merchant_state"]),
        errors=tuple(part for part in line["errors"].split(",") if part),
        fraud={"Yes": True, "No": False}.get(labels.get(line["id"], "")),
    )
