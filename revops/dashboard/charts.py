"""How figures are drawn: one colour for one thing on every page, units on every axis, denominators under the pointer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from html import escape
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from revops.dashboard import labels

# One colour means one thing, on every page. All are told apart on light and on dark.
COLOURS = {
    "chip": "#0f9488",
    "swipe": "#6366f1",
    "online": "#f59e0b",
    "Credit": "#0369a1",
    "Debit": "#c026d3",
    "Debit (Prepaid)": "#84cc16",
    "precision": "#8b5cf6",
    "recall": "#ea580c",
    "night": "#475569",
    "day": "#eab308",
    "approved": "#38bdf8",
    "declined": "#a16207",
    "alert": "#db2777",
    "fraud": "#dc2626",
    "all": "#3b82f6",
    "other": "#94a3b8",
}
ACCENT = COLOURS["all"]
FRAUD = COLOURS["fraud"]
HEIGHT = 300
LEGEND = alt.Legend(orient="top", offset=6, columns=3)
# What a chart says of a click on one of its marks.
CLICK = "click"

DOLLARS = "$,.2f"
WHOLE_DOLLARS = "$,.0f"
COUNT = ",.0f"
PERCENT = ".2f"

Tips = Mapping[str, tuple[str, str]]

# Rows and columns of the usual tile map, one square a state: neighbours lie side by side.
STATE_TILES = """
AK . . . . . . . . . . ME
. . . . . . . . . . VT NH
. WA ID MT ND MN IL WI MI NY RI MA
. OR NV WY SD IA IN OH PA NJ CT .
. CA UT CO NE MO KY WV VA MD DE .
. . AZ NM KS AR TN NC SC DC . .
. . . . OK LA MS AL GA . . .
HI . . . TX . . . . FL . .
"""
TILES = {
    state: (row, column)
    for row, line in enumerate(STATE_TILES.split("\n")[1:-1])
    for column, state in enumerate(line.split())
    if state != "."
}


def bars(
    frame: pd.DataFrame,
    column: str,
    title: str,
    value_format: str = WHOLE_DOLLARS,
    tips: Tips | None = None,
    by_day: bool = False,
) -> Any:
    """Something a day or a month, one bar each, parts upon each other where there is a column `part`.

    Args:
        frame: has a column `period` of days or first days of months.
        column: what is drawn.
        title: its name and unit.
        value_format: of its values under the pointer.
        tips: further columns to show there: name to title and format.
        by_day: whether a period is a day, not a month.
    """
    drawn, order = _in_order(frame, by_day)
    has_parts = "part" in drawn
    colour: Any = _part(drawn) if has_parts else alt.value(ACCENT)
    marks = (
        alt.Chart(drawn)
        .mark_bar()
        .encode(
            x=_period(order),
            y=alt.Y(f"{column}:Q", title=title, axis=alt.Axis(**_short(value_format))),
            color=colour,
            opacity=_pending(drawn),
            tooltip=[
                alt.Tooltip("shown:N", title="when"),
                *([alt.Tooltip("part:N", title="part")] if has_parts else []),
                alt.Tooltip(f"{column}:Q", title=title, format=value_format),
                *_tips(tips),
            ],
        )
    )
    return _clickable(marks, "shown").properties(height=HEIGHT)


def rates(frame: pd.DataFrame, column: str, title: str, tips: Tips, by_day: bool = False) -> Any:
    """A rate a day or a month, one line a part; one without a denominator is a gap, not a zero.

    Args:
        frame: one row per `period` and `part`; where it has `labels`, those still to come are hollow.
        column: the rate.
        title: its name and unit.
        tips: further columns to show under the pointer: name to title and format.
        by_day: whether a period is a day, not a month.
    """
    drawn, order = _in_order(frame, by_day)
    base = alt.Chart().encode(x=_period(order), y=alt.Y(f"{column}:Q", title=title), color=_part(drawn))
    tooltip = [
        alt.Tooltip("shown:N", title="when"),
        alt.Tooltip("part:N", title="part"),
        alt.Tooltip(f"{column}:Q", title=title, format=PERCENT),
        *_tips(tips),
    ]
    if "labels" in drawn:
        tooltip.append(alt.Tooltip("labels:N", title="labels"))
        points = base.mark_point(size=40).encode(fillOpacity=_filled(), fill=_part(drawn, legend=None), tooltip=tooltip)
    else:
        points = base.mark_point(size=60, filled=True).encode(tooltip=tooltip)
    points = _clickable(points, "shown", "part")
    return _layers(drawn, base.mark_line(strokeWidth=2), points).properties(height=HEIGHT)


def divisors(frame: pd.DataFrame, column: str, title: str, by_day: bool = False, value_format: str = COUNT) -> Any:
    """What rates divide by, parts upon each other; low, because it goes under a chart of the rates."""
    drawn, order = _in_order(frame, by_day)
    return (
        alt.Chart(drawn)
        .mark_bar()
        .encode(
            x=_period(order),
            y=alt.Y(f"{column}:Q", title=None, axis=alt.Axis(**_short(value_format), tickCount=3)),
            color=_part(drawn, legend=None),
            opacity=_pending(drawn),
            tooltip=[
                alt.Tooltip("shown:N", title="when"),
                "part:N",
                alt.Tooltip(f"{column}:Q", title=title, format=value_format),
            ],
        )
        .properties(height=HEIGHT // 2)
    )


def band(days: pd.DataFrame, column: str, title: str, spelled: Callable[[float], str]) -> str:
    """One measure of the days before, the range in which it lay, and the last day as a large point.

    A picture in SVG: a browser draws it at once, where a chart takes it a seventh of a second, and a page has several.

    Args:
        days: `day`, the measure, `is_last`, and the same `low` and `high` in all rows.
        column: the measure.
        title: its name.
        spelled: its values in words, for what is under the pointer.
    """
    width, height, around = 280, 80, 8
    values = days[column].astype(float)
    low, high = (float(days[name].iloc[0]) for name in ("low", "high"))
    bottom, top = min(low, values.min()), max(high, values.max())
    step = width / len(days)

    def y(value: float) -> float:
        return round(height - around - (height - 2 * around) * (value - bottom) / ((top - bottom) or 1), 1)

    line, points, unknown = "", "", True
    for place, (day, value, is_last) in enumerate(zip(days.day, values, days.is_last, strict=True)):
        x = round(step * (place + 0.5), 1)
        if not np.isnan(value):
            line += f"M{x} {y(value)}h0" if unknown else f"L{x} {y(value)}"  # with round ends, one alone is a dot
            points += f'<circle cx="{x}" cy="{y(value)}" r="5" fill="{ACCENT}"/>' if is_last else ""
        points += (
            f'<rect x="{step * place:.1f}" width="{step:.1f}" height="{height}" fill="transparent">'
            f"<title>{day:%a %Y-%m-%d}: {escape(spelled(value))}</title></rect>"
        )
        unknown = np.isnan(value)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="100%" role="img" aria-label="{escape(title)}">'
        f'<rect y="{y(high)}" width="{width}" height="{y(low) - y(high):.1f}" fill="{COLOURS["other"]}" opacity="0.25"/>'
        f'<path d="{line}" fill="none" stroke="{ACCENT}" stroke-width="1.5" stroke-linecap="round"/>{points}</svg>'
    )


def ranked(
    frame: pd.DataFrame,
    name: str,
    column: str,
    title: str,
    tips: Tips,
    colour: str = ACCENT,
    value_format: str = COUNT,
) -> Any:
    """The largest of some things, one bar each, the largest first.

    Args:
        frame: one row a thing.
        name: the column of its name.
        column: what is drawn.
        title: its name and unit.
        tips: further columns to show under the pointer.
        colour: of the bars, unless there is a column `part`.
        value_format: of its values.
    """
    marks = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            y=alt.Y(f"{name}:N", title=None, sort="-x", axis=alt.Axis(labelLimit=150, labelOverlap=False)),
            x=alt.X(f"{column}:Q", title=title, axis=alt.Axis(**_short(value_format), tickCount=4)),
            color=_part(frame) if "part" in frame else alt.value(colour),
            tooltip=[
                alt.Tooltip(f"{name}:N", title="what"),
                *([alt.Tooltip("part:N", title="part")] if "part" in frame else []),
                alt.Tooltip(f"{column}:Q", title=title, format=value_format),
                *_tips(tips),
            ],
        )
    )
    return _clickable(marks, name, *(["part"] if "part" in frame else [])).properties(height=alt.Step(22))


def state_tiles(states: pd.DataFrame, column: str, title: str, value_format: str, tips: Tips) -> Any:
    """The states as squares in about their places, dark for much.

    Args:
        states: one row a state, its code in `place`.
        column: what is drawn.
        title: its name and unit.
        value_format: of its values.
        tips: further columns to show under the pointer.
    """
    places = pd.DataFrame([(state, *tile) for state, tile in TILES.items()], columns=["place", "row", "column"])
    drawn = places.merge(states, on="place", how="left")
    # Letters that are read on a light tile, on a dark one, and where there is no tile.
    height = drawn[column].astype(float) / _most(drawn[column])
    drawn["ink"] = height.map(lambda share: "#64748b" if pd.isna(share) else "#ffffff" if share > 0.6 else "#0f172a")
    x = alt.X("column:O", axis=None, scale=alt.Scale(paddingInner=0.06))
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.06))
    tooltip = [
        alt.Tooltip("place_name:N", title="state"),
        alt.Tooltip(f"{column}:Q", title=title, format=value_format),
        *_tips(tips),
    ]
    tiles = (
        alt.Chart()
        .mark_rect(cornerRadius=3)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                f"{column}:Q",
                title=title,
                scale=_heat(drawn[column]),
                legend=alt.Legend(orient="top", gradientLength=180, **_short(value_format)),
            ),
            tooltip=tooltip,
        )
    )
    tiles = _clickable(tiles, "place")
    names = (
        alt.Chart()
        .mark_text(fontSize=10, fontWeight="bold")
        .encode(x=x, y=y, text="place:N", color=alt.Color("ink:N", scale=None), tooltip=tooltip)
    )
    return _layers(drawn, tiles, names).resolve_scale(color="independent").properties(height=HEIGHT)


def week(hours: pd.DataFrame, column: str, title: str, value_format: str, tips: Tips) -> Any:
    """Hour of the day by weekday, dark for much; an hour without a denominator is empty.

    Args:
        hours: one row per `weekday` (1 for Monday) and `hour_of_day`.
        column: what is drawn.
        title: its name and unit.
        value_format: of its values.
        tips: further columns to show under the pointer.
    """
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    drawn = hours.assign(day=hours.weekday.map(lambda number: names[int(number) - 1]))
    return (
        alt.Chart(drawn)
        .mark_rect()
        .encode(
            x=alt.X("hour_of_day:O", title="hour, local", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("day:O", title=None, sort=names, axis=alt.Axis(labelOverlap=False)),
            color=alt.Color(
                f"{column}:Q",
                title=title,
                scale=_heat(drawn[column]),
                legend=alt.Legend(orient="top", gradientLength=180, **_short(value_format)),
            ),
            tooltip=[
                alt.Tooltip("day:N", title="weekday"),
                alt.Tooltip("hour_of_day:O", title="hour"),
                alt.Tooltip(f"{column}:Q", title=title, format=value_format),
                *_tips(tips),
            ],
        )
        .properties(height=290)
    )


def hours(frame: pd.DataFrame) -> Any:
    """The fraud rate of each hour of the day; the night has its colour."""
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("hour_of_day:O", title="hour, local", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("fraud_rate_bp:Q", title="fraud, bp"),
            color=alt.Color(
                "time:N",
                title=None,
                scale=alt.Scale(domain=["night", "day"], range=[COLOURS["night"], COLOURS["day"]]),
                legend=LEGEND,
            ),
            tooltip=[
                alt.Tooltip("hour_of_day:O", title="hour"),
                alt.Tooltip("fraud_rate_bp:Q", title="fraud, bp", format=PERCENT),
                alt.Tooltip("fraud_count:Q", title="fraud", format=COUNT),
                alt.Tooltip("labelled_count:Q", title="labelled", format=COUNT),
            ],
        )
        .properties(height=HEIGHT)
    )


def measures(rules: pd.DataFrame) -> Any:
    """Precision and recall of what is measured, of one era.

    Args:
        rules: one row per `measured_name` and `measure`, with `percent` and what it divides by.
    """
    return (
        alt.Chart(rules)
        .mark_bar()
        .encode(
            y=alt.Y(
                "measured_name:N", title=None, sort=list(rules["measured_name"].unique()), axis=alt.Axis(labelLimit=170)
            ),
            yOffset=alt.YOffset("measure:N"),
            x=alt.X("percent:Q", title="%", scale=alt.Scale(domain=[0, 100])),
            color=alt.Color(
                "measure:N",
                title=None,
                scale=alt.Scale(domain=["precision", "recall"], range=[COLOURS["precision"], COLOURS["recall"]]),
                legend=LEGEND,
            ),
            tooltip=[
                alt.Tooltip("measured_name:N", title="measured"),
                "measure:N",
                alt.Tooltip("percent:Q", title="%", format=PERCENT),
                alt.Tooltip("fraud_alert_count:Q", title="fraud found", format=COUNT),
                alt.Tooltip("divisor:Q", title="of", format=COUNT),
            ],
        )
        .properties(height=alt.Step(9))
    )


def timeline(transactions: pd.DataFrame, at: date, first: date, last: date) -> Any:
    """Transactions of a card by time and amount, by what came of them; a line where it is looked at.

    Args:
        transactions: `transacted_at`, `amount`, `outcome`, a name of a colour, and `payment`, whether it was approved.
        at: the day that is looked at.
        first: the first day of the axis.
        last: the last one.
    """
    outcomes = ["approved", "declined", "alert", "fraud"]
    marks = (
        alt.Chart(transactions)
        .mark_point(filled=True, size=60, opacity=0.8)
        .encode(
            x=alt.X(
                "transacted_at:T",
                title=None,
                scale=alt.Scale(domain=[str(first), str(last + timedelta(days=1))]),
                axis=alt.Axis(tickCount=6, format="%d %b", labelAngle=0),
            ),
            y=alt.Y("amount:Q", title="amount, US$"),
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=alt.Scale(domain=outcomes, range=[COLOURS[name] for name in outcomes]),
                legend=alt.Legend(orient="top", columns=2),
            ),
            shape=alt.Shape(
                "outcome:N",
                scale=alt.Scale(domain=outcomes, range=["circle", "cross", "triangle-up", "diamond"]),
                legend=None,
            ),
            order=alt.Order("outcome:N", sort="ascending"),
            tooltip=[
                alt.Tooltip("transacted_at:T", title="when", format="%Y-%m-%d %H:%M"),
                alt.Tooltip("amount:Q", title="amount", format=DOLLARS),
                alt.Tooltip("outcome:N", title="drawn as"),
                alt.Tooltip("payment:N", title="outcome"),
                alt.Tooltip("what:N", title="category"),
                alt.Tooltip("place:N"),
            ],
        )
    )
    moment = (
        alt.Chart(pd.DataFrame({"at": [pd.Timestamp(at)]}))
        .mark_rule(color=COLOURS["other"], strokeDash=[4, 4])
        .encode(x="at:T")
    )
    return alt.layer(moment, marks).properties(height=HEIGHT)


def with_labels(frame: pd.DataFrame, labelled_last: date | None, by_day: bool = False) -> pd.DataFrame:
    """Adds the column `labels`: whether those of a period are complete."""

    def of(period: Any) -> str:
        last = period if by_day else (pd.Timestamp(period) + pd.offsets.MonthEnd(0)).date()
        return labels.FINAL if labels.are_complete(last, labelled_last) else labels.PENDING

    changed: pd.DataFrame = frame.assign(labels=[of(period) for period in frame["period"]])
    return changed


def _layers(drawn: pd.DataFrame, *layers: Any) -> Any:
    """Layers upon each other, of the same rows: Altair would print those of each layer, to find out that they are the same."""
    return alt.layer(*layers, data=drawn)


def _in_order(frame: pd.DataFrame, by_day: bool) -> tuple[pd.DataFrame, list[str]]:
    """Periods as words in their order, none left out: an axis of words has one label under each bar, and it is the bar's."""
    periods = pd.to_datetime(frame["period"])
    if periods.empty:
        return frame.assign(shown=[]), []
    spelled = "%d %b %Y" if by_day else "%b %Y"
    order = pd.date_range(periods.min(), periods.max(), freq="D" if by_day else "MS").strftime(spelled)
    return frame.assign(shown=periods.dt.strftime(spelled)), list(order)


def _period(order: list[str]) -> Any:
    return alt.X(
        "shown:O",
        title=None,
        scale=alt.Scale(domain=order),
        sort=None,
        axis=alt.Axis(labelAngle=0, labelOverlap="greedy", labelSeparation=8),
    )


def _pending(frame: pd.DataFrame) -> Any:
    """Pale where labels are still to come."""
    if "labels" not in frame:
        return alt.value(1)
    return alt.Opacity("labels:N", scale=alt.Scale(domain=[labels.FINAL, labels.PENDING], range=[1, 0.35]), legend=None)


def _filled() -> Any:
    return alt.FillOpacity(
        "labels:N", scale=alt.Scale(domain=[labels.FINAL, labels.PENDING], range=[1, 0]), legend=None
    )


def _clickable(marks: Any, *fields: str) -> Any:
    """Marks of which a click says these fields."""
    return marks.add_params(alt.selection_point(name=CLICK, fields=list(fields)))


def _most(column: pd.Series) -> float:
    """The largest value; one where all are zero or there is none."""
    most = column.astype(float).max()
    return float(most) if most > 0 else 1.0


def _heat(column: pd.Series) -> Any:
    """Colours from light for nothing to dark for the most; a scale of its own ends would give all zeros a strong one."""
    return alt.Scale(scheme="blues", domain=[0, _most(column)])


def _short(value_format: str) -> dict[str, Any]:
    """Numbers of an axis or a legend: thousands as k, dollars with their sign, and a zero without either."""
    return {
        "format": "$~s" if value_format.startswith("$") else "~s",
        "labelExpr": "datum.value == 0 ? '0' : datum.label",
    }


def _tips(tips: Tips | None) -> list[Any]:
    return [alt.Tooltip(f"{name}:Q", title=title, format=spelled) for name, (title, spelled) in (tips or {}).items()]


def _part(frame: pd.DataFrame, legend: Any = LEGEND) -> Any:
    """The colour of a channel or card type; grey for one that is new."""
    found = sorted(frame["part"].dropna().unique())
    colours = [COLOURS.get(name, COLOURS["other"]) for name in found]
    return alt.Color("part:N", title=None, scale=alt.Scale(domain=found, range=colours), legend=legend)
