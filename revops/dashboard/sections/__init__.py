"""The pages: which there are, in which order, under which address. Each is a file of this folder."""

from __future__ import annotations

from revops.dashboard.sections import (
    alerts,
    card,
    categories,
    client,
    clients,
    declines,
    fraud,
    geography,
    merchant,
    merchants,
    overview,
    revenue,
    rules,
    search,
    transaction,
    transactions,
    what_if,
    yesterday,
)
from revops.dashboard.sections.section import OF_ONE_THING, Section

_BP = "bp: hundredths of a percent"
_LABELLED = "fraud rates divide by the labelled: one without a label is unknown, never legitimate"

ALL = (
    Section("yesterday", "Yesterday", "today", yesterday.show, "Today", f"US dollars; {_LABELLED}."),
    Section("overview", "Month", "dashboard", overview.show, "Today", f"US dollars; {_BP}; pp: percentage points."),
    Section("revenue", "Revenue", "payments", revenue.show, "Business", f"US dollars; {_BP}.", back=revenue.BACK),
    Section(
        "categories",
        "Categories",
        "category",
        categories.show,
        "Business",
        f"US dollars; {_BP}; {_LABELLED}.",
        back=categories.BACK,
    ),
    Section(
        "geography",
        "Geography",
        "map",
        geography.show,
        "Business",
        f"US dollars; {_BP}; {_LABELLED}.",
        back=geography.BACK,
    ),
    Section(
        "clients",
        "Clients",
        "group",
        clients.show,
        "Business",
        "US dollars; % of clients with an open card, or of open cards.",
        back=clients.BACK,
    ),
    Section(
        "declines",
        "Declines",
        "block",
        declines.show,
        "Business",
        "US dollars; % of all transactions or attempts.",
        back=declines.BACK,
    ),
    Section(
        "transactions",
        "Transactions",
        "receipt_long",
        transactions.show,
        "Business",
        "US dollars, refunds negative.",
        back=transactions.BACK,
        cleared=(*OF_ONE_THING, transactions.REASON),
    ),
    Section("fraud", "Fraud", "shield", fraud.show, "Fraud", f"US dollars; {_BP}; {_LABELLED}.", back=fraud.BACK),
    Section(
        "merchants",
        "Merchants",
        "storefront",
        merchants.show,
        "Fraud",
        f"US dollars; {_BP}; {_LABELLED}.",
        back=merchants.BACK,
    ),
    Section(
        "rules",
        "Rules",
        "rule",
        rules.show,
        "Fraud",
        "US dollars; % of labelled alerts (precision) or of all fraud (recall).",
    ),
    Section("what_if", "Try a rule", "tune", what_if.show, "Fraud", "US dollars; % of labelled alerts (precision)."),
    Section(
        "alerts",
        "Alerts",
        "notifications",
        alerts.show,
        "Fraud",
        "US dollars, refunds negative.",
        back=alerts.BACK,
        cleared=(*OF_ONE_THING, *alerts.OWN),
    ),
    Section(
        "card", "Card", "credit_card", card.show, None, f"US dollars, refunds negative; {_BP}; {_LABELLED}.", False
    ),
    Section("client", "Client", "person", client.show, None, f"US dollars; {_BP}.", False),
    Section("merchant", "Merchant", "store", merchant.show, None, f"US dollars; {_BP}; {_LABELLED}.", cleared=()),
    Section("transaction", "Transaction", "receipt", transaction.show, None, "US dollars, refunds negative.", False),
    Section("search", "Search", "search", search.show, None, "", False),
)
