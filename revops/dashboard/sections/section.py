"""What a page is: its address, its name, what shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader

# What says in an address which card, client, merchant or transaction, and of which day, or what is looked for.
OF_ONE_THING = ("id", "at", "q")


@dataclass(frozen=True)
class Section:
    """One page.

    Attributes:
        path: its address.
        title: its name in the menu.
        icon: beside it, of Streamlit's material icons.
        show: makes it of what is chosen.
        group: the part of the menu; None for a page that others lead to.
        units: spelled out once, at its top.
        is_filtered: whether the controls of filters are on it.
        back: how far back it goes where no days are chosen (filters.days), where one of the periods may say it.
        cleared: what is taken out of its address with the filters.
    """

    path: str
    title: str
    icon: str
    show: Callable[[Reader, Filters], None]
    group: str | None
    units: str
    is_filtered: bool = True
    back: timedelta | int | None = None
    cleared: tuple[str, ...] = OF_ONE_THING
