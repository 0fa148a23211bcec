"""One cardholder: what is known, the cards, the months, the alerts."""

from __future__ import annotations

from revops.dashboard import charts, labels, links, parts
from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader

CLIENT = """
SELECT client_id, yearly_income, total_debt, credit_score, issued_cards, used_cards, total_credit_limit, first_month_date,
       last_transaction_on, active_months, transaction_count, declined_count, settled_count, settled_volume, net_fraud_loss,
       estimated_lifetime_value
FROM serving.client_value
WHERE client_id = %(id)s
"""

CARDS = """
SELECT card_id, card_brand, card_type, card_last4, card_opened_on, card_expires_on, credit_limit, is_used,
       last_transaction_on, transaction_count, declined_count, settled_volume, settled_fraud_count, net_fraud_loss
FROM serving.card_lifecycle
WHERE client_id = %(id)s
ORDER BY last_transaction_on DESC NULLS LAST, card_id
"""

MONTHS = """
SELECT month_start AS period, net_volume, settled_volume, settled_count, transaction_count, declined_count, active_cards
FROM serving.client_activity
WHERE client_id = %(id)s
ORDER BY month_start
"""

ALERTS = """
SELECT transaction_id, transacted_at, score, action, amount, card_id, client_id, merchant_id, place, is_fraud, reasons
FROM serving.fraud_alerts
WHERE client_id = %(id)s
ORDER BY transacted_at DESC, transaction_id DESC
"""

MONTHS_SHOWN = 36


def show(reader: Reader, chosen: Filters) -> None:
    """The client of the address."""
    number = links.number("id")
    parts.title(f"Client {parts.NONE if number is None else number}")
    values = {"id": number}
    found = reader.rows(CLIENT, values)
    if found.empty:
        parts.nothing("There is no such client.")
        return
    client = found.iloc[0]
    parts.facts("Cardholder", {
        "Income a year": parts.dollars(client.yearly_income), "Debt": parts.dollars(client.total_debt),
        "Credit score": client.credit_score, "Cards": f"{client.used_cards:,.0f} used of {client.issued_cards:,.0f}",
        "Limit of all": parts.dollars(client.total_credit_limit), "Last transaction": client.last_transaction_on,
        "Transactions": f"{client.transaction_count:,.0f}, {client.declined_count:,.0f} of them declined",
        "Settled volume": parts.dollars(client.settled_volume), "Net fraud loss": parts.dollars(client.net_fraud_loss),
        "Lifetime value (estimate)": parts.dollars(client.estimated_lifetime_value),
    })  # fmt: skip
    parts.heading("Cards")
    card = parts.shown(
        reader, CARDS, values, f"cards_of_client_{number}", f"cards of {number}",
        card_id=parts.identity("Card"), card_brand="Brand", card_type="Type", card_last4="Ends in",
        last_transaction_on=parts.day("Last transaction"), transaction_count=parts.count("Transactions"),
        declined_count=parts.count("Declined"), settled_volume=parts.money("Settled volume"),
        credit_limit=parts.money("Limit"), settled_fraud_count=parts.count("Fraud of purchases"),
        net_fraud_loss=parts.money("Net fraud loss"), card_expires_on=parts.day("Expires"),
    )  # fmt: skip
    if card:
        links.go("card", chosen, id=card[0].card_id)
    months = reader.rows(MONTHS, values)
    if not months.empty:
        parts.heading(f"Settled volume by month, the last {MONTHS_SHOWN}")
        parts.note("A month that goes on is shown as far as it has landed.")
        tips = {"settled_count": ("purchases", charts.COUNT), "declined_count": ("declined", charts.COUNT)}
        drawn = months.tail(MONTHS_SHOWN)
        parts.chart(charts.bars(drawn, "settled_volume", "settled volume, US$", tips=tips))
        parts.download(MONTHS, values, f"months_of_client_{number}")
    parts.heading("Alerts")
    alerts = reader.rows(ALERTS, values)
    if alerts.empty:
        parts.nothing("There is none.")
        return
    alerts["is_fraud"] = alerts.is_fraud.map(labels.WORDS).fillna(labels.UNKNOWN)
    clicked = parts.table(
        alerts, f"alerts of client {number}", transacted_at=parts.moment("When"), score=parts.identity("Score"),
        action="Action", amount=parts.money("Amount"), card_id=parts.identity("Card"), is_fraud="Current label",
        place="Place", merchant_id=parts.identity("Merchant"), reasons=parts.sentences("Reasons"),
    )  # fmt: skip
    parts.download(ALERTS, values, f"alerts_of_client_{number}")
    links.follow(clicked, chosen)
