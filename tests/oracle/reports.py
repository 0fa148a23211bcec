"""Every report of the schema serving, computed in plain Python with exact fractions. No shared code, no SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.oracle.raw import Raw, Transaction, seed

Row = dict[str, Any]
REASONS = (
    "Bad Card Number",
    "Bad CVV",
    "Bad Expiration",
    "Bad PIN",
    "Bad Zipcode",
    "Insufficient Balance",
    "Technical Glitch",
)


def rounded(value: Fraction | int, places: int = 2) -> Decimal:
    """Half away from zero, as people round money."""
    scaled = abs(Fraction(value)) * 10**places
    whole = int(scaled + Fraction(1, 2))
    return Decimal(whole if value >= 0 else -whole).scaleb(-places).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def dollars(cents: Fraction | int) -> Decimal:
    return rounded(Fraction(cents) / 100)


def points(part: Any, whole: Any) -> Decimal | None:
    return rounded(Fraction(part) * 10000 / Fraction(whole)) if whole else None


def interval(name: str, part: int, whole: int) -> Row:
    """Wilson's interval of 95 %, from the roots of (p - rate)^2 = z^2 * p * (1 - p) / n."""
    if not whole:
        return {f"{name}_low_bp": None, f"{name}_high_bp": None}
    with localcontext() as precise:
        precise.prec = 50
        rate, square = Decimal(part) / whole, Decimal("1.96") ** 2 / whole
        middle = rate + square / 2
        half = (middle**2 - (1 + square) * rate**2).sqrt()
        ends = [10000 * (middle + side * half) / (1 + square) for side in (-1, 1)]
    low, high = (rounded(Fraction(end)) for end in ends)
    return {f"{name}_low_bp": low, f"{name}_high_bp": high}


def each(cents: int, count: int) -> Decimal | None:
    return rounded(Fraction(cents, 100 * count)) if count else None


def growth(now: Decimal, before: Decimal | None) -> Decimal | None:
    return rounded(Fraction(now - before) * 100 / Fraction(before)) if before else None


def grouped(rows: Iterable[Transaction], key: Callable[[Transaction], Hashable]) -> dict[Any, list[Transaction]]:
    groups: dict[Any, list[Transaction]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def year_before(month: date) -> date:
    return month.replace(year=month.year - 1)


def after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def volume(rows: list[Transaction]) -> Row:
    purchase, refund = sum(r.purchase for r in rows), sum(r.refund for r in rows)
    settled, back = sum(r.settled for r in rows), sum(r.settled_refund for r in rows)
    count, settled_count = sum(r.purchase > 0 for r in rows), sum(r.settled > 0 for r in rows)
    return {
        "transaction_count": len(rows),
        "approved_count": sum(r.approved for r in rows),
        "declined_count": sum(not r.approved for r in rows),
        "purchase_count": count,
        "refund_count": sum(r.refund > 0 for r in rows),
        "purchase_volume": dollars(purchase),
        "refunds": dollars(refund),
        "net_volume": dollars(purchase - refund),
        "reversed_count": sum(r.purchase > 0 and r.pair is not None for r in rows),
        "reversed_volume": dollars(sum(r.purchase for r in rows if r.pair)),
        "settled_count": settled_count,
        "settled_volume": dollars(settled),
        "settled_refund_count": sum(r.settled_refund > 0 for r in rows),
        "settled_refunds": dollars(back),
        "average_ticket": each(settled, settled_count),
    }


def fraud(rows: list[Transaction]) -> Row:
    labelled = [r for r in rows if r.fraud is not None]
    bad = [r for r in labelled if r.fraud]
    settled, settled_bad = [r for r in labelled if r.settled], [r for r in bad if r.settled]
    dollars_lost, dollars_settled = sum(r.settled for r in settled_bad), sum(r.settled for r in settled)
    return {
        "transaction_count": len(rows),
        "labelled_count": len(labelled),
        "fraud_count": len(bad),
        "fraud_rate_bp": points(len(bad), len(labelled)),
        "labelled_purchase_volume": dollars(sum(r.purchase for r in labelled)),
        "fraud_loss": dollars(sum(r.purchase for r in bad)),
        "fraud_rate_by_value_bp": points(sum(r.purchase for r in bad), sum(r.purchase for r in labelled)),
        **interval("fraud_rate", len(bad), len(labelled)),
        "settled_fraud_count": len(settled_bad),
        "declined_fraud_count": sum(not r.approved for r in bad),
        "refund_fraud_count": sum(r.refund > 0 for r in bad),
        "labelled_settled_count": len(settled),
        "settled_fraud_rate_bp": points(len(settled_bad), len(settled)),
        **interval("settled_fraud_rate", len(settled_bad), len(settled)),
        "labelled_settled_volume": dollars(dollars_settled),
        "net_fraud_loss": dollars(dollars_lost),
        "settled_fraud_rate_by_value_bp": points(dollars_lost, dollars_settled),
    }


class Interchange:
    """The estimate: basis points and a fee for each purchase, by the seeds."""

    def __init__(self, raw: Raw, root: Path) -> None:
        self._cards = raw.cards
        self._groups = {int(r["mcc"]): r["mcc_group"] for r in seed(root, "interchange_mcc_groups")}
        self._rates: dict[Any, list[dict[str, str]]] = defaultdict(list)
        for rate in seed(root, "interchange_rates"):
            self._rates[rate["card_brand"], rate["card_type"], rate["mcc_group"]].append(rate)

    def of(self, rows: Iterable[Transaction]) -> Row:
        cents, unpriced = Fraction(0), 0
        for row in rows:
            if row.settled:
                rate = self._rate(row)
                if rate is None:
                    unpriced += 1
                else:
                    cents += row.settled * rate[0] / 10000 + rate[1] * 100
        return {"estimated_interchange": rounded(cents / 100, 8), "unpriced_count": unpriced}

    def _rate(self, row: Transaction) -> tuple[Fraction, Fraction] | None:
        card, group = self._cards[row.card], self._groups.get(row.mcc, "other")
        for rate in self._rates[card.brand, card.kind, group]:
            if (rate["is_card_present"] == "true") == (row.channel != "online") and (
                rate["valid_from_date"] <= row.day.isoformat() < (rate["valid_until_date"] or "9999")
            ):
                return Fraction(rate["rate_bp"]), Fraction(rate["fixed_fee"])
        return None


def fct_reversals(raw: Raw, root: Path) -> list[Row]:
    return [
        {
            "transaction_id": r.number, "transacted_on": r.day, "is_reversed": r.pair is not None,
            "counterpart_id": r.pair, "minutes_apart": r.apart, "is_second_leg": r.second,
        }
        for r in raw.transactions if r.has_opposite
    ]  # fmt: skip


def daily_revenue(raw: Raw, root: Path) -> list[Row]:
    interchange = Interchange(raw, root)
    groups = grouped(raw.transactions, lambda r: (r.day, r.channel, raw.cards[r.card].kind))
    return [
        {"transacted_on": day, "channel": channel, "card_type": kind, **volume(rows), **interchange.of(rows)}
        for (day, channel, kind), rows in groups.items()
    ]


def revenue_by_merchant_category(raw: Raw, root: Path) -> list[Row]:
    interchange = Interchange(raw, root)
    whole = {m: sum(r.settled for r in rows) for m, rows in grouped(raw.transactions, lambda r: r.month).items()}
    return [
        {
            "month_start": month, "mcc": mcc, "mcc_description": raw.categories[mcc], **volume(rows),
            "days_in_month": (after(month) - month).days,
            "volume_share_bp": points(sum(r.settled for r in rows), whole[month]), **interchange.of(rows),
        }
        for (month, mcc), rows in grouped(raw.transactions, lambda r: (r.month, r.mcc)).items()
    ]  # fmt: skip


def place_kind(row: Transaction) -> str:
    if row.state is None:
        return "none"
    return "unknown" if row.country is None else "foreign" if row.foreign else "domestic"


def revenue_by_state(raw: Raw, root: Path) -> list[Row]:
    names = {r["state_code"]: r["state_name"] for r in seed(root, "us_states")}
    return [
        {
            "month_start": month, "place": place, "place_kind": place_kind(rows[0]),
            "place_name": names.get(place, {"NO PLACE": "No Place", "UNKNOWN": "Unknown"}.get(place, place)),
            "active_clients": len({r.client for r in rows if r.settled}), **volume(rows),
            "days_in_month": (after(month) - month).days,
        }
        for (month, place), rows in grouped(raw.transactions, lambda r: (r.month, r.place)).items()
    ]  # fmt: skip


def decline_analysis(raw: Raw, root: Path) -> list[Row]:
    found = []
    for (month, channel), rows in grouped(raw.transactions, lambda r: (r.month, r.channel)).items():
        for reason in ("Any error", *REASONS, "Other"):
            hit = [r for r in rows if _is_declined_for(r, reason)]
            found.append({
                "month_start": month, "channel": channel, "decline_reason": reason, "transaction_count": len(rows),
                "declined_count": len(hit), "decline_rate_bp": points(len(hit), len(rows)),
                "declined_amount": dollars(sum(max(r.cents, 0) for r in hit)),
            })  # fmt: skip
    return found


def _is_declined_for(row: Transaction, reason: str) -> bool:
    if reason == "Other":
        return any(error not in REASONS for error in row.errors)
    return bool(row.errors) and (reason == "Any error" or reason in row.errors)


def authorisation(raw: Raw, root: Path) -> list[Row]:
    attempts = sorted((r for r in raw.transactions if r.cents > 0), key=lambda r: (r.at, r.number))
    following: dict[int, Transaction] = {}
    for same in grouped(attempts, lambda r: (r.card, r.merchant, r.cents)).values():
        for one, other in pairwise(same):
            if other.at - one.at <= timedelta(hours=1):
                following[one.number] = other
    found = []
    for (month, channel), rows in grouped(attempts, lambda r: (r.month, r.channel)).items():
        passed, failed = [r for r in rows if r.approved], [r for r in rows if not r.approved]
        lost = [r for r in failed if r.number not in following]
        glitches = [r for r in lost if r.errors == ("Technical Glitch",)]
        saved = [r for r in failed if r.number in following and following[r.number].approved]
        approved, lost_cents, technical = (sum(r.cents for r in part) for part in (passed, lost, glitches))
        found.append({
            "month_start": month, "channel": channel, "attempt_count": len(passed) + len(lost),
            "approved_count": len(passed), "lost_count": len(lost), "technical_lost_count": len(glitches),
            "issuer_lost_count": len(lost) - len(glitches),
            "approval_rate_bp": points(len(passed), len(passed) + len(lost)),
            "issuer_approval_rate_bp": points(len(passed), len(passed) + len(lost) - len(glitches)),
            "attempted_volume": dollars(approved + lost_cents), "approved_volume": dollars(approved),
            "lost_volume": dollars(lost_cents), "issuer_lost_volume": dollars(lost_cents - technical),
            "technical_lost_volume": dollars(technical),
            "approval_rate_by_value_bp": points(approved, approved + lost_cents),
            "declined_count": len(failed), "retried_count": len(failed) - len(lost),
            "recovered_count": len(saved), "recovered_volume": dollars(sum(r.cents for r in saved)),
        })  # fmt: skip
    return found


def client_activity(raw: Raw, root: Path) -> list[Row]:
    last_day = max(r.day for r in raw.transactions)
    found = []
    for client, history in grouped(raw.transactions, lambda r: r.client).items():
        by_month = grouped(history, lambda r: r.month)
        month, bought = min(by_month), None
        while month <= last_day:
            rows = by_month.get(month, [])
            end = min(after(month) - timedelta(days=1), last_day)
            bought = max((r.day for r in rows if r.settled), default=bought)
            figures = volume(rows)
            found.append({
                "client_id": client, "month_start": month, "is_active": figures["settled_count"] > 0,
                "active_cards": len({r.card for r in rows if r.settled}), **figures,
                "decline_rate_bp": points(figures["declined_count"], len(rows)),
                "last_purchase_on": bought,
                "days_since_last_purchase": (end - bought).days if bought else None,
            })  # fmt: skip
            month = after(month)
    return found


def fraud_by_channel_month(raw: Raw, root: Path) -> list[Row]:
    groups = grouped(raw.transactions, lambda r: (r.month, r.channel))
    return [{"month_start": m, "channel": c, **fraud(rows)} for (m, c), rows in groups.items()]


def fraud_by_merchant_category(raw: Raw, root: Path) -> list[Row]:
    groups = grouped(raw.transactions, lambda r: (r.month, r.mcc))
    return [
        {"month_start": m, "mcc": c, "mcc_description": raw.categories[c], **fraud(rows)}
        for (m, c), rows in groups.items()
    ]


def fraud_by_geography(raw: Raw, root: Path) -> list[Row]:
    groups = grouped(raw.transactions, lambda r: (r.month, r.place))
    return [
        {"month_start": m, "place": p, "place_kind": place_kind(rows[0]), **fraud(rows)}
        for (m, p), rows in groups.items()
    ]


def fraud_by_hour(raw: Raw, root: Path) -> list[Row]:
    months = {m: fraud(rows) for m, rows in grouped(raw.transactions, lambda r: r.month).items()}
    found = []
    for (month, hour), rows in grouped(raw.transactions, lambda r: (r.month, r.at.hour)).items():
        here, whole = fraud(rows), months[month]
        index = None
        if here["labelled_count"] and whole["fraud_count"]:
            rate = Fraction(here["fraud_count"], here["labelled_count"])
            index = rounded(rate / Fraction(whole["fraud_count"], whole["labelled_count"]))
        found.append({"month_start": month, "hour_of_day": hour, "is_night": hour < 6, **here, "vampire_index": index})
    return found


@dataclass(frozen=True)
class Whole:
    """What a risk is measured against: the last month, and the fraud rate of all."""

    last: date
    rate: Fraction | None


def whole_of(raw: Raw) -> Whole:
    labelled = sum(r.fraud is not None for r in raw.transactions)
    rate = Fraction(sum(bool(r.fraud) for r in raw.transactions), labelled) if labelled else None
    return Whole(max(r.month for r in raw.transactions), rate)


def risk(whole: Whole, rows: list[Transaction]) -> Row:
    recent, rate = [r for r in rows if r.month > year_before(whole.last)], whole.rate
    here, lately = fraud(rows), fraud(recent)
    estimate = None
    if rate is not None:
        estimate = rounded(10000 * (here["fraud_count"] + 100 * rate) / (here["labelled_count"] + 100))
    figures = volume(rows)
    return {
        "first_month_date": min(r.month for r in rows), "last_month_date": max(r.month for r in rows),
        "declined_count": figures["declined_count"],
        "decline_rate_bp": points(figures["declined_count"], len(rows)),
        "purchase_count": figures["purchase_count"], "purchase_volume": figures["purchase_volume"],
        "settled_count": figures["settled_count"], "settled_volume": figures["settled_volume"], **here,
        "estimated_fraud_rate_bp": estimate,
        "recent_labelled_count": lately["labelled_count"], "recent_fraud_count": lately["fraud_count"],
        "recent_fraud_rate_bp": lately["fraud_rate_bp"],
        **interval("recent_fraud_rate", lately["fraud_count"], lately["labelled_count"]),
        "recent_fraud_loss": lately["fraud_loss"],
        "last_fraud_on": max((r.day for r in rows if r.fraud), default=None),
    }  # fmt: skip


def merchant_risk(raw: Raw, root: Path) -> list[Row]:
    found, whole, interchange = [], whole_of(raw), Interchange(raw, root)
    for merchant, rows in grouped(raw.transactions, lambda r: r.merchant).items():
        mcc, figures = min(r.mcc for r in rows), volume(rows)
        of_labelled = interchange.of(r for r in rows if r.fraud is not None)["estimated_interchange"]
        found.append({
            "merchant_id": merchant, "mcc": mcc, "mcc_description": raw.categories[mcc], **risk(whole, rows),
            "settled_refund_count": figures["settled_refund_count"], "settled_refunds": figures["settled_refunds"],
            "refund_rate_bp": points(figures["settled_refund_count"], figures["settled_count"]),
            "refund_rate_by_value_bp": points(sum(r.settled_refund for r in rows), sum(r.settled for r in rows)),
            **interchange.of(rows), "estimated_labelled_margin": of_labelled - fraud(rows)["net_fraud_loss"],
        })  # fmt: skip
    return found


def card_risk(raw: Raw, root: Path) -> list[Row]:
    found, whole = [], whole_of(raw)
    for number, rows in grouped(raw.transactions, lambda r: r.card).items():
        card = raw.cards[number]
        found.append({
            "card_id": number, "client_id": card.client, "card_brand": card.brand, "card_type": card.kind,
            "card_last4": card.last4, **risk(whole, rows),
        })  # fmt: skip
    return found


def network_monitors(raw: Raw, root: Path) -> list[Row]:
    thresholds = seed(root, "monitor_thresholds")
    months = grouped([r for r in raw.transactions if r.settled], lambda r: (r.merchant, r.month))
    found = []
    for (merchant, month), rows in months.items():
        bad = [r for r in rows if r.fraud]
        if not bad:
            continue
        online, bad_online = [r for r in rows if r.channel == "online"], [r for r in bad if r.channel == "online"]
        earlier = months.get((merchant, month_before(month)), [])
        for monitor, events, divisor in (
            ("VAMP-like", bad_online, online),
            ("ECM-like", bad, earlier),
            ("EFM-like", bad_online, online),
        ):
            whole, known = len(divisor), sum(r.fraud is not None for r in divisor)
            amount = sum(r.purchase for r in events)
            mine = [t for t in thresholds if t["monitor"] == monitor]
            in_force = [
                t for t in mine if t["valid_from_date"] <= month.isoformat() < (t["valid_until_date"] or "9999")
            ]
            reached = [_reaches(t, len(events), whole, amount) for t in in_force]
            latest = [_reaches(t, len(events), whole, amount) for t in mine if not t["valid_until_date"]]
            found.append({
                "month_start": month, "merchant_id": merchant, "monitor": monitor, "event_count": len(events),
                "transaction_count": whole, "ratio_bp": points(len(events), whole),
                "labelled_transaction_count": known, "labelled_ratio_bp": points(len(events), known),
                "fraud_amount": dollars(amount),
                "level": max(reached, default=(-1, "below"))[1] if in_force else "not in force",
                "latest_level": max(latest, default=(-1, "below"))[1],
            })  # fmt: skip
    return found


def _reaches(threshold: dict[str, str], events: int, whole: int, amount: int) -> tuple[Fraction, str]:
    least = Fraction(threshold["min_ratio_bp"])
    if (
        events >= int(threshold["min_events"])
        and whole > 0
        and whole >= int(threshold["min_transactions"])
        and amount >= Fraction(threshold["min_amount"]) * 100
        and events * 10000 >= least * whole
    ):
        return least, threshold["level"]
    return Fraction(-1), "below"


SEGMENTS = ((300, "poor"), (580, "fair"), (670, "good"), (740, "very good"), (800, "exceptional"))


def issuer_revenue(raw: Raw, root: Path) -> list[Row]:
    interchange = Interchange(raw, root)

    def key(row: Transaction) -> Hashable:
        card = raw.cards[row.card]
        segment = [name for least, name in SEGMENTS if raw.clients[card.client].score >= least][-1]
        return row.month, card.brand, card.kind, row.channel, segment

    found = []
    rows_of = grouped((r for r in raw.transactions if r.settled or r.settled_refund), key)
    for (month, brand, kind, channel, segment), rows in rows_of.items():
        figures, labelled = volume(rows), [r for r in rows if r.fraud is not None]
        lost = sum(r.settled for r in labelled if r.fraud)
        mine = interchange.of(labelled)["estimated_interchange"]
        known = sum(r.settled for r in labelled)
        found.append({
            "month_start": month, "card_brand": brand, "card_type": kind, "channel": channel, "client_segment": segment,
            "days_in_month": (after(month) - month).days, "settled_count": figures["settled_count"],
            "settled_volume": figures["settled_volume"], "settled_refunds": figures["settled_refunds"],
            **interchange.of(rows), "labelled_settled_count": sum(r.settled > 0 for r in labelled),
            "labelled_settled_volume": dollars(known),
            "settled_fraud_count": sum(bool(r.fraud) and r.settled > 0 for r in labelled),
            "net_fraud_loss": dollars(lost), "estimated_labelled_interchange": mine,
            "estimated_labelled_margin": mine - dollars(lost),
            "estimated_labelled_margin_bp": points(mine - dollars(lost), dollars(known)),
        })  # fmt: skip
    return found


def active_clients(raw: Raw, root: Path) -> list[Row]:
    complete = {r["month_start"] for r in monthly_executive_summary(raw, root) if r["is_complete"]}
    found = []
    for kind, length in (("month", 1), ("quarter", 3), ("year", 12)):
        periods = grouped(raw.transactions, lambda r, n=length: r.month.replace(month=(r.month.month - 1) // n * n + 1))
        for first, rows in periods.items():
            months = [first]
            while len(months) < length:
                months.append(after(months[-1]))
            last = after(months[-1]) - timedelta(days=1)
            issued = [card for card in raw.cards.values() if card.opened <= last]
            open_cards = [card for card in issued if card.expires >= first]
            clients, cards = ({getattr(r, name) for r in rows if r.settled} for name in ("client", "card"))
            holders = {card.client for card in open_cards}
            found.append({
                "period_kind": kind, "period_start_date": first, "period_end_date": last,
                "is_complete": all(month in complete for month in months),
                "active_clients": len(clients), "clients_with_open_cards": len(holders), "active_cards": len(cards),
                "open_cards": len(open_cards), "issued_cards": len(issued),
                "active_clients_bp": points(len(clients), len(holders)),
                "active_cards_bp": points(len(cards), len(open_cards)),
            })  # fmt: skip
    return found


def monthly_executive_summary(raw: Raw, root: Path) -> list[Row]:
    estimates: dict[date, Decimal] = defaultdict(Decimal)
    for row in daily_revenue(raw, root):
        estimates[row["transacted_on"].replace(day=1)] += row["estimated_interchange"]
    months = grouped(raw.transactions, lambda r: r.month)
    figures = {month: volume(rows) for month, rows in months.items()}
    is_whole = {m: len({r.day for r in rows}) == (after(m) - m).days for m, rows in months.items()}
    found = []
    for month, rows in months.items():
        here, bad = figures[month], fraud(rows)
        earlier, last_year = (
            figures[m] if is_whole[month] and is_whole.get(m) else {} for m in (month_before(month), year_before(month))
        )
        found.append({
            "month_start": month,
            "is_complete": is_whole[month], "days_with_transactions": len({r.day for r in rows}),
            "days_in_month": (after(month) - month).days,
            **bad, **here, "decline_rate_bp": points(here["declined_count"], len(rows)),
            "online_share_bp": points(
                sum(r.settled for r in rows if r.channel == "online"), sum(r.settled for r in rows)
            ),
            "active_clients": len({r.client for r in rows if r.settled}),
            "active_cards": len({r.card for r in rows if r.settled}),
            "estimated_interchange": estimates[month],
            "purchase_volume_mom_percent": growth(here["purchase_volume"], earlier.get("purchase_volume")),
            "purchase_volume_yoy_percent": growth(here["purchase_volume"], last_year.get("purchase_volume")),
            "settled_volume_mom_percent": growth(here["settled_volume"], earlier.get("settled_volume")),
            "settled_volume_yoy_percent": growth(here["settled_volume"], last_year.get("settled_volume")),
            "net_volume_mom_percent": growth(here["net_volume"], earlier.get("net_volume")),
            "net_volume_yoy_percent": growth(here["net_volume"], last_year.get("net_volume")),
        })  # fmt: skip
    return found


def data_freshness(raw: Raw, root: Path) -> list[Row]:
    last = {
        "transactions": max(r.day for r in raw.transactions),
        "fraud_labels": max((r.day for r in raw.transactions if r.fraud is not None), default=None),
    }
    frauds = {"fraud_labels": max((r.day for r in raw.transactions if r.fraud), default=None)}
    return [
        {
            "relation_name": name, "file_count": raw.files[name], "rows_loaded": lines, "rows_rejected": 0,
            "last_transaction_on": last.get(name), "last_fraud_on": frauds.get(name),
        }
        for name, lines in raw.lines.items()
    ]  # fmt: skip
