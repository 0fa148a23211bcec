"""Owns the transactions: a month at a time, drawn column by column, sorted, numbered and written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from generator import figures as fig
from generator.categories import CATEGORIES
from generator.details import drawn_channels, drawn_errors, no_twins, numbered, pin_ends, tie_refunds_to_sales
from generator.draws import Draws, Ints, Mask
from generator.fraud import ITALY, STORE, WEB
from generator.geography import STATES
from generator.merchants import ONLINE, choose_everywhere, choose_local, country_weights
from generator.people import FIRST_MONTH, state_weights
from generator.quotas import Month, months
from generator.rows import Rows
from generator.world import AMOUNT_BINS, World
from generator.writers import TRANSACTIONS_HEADER, TransactionLines

# Steps from home along the places sorted by state and city: most purchases at home, few a town or five away.
_STEPS = np.asarray([0] * 44 + [1, 1, 1, -1, -1, 2, 2, -2, 3, -3, 4, -5, 6, -7, 9, -11, 14, -18, 25, -40])
_TRIP_ABROAD, _TRIP_HOME = 0.0395, 0.26  # chance per client and month


def write_months(
    file: BinaryIO, seed: int, scale: float, world: World, lines: TransactionLines, tick: Callable[[int, int], None]
) -> tuple[int, npt.NDArray[np.uint32], Mask]:
    """Writes the header and every month; returns the rows, and the labelled ids with whether each is a fraud."""
    file.write(TRANSACTIONS_HEADER.encode() + b"\n")
    ids: list[npt.NDArray[np.uint32]] = []
    frauds: list[Mask] = []
    done = 0
    plans = months(scale)
    total = sum(plan.rows for plan in plans)
    for month in plans:
        rows = _make(Draws(seed, f"month {month.index}"), world, month, file, lines)
        ids.append(rows[0])
        frauds.append(rows[1])
        done += month.rows
        tick(done, total)
    return done, np.concatenate(ids), np.concatenate(frauds)


def _make(
    draws: Draws, world: World, month: Month, file: BinaryIO, lines: TransactionLines
) -> tuple[npt.NDArray[np.uint32], Mask]:
    fraud = _fraud_rows(draws, world, month)
    count = month.rows - len(fraud.minutes)
    rows = _usual_rows(draws, world, month, count, max(0, month.online - int(fraud.online.sum()))).followed_by(fraud)
    pin_ends(month, rows)
    rows.cents[draws.quota(rows.refunds & ~rows.fraud, month.minus_zeros)] = 0
    clients = world.users.ids[world.cards.owners[rows.cards]]
    order = np.argsort(rows.minutes * 2048 + clients, kind="stable")
    rows, clients = rows.taken(order), clients[order]
    no_twins(rows, clients)
    labelled = rows.labelled | draws.quota(~rows.fraud, month.labels - int(rows.labelled.sum()))
    channels = drawn_channels(draws, world, month, rows)
    errors = drawn_errors(draws, rows)
    ids = numbered(draws, month, rows, clients)
    days = [day.isoformat() for day in month.days]
    file.write(lines.render(ids, days, rows, channels, errors))
    return ids[labelled].astype(np.uint32), rows.fraud[labelled]


def _usual_rows(draws: Draws, world: World, month: Month, count: int, online: int) -> Rows:
    cards = _cards(draws, world, month, count)
    users = world.cards.owners[cards]
    net = draws.sample(count, min(online, count))
    weekday = [fig.WEEKDAYS[day.weekday()] for day in month.days]
    days = draws.pick(count, weekday)
    minutes = days * 1440 + draws.pick(count, fig.HOURS) * 60 + draws.below(count, 60)
    places = _whereabouts(draws, world, month, users, days)
    abroad = places >= world.places.home
    categories = np.where(
        net,
        draws.pick(count, world.web_weights),
        np.where(abroad, draws.pick(count, world.abroad_weights), draws.pick(count, world.store_weights)),
    )
    merchants, places = _merchants(draws, world, categories, places, net, np.zeros(count, dtype=np.bool_))
    cents, refunds = _amounts(draws, world, categories, net)
    none = np.zeros(count, dtype=np.bool_)
    rows = Rows(minutes, cards, categories, merchants, places, net, cents, refunds, fraud=none, labelled=none.copy())
    now = FIRST_MONTH + month.index
    valid = (world.cards.opened[cards] <= now) & (now <= world.cards.expires[cards])
    tie_refunds_to_sales(draws, rows, world.near[categories], valid)
    return rows


def _cards(draws: Draws, world: World, month: Month, count: int) -> Ints:
    """A card per row: clients by weight among those who hold a working card, then one of theirs by its weight."""
    now = FIRST_MONTH + month.index
    cards = world.cards
    pays = (world.users.weights > 0) & (world.users.begins <= now) & (now <= world.users.ends)
    works = (cards.opened <= now) & (now <= cards.expires) & pays[cards.owners]
    weight = np.where(works, cards.weights, 0)
    held = np.zeros(len(world.users.ids), dtype=np.int64)
    np.add.at(held, cards.owners, weight)
    client_weight = np.where(held > 0, world.users.weights, 0)
    users = draws.pick(count, client_weight)
    sums = np.cumsum(weight)
    base = (np.concatenate([[0], sums]))[world.card_sums - world.users.cards]
    found = np.searchsorted(sums, base[users] + draws.below(count, held[users]), side="right")
    chosen = np.asarray(found, dtype=np.int64)
    payer = client_weight[cards.owners] > 0
    for wanted, pool in (
        (month.before_opening, payer & (cards.opened > now) & (cards.opened <= now + 3)),
        (month.after_expiry, payer & (cards.expires < now) & (cards.expires >= now - 3)),
    ):
        candidates = np.flatnonzero(pool)
        if wanted and len(candidates):
            chosen[draws.below(wanted, count)] = candidates[draws.below(wanted, len(candidates))]
    return chosen


def _whereabouts(draws: Draws, world: World, month: Month, users: Ints, days: Ints) -> Ints:
    """The place near which each row happens: around home, or where the client's trip of the month leads."""
    clients = len(world.users.ids)
    kind = draws.words(clients).astype(np.int64)
    abroad = kind < int(_TRIP_ABROAD * 2**32)
    away = kind < int((_TRIP_ABROAD + _TRIP_HOME) * 2**32)
    regions = np.where(
        abroad, len(STATES) + draws.pick(clients, country_weights()), draws.pick(clients, state_weights())
    )
    first, last = world.places.first[regions], world.places.last[regions]
    goal = first + draws.below(clients, last - first)
    start = draws.below(clients, len(month.days))
    end = start + 2 + draws.below(clients, 10)
    travelling = away[users] & (days >= start[users]) & (days < end[users])
    centre = np.where(travelling, goal[users], world.homes[users])
    moved = centre + _STEPS[draws.below(len(users), len(_STEPS))]
    region = world.places.regions[centre]
    return np.asarray(np.clip(moved, world.places.first[region], world.places.last[region] - 1))


def _merchants(
    draws: Draws, world: World, categories: Ints, places: Ints, net: Mask, local_only: Mask
) -> tuple[Ints, Ints]:
    """A merchant per row, and the row's place: the merchant's own, or where the client is if it is everywhere."""
    count = len(categories)
    merchants = np.zeros(count, dtype=np.int64)
    local, near = choose_local(draws, world.merchants, world.places, categories, places)
    has_chain = world.merchants.chain_first[categories + 1] > world.merchants.chain_first[categories]
    foreign = places >= world.places.home
    chain = draws.chance(count, world.chain_shares[categories]) & ~local_only
    chain = ~net & has_chain & (chain | (foreign & ~near))
    merchants[:] = local
    merchants[chain] = choose_everywhere(draws, world.merchants, categories[chain], online=False)
    merchants[net] = choose_everywhere(draws, world.merchants, categories[net], online=True)
    own = world.merchants.places[merchants]
    return merchants, np.where(net, ONLINE, np.where(chain, places, own))


def _amounts(draws: Draws, world: World, categories: Ints, net: Mask) -> tuple[Ints, Mask]:
    count = len(categories)
    position = draws.words(count).astype(np.int64) * AMOUNT_BINS
    at, rest = position >> 32, (position & 0xFFFFFFFF) >> 8
    low = world.amounts[categories, at]
    cents = low + (((world.amounts[categories, at + 1] - low) * rest) >> 24)
    transfers = categories == _index(4829)
    cents = np.where(transfers, (cents + 1000) // 2000 * 2000, np.maximum(cents, 1))
    near = world.near[categories]
    kind = draws.words(count).astype(np.int64)
    share = (world.refund_shares * 2.0**32).astype(np.int64)[categories]
    refunds = kind < share
    # Fuel and groceries also block whole amounts, as often as they give them back.
    block = near & ~refunds & (kind < 2 * share)
    dollars = np.where(near, 50 + draws.below(count, 51), 101 + draws.below(count, 400))
    cents = np.where(refunds, -100 * dollars, np.where(block, 100 * dollars, cents))
    return np.minimum(cents, fig.LARGEST_CENTS), refunds


def _fraud_rows(draws: Draws, world: World, month: Month) -> Rows:
    first = (month.days[0] - dt.date(fig.FIRST_YEAR, 1, 1)).days
    mine = np.flatnonzero((world.frauds.days >= first) & (world.frauds.days < first + len(month.days)))[: month.rows]
    f = world.frauds
    count = len(mine)
    kinds, categories = f.kinds[mine], f.categories[mine]
    net = kinds == WEB
    regions = draws.pick(count, state_weights())
    somewhere = world.places.first[regions] + draws.below(
        count, world.places.last[regions] - world.places.first[regions]
    )
    places = np.where(kinds == STORE, somewhere, np.maximum(f.places[mine], 0))
    merchants, places = _merchants(draws, world, categories, places, net, kinds == ITALY)
    refunds = draws.chance(count, 0.004)
    cents = np.where(refunds, -np.maximum(1, f.cents[mine] // 100) * 100, np.maximum(1, f.cents[mine]))
    return Rows(
        minutes=(f.days[mine] - first) * 1440 + f.minutes[mine],
        cards=f.cards[mine],
        categories=categories,
        merchants=merchants,
        places=places,
        online=net,
        cents=np.maximum(cents, -100 * fig.LARGEST_REFUND),
        refunds=refunds,
        fraud=np.ones(count, dtype=np.bool_),
        labelled=f.labelled[mine],
    )


def _index(mcc: int) -> int:
    return next(i for i, category in enumerate(CATEGORIES) if category.mcc == mcc)
