"""Alerts and their back-test in plain Python, from brute-force features and the seed of rules."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.oracle.raw import Raw, Transaction, seed
from tests.oracle.reports import Row, dollars, grouped, interval, points

RANKS = ("review", "call", "block")


class Alerts:
    """All hits of all rules, and what follows from them."""

    def __init__(self, raw: Raw, root: Path, features: list[Row]) -> None:
        self.raw, self.root = raw, root
        self.rules = seed(root, "fraud_rules")
        self.eras = seed(root, "fraud_eras")
        self.by_number = {r.number: r for r in raw.transactions}
        self.hits = [
            (row, rule)
            for row in features
            for rule in self.rules
            if self.by_number[row["transaction_id"]].kind in _kinds(rule) and _hits(row, rule)
        ]
        self.scores: dict[int, int] = defaultdict(int)
        for row, rule in self.hits:
            if _in_force(rule, row["transacted_on"]):
                self.scores[row["transaction_id"]] += int(rule["weight"])

    def rule_hits(self) -> list[Row]:
        return [
            {
                "transaction_id": row["transaction_id"], "rule_name": rule["rule_name"],
                "transacted_on": row["transacted_on"], "weight": int(rule["weight"]), "action": rule["action"],
                "is_in_force": _in_force(rule, row["transacted_on"]), "reason": _words(rule["reason"], row),
            }
            for row, rule in self.hits
        ]  # fmt: skip

    def fraud_alerts(self) -> list[Row]:
        together: dict[int, list[Any]] = defaultdict(list)
        for row, rule in self.hits:
            if _in_force(rule, row["transacted_on"]):
                together[row["transaction_id"]].append((-int(rule["weight"]), rule["rule_name"], rule, row))
        found = []
        for number, hits in together.items():
            hits.sort(key=lambda hit: hit[:2])
            tx = self.by_number[number]
            found.append({
                "transaction_id": number, "transacted_at": tx.at, "transacted_on": tx.day, "client_id": tx.client,
                "card_id": tx.card, "merchant_id": tx.merchant, "mcc": tx.mcc, "channel": tx.channel,
                "place": tx.place, "amount": dollars(tx.cents), "is_approved": tx.approved, "transaction_kind": tx.kind,
                "score": self.scores[number], "rule_count": len(hits),
                "rule_names": ", ".join(hit[1] for hit in hits),
                "reasons": "; ".join(_words(hit[2]["reason"], hit[3]) for hit in hits),
                "action": max((hit[2]["action"] for hit in hits), key=RANKS.index), "is_fraud": tx.fraud,
            })  # fmt: skip
        return found

    def rule_performance(self) -> list[Row]:
        months = grouped(self.raw.transactions, lambda r: r.month)
        by_rule: dict[Any, list[Transaction]] = defaultdict(list)
        for row, rule in self.hits:
            tx = self.by_number[row["transaction_id"]]
            by_rule[tx.month, rule["rule_name"]].append(tx)
        found = []
        for month, rows in months.items():
            for rule in self.rules:
                hit = by_rule[month, rule["rule_name"]]
                seen = [r for r in rows if r.kind in _kinds(rule)]
                found.append(self._measured("rule", rule["rule_name"], month, seen, hit, _in_force(rule, month)))
            for threshold in seed(self.root, "score_thresholds"):
                least = int(threshold["min_score"])
                hit = [r for r in rows if self.scores.get(r.number, -1) >= least]
                found.append(self._measured("score", f"score >= {least}", month, rows, hit, True))
            found.append(self._cards(month, rows))
        return found

    def _measured(
        self, kind: str, name: str, month: date, rows: list[Transaction], hit: list[Transaction], in_force: bool
    ) -> Row:
        labelled, bad = [r for r in rows if r.fraud is not None], [r for r in rows if r.fraud]
        caught, disturbed = [r for r in hit if r.fraud], [r for r in hit if r.fraud is False]
        return self._row(
            kind, name, month, in_force, len(hit), len(caught) + len(disturbed), len(caught), len(labelled), len(bad),
            sum(r.purchase for r in bad), sum(r.purchase for r in caught), sum(r.purchase for r in disturbed),
        )  # fmt: skip

    def _cards(self, month: date, rows: list[Transaction]) -> Row:
        days = grouped(rows, lambda r: (r.day, r.card))
        best: dict[date, list[Any]] = defaultdict(list)
        for (day, card), group in days.items():
            score = max(self.scores.get(r.number, -1) for r in group)
            if score >= 0:
                best[day].append((-score, card))
        top = [days[day, card] for day, cards in best.items() for _, card in sorted(cards)[:100]]
        labelled = [g for g in top if any(r.fraud is not None for r in g)]
        right = [g for g in labelled if any(r.fraud for r in g)]
        wrong = [g for g in labelled if not any(r.fraud for r in g)]
        return self._row(
            "cards", "100 cards a day", month, True, len(top), len(labelled), len(right),
            sum(any(r.fraud is not None for r in g) for g in days.values()),
            sum(any(r.fraud for r in g) for g in days.values()),
            sum(r.purchase for r in rows if r.fraud),
            sum(r.purchase for g in right for r in g if r.fraud),
            sum(r.purchase for g in wrong for r in g if r.fraud is False),
        )  # fmt: skip

    def _row(self, kind: str, name: str, month: date, in_force: bool, *counts: int) -> Row:
        hit, labelled_hit, caught, labelled, bad, loss, caught_cents, disturbed_cents = counts
        era = next(
            (
                e
                for e in seed(self.root, "fraud_eras")
                if e["valid_from_date"] <= month.isoformat() < (e["valid_until_date"] or "9999")
            ),
            None,
        )
        return {
            "month_start": month, "measured_kind": kind, "measured_name": name, "era": era["era"] if era else "none",
            "is_tuning": bool(era) and era["is_tuning"] == "true", "is_in_force": in_force, "alert_count": hit,
            "labelled_alert_count": labelled_hit, "fraud_alert_count": caught, "labelled_count": labelled,
            "fraud_count": bad, "precision_bp": points(caught, labelled_hit),
            **interval("precision", caught, labelled_hit), "recall_bp": points(caught, bad),
            "false_positive_rate_bp": points(labelled_hit - caught, labelled - bad), "fraud_loss": dollars(loss),
            "value_caught": dollars(caught_cents), "value_of_false_positives": dollars(disturbed_cents),
        }  # fmt: skip


def _in_force(rule: dict[str, str], day: date) -> bool:
    return rule["valid_from_date"] <= day.isoformat() < (rule["valid_until_date"] or "9999")


def _kinds(rule: dict[str, str]) -> list[str]:
    return (rule["kinds"] or "purchase").split()


def _hits(row: Row, rule: dict[str, str]) -> bool:
    def least(column: str, feature: str) -> bool:
        return not rule[column] or (row[feature] is not None and row[feature] >= Decimal(rule[column]))

    def needed(column: str, feature: str) -> bool:
        return rule[column] != "true" or bool(row[feature])

    minutes = row["minutes_since_presence"]
    return (
        (not rule["channel"] or (rule["channel"] == "online") == (row["channel"] == "online"))
        and needed("has_to_be_bad_card_data", "has_bad_card_data")
        and needed("has_to_be_foreign", "is_foreign")
        and needed("has_to_be_new_merchant", "is_new_merchant_90d")
        and needed("has_to_be_new_mcc", "is_new_mcc_90d")
        and needed("has_to_be_new_place", "is_new_place_90d")
        and needed("has_to_change_country", "has_country_changed")
        and needed("has_to_be_large_after_small", "is_large_after_small_1h")
        and needed("has_to_be_night", "is_night")
        and least("min_amount_cents", "amount_cents")
        and least("min_transactions_1h", "card_transactions_1h")
        and least("min_transactions_24h", "card_transactions_24h")
        and least("min_declines_24h", "card_declines_24h")
        and least("min_z_score", "amount_z_score_90d")
        and least("min_idle_days", "days_since_last_use")
        and least("min_merchant_labelled", "merchant_labelled_30d")
        and least("min_merchant_fraud_bp", "merchant_fraud_rate_bp_30d")
        and least("min_mcc_labelled", "mcc_labelled_30d")
        and least("min_mcc_fraud_bp", "mcc_fraud_rate_bp_30d")
        and (not rule["max_minutes_since_presence"] or _at_most(minutes, int(rule["max_minutes_since_presence"])))
    )  # fmt: skip


def _at_most(value: int | None, most: int) -> bool:
    return value is not None and value <= most


def _words(reason: str, row: Row) -> str:
    values = {
        "amount": dollars(row["amount_cents"]), "transactions_1h": row["card_transactions_1h"],
        "transactions_24h": row["card_transactions_24h"], "declines_24h": row["card_declines_24h"],
        "z_score": row["amount_z_score_90d"], "idle_days": row["days_since_last_use"],
        "minutes": row["minutes_since_presence"], "merchant_fraud_bp": row["merchant_fraud_rate_bp_30d"],
        "merchant_labelled": row["merchant_labelled_30d"], "mcc_fraud_bp": row["mcc_fraud_rate_bp_30d"],
        "mcc_labelled": row["mcc_labelled_30d"],
    }  # fmt: skip
    for name, value in values.items():
        reason = reason.replace("{" + name + "}", "unknown" if value is None else str(value))
    return reason
