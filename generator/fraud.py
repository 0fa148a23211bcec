"""Owns the plan of the frauds: bursts on one card, in the two regimes, with exact labelled counts a year."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from generator import figures as fig
from generator.categories import CATEGORIES
from generator.draws import Draws, Ints, Mask, from_table, quantile_table, spread
from generator.geography import COUNTRIES, FRAUD_COUNTRIES, STATES
from generator.people import Cards, Users

WEB, STORE, ABROAD, ITALY = range(4)
_BURST_SIZES = (1, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20)
_LONGEST_DAYS = 7


@dataclass(frozen=True)
class Frauds:
    """One entry per fraudulent transaction, labelled or not, in no order. Days count from 2010-01-01."""

    cards: Ints  # index into Cards
    days: Ints
    minutes: Ints
    kinds: Ints
    categories: Ints
    places: Ints  # STORE: -1, chosen later
    cents: Ints
    labelled: Mask


def yearly(scale: float, figures: tuple[int, ...]) -> list[int]:
    """Yearly figures at a scale, such that their sum is the scaled sum."""
    return spread(round(sum(figures) * scale), figures)


def labelled_by_kind(scale: float) -> list[list[int]]:
    """Labelled frauds per year and kind: Italy from 2017, the rest split like the whole dataset's."""
    years = yearly(scale, fig.FRAUDS_BY_YEAR)
    italy = [min(y, round(i * scale)) for y, i in zip(years, fig.FRAUDS_IN_ITALY_BY_YEAR, strict=True)]
    italy = [
        y if full == i else part
        for y, part, full, i in zip(years, italy, fig.FRAUDS_BY_YEAR, fig.FRAUDS_IN_ITALY_BY_YEAR, strict=True)
    ]
    rest = [y - i for y, i in zip(years, italy, strict=True)]
    kinds = (fig.FRAUDS_ONLINE, fig.FRAUDS_IN_US_STORES, fig.FRAUDS_IN_OTHER_COUNTRIES)
    split = spread(sum(rest), kinds)
    left, table = list(split), []
    for year, number in enumerate(rest):
        later = sum(rest[year:])
        part = spread(number, left) if later else [0, 0, 0]
        left = [have - gone for have, gone in zip(left, part, strict=True)]
        table.append([*part, italy[year]])
    return table


def plan(seed: int, scale: float, users: Users, cards: Cards, region_first: Ints, region_last: Ints) -> Frauds:
    """Draws all bursts. Smaller scales have fewer bursts of the same size, not thinner ones."""
    draws = Draws(seed, "fraud")
    parts = []
    for year, counts in enumerate(labelled_by_kind(scale)):
        for kind, labelled in enumerate(counts):
            if labelled:
                rows = -(-labelled * fig.TRANSACTIONS // fig.LABELS)
                parts.append(
                    _year(draws, fig.FIRST_YEAR + year, kind, rows, labelled, users, cards, region_first, region_last)
                )
    columns = (
        list(zip(*parts, strict=True))
        if parts
        else [[np.zeros(0, dtype=np.int64)]] * 7 + [[np.zeros(0, dtype=np.bool_)]]
    )
    return Frauds(*(np.concatenate(column) for column in columns))


def _year(
    draws: Draws, year: int, kind: int, rows: int, labelled: int, users: Users, cards: Cards, first: Ints, last: Ints
) -> tuple[Ints | Mask, ...]:
    sizes: list[int] = []
    while sum(sizes) < rows:
        sizes.append(min(_BURST_SIZES[int(draws.below(1, len(_BURST_SIZES))[0])], rows - sum(sizes)))
    burst_cards, starts, spans = (
        np.asarray(x) for x in zip(*(_burst(draws, year, users, cards) for _ in sizes), strict=True)
    )
    of = np.repeat(np.arange(len(sizes)), sizes)
    days = _days(draws, starts[of], spans[of])
    hours = draws.pick(rows, [share * rate for share, rate in zip(fig.HOURS, fig.FRAUD_RATE_BY_HOUR, strict=True)])
    names = ("frauds_online", "frauds_store", "frauds_italy", "frauds_italy")
    weights = [int(getattr(category, names[kind])) for category in CATEGORIES]
    if kind == ABROAD:  # abroad but for Italy, only the usual shops exist
        weights = [
            weight if category.mcc in (5411, 5812, 5813, 5912, 5311) else 0
            for weight, category in zip(weights, CATEGORIES, strict=True)
        ]
    table = fig.FRAUD_AMOUNTS_ONLINE if kind == WEB else fig.FRAUD_AMOUNTS_STORE
    return (
        burst_cards[of],
        days,
        hours * 60 + draws.below(rows, 60),
        np.full(rows, kind),
        draws.pick(rows, weights),
        _places(draws, kind, len(sizes), first, last)[of],
        from_table(draws, rows, quantile_table(table, 200)),
        draws.sample(rows, labelled),
    )


def _days(draws: Draws, starts: Ints, spans: Ints) -> Ints:
    """A day within each burst; one that is rarely a fraud's weekday is drawn once more."""
    first = dt.date(fig.FIRST_YEAR, 1, 1).weekday()
    rates = np.asarray(fig.FRAUD_RATE_BY_WEEKDAY)
    days = starts + draws.below(len(starts), spans)
    again = draws.below(len(days), int(rates.max())) >= rates[(days + first) % 7]
    return np.where(again, starts + draws.below(len(starts), spans), days)


def _burst(draws: Draws, year: int, users: Users, cards: Cards) -> tuple[int, int, int]:
    """A card that works then, a first day and a span in days."""
    start_of_year = (dt.date(year, 1, 1) - dt.date(fig.FIRST_YEAR, 1, 1)).days
    length = (dt.date(year + 1, 1, 1) if year < fig.LAST_YEAR else dt.date(year, fig.LAST_MONTH + 1, 1)) - dt.date(
        year, 1, 1
    )
    while True:
        card, day, span, lot, weekday = (
            int(draws.below(1, n)[0]) for n in (len(cards.ids), length.days - _LONGEST_DAYS, _LONGEST_DAYS, 100, 220)
        )
        date = dt.date(year, 1, 1) + dt.timedelta(days=day)
        month = date.year * 12 + date.month - 1
        owner = cards.owners[card]
        works = max(cards.opened[card], users.begins[owner] - 1) < month
        works = works and month + 1 < min(cards.expires[card], users.ends[owner] + 1)
        prone = 100 if "Prepaid" in cards.types[card] else 60
        if works and users.weights[owner] and lot < prone and weekday < fig.FRAUD_RATE_BY_WEEKDAY[date.weekday()]:
            return card, start_of_year + day, 1 + span * span // _LONGEST_DAYS


def _places(draws: Draws, kind: int, bursts: int, first: Ints, last: Ints) -> Ints:
    if kind in (WEB, STORE):
        return np.full(bursts, -1)
    names = [name for name, _ in COUNTRIES]
    countries = ("Italy",) if kind == ITALY else FRAUD_COUNTRIES
    regions = len(STATES) + np.asarray([names.index(name) for name in countries])[draws.below(bursts, len(countries))]
    return np.asarray(first[regions] + draws.below(bursts, last[regions] - first[regions]))
