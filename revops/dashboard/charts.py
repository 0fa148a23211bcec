"""How figures are drawn: one colour for one thing on every page, units on every axis, denominators under the pointer."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

# Distinguishable with any colour vision, in print, on light and on dark.
COLOURS = {
    "chip": "#0f766e",
    "swipe": "#6366f1",
    "online": "#f59e0b",
    "Credit": "#0f766e",
    "Debit": "#6366f1",
    "Debit (Prepaid)": "#f59e0b",
    "precision": "#0f766e",
    "recall": "#f59e0b",
}
ACCENT = "#0f766e"
NIGHT = "#6366f1"
HEIGHT = 300
LEGEND = alt.Legend(orient="top", offset=6)

DOLLARS = "$,.0f"
COUNT = ",.0f"
PERCENT = ".2f"


def months_in_bars(months: pd.DataFrame, column: str, title: str) -> Any:
    """Dollars a month, one bar each."""
    return (
        alt.Chart(months)
        .mark_bar(color=ACCENT, cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
        .encode(
            x=_month(),
            y=alt.Y(f"{column}:Q", title=title, axis=alt.Axis(format="$~s")),
            tooltip=[_month_tip(), alt.Tooltip(f"{column}:Q", title=title, format=DOLLARS)],
        )
        .properties(height=HEIGHT)
    )


def parts_in_bars(months: pd.DataFrame, column: str, title: str) -> Any:
    """Dollars a month, the parts of a month upon each other."""
    return (
        alt.Chart(months)
        .mark_bar()
        .encode(
            x=_month(),
            y=alt.Y(f"{column}:Q", title=title, axis=alt.Axis(format="$~s")),
            color=_part(months),
            order=alt.Order("part:N"),
            tooltip=[_month_tip(), "part:N", alt.Tooltip(f"{column}:Q", title=title, format=DOLLARS)],
        )
        .properties(height=HEIGHT)
    )


def rates_in_lines(months: pd.DataFrame, column: str, title: str, denominators: dict[str, str]) -> Any:
    """A rate a month, one line a channel; a month without a denominator is a gap, not a zero.

    Args:
        months: one row per month and part.
        column: the rate.
        title: its name and unit.
        denominators: further columns to show under the pointer, with their titles.
    """
    tips = [alt.Tooltip(f"{name}:Q", title=text, format=COUNT) for name, text in denominators.items()]
    return (
        alt.Chart(months)
        .mark_line(point=alt.OverlayMarkDef(size=22), strokeWidth=2)
        .encode(
            x=_month(),
            y=alt.Y(f"{column}:Q", title=title),
            color=_part(months),
            tooltip=[_month_tip(), "part:N", alt.Tooltip(f"{column}:Q", title=title, format=PERCENT), *tips],
        )
        .properties(height=HEIGHT)
    )


def divisors_in_bars(months: pd.DataFrame, column: str, title: str) -> Any:
    """What rates divide by, parts upon each other; low, because it goes under a chart of the rates."""
    return (
        alt.Chart(months)
        .mark_bar()
        .encode(
            x=_month(),
            y=alt.Y(f"{column}:Q", title=None, axis=alt.Axis(format="~s", tickCount=3)),
            color=_part(months, legend=None),
            tooltip=[_month_tip(), "part:N", alt.Tooltip(f"{column}:Q", title=title, format=COUNT)],
        )
        .properties(height=HEIGHT // 2)
    )


def reasons_in_bars(reasons: pd.DataFrame) -> Any:
    """Why transactions were declined, the most frequent reason first."""
    return (
        alt.Chart(reasons)
        .mark_bar()
        .encode(
            y=alt.Y("decline_reason:N", title=None, sort="-x", axis=alt.Axis(labelLimit=200, labelOverlap=False)),
            x=alt.X("declined_count:Q", title="declined transactions"),
            color=_part(reasons),
            tooltip=[
                alt.Tooltip("decline_reason:N", title="reason"),
                "part:N",
                alt.Tooltip("declined_count:Q", title="declined", format=COUNT),
                alt.Tooltip("transaction_count:Q", title="of transactions", format=COUNT),
                alt.Tooltip("decline_rate_percent:Q", title="%", format=".3f"),
                alt.Tooltip("declined_amount:Q", title="US dollars asked for", format=DOLLARS),
            ],
        )
        .properties(height=HEIGHT)
    )


def hours_in_bars(hours: pd.DataFrame) -> Any:
    """The fraud rate of each hour of the day; the night is dark."""
    return (
        alt.Chart(hours)
        .mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
        .encode(
            x=alt.X("hour_of_day:O", title="hour of the day, local", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("fraud_rate_bp:Q", title="fraud, bp of the labelled"),
            color=alt.Color(
                "time:N",
                title=None,
                scale=alt.Scale(domain=["night", "day"], range=[NIGHT, ACCENT]),
                legend=LEGEND,
            ),
            tooltip=[
                alt.Tooltip("hour_of_day:O", title="hour"),
                alt.Tooltip("fraud_rate_bp:Q", title="bp of the labelled", format=PERCENT),
                alt.Tooltip("fraud_count:Q", title="fraud", format=COUNT),
                alt.Tooltip("labelled_count:Q", title="labelled", format=COUNT),
            ],
        )
        .properties(height=HEIGHT)
    )


def rules_by_era(rules: pd.DataFrame) -> Any:
    """Precision and recall of what is measured, an era beside the other.

    Args:
        rules: one row per era, rule and measure, with `percent` and what it divides by.
    """
    bars = (
        alt.Chart()
        .mark_bar()
        .encode(
            y=alt.Y(
                "measured_name:N", title=None, sort=list(rules["measured_name"].unique()), axis=alt.Axis(labelLimit=220)
            ),
            yOffset=alt.YOffset("measure:N"),
            x=alt.X("percent:Q", title="%"),
            color=alt.Color(
                "measure:N",
                title=None,
                scale=alt.Scale(domain=["precision", "recall"], range=[COLOURS["precision"], COLOURS["recall"]]),
                legend=LEGEND,
            ),
            tooltip=[
                alt.Tooltip("measured_name:N", title="measured"),
                alt.Tooltip("era:N"),
                "measure:N",
                alt.Tooltip("percent:Q", title="%", format=PERCENT),
                alt.Tooltip("fraud_alert_count:Q", title="fraud found", format=COUNT),
                alt.Tooltip("divisor:Q", title="of", format=COUNT),
            ],
        )
        .properties(width=230, height=alt.Step(9))
    )
    return bars.facet(column=alt.Column("era:N", title=None), data=rules)


def _month() -> Any:
    return alt.X("yearmonth(month_start):T", title=None, axis=alt.Axis(tickCount=8, format="%b %Y", labelAngle=0))


def _month_tip() -> Any:
    return alt.Tooltip("month_start:T", title="month", format="%B %Y")


def _part(frame: pd.DataFrame, legend: Any = LEGEND) -> Any:
    """The colour of a channel or card type; grey for one that is new."""
    found = sorted(frame["part"].dropna().unique())
    colours = [COLOURS.get(name, "#94a3b8") for name in found]
    return alt.Color("part:N", title=None, scale=alt.Scale(domain=found, range=colours), legend=legend)
