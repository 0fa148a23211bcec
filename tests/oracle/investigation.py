"""What an investigator asks of frauds and alerts, in plain Python: runs of frauds and what their cards have in common."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction

from tests.oracle.alerts import Alerts
from tests.oracle.raw import Raw, Transaction
from tests.oracle.reports import Row, dollars, grouped, interval, month_before, points, rounded

QUIET = timedelta(days=60)


def runs_of(rows: Iterable[Transaction]) -> dict[int, list[list[Transaction]]]:
    """The frauds of each card, cut where the next one is more than 60 days away."""
    found: dict[int, list[list[Transaction]]] = defaultdict(list)
    for row in sorted((r for r in rows if r.fraud), key=lambda r: (r.at, r.number)):
        runs = found[row.card]
        if runs and row.day - runs[-1][-1].day <= QUIET:
            runs[-1].append(row)
        else:
            runs.append([row])
    return found


def fraud_runs(alerts: Alerts) -> list[Row]:
    actions = {row["transaction_id"]: row["action"] for row in alerts.fraud_alerts()}
    found = []
    for card, runs in runs_of(alerts.raw.transactions).items():
        for number, run in enumerate(runs, 1):
            alerted = [r for r in run if r.number in actions]
            alert = min((r.at for r in alerted), default=None)
            block = min((r.at for r in alerted if actions[r.number] == "block"), default=None)
            later = [r for r in run if alert is not None and r.at > alert]
            after_block = [r for r in run if block is not None and r.at > block]
            found.append({
                "card_id": card, "run_number": number, "client_id": run[0].client,
                "first_fraud_at": run[0].at, "last_fraud_at": run[-1].at, "days_long": (run[-1].day - run[0].day).days,
                "fraud_count": len(run), "declined_fraud_count": sum(not r.approved for r in run),
                "online_fraud_count": sum(r.channel == "online" for r in run),
                "merchant_count": len({r.merchant for r in run}), "net_fraud_loss": dollars(sum(r.settled for r in run)),
                "alerted_fraud_count": len(alerted), "first_alert_at": alert,
                "minutes_to_alert": None if alert is None else int((alert - run[0].at).total_seconds()) // 60,
                "loss_at_alert": dollars(sum(r.settled for r in run if r.at == alert)),
                "frauds_after_alert": len(later), "loss_after_alert": dollars(sum(r.settled for r in later)),
                "first_block_at": block, "frauds_after_block": len(after_block),
                "loss_after_block": dollars(sum(r.settled for r in after_block)),
            })  # fmt: skip
    return found


def compromise_points(alerts: Alerts) -> list[Row]:
    raw = alerts.raw
    by_card = grouped(raw.transactions, lambda r: r.card)
    cases: dict[date, dict[int, set[int]]] = defaultdict(dict)
    for card, runs in runs_of(raw.transactions).items():
        for run in runs:
            used = {r.merchant for r in by_card[card] if _is_before(r.day, run[0].day)}
            if used:
                cases[run[0].month][card] = used
    return [row for month, used in cases.items() for row in _points(raw, month, used)]


def _points(raw: Raw, month: date, used: dict[int, set[int]]) -> Iterable[Row]:
    months = (month_before(month), month_before(month_before(month)))
    comparable = [r for r in raw.transactions if r.month in months]
    cards = {r.card for r in comparable} | used.keys()
    tested = {r.merchant for r in comparable}
    for merchant in set().union(*used.values()):
        shared = {card for card, theirs in used.items() if merchant in theirs}
        seen = {r.card for r in comparable if r.merchant == merchant} | shared
        by_chance, share = Fraction(len(seen), len(cards)), Fraction(len(shared), len(used))
        yield {
            "month_start": month, "merchant_id": merchant, "case_count": len(used), "shared_case_count": len(shared),
            "card_count": len(cards), "merchant_card_count": len(seen),
            "expected_case_count": rounded(len(used) * by_chance, 4), "lift": rounded(share / by_chance),
            "evidence": rounded(Fraction(_evidence(share, by_chance) * len(used))),
            "tested_merchant_count": len(tested),
        }  # fmt: skip


def _evidence(share: Fraction, by_chance: Fraction) -> float:
    """Of one case: the relative entropy of the two shares, in decimal digits."""
    if share <= by_chance:
        return 0.0
    rest = 0.0 if share == 1 else float(1 - share) * math.log10((1 - share) / (1 - by_chance))
    return float(share) * math.log10(share / by_chance) + rest


def _is_before(day: date, first: date) -> bool:
    return first - QUIET <= day < first


def rule_overlap(alerts: Alerts) -> list[Row]:
    by_number = {r.number: r for r in alerts.raw.transactions}
    rules: dict[int, set[str]] = defaultdict(set)
    for hit in alerts.rule_hits():
        if hit["is_in_force"]:
            rules[hit["transaction_id"]].add(hit["rule_name"])
    pairs: dict[tuple[date, str, str], list[Transaction]] = defaultdict(list)
    for number, names in rules.items():
        row = by_number[number]
        for name in names:
            for other in ("all", *(names - {name} or {"none"})):
                pairs[row.month, name, other].append(row)
    return [
        {
            "month_start": month, "rule_name": rule, "other_rule_name": other, "alert_count": len(rows),
            "share_bp": points(len(rows), len(pairs[month, rule, "all"])),
            "labelled_alert_count": sum(r.fraud is not None for r in rows),
            "fraud_alert_count": sum(bool(r.fraud) for r in rows),
            "precision_bp": points(sum(bool(r.fraud) for r in rows), sum(r.fraud is not None for r in rows)),
            **interval("precision", sum(bool(r.fraud) for r in rows), sum(r.fraud is not None for r in rows)),
            "value_caught": dollars(sum(r.purchase for r in rows if r.fraud)),
            "value_of_false_positives": dollars(sum(r.purchase for r in rows if r.fraud is False)),
        }
        for (month, rule, other), rows in list(pairs.items())
    ]  # fmt: skip


def alert_capacity(alerts: Alerts) -> list[Row]:
    alerted = [r for r in alerts.raw.transactions if r.number in alerts.scores]
    found = []
    for month, rows in grouped(alerted, lambda r: r.month).items():
        days = [list(grouped(of_day, lambda r: r.card).values()) for of_day in grouped(rows, lambda r: r.day).values()]
        for cards in days:
            cards.sort(key=lambda card: (-max(alerts.scores[r.number] for r in card), card[0].card))
        for capacity in (5, 10, 25, 50, 100, 200):
            seen = [card for cards in days for card in cards[:capacity]]
            missed = [card for cards in days for card in cards[capacity:]]
            labelled, bad = sum(map(_is_labelled, seen)), sum(map(_is_defrauded, seen))
            found.append({
                "month_start": month, "cards_a_day": capacity, "day_count": len(days),
                "days_over_capacity": sum(len(cards) > capacity for cards in days),
                "busiest_day_cards": max(map(len, days)), "alert_count": len(rows),
                "alerted_cards": sum(map(len, days)), "reviewed_cards": len(seen),
                "labelled_reviewed_cards": labelled, "defrauded_reviewed_cards": bad,
                "defrauded_missed_cards": sum(map(_is_defrauded, missed)), "precision_bp": points(bad, labelled),
                "value_caught": dollars(sum(r.purchase for card in seen for r in card if r.fraud)),
                "value_missed": dollars(sum(r.purchase for card in missed for r in card if r.fraud)),
            })  # fmt: skip
    return found


def _is_labelled(rows: list[Transaction]) -> bool:
    return any(r.fraud is not None for r in rows)


def _is_defrauded(rows: list[Transaction]) -> bool:
    return any(r.fraud for r in rows)
