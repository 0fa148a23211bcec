"""Scorecards made up by a seed, with bins of every feature, and what they give by plain Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from typing import Any

import psycopg2

from revops.scoring import scorecards
from revops.scoring.features import FLAGS, MOST_BINS, NUMBERS, UNKNOWN
from revops.scoring.scorecards import Bin, Head

BASE = 60
BOUNDS = (-100, 1, 2, 3, 5, 10, 18, 50, 250, 1000, 2000, 5000, 20000, 43200, 100000)


def head(month: date, seed: int) -> Head:
    """A scorecard that says of itself that it was trained on the months before."""
    version = "".join(random.Random(f"{month} {seed}").choices("abcdefghijklmnop", k=12))
    return Head(
        version, month, scorecards.next_month(month, -24), scorecards.next_month(month, -1), 50, 9000, 800, 9500
    )


def bins(seed: int) -> list[Bin]:
    """Bins of every feature, two or more of a number, and one for the unknown."""
    chosen = random.Random(seed)
    found = []
    for name, _ in (*NUMBERS, *FLAGS):
        is_flag = (name, _) in FLAGS
        bounds = [1] if is_flag else sorted(chosen.sample(BOUNDS, chosen.randint(1, MOST_BINS - 1)))
        for number, bound in enumerate([None, *bounds]):
            found.append(Bin(name, number, bound, chosen.randint(-60, 90)))
        if not is_flag:
            found.append(Bin(name, UNKNOWN, None, chosen.randint(-60, 90)))
    return found


def add(url: str, month: date, seed: int) -> Head:
    """Adds such a scorecard to a warehouse."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        scorecards.add(cursor, made := head(month, seed), BASE, bins(seed))
    return made


def score(row: dict[str, Any], of: Sequence[Bin]) -> tuple[int, str | None]:
    """The score of a row of features, and its reasons."""
    total, reasons = BASE, []
    for feature in dict.fromkeys(each.feature for each in of):
        value = _value(row, feature)
        bins = [each for each in of if each.feature == feature]
        reached = [
            each
            for each in bins
            if (
                each.number == UNKNOWN
                if value is None
                else each.number != UNKNOWN and (each.at_least is None or value >= each.at_least)
            )
        ]
        points = max(reached, key=lambda each: each.number).points
        total += points
        if points >= 40:
            reasons.append(f"{feature} {points}")
    return min(1000, max(0, total)), ", ".join(reasons) or None


def _value(row: dict[str, Any], feature: str) -> int | None:
    if feature == "is_online":
        return int(row["channel"] == "online")
    value = row[feature]
    if value is None:
        return None
    return (
        int(value * 100)
        if feature in ("amount_z_score_90d", "merchant_fraud_rate_bp_30d", "mcc_fraud_rate_bp_30d")
        else int(value)
    )
