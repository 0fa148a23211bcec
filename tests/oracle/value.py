"""What cards and clients are worth, in plain Python: each line of the files is asked again."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.oracle.raw import Card, Raw, Transaction
from tests.oracle.reports import (
    Interchange,
    Row,
    after,
    dollars,
    fraud,
    grouped,
    month_before,
    monthly_executive_summary,
    place_kind,
    points,
    rounded,
    volume,
)

# Whole months since the account was opened, up to which an age has its name.
AGES = (
    (0, "0 not opened yet"),
    (6, "1 first half-year"),
    (12, "2 second half-year"),
    (36, "3 second and third year"),
    (60, "4 fourth and fifth year"),
    (120, "5 sixth to tenth year"),
)
HOLIDAYS = {(1, 1): "New Year's Day", (7, 4): "Independence Day", (11, 11): "Veterans Day", (12, 25): "Christmas Day"}
FLOATING = {
    (1, "Monday", 3): "Martin Luther King Jr. Day",
    (2, "Monday", 3): "Washington's Birthday",
    (9, "Monday", 1): "Labor Day",
    (10, "Monday", 2): "Columbus Day",
    (11, "Thursday", 4): "Thanksgiving Day",
}


def issuer_revenue_by_place(raw: Raw, root: Path) -> list[Row]:
    interchange = Interchange(raw, root)
    found = []
    for (month, place, channel), rows in grouped(raw.transactions, lambda r: (r.month, r.place, r.channel)).items():
        figures, worth = volume(rows), _worth(rows, interchange)
        margin = worth["estimated_labelled_interchange"] - worth["net_fraud_loss"]
        found.append({
            "month_start": month, "place": place, "channel": channel, "place_kind": place_kind(rows[0]),
            "active_cards": len({r.card for r in rows if r.settled}), "transaction_count": len(rows),
            "settled_count": figures["settled_count"], "settled_volume": figures["settled_volume"],
            "settled_refunds": figures["settled_refunds"], **interchange.of(rows), **worth,
            "labelled_settled_volume": fraud(rows)["labelled_settled_volume"], "estimated_labelled_margin": margin,
            "estimated_labelled_margin_bp": points(margin, fraud(rows)["labelled_settled_volume"]),
        })  # fmt: skip
    return found


def _worth(rows: list[Transaction], interchange: Interchange) -> Row:
    """Of purchases with a label, the only ones of which the loss is known."""
    bad = fraud(rows)
    return {
        "labelled_settled_count": bad["labelled_settled_count"], "settled_fraud_count": bad["settled_fraud_count"],
        "net_fraud_loss": bad["net_fraud_loss"],
        "estimated_labelled_interchange": interchange.of(r for r in rows if r.fraud is not None)["estimated_interchange"],
    }  # fmt: skip


def fraud_by_card_age(raw: Raw, root: Path) -> list[Row]:
    groups = grouped(raw.transactions, lambda r: (r.month, _age(raw.cards[r.card], r.month), r.channel))
    shown = (
        "transaction_count", "labelled_count", "fraud_count", "fraud_rate_bp", "fraud_rate_low_bp", "fraud_rate_high_bp",
        "labelled_settled_count", "settled_fraud_count", "settled_fraud_rate_bp", "labelled_settled_volume",
        "net_fraud_loss", "settled_fraud_rate_by_value_bp",
    )  # fmt: skip
    return [
        {"month_start": m, "card_age": age, "channel": c, **{name: fraud(rows)[name] for name in shown}}
        for (m, age, c), rows in groups.items()
    ]


def _age(card: Card, month: date) -> str:
    months = _months_to(month, card.opened)
    return next((name for end, name in AGES if months < end), "6 later")


def _months_to(month: date, since: date) -> int:
    return 12 * (month.year - since.year) + month.month - since.month


def card_lifecycle(raw: Raw, root: Path) -> list[Row]:
    interchange, first, last = (
        Interchange(raw, root),
        min(r.day for r in raw.transactions),
        max(r.day for r in raw.transactions),
    )
    by_card = grouped(raw.transactions, lambda r: r.card)
    found = []
    for number, card in raw.cards.items():
        rows = by_card.get(number, [])
        months = grouped([r for r in rows if r.settled], lambda r: r.month)
        peak = max((sum(r.settled for r in each) for each in months.values()), default=0)
        found.append({
            "card_id": number, "client_id": card.client, "card_brand": card.brand, "card_type": card.kind,
            "card_last4": card.last4, "card_opened_on": card.opened, "card_expires_on": card.expires,
            "credit_limit": card.limit, "is_open": card.opened <= last <= card.expires,
            "is_open_in_data": card.opened <= last and first <= card.expires, "is_used": bool(rows),
            **_life(rows, last, interchange),
            "peak_month_volume": dollars(peak), "peak_limit_use_bp": points(peak, 100 * card.limit),
            "average_limit_use_bp": points(sum(r.settled for r in rows), len(months) * 100 * card.limit),
        })  # fmt: skip
    return found


def client_value(raw: Raw, root: Path) -> list[Row]:
    interchange, last = Interchange(raw, root), max(r.day for r in raw.transactions)
    by_client = grouped(raw.transactions, lambda r: r.client)
    found = []
    for number, client in raw.clients.items():
        rows, cards = by_client.get(number, []), [c for c in raw.cards.values() if c.client == number]
        life, limit = _life(rows, last, interchange), sum((c.limit for c in cards), Decimal(0)) if cards else None
        bought, months = sum(r.settled for r in rows), life["active_months"]
        still_open = [c.limit for c in cards if c.opened <= last <= c.expires]
        found.append({
            "client_id": number, "yearly_income": client.income, "total_debt": client.debt,
            "credit_score": client.score, "issued_cards": len(cards), "used_cards": len({r.card for r in rows}),
            "open_cards": len(still_open), "total_credit_limit": limit,
            "open_credit_limit": sum(still_open, Decimal(0)) if still_open else None, **life,
            "average_limit_use_bp": points(bought, months * 100 * (limit or 0)),
            "income_use_bp": points(12 * bought, months * 100 * client.income),
        })  # fmt: skip
    return found


def client_cohorts(raw: Raw, root: Path) -> list[Row]:
    """Of each cohort the months of its clients, as sets of months with a purchase."""
    last = max(r.month for r in raw.transactions)
    complete = {r["month_start"] for r in monthly_executive_summary(raw, root) if r["is_complete"]}
    bought: dict[int, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in raw.transactions:
        if row.settled:
            bought[row.client][row.month] += row.settled
    cohorts: dict[date, list[dict[date, int]]] = defaultdict(list)
    for months in bought.values():
        cohorts[min(months)].append(months)
    found = []
    for first, clients in cohorts.items():
        month = first
        while month <= last:
            before = month_before(month)
            active = [c for c in clients if month in c]
            found.append({
                "cohort_month_date": first, "month_start": month, "is_complete": month in complete,
                "months_since_first": _months_to(month, first),
                "client_count": len(clients), "active_clients": len(active),
                "retention_bp": points(len(active), len(clients)),
                "new_clients": len(clients) if month == first else 0,
                "returning_clients": sum(before not in c for c in active) if month > first else 0,
                "lost_clients": sum(before in c and month not in c for c in clients),
                "settled_volume": dollars(sum(c.get(month, 0) for c in clients)),
            })  # fmt: skip
            month = after(month)
    return found


def seasonality(raw: Raw, root: Path) -> list[Row]:
    by_day = grouped(raw.transactions, lambda r: r.day)
    first, last = min(by_day), max(by_day)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    counts = [sum(r.settled > 0 for r in by_day.get(day, [])) for day in days]
    cents = [sum(r.settled for r in by_day.get(day, [])) for day in days]
    return [
        {
            "date_day": day, "month_number": day.month, "weekday_number": day.isoweekday(),
            "weekday_name": day.strftime("%A"), "is_weekend": day.isoweekday() > 5,
            "is_holiday": _holiday(day) is not None, "holiday_name": _holiday(day),
            "settled_count": counts[n], "settled_volume": dollars(cents[n]),
            "settled_count_index_35d": _index(counts, n, 17), "settled_volume_index_35d": _index(cents, n, 17),
            "settled_count_index_365d": _index(counts, n, 182), "settled_volume_index_365d": _index(cents, n, 182),
        }
        for n, day in enumerate(days)
    ]  # fmt: skip


def _index(values: list[int], place: int, reach: int) -> Decimal | None:
    around = values[max(place - reach, 0) : place + reach + 1]
    if len(around) < 2 * reach + 1 or not sum(around):
        return None
    return rounded(Fraction(100 * len(around) * values[place], sum(around)))


def _holiday(day: date) -> str | None:
    """Counted as the law says it: the third Monday of January, the last one of May."""
    which = (day.day - 1) // 7 + 1
    is_last = (day + timedelta(days=7)).month != day.month
    if (day.month, day.day) in HOLIDAYS:
        return HOLIDAYS[day.month, day.day]
    if (day.month, day.day) == (6, 19) and day.year >= 2021:
        return "Juneteenth"
    if day.month == 5 and day.weekday() == 0 and is_last:
        return "Memorial Day"
    return FLOATING.get((day.month, day.strftime("%A"), which))


def _life(rows: list[Transaction], last: date, interchange: Interchange) -> dict[str, Any]:
    """What cards and clients have alike."""
    figures, worth = volume(rows), _worth(rows, interchange)
    first = min((r.month for r in rows), default=None)
    bought = max((r.day for r in rows if r.settled), default=None)
    short = sum("Insufficient Balance" in r.errors for r in rows)
    months = None if first is None else _months_to(last, first) + 1
    value = worth["estimated_labelled_interchange"] - worth["net_fraud_loss"]
    return {
        "first_month_date": first, "last_transaction_on": max((r.day for r in rows), default=None),
        "last_purchase_on": bought, "days_since_last_purchase": None if bought is None else (last - bought).days,
        "months_since_first_use": months, "active_months": len({r.month for r in rows if r.settled}),
        "transaction_count": len(rows), "declined_count": figures["declined_count"],
        "insufficient_balance_count": short, "insufficient_balance_rate_bp": points(short, len(rows)),
        "reversed_count": figures["reversed_count"], "settled_count": figures["settled_count"],
        "settled_volume": figures["settled_volume"], "settled_refund_count": figures["settled_refund_count"],
        "settled_refunds": figures["settled_refunds"],
        "refund_rate_bp": points(figures["settled_refund_count"], figures["settled_count"]),
        "refund_rate_by_value_bp": points(sum(r.settled_refund for r in rows), sum(r.settled for r in rows)),
        "estimated_interchange": interchange.of(rows)["estimated_interchange"], **worth,
        "estimated_lifetime_value": value,
        "estimated_value_per_month": None if months is None else rounded(Fraction(value) / months),
    }  # fmt: skip
