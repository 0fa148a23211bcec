"""Owns measuring a folder of the five files, generated or published, by the figures of the published profile.

`python -m generator.profile DIR` prints them. Counts of rows are scaled up to the published number of rows, so
that a small set compares with the whole one. It reads everything into memory: some gigabytes at full scale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

TRANSACTIONS = 13_305_915
_TEXTS = ("use_chip", "merchant_city", "merchant_state", "zip", "errors")
ID_AT_EIGHT_DIGITS = 10_000_000

Figures = dict[str, float]


def measure(folder: Path) -> Figures:
    """Measures a folder.

    Args:
        folder: where the five files are.

    Returns:
        Figures by name: `rows ...` and `dollars ...` scaled up to the published number of rows, `share ...` from 0 to 1,
        `count ...` as they are.
    """
    rows = transactions(folder)
    labels = fraud_labels(folder)
    up = TRANSACTIONS / len(rows)
    rows["fraud"] = rows["id"].map(labels)  # 1, 0, or NaN for no label
    orphans: float = len(labels) - int(rows["fraud"].notna().sum())
    cards = pd.read_csv(folder / "cards_data.csv", dtype={"card_number": str})
    figures = {
        "count rows": float(len(rows)),
        "count labels": float(len(labels)),
        "count labels without a transaction": orphans,
    }
    for part in (_sizes, _channels, _amounts, _groups, _clock, _ties):
        figures |= part(rows, up)
    figures |= _frauds(rows, up) | _cards_used(rows, cards, up) | _people(folder, cards)
    return figures


def transactions(folder: Path) -> pd.DataFrame:
    """The transactions, the amount in whole cents, empty texts as empty categories."""
    types = {name: pa.dictionary(pa.int32(), pa.string()) for name in _TEXTS} | {"amount": pa.string()}
    table = csv.read_csv(
        folder / "transactions_data.csv",
        convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=False),
    )
    cents = pc.replace_substring_regex(table["amount"], r"[$.]", "").cast(pa.int64())
    frame: pd.DataFrame = table.drop_columns(["amount"]).append_column("cents", cents).to_pandas()
    return frame


def fraud_labels(folder: Path) -> pd.Series[int]:
    """1 for Yes and 0 for No, by transaction id."""
    target = json.loads((folder / "train_fraud_labels.json").read_text())["target"]
    ids = np.fromiter(map(int, target), dtype=np.int64, count=len(target))
    values = np.fromiter((answer == "Yes" for answer in target.values()), dtype=np.int64, count=len(target))
    answers: pd.Series[int] = pd.Series(values, index=ids)
    return answers


def _sizes(rows: pd.DataFrame, up: float) -> Figures:
    ids = rows["id"]
    span = int(ids.max() - ids.min()) + 1
    names = {"client_id": "clients", "card_id": "cards", "mcc": "mccs", "merchant_id": "merchants"}
    return {f"count {name}": float(rows[column].nunique()) for column, name in names.items()} | {
        "count countries": float(_countries(rows)),
        "share id gaps": 1 - len(rows) / span,
        "share 8-digit ids": float((ids >= ID_AT_EIGHT_DIGITS).mean()),
    }


def _lengths(column: pd.Series[str]) -> pd.Series[int]:
    """Lengths of a category column's texts, by looking at each category once."""
    sizes = column.cat.categories.str.len().to_numpy()
    lengths: pd.Series[int] = pd.Series(sizes[column.cat.codes.to_numpy()], index=column.index)
    return lengths


def _countries(rows: pd.DataFrame) -> int:
    names = rows["merchant_state"].cat.remove_unused_categories().cat.categories
    return int((names.str.len() > 2).sum())


def _channels(rows: pd.DataFrame, up: float) -> Figures:
    online_city = rows["merchant_city"] == "ONLINE"
    counts = rows["use_chip"].value_counts()
    figures = {f"rows {name}": float(count) * up for name, count in counts.items()}
    chip = rows["use_chip"] == "Chip Transaction"
    net = rows["use_chip"] == "Online Transaction"
    year = rows["date"].dt.year
    figures |= {
        "rows null state": float((rows["merchant_state"] == "").sum()) * up,
        "rows null state elsewhere than ONLINE": float(((rows["merchant_state"] == "") ^ online_city).sum()) * up,
        "rows state without zip": float(((rows["merchant_state"] != "") & (rows["zip"] == "")).sum()) * up,
        "rows ONLINE of another channel": float((online_city & ~net).sum()) * up,
        "rows chip before 2015": float((chip & (year < 2015)).sum()),
        "share online 2010": float(net[year == 2010].mean()),
        "share chip of store rows 2015": float(chip[(year == 2015) & ~net].mean()),
    }
    errors = rows["errors"].value_counts()
    figures["rows with errors"] = float(len(rows) - errors.get("", 0)) * up
    figures |= {f"rows {name}": float(count) * up for name, count in errors.items() if name}
    single = {"Bad PIN": net, "Bad CVV": ~online_city, "Bad Card Number": ~online_city, "Bad Expiration": ~online_city}
    wrong = sum(float((rows.loc[mask, "errors"] == name).sum()) for name, mask in single.items())
    return figures | {"rows with an error of the other channel": wrong}


def _amounts(rows: pd.DataFrame, up: float) -> Figures:
    dollars = rows["cents"] / 100
    refunds = rows["cents"] < 0
    near = rows["mcc"].isin((5499, 5541))
    figures = {
        "rows below zero": float(refunds.sum()) * up,
        "rows at zero": float((rows["cents"] == 0).sum()) * up,
        "rows below zero with cents": float((refunds & (rows["cents"] % 100 != 0)).sum()),
        "share refunds in 5499 and 5541": float(near[refunds].mean()),
        "share refunds of 5499": float(refunds[rows["mcc"] == 5499].mean()),
        "share refunds of 5541": float(refunds[rows["mcc"] == 5541].mean()),
        "share refunds online": float(refunds[rows["use_chip"] == "Online Transaction"].mean()),
        "amount least": float(dollars.min()),
        "amount greatest": float(dollars.max()),
        "amount mean": float(dollars.mean()),
        "amount deviation": float(dollars.std()),
        "dollars": float(dollars.sum()) * up,
        "dollars above zero": float(dollars[dollars > 0].sum()) * up,
        "dollars below zero": float(dollars[dollars < 0].sum()) * up,
    }
    figures |= _released(rows)
    for percent in (25, 50, 75, 90, 95, 99, 99.9):
        figures[f"amount q{percent:g}"] = float(dollars.quantile(percent / 100))
    return figures


def _released(rows: pd.DataFrame) -> Figures:
    """Of the approved refunds, those with a sale of exactly the opposite amount of the card at the merchant within 30 minutes."""
    key = ["card_id", "merchant_id", "opposite"]
    approved = rows.loc[rows["errors"] == "", ["date", "card_id", "merchant_id", "cents"]]
    refunds = approved.loc[approved["cents"] < 0].assign(opposite=lambda found: -found["cents"])
    sales = approved.loc[approved["cents"] > 0].assign(opposite=lambda found: found["cents"])
    both = refunds.reset_index().merge(sales, on=key, suffixes=("", "_of_sale"))
    both["minutes"] = (both["date_of_sale"] - both["date"]).dt.total_seconds() / 60
    near = both.loc[both["minutes"].abs() <= 30].drop_duplicates("index")["minutes"]
    return {
        "share refunds that release a hold": len(near) / max(len(refunds), 1),
        "share holds after their release": float((near > 0).mean()),
        "share holds in the minute of their release": float((near == 0).mean()),
    }


def _groups(rows: pd.DataFrame, up: float) -> Figures:
    figures: Figures = {}
    for column, title in (("merchant_state", "state"), ("mcc", "mcc"), ("merchant_id", "merchant")):
        counts = rows[column].value_counts()
        figures |= {f"rows {title} {name}": float(count) * up for name, count in counts.items() if name != ""}
    for mcc in (4829, 5411, 5300, 5912, 5541, 4900):
        figures[f"dollars mcc {mcc}"] = float(rows.loc[rows["mcc"] == mcc, "cents"].sum()) / 100 * up
    per_merchant = rows.groupby("merchant_id")["mcc"].nunique()
    busy = rows["client_id"].value_counts(normalize=True) * rows["client_id"].nunique()
    figures["count mccs of a merchant at most"] = float(per_merchant.max())
    figures["count cities of merchant 59935"] = float(rows.loc[rows["merchant_id"] == 59935, "merchant_city"].nunique())
    figures["ratio rows per client q75 to q25"] = float(busy.quantile(0.75) / busy.quantile(0.25))
    figures["ratio rows per client greatest to median"] = float(busy.max() / busy.median())
    figures["client with the most dollars"] = float(str(rows.groupby("client_id")["cents"].sum().idxmax()))
    return figures


def _clock(rows: pd.DataFrame, up: float) -> Figures:
    date = rows["date"].dt
    hours = date.hour.value_counts(normalize=True) * 100
    weekdays = date.weekday.value_counts(normalize=True) * 700
    years = date.year.value_counts() * up
    clients = rows.groupby(date.year)["client_id"].nunique()
    days = date.normalize().dt.date
    return (
        {f"percent hour {hour}": float(share) for hour, share in hours.items()}
        | {f"percent weekday {day}": float(share) for day, share in weekdays.items()}
        | {f"rows year {year}": float(count) for year, count in years.items()}
        | {f"count clients {year}": float(count) for year, count in clients.items()}
        | {
            "count days": float(days.nunique()),
            "first minute": float(rows["date"].min().timestamp() // 60),
            "last minute": float(rows["date"].max().timestamp() // 60),
        }
    )


def _ties(rows: pd.DataFrame, up: float) -> Figures:
    before = rows.shift(1)
    tie = (rows["date"] == before["date"]) & (rows["client_id"] == before["client_id"])
    falling = rows["id"] < before["id"]
    disorder = (rows["date"] < before["date"]) | (
        (rows["date"] == before["date"]) & (rows["client_id"] < before["client_id"])
    )
    columns = ["date", "client_id", "card_id", "cents", "merchant_id", "merchant_city", "mcc"]
    twins = rows.loc[tie | tie.shift(-1, fill_value=False)].duplicated(columns)
    return {
        "rows out of order": float(disorder.sum()),
        "rows with falling ids outside a tie": float((falling & ~tie).sum()),
        "rows with falling ids at another merchant": float(
            (falling & (rows["merchant_id"] != before["merchant_id"])).sum()
        ),
        "rows with falling ids": float(falling.sum()) * up,
        "rows alike": float(twins.sum()),
        "rows with an id twice": float(rows["id"].duplicated().sum()),
    }


def _frauds(rows: pd.DataFrame, up: float) -> Figures:
    known = rows.loc[rows["fraud"].notna()]
    yes = known["fraud"] == 1
    year, hour = known["date"].dt.year, known["date"].dt.hour
    abroad = _lengths(known["merchant_state"]) > 2
    italy = known["merchant_state"] == "Italy"
    nowhere = known["merchant_state"] == ""
    figures: Figures = {"share fraud": float(yes.mean())}
    for name, mask in (
        ("online", known["use_chip"] == "Online Transaction"),
        ("chip", known["use_chip"] == "Chip Transaction"),
        ("swipe", known["use_chip"] == "Swipe Transaction"),
        ("null state", nowhere),
        ("in the states", ~nowhere & ~abroad),
        ("abroad", abroad),
        ("abroad but Italy", abroad & ~italy),
        ("Italy 2017-2019", italy & (year >= 2017)),
        ("at hours 20-24", hour >= 20),
        ("at hours 10-11", hour.isin((10, 11))),
        ("mcc 4784", known["mcc"] == 4784),
        ("mcc 4900", known["mcc"] == 4900),
        ("mcc 5311", known["mcc"] == 5311),
        ("mcc 5045, 5094 and 5732", known["mcc"].isin((5045, 5094, 5732))),
        ("mcc 4411 and 5733", known["mcc"].isin((4411, 5733))),
        ("error Bad CVV", known["errors"] == "Bad CVV"),
    ):
        figures[f"share fraud {name}"] = float(yes[mask].mean())
        figures[f"labels Yes {name}"] = float(yes[mask].sum()) * up
    for at in range(2010, 2020):
        figures[f"share labelled {at}"] = float((year == at).sum()) / max(1, int((rows["date"].dt.year == at).sum()))
        figures[f"labels Yes {at}"] = float(yes[year == at].sum()) * up
        figures[f"labels Yes {at} in Italy"] = float(yes[(year == at) & italy].sum()) * up
    amounts = known.loc[yes, "cents"].abs() / 100
    per_card_month = known.loc[yes].groupby(["card_id", year[yes], known.loc[yes, "date"].dt.month]).size()
    return figures | {
        "amount median of frauds": float(amounts.median()),
        "amount q75 of frauds": float(amounts.quantile(0.75)),
        "amount median of the others": float(known.loc[~yes, "cents"].abs().median() / 100),
        "ratio frauds per card and month": float(per_card_month.mean()),
    }


def _cards_used(rows: pd.DataFrame, cards: pd.DataFrame, up: float) -> Figures:
    opened, expires = (
        pd.to_datetime(cards[column], format="%m/%Y").dt.to_period("M").set_axis(cards["id"])
        for column in ("acct_open_date", "expires")
    )
    owner = cards.set_index("id")["client_id"]
    month = (rows["date"].dt.year - 1970) * 12 + rows["date"].dt.month - 1
    of = rows["card_id"]
    first, last = (of.map(dates.map(lambda period: period.ordinal)) for dates in (opened, expires))
    without_chip = of.map(cards.set_index("id")["has_chip"]) == "NO"
    swiped = rows["use_chip"] == "Swipe Transaction"
    return {
        "rows of a card of somebody else": float((of.map(owner) != rows["client_id"]).sum()),
        "rows before the card opened": float((month < first).sum()) * up,
        "rows after the card expired": float((month > last).sum()) * up,
        "rows chip of a card without one": float((without_chip & (rows["use_chip"] == "Chip Transaction")).sum()),
        "share swiped of cards without a chip": float((without_chip & swiped).sum() / max(1, without_chip.sum())),
    }


def _people(folder: Path, cards: pd.DataFrame) -> Figures:
    users = pd.read_csv(folder / "users_data.csv")
    figures = {"count users": float(len(users)), "count all cards": float(len(cards))}
    figures["count all mccs"] = float(len(json.loads((folder / "mcc_codes.json").read_text())))
    for column in ("current_age", "retirement_age", "per_capita_income", "yearly_income", "total_debt", "credit_score"):
        values = users[column].astype(str).str.lstrip("$").astype(int)
        figures[f"users {column} mean"] = float(values.mean())
        for percent in (0, 5, 25, 50, 75, 95, 100):
            figures[f"users {column} p{percent}"] = float(values.quantile(percent / 100))
    born = users["birth_year"] * 12 + users["birth_month"] - 1
    held = cards.groupby("client_id").size().reindex(users["id"], fill_value=0).to_numpy()
    figures |= {
        "users Female": float((users["gender"] == "Female").sum()),
        "users of another age than in 2020-02": float((users["current_age"] != (2020 * 12 + 1 - born) // 12).sum()),
        "users with another number of cards": float((users["num_credit_cards"] != held).sum()),
    }
    for column in ("card_brand", "card_type", "has_chip", "num_cards_issued", "card_on_dark_web"):
        figures |= {f"cards {column} {name}": float(n) for name, n in cards[column].value_counts().items()}
    limit = cards["credit_limit"].str.lstrip("$").astype(int)
    prepaid = cards["card_type"] == "Debit (Prepaid)"
    opened, expires = (pd.to_datetime(cards[c], format="%m/%Y") for c in ("acct_open_date", "expires"))
    figures |= {f"cards credit_limit p{p}": float(limit.quantile(p / 100)) for p in (5, 25, 50, 75, 95)}
    return figures | {
        "cards credit_limit mean": float(limit.mean()),
        "cards credit_limit prepaid p50": float(limit[prepaid].median()),
        "cards opened in 2020": float((opened.dt.year == 2020).sum()),
        "cards expiring before opening": float((expires < opened).sum()),
        "cards with a PIN before opening": float((cards["year_pin_last_changed"] < opened.dt.year).sum()),
        "cards expiring in 2020 or later": float((expires.dt.year >= 2020).sum()),
        "cards with a number twice": float(cards["card_number"].duplicated().sum()),
        "share card numbers passing Luhn": float(cards["card_number"].map(passes_luhn).mean()),
        "cards with a cvv of two digits": float(cards["cvv"].between(10, 99).sum()),
    }


def passes_luhn(number: str) -> bool:
    """Whether a number's last digit is its Luhn check digit."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = (2 * digit - 9 * (digit > 4) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


if __name__ == "__main__":
    for name, figure in measure(Path(sys.argv[1])).items():
        sys.stdout.write(f"{name:48} {figure:>18,.4f}\n")
