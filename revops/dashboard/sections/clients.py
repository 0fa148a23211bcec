"""Cardholders: how many are active, who stays, who is worth most."""

from __future__ import annotations

from datetime import date

import pandas as pd

from revops.dashboard import charts, filters, links, parts
from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader

ACTIVE = """
SELECT period_start_date AS period, period_end_date, is_complete, active_clients, clients_with_open_cards,
       active_clients_bp / 100 AS active_clients_percent, active_cards, open_cards,
       active_cards_bp / 100 AS active_cards_percent
FROM serving.active_clients
WHERE period_kind = %(kind)s AND period_end_date >= %(since)s AND period_start_date < %(until)s
ORDER BY period_start_date
"""

COHORTS = """
SELECT month_start AS period, SUM(new_clients) AS new_clients, SUM(returning_clients) AS returning_clients,
       SUM(lost_clients) AS lost_clients, SUM(active_clients) AS active_clients,
       ROUND(100.0 * SUM(active_clients) FILTER (WHERE months_since_first >= 12)
             / NULLIF(SUM(client_count) FILTER (WHERE months_since_first >= 12), 0), 2) AS retained_after_year_percent
FROM serving.client_cohorts
WHERE month_start >= %(since)s AND month_start < %(until)s
GROUP BY month_start
ORDER BY month_start
"""

LOST = """
SELECT now.client_id, before.settled_count AS settled_count_before, before.settled_volume AS settled_volume_before,
       now.last_purchase_on
FROM serving.client_activity AS now
JOIN serving.client_activity AS before
    ON before.client_id = now.client_id AND before.month_start = (now.month_start - INTERVAL '1 month')::DATE
WHERE now.month_start = %(month)s AND before.is_active AND NOT now.is_active
ORDER BY before.settled_volume DESC, now.client_id
"""

VALUE = """
SELECT client_id, issued_cards, used_cards, last_purchase_on, days_since_last_purchase, active_months, settled_count,
       settled_volume, estimated_interchange, net_fraud_loss, estimated_lifetime_value, estimated_value_per_month
FROM serving.client_value
ORDER BY estimated_lifetime_value DESC NULLS LAST, client_id
"""

KINDS = {"Month": "month", "Quarter": "quarter", "Year": "year"}
BACK = 12


def show(reader: Reader, chosen: Filters) -> None:
    """Active clients by period, who came and went, the most valuable."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title("Clients")
    values = filters.values(chosen, shown, in_months=True)
    parts.heading("Active clients")
    parts.note(
        "A client with a settled purchase in the period. Months do not add up to a year: active in two is one."
        + parts.in_months(shown, chosen, ())
    )
    picked = parts.segments("each", list(KINDS))
    parts.shown(
        reader, ACTIVE, values | {"kind": KINDS[picked]}, f"active_by_{KINDS[picked]}",
        period=parts.day("From"), is_complete="Complete", active_clients=parts.count("Active clients"),
        clients_with_open_cards=parts.count("With an open card"), active_clients_percent=parts.rate("Active, %"),
        active_cards=parts.count("Active cards"), open_cards=parts.count("Open cards"),
        active_cards_percent=parts.rate("Active cards, %"),
    )  # fmt: skip
    complete = values | {"until": min(shown.whole_until, shown.whole_months[1])}
    found = reader.rows(COHORTS, complete)
    if not found.empty:
        parts.heading("Active clients by month")
        tips = {
            "new_clients": ("new", charts.COUNT),
            "returning_clients": ("returning", charts.COUNT),
            "lost_clients": ("lost", charts.COUNT),
        }
        parts.chart(charts.bars(found, "active_clients", "active clients", charts.COUNT, tips))
        parts.heading("Who came and went")
        parts.note("Complete months: who has bought nothing yet in the first days of a month is not lost.")
        parts.shown(
            reader, COHORTS, complete, "cohorts",
            period=parts.month("Month"), active_clients=parts.count("Active"), new_clients=parts.count("New"),
            returning_clients=parts.count("Returning"), lost_clients=parts.count("Lost"),
            retained_after_year_percent=parts.rate("Active of those first seen a year ago or more, %"),
        )  # fmt: skip
        _lost(reader, chosen, pd.Timestamp(found.period.iloc[-1]).date())
    parts.heading("What clients are worth")
    parts.note(
        "Over all of the data: estimated interchange less fraud loss of labelled purchases. No filter is applied here. "
        "A click leads to the client."
    )
    clicked = parts.shown(
        reader, VALUE, {}, "client_value", "client value",
        client_id=parts.identity("Client"), estimated_lifetime_value=parts.money("Lifetime value (estimate)"),
        estimated_value_per_month=parts.money("A month (estimate)"), settled_volume=parts.money("Settled volume"),
        settled_count=parts.count("Purchases"), active_months=parts.count("Active months"),
        used_cards=parts.count("Used cards"), last_purchase_on=parts.day("Last purchase"),
        net_fraud_loss=parts.money("Net fraud loss"),
    )  # fmt: skip
    if clicked:
        links.go("client", chosen, id=clicked[0].client_id)


def _lost(reader: Reader, chosen: Filters, month: date) -> None:
    parts.heading(f"Lost in {month:%B %Y}")
    parts.note("With a settled purchase in the month before, and none in this one. A click leads to the client.")
    clicked = parts.shown(
        reader, LOST, {"month": month}, f"lost_in_{month:%Y_%m}", f"lost {month}", empty="No client was lost.",
        client_id=parts.identity("Client"), settled_volume_before=parts.money("Settled volume of the month before"),
        settled_count_before=parts.count("Purchases of the month before"), last_purchase_on=parts.day("Last purchase"),
    )  # fmt: skip
    if clicked:
        links.go("client", chosen, id=clicked[0].client_id)
