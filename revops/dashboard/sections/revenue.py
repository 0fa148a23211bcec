"""Net volume by channel or card type, estimated interchange, the issuer's margin, and how a day compares with its season."""

from __future__ import annotations

from revops.dashboard import charts, filters, links, parts
from revops.dashboard.filters import Days, Filters, where_chosen
from revops.dashboard.reader import Reader

# What both sources below have: one row per day, channel and card type.
_SOURCE = """
SELECT transacted_on, channel, card_type, settled_count, settled_volume, reversed_volume, settled_refunds, net_volume,
       estimated_interchange
FROM serving.daily_revenue
WHERE transacted_on >= %(since)s AND transacted_on < %(until)s
  AND (%(channel)s IS NULL OR channel = %(channel)s) AND (%(card_type)s IS NULL OR card_type = %(card_type)s)
"""
_CHOSEN_SOURCE = where_chosen("""
SELECT transacted_on, channel, card_type,
       COUNT(*) FILTER (WHERE is_approved AND amount > 0 AND NOT is_reversed) AS settled_count,
       COALESCE(SUM(amount) FILTER (WHERE is_approved AND amount > 0 AND NOT is_reversed), 0) AS settled_volume,
       COALESCE(SUM(amount) FILTER (WHERE is_approved AND amount > 0 AND is_reversed), 0) AS reversed_volume,
       COALESCE(-SUM(amount) FILTER (WHERE is_approved AND amount < 0 AND NOT is_reversed), 0) AS settled_refunds,
       COALESCE(SUM(amount) FILTER (WHERE is_approved), 0) AS net_volume, NULL::NUMERIC AS estimated_interchange
FROM serving.enriched_transactions
WHERE {chosen}
GROUP BY transacted_on, channel, card_type
""")
_BY_PERIOD = """
SELECT CASE WHEN %(by_day)s THEN transacted_on ELSE DATE_TRUNC('month', transacted_on)::DATE END AS period,
       CASE WHEN %(by_channel)s THEN channel ELSE card_type END AS part, SUM(settled_volume) AS settled_volume,
       SUM(settled_refunds) AS settled_refunds, SUM(net_volume) AS net_volume
FROM ({source}) AS daily
GROUP BY 1, 2
ORDER BY 1, 2
"""
_TABLE = """
SELECT channel, card_type, SUM(settled_count) AS settled_count, SUM(settled_volume) AS settled_volume,
       SUM(reversed_volume) AS reversed_volume, SUM(settled_refunds) AS settled_refunds, SUM(net_volume) AS net_volume,
       ROUND(SUM(settled_volume) / NULLIF(SUM(settled_count), 0), 2) AS average_ticket,
       SUM(estimated_interchange) AS estimated_interchange
FROM ({source}) AS daily
GROUP BY channel, card_type
ORDER BY net_volume DESC
"""
BY_PERIOD = _BY_PERIOD.replace("{source}", _SOURCE)
BY_PERIOD_CHOSEN = _BY_PERIOD.replace("{source}", _CHOSEN_SOURCE)
TABLE = _TABLE.replace("{source}", _SOURCE)
TABLE_CHOSEN = _TABLE.replace("{source}", _CHOSEN_SOURCE)

ISSUER = """
SELECT client_segment, card_brand, SUM(settled_volume) AS settled_volume, SUM(settled_refunds) AS settled_refunds,
       SUM(estimated_interchange) AS estimated_interchange, SUM(labelled_settled_volume) AS labelled_settled_volume,
       SUM(estimated_labelled_interchange) AS estimated_labelled_interchange,
       SUM(net_fraud_loss) AS net_fraud_loss, SUM(estimated_labelled_margin) AS estimated_labelled_margin,
       ROUND(10000 * SUM(estimated_labelled_margin) / NULLIF(SUM(labelled_settled_volume), 0), 2)
           AS estimated_labelled_margin_bp
FROM serving.issuer_revenue
WHERE month_start >= %(since)s AND month_start < %(until)s
  AND (%(channel)s IS NULL OR channel = %(channel)s) AND (%(card_type)s IS NULL OR card_type = %(card_type)s)
  AND (%(brand)s IS NULL OR card_brand = %(brand)s)
GROUP BY client_segment, card_brand
ORDER BY estimated_labelled_margin DESC
"""

RATES = """
SELECT card_brand, card_type, is_card_present, mcc_group, valid_from_date, valid_until_date, rate_bp, fixed_fee, reason
FROM serving.interchange_rates
WHERE valid_from_date < %(until)s AND (valid_until_date IS NULL OR valid_until_date > %(since)s)
  AND (%(channel)s IS NULL OR is_card_present = (%(channel)s <> 'online'))
  AND (%(card_type)s IS NULL OR card_type = %(card_type)s) AND (%(brand)s IS NULL OR card_brand = %(brand)s)
ORDER BY card_brand, card_type, mcc_group, is_card_present, valid_from_date
"""

# The newest days have no days after them: they are compared with those before.
SEASON = """
WITH days AS (
    SELECT date_day, weekday_name, is_holiday, holiday_name, settled_count, settled_volume, settled_volume_index_35d,
           settled_volume_index_365d,
           ROUND(100 * settled_volume / NULLIF(AVG(settled_volume) OVER (
               ORDER BY date_day ROWS BETWEEN 35 PRECEDING AND 1 PRECEDING
           ), 0), 2) AS index_of_before
    FROM serving.seasonality
)
SELECT date_day, weekday_name, holiday_name, settled_count, settled_volume, index_of_before, settled_volume_index_35d,
       settled_volume_index_365d
FROM days
WHERE date_day >= %(since)s AND date_day < %(until)s
  AND (is_holiday OR COALESCE(settled_volume_index_35d, index_of_before) NOT BETWEEN 75 AND 125)
ORDER BY date_day DESC
"""
BACK = 12


def show(reader: Reader, chosen: Filters) -> None:
    """One of the views: volume and refunds by day or month, the issuer's margin with its rates, unusual days."""
    parts.title("Revenue")
    shown = filters.days(reader, chosen, BACK)
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    views = {"Volume": _volume, "Margin": _issuer, "Unusual days": _season}
    views[parts.segments("view", list(views))](reader, chosen, shown)


def _volume(reader: Reader, chosen: Filters, shown: Days) -> None:
    by_channel = parts.segments("by", ["Channel", "Card type"]) == "Channel"
    values = filters.values(chosen, shown) | {"by_day": shown.by_day, "by_channel": by_channel}
    only_small = not filters.not_applied(chosen, ("channel", "card_type"))
    found = reader.rows(BY_PERIOD if only_small else BY_PERIOD_CHOSEN, values)
    if found.empty:
        parts.nothing()
        return
    each = "day" if shown.by_day else "month"
    parts.heading(f"Net volume by {each}, {shown}")
    parts.note("A click on a bar leads to its categories." + parts.part_months(shown))
    clicked = parts.chart(
        charts.bars(found, "net_volume", "net volume, US$", by_day=shown.by_day), f"net volume {each} {by_channel}"
    )
    parts.heading(f"Refunds by {each}")
    parts.chart(charts.bars(found, "settled_refunds", "refunds, US$", by_day=shown.by_day))
    parts.download(BY_PERIOD if only_small else BY_PERIOD_CHOSEN, values, f"revenue_by_{each}")
    parts.heading("By channel and card type")
    parts.shown(
        reader, TABLE if only_small else TABLE_CHOSEN, values, "revenue",
        channel="Channel", card_type="Card type", settled_count=parts.count("Purchases"),
        settled_volume=parts.money("Settled volume"), reversed_volume=parts.money("Holds released"),
        settled_refunds=parts.money("Refunds"), net_volume=parts.money("Net volume"),
        average_ticket=parts.money("Average ticket"), estimated_interchange=parts.money("Interchange (estimate)"),
    )  # fmt: skip
    parts.note(
        "The interchange is an estimate by a table of rates: the data holds no fee. Declined transactions move no money. "
        "Purchases are settled ones: a hold that an exactly opposite refund released within 24 hours is shown apart. Net volume "
        "is settled volume less refunds, but where a hold was of one channel and its release of another: each is in its own row."
        + (
            ""
            if only_small
            else " With a brand, category or place chosen there is no estimate of the interchange here."
        )
    )
    if clicked:
        links.go("categories", parts.chosen_period(chosen, clicked, shown))


def _issuer(reader: Reader, chosen: Filters, shown: Days) -> None:
    in_months = filters.values(chosen, shown, in_months=True)
    parts.heading("What the issuer makes")
    parts.note(
        "Margin: estimated interchange less net fraud loss, both of settled purchases with a label, by segment and brand."
        + parts.in_months(shown, chosen, ("channel", "card_type", "brand"))
    )
    parts.shown(
        reader, ISSUER, in_months, "issuer",
        client_segment="Segment", card_brand="Brand", settled_volume=parts.money("Settled volume"),
        estimated_interchange=parts.money("Interchange (estimate)"),
        labelled_settled_volume=parts.money("Labelled volume"),
        estimated_labelled_interchange=parts.money("Its interchange (estimate)"), net_fraud_loss=parts.money("Net fraud loss"),
        estimated_labelled_margin=parts.money("Margin (estimate)"),
        estimated_labelled_margin_bp=parts.rate("Margin, bp of labelled volume"),
    )  # fmt: skip
    parts.heading("The rates of the estimate")
    parts.note(
        "What the interchange of a settled purchase is modelled by, by group of categories."
        + parts.in_months(shown, chosen, ("channel", "card_type", "brand"), whole_months=False)
    )
    parts.shown(
        reader, RATES, filters.values(chosen, shown), "interchange_rates",
        card_brand="Brand", card_type="Card type", is_card_present="Card present", mcc_group="Group",
        valid_from_date=parts.day("From"), valid_until_date=parts.day("Until"), rate_bp=parts.rate("Rate, bp"),
        fixed_fee=parts.money("Fee of each"), reason=parts.sentences("Modelled on"),
    )  # fmt: skip


def _season(reader: Reader, chosen: Filters, shown: Days) -> None:
    parts.heading("Unusual days and holidays")
    parts.note(
        "Settled volume as an index: 100 is the mean of the 35 or the 365 days around. Holidays, and days beyond 75 to 125. "
        "The newest days, which have too few after them, are compared with the 35 before."
        + parts.in_months(shown, chosen, (), whole_months=False)
    )
    parts.shown(
        reader, SEASON, filters.values(chosen, shown), "season",
        date_day=parts.day("Day"), weekday_name="Weekday", holiday_name="Holiday", settled_count=parts.count("Purchases"),
        settled_volume=parts.money("Settled volume"), index_of_before=parts.rate("Index, 35 days before"),
        settled_volume_index_35d=parts.rate("Index, 35 days around"),
        settled_volume_index_365d=parts.rate("Index, 365 days around"),
    )  # fmt: skip
