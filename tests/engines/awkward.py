"""Files that a generated set does not hold: rows that end in quarantine, ties, texts that engines read in their own way."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

TRANSACTIONS = "transactions_data.csv"
LATE_DAY, VANISHING_DAY = "2013-02-28", "2016-02-29"

# What each row has other than one that has landed.
ODD = (
    {"errors": "Bad PIN,Insufficient Balance"},
    {"errors": "Bad CVV, Something New"},
    {"errors": "nan"},
    {"errors": "  "},
    {"client_id": "9999999"},
    {"card_id": "9999998"},
    {"mcc": "1"},
    {"mcc": ""},
    {"client_id": "-7"},
    {"client_id": "007"},
    {"merchant_id": "12x"},
    {"merchant_id": "99999999999999999999"},
    {"amount": "$1,234.50"},
    {"amount": "$-0.01"},
    {"amount": "$0.00"},
    {"amount": "$-77.00"},
    {"amount": "$1000000.00"},
    {"amount": "$1000000.01"},
    {"amount": "$12345678901234.00"},
    {"amount": "12.00"},
    {"date": "2015-02-30 10:00:00"},
    {"date": "2015-02-28T10:00:00"},
    {"date": "2015-02-28 24:00:00"},
    {"date": "1999-12-31 23:59:00"},
    {"date": "2015-02-28 00:00:00"},
    {"date": "2015-02-28 05:59:00"},
    {"date": "2015-02-28 06:00:00"},
    {"date": "2099-01-01 10:00:00"},
    {"use_chip": "Carrier Pigeon"},
    {"use_chip": "Online Transaction", "merchant_city": "ONLINE", "merchant_state": "", "zip": ""},
    {"zip": "8523.0"},
    {"zip": "08523-1234"},
    {"zip": "ABCDE"},
    {"merchant_state": "Georgia"},
    {"merchant_state": "GA"},
    {"merchant_state": "Atlantis"},
    {"merchant_city": "${amount}"},
    {"merchant_city": 'O\'Fallon \\ "N"'},
    {"merchant_city": "São Paulo 日本"},
    {"merchant_city": ""},
    {"merchant_city": " New York "},
)


def write(folder: Path) -> None:
    """Adds the awkward files to a generated set; one of them has a day that `vanish` takes away."""
    like = _first(folder / TRANSACTIONS)
    rows = [{**like, "id": str(90_000_000 + n), "date": "2015-02-28 12:00:00", **odd} for n, odd in enumerate(ODD)]
    rows += [rows[0], {**rows[1], "id": like["id"]}, {**rows[2], "id": "x1"}, {**rows[3], "id": ""}]
    rows += [{**like, "id": str(90_001_000 + n), "date": "2015-02-27 12:00:00"} for n in range(3)]  # of one minute
    _write(folder / "transactions_data_odd.csv", rows)
    _write(folder / "transactions_data_day.csv", _of_a_day(like, VANISHING_DAY, 90_002_000))
    labels = {str(90_000_000 + n): "Yes" if n % 2 else "No" for n in range(8)} | {"99999991": "Yes", "x": "No"}
    (folder / "odd_fraud_labels.json").write_text(json.dumps({"target": labels}))
    _odd_attributes(folder)


def vanish_arrive_and_change(folder: Path) -> None:
    """A day goes with its file, a day comes late, a card changes what reports show, a label and an amount are corrected."""
    (folder / "transactions_data_day.csv").unlink()
    _write(folder / "transactions_data_late.csv", _of_a_day(_first(folder / TRANSACTIONS), LATE_DAY, 90_003_000))
    change_a_card(folder, "Discover")
    labels = json.loads((folder / "odd_fraud_labels.json").read_text())
    labels["target"]["90000002"] = "Yes"
    (folder / "odd_fraud_labels.json").write_text(json.dumps(labels))
    _edit(
        folder / "transactions_data_odd.csv",
        lambda row: {**row, "amount": "$55.55"} if row["id"] == "90000000" else row,
    )


def change_a_card(folder: Path, brand: str) -> None:
    """Another brand for the card that most rows here are of."""
    card = _first(folder / TRANSACTIONS)["card_id"]
    _edit(folder / "cards_data.csv", lambda row: {**row, "card_brand": brand} if row["id"] == card else row)


def _odd_attributes(folder: Path) -> None:
    card = _first(folder / "cards_data.csv")
    cards = (
        {"client_id": "9999999"}, {"client_id": "x"}, {"expires": "13/2020"}, {"expires": "01/1990"}, {"credit_limit": "24295"},
        {"has_chip": "maybe"}, {"card_brand": " "}, {"num_cards_issued": "two"}, {"has_chip": "yes", "card_on_dark_web": "NO"},
    )  # fmt: skip
    _write(folder / "cards_data_odd.csv", [{**card, "id": str(8_000_000 + n), **odd} for n, odd in enumerate(cards)])
    user = _first(folder / "users_data.csv")
    users = (
        {"birth_year": "1066"}, {"birth_year": "1966-11-05"}, {"latitude": "95.1"}, {"latitude": "-33.25"},
        {"longitude": "-0.05"}, {"longitude": "x"}, {"total_debt": "$-5"}, {"credit_score": "900"}, {"gender": ""},
        {"yearly_income": "1000"},
    )  # fmt: skip
    _write(folder / "users_data_odd.csv", [{**user, "id": str(7_000_000 + n), **odd} for n, odd in enumerate(users)])


def _of_a_day(like: dict[str, str], day: str, first: int) -> list[dict[str, str]]:
    return [
        {**like, "id": str(first + n), "date": f"{day} {n:02}:30:00", "amount": f"${n}.25", "errors": ""}
        for n in range(12)
    ]


def _first(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return next(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _edit(path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    with path.open(newline="") as file:
        rows = [change(row) for row in csv.DictReader(file)]
    _write(path, rows)
