"""The star for BI tools in plain Python: the dimensions, and the fact that they are of."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from tests.oracle.raw import Raw, seed
from tests.oracle.reports import SEGMENTS, Row, dollars, grouped, monthly_executive_summary


def dim_date(raw: Raw, root: Path) -> list[Row]:
    months = {row["month_start"]: row["is_complete"] for row in monthly_executive_summary(raw, root)}
    last = max((month for month, is_complete in months.items() if is_complete), default=None)
    day, end = date(min(months).year, 1, 1), date(max(months).year, 12, 31)
    found = []
    while day <= end:
        month, (_, _, weekday) = day.replace(day=1), day.isocalendar()
        quarter = (day.month + 2) // 3
        found.append({
            "date_day": day, "calendar_year": day.year, "quarter_number": quarter,
            "quarter_label": f"{day.year}-Q{quarter}", "month_number": day.month, "month_start": month,
            "month_label": f"{day:%Y-%m}", "week_start": day - timedelta(days=weekday - 1), "weekday_number": weekday,
            "weekday_name": f"{day:%A}", "is_weekend": weekday > 5, "is_complete_month": months.get(month, False),
            "is_last_complete_month": month == last,
        })  # fmt: skip
        day += timedelta(days=1)
    return found


def dim_client(raw: Raw, root: Path) -> list[Row]:
    return [
        {
            "client_id": number, "gender": client.gender, "birth_year": client.birth_year,
            "client_segment": [name for least, name in SEGMENTS if client.score >= least][-1],
            "credit_score": client.score, "yearly_income": client.income,
            "per_capita_income": client.per_capita_income, "total_debt": client.debt,
            "client_latitude": client.home[0], "client_longitude": client.home[1],
        }
        for number, client in raw.clients.items()
    ]  # fmt: skip


def dim_card(raw: Raw, root: Path) -> list[Row]:
    return [
        {
            "card_id": number, "client_id": card.client, "card_brand": card.brand, "card_type": card.kind,
            "card_last4": card.last4, "has_chip": card.has_chip, "credit_limit": card.limit,
            "card_opened_on": card.opened, "card_expires_on": card.expires,
        }
        for number, card in raw.cards.items()
    ]  # fmt: skip


def dim_category(raw: Raw, root: Path) -> list[Row]:
    groups = {int(line["mcc"]): line["mcc_group"] for line in seed(root, "interchange_mcc_groups")}
    return [
        {"mcc": code, "mcc_description": text, "mcc_label": f"{code} {text}", "mcc_group": groups.get(code, "other")}
        for code, text in raw.categories.items()
    ]


def dim_merchant(raw: Raw, root: Path) -> list[Row]:
    return [
        {
            "merchant_id": merchant, "mcc": min(r.mcc for r in rows), "has_several_mccs": len({r.mcc for r in rows}) > 1,
            "first_seen_on": min(r.day for r in rows), "last_seen_on": max(r.day for r in rows),
        }
        for merchant, rows in grouped(raw.transactions, lambda r: r.merchant).items()
    ]  # fmt: skip


def dim_place(raw: Raw, root: Path) -> list[Row]:
    def row(place: str, kind: str, name: str, country: str | None, code: str | None) -> Row:
        return {"place": place, "place_kind": kind, "place_name": name, "country_name": country, "country_code": code}

    home = "United States"
    states = [row(s["state_code"], "domestic", s["state_name"], home, "US") for s in seed(root, "us_states")]
    countries = [(line["country_name"], line["country_code"]) for line in seed(root, "countries")]
    return [
        *states,
        *(row(name, "domestic" if name == home else "foreign", name, name, code) for name, code in countries),
        row("NO PLACE", "none", "No Place", None, None),
        row("UNKNOWN", "unknown", "Unknown", None, None),
    ]


def fct_transaction(raw: Raw, root: Path) -> list[Row]:
    return [
        {
            "transaction_id": r.number, "transacted_at": r.at, "transacted_on": r.day, "client_id": r.client,
            "card_id": r.card, "merchant_id": r.merchant, "mcc": r.mcc, "place": r.place, "channel": r.channel,
            "is_approved": r.approved, "is_settled": r.settled > 0, "is_reversed": r.pair is not None,
            "is_fraud": r.fraud, "amount": dollars(r.cents), "purchase_amount": dollars(r.purchase),
            "refund_amount": dollars(r.refund), "net_amount": dollars(r.purchase - r.refund),
            "settled_amount": dollars(r.settled),
        }
        for r in raw.transactions
    ]  # fmt: skip
