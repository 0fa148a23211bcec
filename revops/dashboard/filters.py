"""What is chosen: days, channel, card type, brand, category, place. The address holds it, so a link shows the same elsewhere.

A page that is opened from the menu comes without it in its address: the last choice of the session is then put there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any

import streamlit as st

from revops.dashboard import history, labels
from revops.dashboard.reader import Reader

CHANNELS = ("chip", "swipe", "online")
CARD_TYPES = ("Credit", "Debit", "Debit (Prepaid)")
BRANDS = ("Amex", "Discover", "Mastercard", "Visa")
ANY = "any"
# Days that are drawn one by one; more are drawn by month.
MOST_DAYS_DRAWN = 92

# Of serving.enriched_transactions: the same place as the reports have, from the columns that it has.
PLACE = """
CASE WHEN merchant_state IS NULL THEN 'NO PLACE' WHEN merchant_country IS NULL THEN 'UNKNOWN' ELSE merchant_state END"""

# A value that is not chosen is NULL, and its condition goes before the statement is planned.
CHOSEN = f"""transacted_on >= %(since)s AND transacted_on < %(until)s
  AND (%(channel)s IS NULL OR channel = %(channel)s) AND (%(card_type)s IS NULL OR card_type = %(card_type)s)
  AND (%(brand)s IS NULL OR card_brand = %(brand)s) AND (%(mcc)s IS NULL OR mcc = %(mcc)s)
  AND (%(place)s IS NULL OR {PLACE} = %(place)s)"""

DAYS = """
SELECT MIN(transacted_on) AS first_day, MAX(transacted_on) AS last_day
FROM serving.daily_revenue
"""

LABELLED = """
SELECT last_transaction_on AS last_labelled_day
FROM serving.data_freshness
WHERE relation_name = 'fraud_labels'
"""

CATEGORIES = """
SELECT mcc, MAX(mcc_description) AS mcc_description
FROM serving.revenue_by_merchant_category
GROUP BY mcc
ORDER BY 2, 1
"""

PLACES = """
SELECT place, MAX(place_name) AS place_name, MAX(place_kind) AS place_kind
FROM serving.revenue_by_state
GROUP BY place
ORDER BY MAX(place_kind), 2
"""


@dataclass(frozen=True)
class Filters:
    """What is chosen; None is everything.

    Attributes:
        first: first day.
        last: last day, included.
        channel: chip, swipe or online.
        card_type: Credit, Debit or Debit (Prepaid).
        brand: of the card.
        category: the merchant category code.
        place: a US state's code, a country, NO PLACE or UNKNOWN.
    """

    first: date | None = None
    last: date | None = None
    channel: str | None = None
    card_type: str | None = None
    brand: str | None = None
    category: int | None = None
    place: str | None = None

    def address(self) -> dict[str, str]:
        """The part of an address that says it."""
        return {name: str(value) for name in NAMES if (value := getattr(self, name)) is not None}

    def but(self, **changed: Any) -> Filters:
        """The same with other values."""
        return replace(self, **changed)

    def of_month(self, month: date) -> Filters:
        """The same in one month."""
        return self.but(first=month.replace(day=1), last=_next_month(month) - timedelta(days=1))

    def chosen(self) -> tuple[str, ...]:
        """What is chosen besides the days."""
        return tuple(name for name in NAMES[2:] if getattr(self, name) is not None)


NAMES = tuple(field.name for field in fields(Filters))
TITLES = {
    "channel": "Channel",
    "card_type": "Card type",
    "brand": "Brand",
    "category": "Category",
    "place": "State or country",
}
_READ: dict[str, Callable[[str], Any]] = {"first": date.fromisoformat, "last": date.fromisoformat, "category": int}
_KNOWN = {"channel": CHANNELS, "card_type": CARD_TYPES, "brand": BRANDS}


@dataclass(frozen=True)
class Days:
    """The days that a page shows: chosen ones, within those that have landed.

    Attributes:
        first: the first one.
        last: the last one, included.
        landed_first: the first day that has landed.
        landed_last: the last day that has landed.
    """

    first: date
    last: date
    landed_first: date
    landed_last: date

    @property
    def by_day(self) -> bool:
        """Whether they are few enough to be drawn one by one."""
        return (self.last - self.first).days < MOST_DAYS_DRAWN

    @property
    def whole_months(self) -> tuple[date, date]:
        """The months that they lie in: the first day of the first, and the first day after the last."""
        return self.first.replace(day=1), _next_month(self.last)

    @property
    def are_whole_months(self) -> bool:
        """Whether reports by month show exactly these days."""
        since, until = self.whole_months
        return (max(since, self.landed_first), min(until - timedelta(days=1), self.landed_last)) == (
            self.first,
            self.last,
        )

    @property
    def whole_until(self) -> date:
        """The first day after the last month that has landed whole."""
        return (self.landed_last + timedelta(days=1)).replace(day=1)

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


def read(address: Mapping[str, str]) -> Filters:
    """What an address says; a part of it that is not understood is left out."""
    found = {}
    for name in NAMES:
        text = address.get(name)
        if not text:
            continue
        try:
            value = _READ.get(name, str)(text)
        except ValueError:
            continue
        if name not in _KNOWN or value in _KNOWN[name]:
            found[name] = value
    return Filters(**found)


def current() -> Filters:
    """What is chosen for this page, by its address or else by the last page of the session.

    A page to which the browser went back shows what its address says, and nothing else.
    """
    found = read(st.query_params)
    kept = st.session_state.get("chosen")
    if found == Filters() and kept and history.RETURNED not in st.query_params:
        found = read(kept)
        st.query_params.update(found.address())
    st.session_state["chosen"] = found.address()
    return found


def choose(found: Filters, cleared: tuple[str, ...] = ()) -> None:
    """Puts a choice into the address of this page, which begins again at its first rows, and takes other parts out of it."""
    for name in (*NAMES, "page", *cleared):
        if name in st.query_params:
            del st.query_params[name]
    st.query_params.update(found.address())
    st.session_state["chosen"] = found.address()


def days(reader: Reader, chosen: Filters, default: timedelta | int) -> Days | None:
    """The days to show; None where nothing has landed.

    Args:
        reader: where the first and the last landed day are read.
        chosen: the first and the last day, if they are chosen.
        default: how far back to go where no first day is chosen: some days, or so many months from the first day of one,
            which reports by month answer at once.
    """
    landed = reader.rows(DAYS).iloc[0]
    if landed.last_day is None:
        return None
    last = min(chosen.last or landed.last_day, landed.last_day)
    back, _ = _span(default, landed.first_day, last)
    first = chosen.first or back
    return Days(max(min(first, last), landed.first_day), max(last, landed.first_day), landed.first_day, landed.last_day)


def labelled_last(reader: Reader, landed_last: date) -> date | None:
    """The last day whose labels are complete, by their delay and by what has landed; None where no label has."""
    found = reader.rows(LABELLED)
    return None if found.empty else labels.last_mature_day(landed_last, found.last_labelled_day[0])


def values(chosen: Filters, shown: Days, in_months: bool = False) -> dict[str, object]:
    """What statements take, by name; `until` is the first day that is not shown.

    Args:
        chosen: what is chosen.
        shown: the days.
        in_months: whether the report has one row a month, and so shows whole ones.
    """
    since, until = shown.whole_months if in_months else (shown.first, shown.last + timedelta(days=1))
    return {
        "since": since,
        "until": until,
        "channel": chosen.channel,
        "card_type": chosen.card_type,
        "brand": chosen.brand,
        "mcc": chosen.category,
        "place": chosen.place,
    }


def bar(reader: Reader, chosen: Filters, default: timedelta | int | None, cleared: tuple[str, ...]) -> None:
    """The controls: how far back, and everything else in a box that opens. What is chosen can be read beside them.

    Args:
        reader: where what can be chosen is read.
        chosen: what is chosen.
        default: how far back the page goes where no first day is chosen; None where no period says it.
        cleared: what else of the address goes with the filters.
    """
    landed = reader.rows(DAYS).iloc[0]
    if landed.last_day is None:
        return
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    shown = None if default is None else days(reader, chosen, default)
    if shown is not None:
        _period(row, chosen, shown)
    # Fields that nobody sees cost a page a seventh of its time: they are made when the box opens.
    box = row.popover("Filters", key="filters", icon=":material/filter_alt:", on_change="rerun")
    if box.open:
        with box:
            _fields(reader, chosen, (chosen.first, chosen.last) if shown is None else (shown.first, shown.last), landed)
    if chosen != Filters() or any(name in st.query_params for name in cleared):
        row.button("Clear all", key="clear", on_click=choose, args=(Filters(), cleared), type="tertiary")


def _fields(reader: Reader, chosen: Filters, shown: tuple[date | None, date | None], landed: Any) -> None:
    _choice("channel", chosen, dict(zip(CHANNELS, CHANNELS, strict=True)))
    _choice("card_type", chosen, dict(zip(CARD_TYPES, CARD_TYPES, strict=True)))
    _choice("brand", chosen, dict(zip(BRANDS, BRANDS, strict=True)))
    categories = reader.rows(CATEGORIES)
    _choice("category", chosen, dict(zip(categories.mcc, categories.mcc_description, strict=True)))
    places = reader.rows(PLACES)
    _choice("place", chosen, dict(zip(places.place, places.place_name.fillna(places.place), strict=True)))
    # Last, because the first field of a box that opens has the focus, and the calendar would open over the others.
    _dates(chosen, shown, (landed.first_day, landed.last_day))


def within(chosen: Filters, shown: Days) -> Filters:
    """What is chosen, and the days that a page shows, so that a page that it leads to shows the same."""
    return chosen.but(first=shown.first, last=shown.last)


def not_applied(chosen: Filters, applied: Iterable[str]) -> str:
    """The names of what is chosen and is not applied by a figure; nothing where all of it is."""
    return ", ".join(TITLES[name].lower() for name in chosen.chosen() if name not in tuple(applied))


PERIODS: dict[str, timedelta | int | None] = {"31 days": timedelta(days=31), "1 year": 12, "3 years": 36, "All": None}


def _period(row: Any, chosen: Filters, shown: Days) -> None:
    spans = {name: _span(back, shown.landed_first, shown.landed_last) for name, back in PERIODS.items()}
    days = (shown.first, shown.last)
    st.session_state["period"] = next((name for name, span in spans.items() if span == days), None)

    def change() -> None:
        picked = st.session_state["period"]
        days = spans[picked] if picked else (None, None)
        choose(chosen.but(first=days[0], last=days[1]))

    row.segmented_control("Period", list(PERIODS), key="period", on_change=change, label_visibility="collapsed")


def _span(back: timedelta | int | None, first: date, last: date) -> tuple[date, date]:
    """Some days up to the last one, or whole months and the days of the last one that have landed, or all."""
    if back is None:
        return first, last
    if isinstance(back, timedelta):
        return max(last - back + timedelta(days=1), first), last
    month = last.year * 12 + last.month - back
    return max(date(month // 12, month % 12 + 1, 1), first), last


def _dates(chosen: Filters, shown: tuple[date | None, date | None], landed: tuple[date, date]) -> None:
    """The first and the last day: those shown, or landed. A field that may be empty is emptied by the key that closes the box."""
    names = (("first", "from", "From"), ("last", "to", "To"))
    for column, (name, key, label), day, end in zip(st.columns(2), names, shown, landed, strict=True):
        st.session_state[key] = end if day is None else min(max(day, landed[0]), landed[1])
        column.date_input(
            label, key=key, min_value=landed[0], max_value=landed[1], format="YYYY-MM-DD", on_change=_choose_day,
            args=(chosen, name, key),
        )  # fmt: skip


def _choose_day(chosen: Filters, name: str, key: str) -> None:
    choose(chosen.but(**{name: st.session_state[key]}))


def _choice(name: str, chosen: Filters, options: Mapping[Any, str]) -> None:
    """One choice of a list; what an address names is kept in it, also where no row has it."""
    current = getattr(chosen, name)
    known = [*options] if current is None or current in options else [current, *options]
    st.session_state[f"choose {name}"] = current

    def change() -> None:
        choose(chosen.but(**{name: st.session_state[f"choose {name}"]}))

    st.selectbox(
        TITLES[name],
        [None, *known],  # a choice like the others: what can be cleared is cleared by the key that closes the box
        key=f"choose {name}",
        on_change=change,
        format_func=lambda value: ANY if value is None else str(options.get(value, value)),
        placeholder=ANY,
    )


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def where_chosen(statement: str) -> str:
    """A statement on serving.enriched_transactions with the chosen rows for `{chosen}` and the place for `{place}`."""
    return statement.replace("{chosen}", CHOSEN).replace("{place}", PLACE)


def in_words(reader: Reader, chosen: Filters) -> str:
    """What is chosen, for people; a category by its name."""
    said = []
    if chosen.first or chosen.last:
        said.append(f"{chosen.first or 'the first day'} to {chosen.last or 'the last day'}")
    for name in chosen.chosen():
        value = getattr(chosen, name)
        if name == "category":
            categories = reader.rows(CATEGORIES).set_index("mcc").mcc_description
            value = f"{value} {categories.get(value, '')}".strip()
        said.append(f"{TITLES[name].lower()} {value}")
    return ", ".join(said)
