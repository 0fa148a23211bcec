"""What pages are put together from: headings, figures, tables that lead on, downloads."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from revops.dashboard import charts, filters, labels, reader
from revops.dashboard.filters import Days, Filters
from revops.dashboard.reader import Reader

NONE = "–"
NO_ROW = "No row matches. Choose other days, or clear a filter."
# Rows that a table shows; the download has all.
MOST_ROWS = 500
# Rows of a table that is as high as they are.
SHORT = 10
# Pixels: a column of sentences, one letter of many, a line, what is above and below the lines of a cell.
WIDE, LETTER, LINE, AROUND = 360, 6.5, 19, 10
# Streamlit wraps the texts of rows that are higher than 64 pixels.
LOWEST_WRAPPED = 65


def title(text: str) -> None:
    """What a page is called."""
    st.subheader(text, anchor=False)


def heading(text: str) -> None:
    """What comes next on a page."""
    st.markdown(f"##### {text}")


def note(text: str) -> None:
    """Words in small letters. They are plain: what is from the database runs no markup."""
    st.caption(plain(text))


def nothing(text: str = NO_ROW) -> None:
    """Says that there is nothing to show."""
    st.info(text)


def metric(label: str, value: str, changes: Mapping[str, tuple[float | None, str]], more_is: str = "better") -> None:
    """A figure with its changes: grey where there is none.

    Args:
        label: what it is called.
        value: how it is shown.
        changes: on what, to the difference and its unit; None where it is unknown. The first has a colour.
        more_is: "better", "worse", or "neither", for the colour.
    """
    (first, (change, unit)), *others = changes.items()
    text, colour, arrow = delta(change, unit, more_is)
    with st.container(border=True):
        st.metric(label, value, text, delta_color=colour, delta_arrow=arrow)
        note("; ".join([f"on the {first}", *(f"{delta(*other)[0]} on the {name}" for name, other in others)]))


def delta(change: float | None, unit: str, more_is: str = "better") -> tuple[str, Any, Any]:
    """A change in words, its colour and its arrow; what rounds to zero is no change, without a unit it is a count."""
    if change is None or pd.isna(change):
        return "unknown", "off", "off"
    spelled = f"{change:+.2f} {unit}" if unit else f"{change:+,.0f}"
    if not any(digit in spelled for digit in "123456789"):
        return spelled.lstrip("+-"), "off", "off"
    return spelled, {"better": "normal", "worse": "inverse"}.get(more_is, "off"), "auto"


def chart(drawn: Any, key: str | None = None) -> Any:
    """Shows a chart; with a key, returns what the clicked mark says of itself, by field; None before a click."""
    if key is None:
        st.altair_chart(drawn)
        return None
    event: Any = st.altair_chart(drawn, key=key, on_select="rerun")
    clicked = event.selection.get(charts.CLICK, [])
    return clicked[0] if clicked else None


def picture(svg: str, text: str) -> None:
    """Shows a picture of ours, with what is under the pointer, and plain words below it in small letters.

    One element for both: `st.html` would take SVG out, and within `div` nothing is markup.
    """
    st.caption(f"<div>{svg}</div>\n\n{plain(text)}", unsafe_allow_html=True)


def month_of(clicked: Mapping[str, Any]) -> date:
    """The month of a clicked mark."""
    return datetime.strptime(clicked["shown"], "%b %Y").date()


def day_of(clicked: Mapping[str, Any]) -> date:
    """The day of a clicked mark."""
    return datetime.strptime(clicked["shown"], "%d %b %Y").date()


def table(frame: pd.DataFrame, key: str | None = None, height: int | None = None, **columns: Any) -> Any:
    """A table with these columns in this order.

    Returns:
        With a key, the clicked row and the name of the clicked column; None before a click.
    """
    options: dict[str, Any] = {"height": height} if height is not None and len(frame) > SHORT else {}
    shown: dict[str, Any] = {"hide_index": True, "column_config": columns, "placeholder": NONE}
    if (lines := _lines(frame, columns)) > 1:
        shown["row_height"] = max(lines * LINE + AROUND, LOWEST_WRAPPED)
    if key is None:
        st.dataframe(frame[list(columns)], **shown, **options)
        return None
    event: Any = st.dataframe(
        frame[list(columns)], key=key, on_select="rerun", selection_mode="single-cell", **shown, **options
    )
    cells = event.selection.cells
    return (frame.iloc[cells[0][0]], cells[0][1]) if cells else None


def _lines(frame: pd.DataFrame, columns: Mapping[str, Any]) -> int:
    """How many lines the longest of the sentences of a table takes; all of its rows are as high."""
    wrapped = [name for name, config in columns.items() if isinstance(config, dict) and config.get("width") == WIDE]
    letters = max((len(str(text)) for name in wrapped for text in frame[name].dropna()), default=0)
    return math.ceil(letters * LETTER / WIDE)


def download(statement: str, values: Mapping[str, object], name: str) -> None:
    """A button for all rows of a statement as CSV; nothing is read before the click."""
    st.download_button(
        "CSV of all rows",
        csv_of(statement, values),
        f"{name}.csv",
        "text/csv",
        key=f"csv {name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )


def csv_of(statement: str, values: Mapping[str, object]) -> Callable[[], bytes]:
    """What reads all rows of a statement, on a connection that lasts as long as that."""
    asked = dict(values)

    def read() -> bytes:
        with reader.opened(reader.url()) as opened:
            return opened.csv(statement, asked)

    return read


def shown(
    found: Reader,
    statement: str,
    values: Mapping[str, object],
    name: str,
    key: str | None = None,
    empty: str = NO_ROW,
    **columns: Any,
) -> Any:
    """The rows of a statement as a table, and below it the button that downloads all of them.

    Args:
        found: where the rows are read.
        statement: reads them.
        values: what the statement takes.
        name: of the file.
        key: of the table, where a click leads on.
        empty: what is said where there is no row.
        columns: what is shown, by name of the column.
    """
    rows = found.rows(statement, values, MOST_ROWS)
    if rows.empty:
        nothing(empty)
        return None
    clicked = table(rows, key, **columns)
    if len(rows) == MOST_ROWS:
        note(f"The first {MOST_ROWS} rows: a click on the name of a column sorts these alone. The download has all.")
    download(statement, values, name)
    return clicked


def count(name: str) -> Any:
    """A column of whole numbers."""
    return st.column_config.NumberColumn(name, format="localized")


def identity(name: str) -> Any:
    """A column of ids."""
    return st.column_config.NumberColumn(name, format="%d")


def money(name: str) -> Any:
    """A column of US dollars."""
    return st.column_config.NumberColumn(name, format="dollar")


def rate(name: str) -> Any:
    """A column of rates, the unit in its name."""
    return st.column_config.NumberColumn(name, format="%.2f")


def moment(name: str) -> Any:
    """A column of minutes."""
    return st.column_config.DatetimeColumn(name, format="YYYY-MM-DD HH:mm")


def day(name: str) -> Any:
    """A column of days."""
    return st.column_config.DateColumn(name, format="YYYY-MM-DD")


def month(name: str) -> Any:
    """A column of months."""
    return st.column_config.DateColumn(name, format="YYYY-MM")


def facts(name: str, values: Mapping[str, object]) -> None:
    """A small table of what is known of one thing; long words wrap, and what comes from files runs no markup."""
    texts = [NONE if value is None or value != value else plain(str(value)) for value in values.values()]
    st.table(pd.DataFrame({" ": texts}, index=pd.Index(list(values), name=name)), border="horizontal")


def sentences(name: str) -> Any:
    """A column of sentences, which wrap."""
    return st.column_config.TextColumn(name, width=WIDE)


def text(name: str, width: int) -> Any:
    """A column of words that is cut at so many pixels, so that the columns beside it are not."""
    return st.column_config.TextColumn(name, width=width)


def place() -> Any:
    """A column of places, wide enough for what has none: `NO PLACE`."""
    return text("Place", 105)


def dollars(value: float | None, digits: int = 0) -> str:
    """US dollars, whole ones or with so many digits of cents."""
    if value is None or pd.isna(value):
        return NONE
    return f"{'-' if round(value, digits) < 0 else ''}${abs(value):,.{digits}f}"


def share(part: float | None, whole: float | None, of: str) -> str:
    """How many of how many."""
    return NONE if part is None or whole is None or pd.isna(part) else f"{part:,.0f} of {whole:,.0f} {of}"


def plain(text: str) -> str:
    """Text without markup: a dollar is a dollar, where Streamlit would see a formula between two of them."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:-])", r"\\\1", text)


def chosen_period(chosen: Filters, clicked: Mapping[str, Any], shown: Days) -> Filters:
    """What is chosen, in the day of a clicked mark, or in the days of its month that the page shows."""
    if shown.by_day:
        return chosen.but(first=day_of(clicked), last=day_of(clicked))
    first = month_of(clicked)
    last = (pd.Timestamp(first) + pd.offsets.MonthEnd(0)).date()
    return chosen.but(first=max(first, shown.first), last=min(last, shown.last))


def part_months(days: Days) -> str:
    """Says which of some months are not whole, so that none is taken for a bad one."""
    if days.by_day:
        return ""
    said = f" {days.first:%B %Y} is from {days.first} on." if days.first.day > 1 else ""
    return said + (f" {days.last:%B %Y} is up to {days.last} alone." if (days.last + timedelta(days=1)).day > 1 else "")


def in_months(days: Days, chosen: Filters, applied: tuple[str, ...], whole_months: bool = True) -> str:
    """Says where a report shows other rows than what is chosen: whole months, or without some of the filters.

    Args:
        days: what is chosen.
        chosen: the same.
        applied: which filters the report has.
        whole_months: whether it has one row a month.
    """
    said = ""
    if whole_months and not days.are_whole_months:
        since, until = days.whole_months
        said += f" Whole months: {since:%b %Y} to {until - timedelta(days=1):%b %Y}."
    if whole_months and days.whole_until <= days.landed_last < days.whole_months[1]:
        said += f" {days.landed_last:%B %Y} has landed up to {days.landed_last} alone."
    if left := filters.not_applied(chosen, applied):
        said += f" Not applied here: {left}."
    return said


def pending(found: Reader, days: Days, is_drawn: bool = False) -> None:
    """Says where labels are still to come, so that the newest fraud is not taken for all of it.

    Args:
        found: where the last day with a label is read.
        days: what the page shows.
        is_drawn: whether a chart shows the months.
    """
    last = filters.labelled_last(found, days.landed_last)
    if last is None:
        said = "No label has landed: of no transaction it is known whether it was fraud."
    elif days.last > last:
        why = f"{labels.DELAY.days} days are declared" if last == days.landed_last - labels.DELAY else "none has landed"
        said = f"Labels are still to come for the days after {last} ({why}): fraud of these will grow." + (
            " Charts show their months pale or hollow." if is_drawn else ""
        )
    else:
        return
    st.caption(f":material/hourglass_top: {said}")


def segments(name: str, choices: Sequence[str]) -> str:
    """A choice of few, the first of which is the default, kept in the address; returns what is chosen."""
    values = {choice: choice.lower().replace(" ", "_") for choice in choices}
    key = f"segments {name}"
    asked = st.query_params.get(name)
    st.session_state[key] = next((choice for choice, value in values.items() if value == asked), choices[0])

    def change() -> None:
        picked = st.session_state[key] or choices[0]
        put(name, None if picked == choices[0] else values[picked])

    st.segmented_control(name.capitalize(), choices, key=key, label_visibility="collapsed", on_change=change)
    return str(st.session_state[key] or choices[0])


def put(name: str, value: object) -> None:
    """Into the address, out of it for None; the first page of what is found then."""
    for each in (name, "page"):
        if each in st.query_params:
            del st.query_params[each]
    if value is not None:
        st.query_params[name] = str(value)


PAGE_SIZE = 50


def pages(total: int, what: str) -> dict[str, int]:
    """The choice of a page of rows, kept in the address; returns what a statement takes for it."""
    last = max(1, -(-total // PAGE_SIZE))
    asked = st.query_params.get("page", "1")
    number = min(max(int(asked), 1), last) if asked.isdecimal() and len(asked) < 9 else 1

    def turn(to: int) -> None:
        st.query_params["page"] = str(to)

    row = st.container(horizontal=True, vertical_alignment="center")
    row.button("Previous", key="page back", on_click=turn, args=(number - 1,), disabled=number == 1,
               icon=":material/chevron_left:")  # fmt: skip
    row.button("Next", key="page on", on_click=turn, args=(number + 1,), disabled=number == last,
               icon=":material/chevron_right:")  # fmt: skip
    row.caption(f"Page {number:,} of {last:,}, {total:,} {what if total != 1 else what.removesuffix('s')}")
    return {"size": PAGE_SIZE, "skipped": (number - 1) * PAGE_SIZE}


def transactions(found: pd.DataFrame, key: str) -> Any:
    """Transactions as a table that leads on."""
    rows = found.assign(
        is_fraud=found.is_fraud.map(labels.WORDS).fillna(labels.UNKNOWN),
        outcome=found.errors.where(~found.is_approved.astype(bool), "approved").fillna("declined"),
    )
    columns = {
        "transacted_at": moment("When"), "amount": money("Amount"), "outcome": "Outcome", "is_fraud": "Label",
        "card_id": identity("Card"), "client_id": identity("Client"), "merchant_id": identity("Merchant"),
        "mcc_description": "Category", "channel": "Channel", "place": place(), "merchant_city": "City",
        "card_brand": "Brand", "card_type": "Card type", "transaction_id": identity("Transaction"),
    }  # fmt: skip
    return table(rows, key, height=420, **{name: columns[name] for name in columns if name in rows})
