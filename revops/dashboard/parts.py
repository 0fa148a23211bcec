"""What pages are put together from: headings, cards, tables, the choice of a period. Runs no statement but the headline's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from revops.dashboard import queries
from revops.dashboard.reader import Reader

PERIODS = {"1 year": 12, "3 years": 36, "All": None}
NONE = "–"


def title(text: str) -> None:
    """What a page is called."""
    st.subheader(text, anchor=False)


def heading(text: str) -> None:
    """What comes next on a page."""
    st.markdown(f"##### {text}")


def nothing() -> None:
    """Says that there is no month to show."""
    st.info("There is no complete month yet. Land more files, then `revops build`.")


def card(label: str, value: str, month: Any, name: str, unit: str, more_is: str = "better") -> None:
    """A figure, with its change from the month and the year before.

    Args:
        label: what it is called.
        value: how it is shown.
        month: the row of the headline, in which the differences are.
        name: what their columns begin with.
        unit: of the differences, `%` or `bp`.
        more_is: "better" or "worse", for the colour.
    """
    suffix = "percent" if unit == "%" else unit
    before, year_before = month[f"{name}_mom_{suffix}"], month[f"{name}_yoy_{suffix}"]
    with st.container(border=True):
        st.metric(
            label,
            value,
            None if pd.isna(before) else f"{before:+.2f} {unit} on the month before",
            delta_color="normal" if more_is == "better" else "inverse",
        )
        st.caption("no year before" if pd.isna(year_before) else f"{year_before:+.2f} {unit} on the year before")


def controls() -> Any:
    """A row for the controls of a page."""
    return st.container(horizontal=True, gap="large")


def period(reader: Reader, place: Any) -> dict[str, date] | None:
    """Complete months as far back as chosen; None, and a message, where there is no complete month."""
    found = reader.rows(queries.HEADLINE)
    if found.empty:
        nothing()
        return None
    chosen = place.segmented_control("Period", list(PERIODS), default="3 years", key="period") or "3 years"
    last = pd.Timestamp(found.iloc[0].month_start)
    months = PERIODS[chosen]
    since = date.min if months is None else (last - pd.DateOffset(months=months - 1)).date()
    return {"since": since, "until": (last + pd.DateOffset(months=1)).date()}


def table(frame: pd.DataFrame, key: str | None = None, height: int | None = None, **columns: Any) -> Any:
    """A table with these columns in this order; with a key, one of which a row can be chosen."""
    options: dict[str, Any] = {"height": height} if height is not None else {}
    if key is not None:
        options |= {"key": key, "on_select": "rerun", "selection_mode": "single-row"}
    return st.dataframe(frame[list(columns)], hide_index=True, column_config=columns, placeholder=NONE, **options)


def count(name: str) -> Any:
    """A column of whole numbers."""
    return st.column_config.NumberColumn(name, format="localized")


def money(name: str) -> Any:
    """A column of US dollars."""
    return st.column_config.NumberColumn(name, format="dollar")


def facts(name: str, values: Mapping[str, object]) -> None:
    """A small table of what is known of one thing. A table, because what comes from files must run no markup."""
    shown = [NONE if value is None else str(value) for value in values.values()]
    st.dataframe(pd.DataFrame({name: list(values), " ": shown}), hide_index=True)


def dollars(value: float | None) -> str:
    """Whole US dollars."""
    return NONE if value is None or pd.isna(value) else f"${value:,.0f}"


def plain(text: str) -> str:
    """Text without markup: a dollar is a dollar, where Streamlit would see a formula between two of them."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:-])", r"\\\1", text)


def dated(frame: pd.DataFrame) -> pd.DataFrame:
    """Months as times, which charts know."""
    changed: pd.DataFrame = frame.assign(month_start=pd.to_datetime(frame.month_start))
    return changed
