"""IBM's TabFormer files in small, written by the tests: nobody's rows, in the shape of the true ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from tests.loaders.made import card_number

TRANSACTIONS_HEADER = (
    "User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name,Merchant City,Merchant State,Zip,MCC,Errors?,Is Fraud?"
)
USERS_HEADER = (
    "Person,Current Age,Retirement Age,Birth Year,Birth Month,Gender,Address,Apartment,City,State,Zipcode,Latitude,"
    "Longitude,Per Capita Income - Zipcode,Yearly Income - Person,Total Debt,FICO Score,Num Credit Cards"
)
CARDS_HEADER = (
    "User,CARD INDEX,Card Brand,Card Type,Card Number,Expires,CVV,Has Chip,Cards Issued,Credit Limit,Acct Open Date,"
    "Year PIN last Changed,Card on Dark Web"
)
FILES = ("card_transaction.v1.csv", "sd254_users.csv", "sd254_cards.csv")
SURNAME = "Featherstonehaugh"


def purchase(user: int = 0, card: int = 0, **changed: str) -> str:
    """A transaction, some columns changed (as they are written in the file, quotes and all)."""
    values = {
        "user": str(user),
        "card": str(card),
        "year": "2002",
        "month": "9",
        "day": "1",
        "time": "06:21",
        "amount": "$134.09",
        "use_chip": "Swipe Transaction",
        "merchant_name": "3527213246127876953",
        "city": "La Verne",
        "state": "CA",
        "zip": "91750.0",
        "mcc": "5300",
        "errors": "",
        "is_fraud": "No",
    }
    return ",".join({**values, **changed}.values())


def user(number: int = 0, **changed: str) -> str:
    """A user."""
    values = {
        "person": f"Perpetua {SURNAME}",
        "current_age": "53",
        "retirement_age": "66",
        "birth_year": "1966",
        "birth_month": "11",
        "gender": "Female",
        "address": f"{462 + number} Rose Lane",
        "apartment": "",
        "city": "La Verne",
        "state": "CA",
        "zipcode": "91750",
        "latitude": "34.15",
        "longitude": "-117.76",
        "per_capita_income": "$29278",
        "yearly_income": "$59696",
        "total_debt": "$127613",
        "fico_score": "787",
        "num_credit_cards": "2",
    }
    return ",".join({**values, **changed}.values())


def card(user: int = 0, index: int = 0, **changed: str) -> str:
    """A card."""
    values = {
        "user": str(user),
        "card_index": str(index),
        "card_brand": "Visa",
        "card_type": "Debit",
        "card_number": card_number(100 * user + index),
        "expires": "12/2022",
        "cvv": "987",
        "has_chip": "YES",
        "cards_issued": "2",
        "credit_limit": "$24295",
        "acct_open_date": "09/2002",
        "pin": "2008",
        "dark_web": "No",
    }
    return ",".join({**values, **changed}.values())


def written(folder: Path, name: str, header: str, rows: Sequence[str], end: str = "\n") -> Path:
    """Write a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(end.join([header, *rows]) + end, encoding="utf-8", newline="")
    return path


def sample(folder: Path, people: int = 6, purchases: int = 50, seed: int = 3) -> list[str]:
    """Write the three files, two cards a user; return the rows of the transactions.

    Every fifth row is odd, each in one of the ways of the true file; the last user is in no other file.
    """
    draw = random.Random(seed)
    odd = (
        {"errors": '"Bad PIN,Insufficient Balance,"'},
        {"errors": '"Technical Glitch,"'},
        {"amount": "$-99.00"},
        {"use_chip": "Online Transaction", "city": "ONLINE", "state": "", "zip": "", "is_fraud": "Yes"},
        {"city": "Rome", "state": "Italy", "zip": "", "is_fraud": "Yes"},
        {"merchant_name": "-4282466774399734331", "mcc": "4829"},
        {"city": '"St. Paul, West"', "state": "MN"},
    )
    rows = []
    for number in range(people + 1):  # the last one is in no file of users
        for index in (0, 1):
            minute = 0
            for place in range(purchases // 2):
                minute += draw.randrange(1, 20_000)
                rows.append(
                    purchase(
                        number,
                        index,
                        year=str(2003 + minute // 525_600),
                        month=str(1 + minute // 43_800 % 12),
                        day=str(1 + minute // 1440 % 28),
                        time=f"{minute // 60 % 24:02d}:{minute % 60:02d}",
                        **{
                            "amount": f"${draw.randrange(1, 20_000) / 100:.2f}",
                            "merchant_name": str(draw.randrange(-(2**63), 2**63)),
                            "mcc": draw.choice(("5300", "5411", "5812", "4829")),
                            **(odd[place // 5 % len(odd)] if place % 5 == 0 else {}),
                        },
                    )
                )
    written(folder, FILES[0], TRANSACTIONS_HEADER, rows)
    written(folder, FILES[1], USERS_HEADER, [user(number) for number in range(people)])
    cards = [card(number, index) for number in range(people) for index in (0, 1)]
    written(folder, FILES[2], CARDS_HEADER, cards)
    return rows
