"""How much is declined, why, and which purchases were lost by it."""

from __future__ import annotations

from typing import Any

from revops.dashboard import charts, filters, links, parts
from revops.dashboard.filters import Days, Filters, where_chosen
from revops.dashboard.reader import Reader

# Rates by month or day, of the same columns from two sources.
RATES_BY_MONTH = """
SELECT month_start AS period, channel AS part, transaction_count, declined_count,
       decline_rate_bp / 100 AS decline_rate_percent
FROM serving.decline_analysis
WHERE decline_reason = 'Any error' AND month_start >= %(since)s AND month_start < %(until)s
  AND (%(channel)s IS NULL OR channel = %(channel)s)
ORDER BY month_start, channel
"""

RATES_CHOSEN = where_chosen("""
SELECT CASE WHEN %(by_day)s THEN transacted_on ELSE DATE_TRUNC('month', transacted_on)::DATE END AS period,
       channel AS part, COUNT(*) AS transaction_count, COUNT(*) FILTER (WHERE NOT is_approved) AS declined_count,
       ROUND(100.0 * COUNT(*) FILTER (WHERE NOT is_approved) / COUNT(*), 4) AS decline_rate_percent
FROM serving.enriched_transactions
WHERE {chosen}
GROUP BY 1, 2
ORDER BY 1, 2
""")

REASONS_BY_MONTH = """
SELECT decline_reason, channel AS part, SUM(declined_count) AS declined_count, SUM(transaction_count) AS transaction_count,
       ROUND(100.0 * SUM(declined_count) / NULLIF(SUM(transaction_count), 0), 3) AS decline_rate_percent,
       SUM(declined_amount) AS declined_amount
FROM serving.decline_analysis
WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(channel)s IS NULL OR channel = %(channel)s)
GROUP BY decline_reason, channel
ORDER BY decline_reason <> 'Any error', declined_count DESC, channel
"""

REASONS_CHOSEN = where_chosen("""
WITH chosen AS (
    SELECT channel, is_approved, GREATEST(amount, 0) AS asked, has_bad_card_number, has_bad_cvv, has_bad_expiration,
           has_bad_pin, has_bad_zipcode, has_insufficient_balance, has_technical_glitch
    FROM serving.enriched_transactions
    WHERE {chosen}
), totals AS (
    SELECT channel, COUNT(*) AS transaction_count
    FROM chosen
    GROUP BY channel
), declined AS (
    SELECT chosen.channel, reasons.decline_reason, COUNT(*) AS declined_count, SUM(chosen.asked) AS declined_amount
    FROM chosen
    CROSS JOIN LATERAL (VALUES
        ('Any error', TRUE), ('Bad Card Number', has_bad_card_number), ('Bad CVV', has_bad_cvv),
        ('Bad Expiration', has_bad_expiration), ('Bad PIN', has_bad_pin), ('Bad Zipcode', has_bad_zipcode),
        ('Insufficient Balance', has_insufficient_balance), ('Technical Glitch', has_technical_glitch),
        ('Other', NOT (has_bad_card_number OR has_bad_cvv OR has_bad_expiration OR has_bad_pin OR has_bad_zipcode
                       OR has_insufficient_balance OR has_technical_glitch))
    ) AS reasons(decline_reason, is_reason)
    WHERE NOT chosen.is_approved AND reasons.is_reason
    GROUP BY chosen.channel, reasons.decline_reason
)
SELECT declined.decline_reason, declined.channel AS part, declined.declined_count, totals.transaction_count,
       ROUND(100.0 * declined.declined_count / totals.transaction_count, 3) AS decline_rate_percent,
       declined.declined_amount
FROM declined
JOIN totals ON totals.channel = declined.channel
ORDER BY declined.decline_reason <> 'Any error', declined.declined_count DESC, declined.channel
""")

AUTHORISATION = """
SELECT channel, SUM(attempt_count) AS attempt_count, SUM(approved_count) AS approved_count, SUM(lost_count) AS lost_count,
       SUM(technical_lost_count) AS technical_lost_count,
       ROUND(100.0 * SUM(approved_count) / NULLIF(SUM(attempt_count), 0), 2) AS approval_rate_percent,
       ROUND(100 * SUM(approved_volume) / NULLIF(SUM(attempted_volume), 0), 2) AS approval_rate_by_value_percent,
       SUM(lost_volume) AS lost_volume, SUM(retried_count) AS retried_count, SUM(recovered_count) AS recovered_count,
       SUM(recovered_volume) AS recovered_volume
FROM serving.authorisation
WHERE month_start >= %(since)s AND month_start < %(until)s AND (%(channel)s IS NULL OR channel = %(channel)s)
GROUP BY channel
ORDER BY channel
"""
NO_ONE_REASON = ("Any error", "Other")
BACK = 12


def show(reader: Reader, chosen: Filters) -> None:
    """Rates, reasons, and what an attempt ends in."""
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    parts.title(f"Declines, {shown}")
    by_month = shown.are_whole_months and not shown.by_day and not filters.not_applied(chosen, ("channel",))
    values = filters.values(chosen, shown) | {"by_day": shown.by_day}
    rates = RATES_BY_MONTH if by_month else RATES_CHOSEN
    found = reader.rows(rates, values)
    if found.empty:
        parts.nothing()
        return
    parts.heading(f"Decline rate by {'day' if shown.by_day else 'month'} and channel")
    period = parts.chart(
        charts.rates(
            found,
            "decline_rate_percent",
            "declined, %",
            {"declined_count": ("declined", charts.COUNT), "transaction_count": ("transactions", charts.COUNT)},
            shown.by_day,
        ),
        f"decline rates {values}",
    )
    parts.note("A click on a point leads to its declined transactions." + parts.part_months(shown))
    parts.download(rates, values, "decline_rates")
    reasons = REASONS_BY_MONTH if by_month else REASONS_CHOSEN
    by_reason = reader.rows(reasons, values)
    parts.heading("Why")
    bar = None
    drawn = by_reason[(by_reason.decline_reason != "Any error") & (by_reason.declined_count > 0)]
    if not drawn.empty:
        tips = {"transaction_count": ("of transactions", charts.COUNT), "decline_rate_percent": ("%", ".3f")}
        bar = parts.chart(
            charts.ranked(drawn, "decline_reason", "declined_count", "declined transactions", tips), f"reasons {values}"
        )
    parts.note(
        "A transaction with two errors counts for both reasons, and once as any error: reasons do not add up to it. A click "
        "leads to the transactions of the channel that were declined for it; on other reasons, to those declined for any."
    )
    row = parts.shown(
        reader, reasons, values, "decline_reasons", f"decline reasons {values}",
        decline_reason="Reason", part="Channel", declined_count=parts.count("Declined"),
        transaction_count=parts.count("Transactions"), decline_rate_percent=parts.rate("Rate, %"),
        declined_amount=parts.money("Amount requested"),
    )  # fmt: skip
    parts.heading("What an attempt ends in")
    parts.note(
        "A declined purchase that is tried again within an hour is one attempt with the next try. Lost: not tried again."
        + parts.in_months(shown, chosen, ("channel",))
    )
    parts.shown(
        reader, AUTHORISATION, filters.values(chosen, shown, in_months=True), "authorisation",
        channel="Channel", attempt_count=parts.count("Attempts"), approved_count=parts.count("Approved"),
        approval_rate_percent=parts.rate("Approved, %"), approval_rate_by_value_percent=parts.rate("By value, %"),
        lost_count=parts.count("Lost"), technical_lost_count=parts.count("Of these, technical"),
        lost_volume=parts.money("Lost volume"), retried_count=parts.count("Tried again"),
        recovered_count=parts.count("Recovered"), recovered_volume=parts.money("Recovered volume"),
    )  # fmt: skip
    _follow(chosen, shown, period, row[0] if row else bar)


def _follow(chosen: Filters, shown: Days, period: Any, reason: Any) -> None:
    """From a clicked point, or a bar or row of a reason, to the declined transactions of its channel."""
    if period:
        links.go(
            "transactions", parts.chosen_period(chosen, period, shown).but(channel=period["part"]), outcome="declined"
        )
    if reason is not None:
        said = reason["decline_reason"]
        links.go(
            "transactions",
            filters.within(chosen, shown).but(channel=reason["part"]),
            outcome="declined",
            reason=None if said in NO_ONE_REASON else said,
        )
