"""Owns the made-up map (places with city, state and zip) and the merchants that stand on it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from generator import figures as fig
from generator.categories import CATEGORIES, Category
from generator.draws import Draws, Ints, Mask, spread
from generator.geography import COUNTRIES, COUNTRY_ROWS, STATES
from generator.people import state_weights

ONLINE = -1
"""The place of a row whose merchant has none."""

_BEGINNINGS = (
    "B", "Br", "C", "Cl", "D", "F", "G", "Gr", "H", "K", "L", "M", "N", "P", "R", "S", "St", "T", "W",
)  # fmt: skip
_VOWELS = "aeiou"
_MIDDLES = (
    "l", "ll", "m", "n", "nd", "r", "s", "ck",
)  # fmt: skip
_ENDINGS = (
    "bury", "by", "dale", "den", "field", "ford", "gate", "ham", "haven", "hill", "hurst", "land", "ley", "mere",
    "mont", "mouth", "port", "ridge", "side", "stead", "ton", "vale", "ville", "wick", "wood", "worth",
)  # fmt: skip
# Which of the nearest merchants people go to, counted from the first one along the map.
_NEIGHBOURS = np.asarray([0] * 9 + [1, 1, -1, 2, -2, 3, -4, 6, -9, 14])
_SIZES = ((1, 76), (2, 12), (3, 5), (5, 3), (8, 2), (12, 1), (20, 1))


@dataclass(frozen=True)
class Places:
    """Every zip of the states (sorted by state, then city), then every city abroad.

    Attributes:
        texts: `city,state,zip` as in the file; one more at the end for ONLINE.
        regions: index of the state, or 52 + index of the country, per place.
        first, last: bounds of each region's places (last is exclusive).
        home: how many places are in the states.
    """

    texts: list[str]
    regions: Ints
    first: Ints
    last: Ints
    home: int


@dataclass(frozen=True)
class Merchants:
    """Merchants grouped by category: those in one place (sorted by place), those everywhere, those online.

    Attributes:
        ids: merchant ids; all arrays below index into it.
        places: place per merchant, ONLINE for chains and web merchants.
        local_keys: category * places + place of each local merchant, ascending.
        local_first, local_home, local_last: bounds of a category's locals: begin, end of the states', end.
        chain_first, web_first: where a category's chain and web merchants begin.
        chain_sums, web_sums: cumulated weights over all chain or web merchants.
    """

    ids: Ints
    places: Ints
    local_keys: Ints
    local_first: Ints
    local_home: Ints
    local_last: Ints
    chain_first: Ints
    chain_offset: int
    chain_sums: Ints
    web_first: Ints
    web_offset: int
    web_sums: Ints
    place_count: int


def make_places(seed: int) -> Places:
    """Draws the map; the same for every scale."""
    draws = Draws(seed, "places")
    weights = [w + 60_000 for w in state_weights()]  # small states have more zips per row than large ones
    room = [(s.last_zip - s.first_zip + 1) * 17 // 20 for s in STATES]
    counts = [min(n, r) for n, r in zip(spread(fig.ZIPS, weights), room, strict=True)]
    largest = int(np.argmax(room))
    counts[largest] += fig.ZIPS - sum(counts)
    names = _city_names(draws, fig.CITY_NAMES - 1 - len({c for _, cities in COUNTRIES for c in cities}))
    texts: list[str] = []
    regions: list[int] = []
    used = 0
    for index, (state, count) in enumerate(zip(STATES, counts, strict=True)):
        zips = np.flatnonzero(draws.sample(state.last_zip - state.first_zip + 1, count)) + state.first_zip
        sizes = np.asarray([size for size, _ in _SIZES])[draws.pick(count, [w for _, w in _SIZES])]
        cities = np.repeat(np.arange(count), sizes)[:count]
        reused = draws.below(count, len(names))
        own = [
            names[(used + int(c)) if used + int(c) < len(names) else int(reused[c])] for c in range(int(cities[-1]) + 1)
        ]
        used += len(own)
        texts += [
            f"{own[city]},{state.code},{code}.0" for city, code in zip(cities.tolist(), zips.tolist(), strict=True)
        ]
        regions += [index] * count
    for index, (country, foreign) in enumerate(COUNTRIES):
        texts += [f"{city},{country}," for city in foreign]
        regions += [len(STATES) + index] * len(foreign)
    texts.append("ONLINE,,")
    of = np.asarray(regions)
    bounds = np.arange(len(STATES) + len(COUNTRIES))
    return Places(texts, of, np.searchsorted(of, bounds), np.searchsorted(of, bounds, side="right"), fig.ZIPS)


def _city_names(draws: Draws, count: int) -> list[str]:
    foreign = {city for _, cities in COUNTRIES for city in cities}
    parts = itertools.product(_BEGINNINGS, _VOWELS, _MIDDLES, _ENDINGS)
    pool = [name for name in dict.fromkeys("".join(part) for part in parts) if name not in foreign]
    return [pool[i] for i in draws.shuffled(len(pool))[:count].tolist()]


def country_weights() -> list[int]:
    """Expected rows per country: four are published, the rest falls with the order."""
    stated = dict(COUNTRY_ROWS)
    rest = fig.FOREIGN_ROWS - sum(stated.values())
    # Italy's frauds are planned apart: what remains are the travellers.
    stated["Italy"] -= sum(fig.FRAUDS_IN_ITALY_BY_YEAR) * fig.TRANSACTIONS // fig.LABELS
    order = [name for name, _ in COUNTRIES if name not in COUNTRY_ROWS]
    falling = dict(zip(order, spread(rest, [10**6 // (rank + 6) for rank in range(len(order))]), strict=True))
    return [stated.get(name) or falling[name] for name, _ in COUNTRIES]


ABROAD = tuple(i for i, c in enumerate(CATEGORIES) if c.mcc in (5411, 5812, 5813, 5912, 7011, 4121, 5300))
"""Categories whose local merchants exist in every country; abroad people also find the chains."""


def make_merchants(seed: int, places: Places) -> Merchants:
    """Draws the merchants; the same for every scale."""
    draws = Draws(seed, "merchants")
    local_keys = _local_keys(draws, places)
    chains, webs = _everywhere(CATEGORIES)
    total = len(local_keys) + len(chains) + len(webs)
    ids = _ids(draws, total, len(local_keys), chains, webs)
    categories = np.arange(len(CATEGORIES) + 1)
    count = len(places.regions)
    first = np.searchsorted(local_keys, categories * count)
    chain_of, web_of = (np.asarray([c for c, _, _ in group]) for group in (chains, webs))
    chain_sums, web_sums = (np.cumsum([w for _, w, _ in group]) for group in (chains, webs))
    return Merchants(
        ids=ids,
        places=np.concatenate([local_keys % count, np.full(len(chains) + len(webs), ONLINE)]),
        local_keys=local_keys,
        local_first=first[:-1],
        local_home=np.searchsorted(local_keys, categories[:-1] * count + places.home),
        local_last=first[1:],
        chain_first=np.searchsorted(chain_of, categories),
        chain_offset=len(local_keys),
        chain_sums=chain_sums,
        web_first=np.searchsorted(web_of, categories),
        web_offset=len(local_keys) + len(chains),
        web_sums=web_sums,
        place_count=count,
    )


def _everywhere(categories: tuple[Category, ...]) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Chains and web merchants as (category, weight, known id or 0): the known ones first, the others falling."""
    chains: list[tuple[int, int, int]] = []
    webs: list[tuple[int, int, int]] = []
    for index, category in enumerate(categories):
        known = [(rows, merchant) for merchant, mcc, rows in fig.TOP_MERCHANTS if mcc == category.mcc]
        share = category.online if category.online == 1 else (1 - category.online) * category.chain_share
        rest = max(0, round(category.rows * share) - sum(rows for rows, _ in known))
        count = category.chains if category.online < 1 else 7
        target = webs if category.online == 1 else chains
        target += [(index, rows, merchant) for rows, merchant in known]
        others = max(0, count - len(known))
        target += [(index, part + 1, 0) for part in spread(rest, [1000 // (i + 2) for i in range(others)] or [1])][
            :others
        ]
        if category.online < 1 and (category.online or category.frauds_online):
            webs += [(index, 1000 // (i + 2), 0) for i in range(4)]
    return chains, webs


def _ids(
    draws: Draws, total: int, local: int, chains: list[tuple[int, int, int]], webs: list[tuple[int, int, int]]
) -> Ints:
    known = {merchant for merchant, _, _ in fig.TOP_MERCHANTS}
    pool = [i + 1 for i in draws.shuffled(fig.LARGEST_MERCHANT_ID).tolist() if i + 1 not in known][:total]
    ids = np.asarray(pool)
    for at, (_, _, merchant) in enumerate([*chains, *webs]):
        if merchant:
            ids[local + at] = merchant
    return ids


def _local_keys(draws: Draws, places: Places) -> Ints:
    """One key (category, place) per local merchant: in the states by weight, abroad one of each usual category."""
    chains, webs = _everywhere(CATEGORIES)
    count = len(places.regions)
    abroad = _abroad(draws, places)
    wanted = fig.MERCHANTS - len(chains) - len(webs) - len(abroad)
    per_category = spread(wanted, [category.local for category in CATEGORIES])
    keys = [abroad]
    for index, number in enumerate(per_category):
        keys.append(index * count + draws.below(number, places.home))
    merged = np.concatenate(keys)
    merged.sort()
    return merged


def _abroad(draws: Draws, places: Places) -> Ints:
    count = len(places.regions)
    keys = []
    for region in range(len(STATES), len(places.first)):
        first, last = int(places.first[region]), int(places.last[region])
        for usual in ABROAD:
            keys += (usual * count + first + draws.below(1 + (last - first), last - first)).tolist()
    italy = len(STATES) + [name for name, _ in COUNTRIES].index("Italy")
    first, last = int(places.first[italy]), int(places.last[italy])
    for index, category in enumerate(CATEGORIES):
        if category.frauds_italy:
            number = 1 + min(3, category.frauds_italy // 90)
            keys += (index * count + first + draws.below(number, last - first)).tolist()
    return np.asarray(keys, dtype=np.int64)


def choose_local(draws: Draws, merchants: Merchants, places: Places, category: Ints, place: Ints) -> tuple[Ints, Mask]:
    """The merchant of each category nearest to each place or little further; and whether it is in the same region."""
    home = place < places.home
    last = np.where(home, merchants.local_home[category], merchants.local_last[category]) - 1
    first = np.where(home, merchants.local_first[category], merchants.local_home[category])
    nearest = np.searchsorted(merchants.local_keys, category * merchants.place_count + place)
    further = nearest + np.where(home, _NEIGHBOURS[draws.below(len(category), len(_NEIGHBOURS))], 0)
    region = places.regions[place]
    at, same = np.zeros(len(category), dtype=np.int64), np.zeros(len(category), dtype=np.bool_)
    for candidate in (further, nearest, nearest - 1):
        inside = np.minimum(np.clip(candidate, first, np.maximum(first, last)), len(merchants.local_keys) - 1)
        at = np.where(same, at, inside)
        same = (places.regions[merchants.places[at]] == region) & (first <= last)
    return at, same


def choose_everywhere(draws: Draws, merchants: Merchants, category: Ints, online: bool) -> Ints:
    """A chain (or web) merchant of each category by weight; the category must have one."""
    first, offset, sums = (
        (merchants.web_first, merchants.web_offset, merchants.web_sums)
        if online
        else (merchants.chain_first, merchants.chain_offset, merchants.chain_sums)
    )
    base = np.concatenate([[0], sums])
    low, high = base[first[category]], base[first[category + 1]]
    return np.asarray(np.searchsorted(sums, low + draws.below(len(category), high - low), side="right") + offset)
