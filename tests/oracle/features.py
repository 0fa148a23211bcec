"""The features of a transaction by brute force: for each, a look at every earlier row of its card, merchant and category."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.oracle.raw import Transaction
from tests.oracle.reports import Row, points

SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
HORIZON = timedelta(days=90)
CERTAIN = timedelta(days=2)
Groups = defaultdict[Any, list[Transaction]]


def features(transactions: Iterable[Transaction], opened: dict[int, date]) -> list[Row]:
    """One row per transaction, by the definitions of docs/decisions.md."""
    rows = list(transactions)
    cards: Groups = defaultdict(list)
    merchants: Groups = defaultdict(list)
    categories: Groups = defaultdict(list)
    for row in rows:
        cards[row.card].append(row)
        merchants[row.merchant, row.day].append(row)
        categories[row.mcc, row.day].append(row)
    return [
        {
            **_of_card(row, cards[row.card]),
            **_delayed("merchant", row, row.merchant, merchants),
            **_delayed("mcc", row, row.mcc, categories),
            "days_since_card_opened": (row.day - opened[row.card]).days,
        }
        for row in rows
    ]


def _of_card(row: Transaction, history: list[Transaction]) -> Row:
    before = [r for r in history if row.at - HORIZON <= r.at < row.at]
    found: dict[str, Any] = {
        "transaction_id": row.number, "transacted_at": row.at, "transacted_on": row.day, "card_id": row.card,
        "merchant_id": row.merchant, "mcc": row.mcc, "channel": row.channel, "amount_cents": row.cents,
        "is_foreign": row.foreign, "has_bad_card_data": row.bad_card_data,
        "is_approved": row.approved,
    }  # fmt: skip
    for name, span in SPANS.items():
        recent = [r for r in before if r.at >= row.at - span]
        found[f"card_transactions_{name}"] = sum(not r.second for r in recent)
        found[f"card_purchase_cents_{name}"] = sum(r.purchase for r in recent)
    hour = [r for r in before if r.at >= row.at - SPANS["1h"]]
    found["card_declines_1h"] = sum(not r.approved for r in hour)
    found["card_declines_24h"] = sum(not r.approved for r in before if r.at >= row.at - SPANS["24h"])
    bought = [r.settled for r in before if r.settled and r.at <= row.at - CERTAIN]
    found["card_purchases_90d"] = len(bought)
    found["amount_z_score_90d"] = _z_score(row.cents, bought)
    last = max((r.at for r in before), default=None)
    found["minutes_since_previous"] = _minutes(last, row)
    found["days_since_last_use"] = (row.day - last.date()).days if last else None
    found["is_new_merchant_90d"] = all(r.merchant != row.merchant for r in before)
    found["is_new_mcc_90d"] = all(r.mcc != row.mcc for r in before)
    found["is_new_place_90d"] = all(r.seen_at != row.seen_at for r in before)
    there = [r for r in before if r.present] if row.present else []
    seen = max((r.at for r in there), default=None)
    places = {r.state for r in there if r.at == seen}
    countries = {r.state if r.foreign else "" for r in there if r.at == seen}
    found["has_place_changed"] = bool(places) and row.state not in places
    found["has_country_changed"] = bool(places) and (row.state if row.foreign else "") not in countries
    found["minutes_since_presence"] = _minutes(seen, row)
    found["is_large_after_small_1h"] = row.cents >= 10000 and any(1 <= r.purchase <= 500 for r in hour)
    found["hour_of_day"] = row.at.hour
    found["is_night"] = row.at.hour in range(6)
    found["is_weekend"] = row.day.isoweekday() in (6, 7)
    return found


def _minutes(earlier: Any, row: Transaction) -> int | None:
    return int((row.at - earlier).total_seconds() // 60) if earlier else None


def _z_score(cents: int, bought: list[int]) -> Decimal | None:
    count = len(bought)
    if count < 5 or len(set(bought)) == 1:
        return None
    mean = sum(bought) / count
    deviation = math.sqrt(sum((each - mean) ** 2 for each in bought) / (count - 1))
    return Decimal(repr((cents - mean) / deviation)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _delayed(name: str, row: Transaction, key: int, history: Groups) -> Row:
    days = [row.day - timedelta(days=back) for back in range(8, 38)]
    known = [r for day in days for r in history.get((key, day), ())]
    labelled = [r for r in known if r.fraud is not None]
    return {
        f"{name}_transactions_30d": len(known),
        f"{name}_labelled_30d": len(labelled),
        f"{name}_fraud_rate_bp_30d": points(sum(bool(r.fraud) for r in labelled), len(labelled)),
    }
