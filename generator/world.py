"""Owns what the months draw from: people put on the map, and the declared figures as tables of weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator import figures as fig
from generator.categories import CATEGORIES, NEAR
from generator.draws import Draws, Ints, Mask, quantile_table
from generator.fraud import Frauds, plan
from generator.merchants import ABROAD, Merchants, Places
from generator.people import Cards, Users

AMOUNT_BINS = 500


@dataclass(frozen=True)
class World:
    """What the months draw from."""

    users: Users
    cards: Cards
    places: Places
    merchants: Merchants
    frauds: Frauds
    homes: Ints  # place per user
    web_weights: Ints
    store_weights: Ints
    abroad_weights: Ints
    refund_shares: npt.NDArray[np.float64]
    near: Mask
    chain_shares: npt.NDArray[np.float64]
    amounts: Ints  # categories x bins
    card_sums: Ints


def make_world(seed: int, scale: float, users: Users, cards: Cards, places: Places, merchants: Merchants) -> World:
    """Puts people on the map and turns the declared figures into tables."""
    draws = Draws(seed, "homes")
    low, high = places.first[users.states], places.last[users.states]
    frauds = plan(seed, scale, users, cards, places.first, places.last)
    web, store = _category_weights()
    has_chain = np.asarray([(c.chain_share > 0 and c.refunds == 0) or c.mcc in (5499, 5541) for c in CATEGORIES])
    usual = has_chain & (store > 100_000)
    usual[list(ABROAD)] = True
    return World(
        users=users,
        cards=cards,
        places=places,
        merchants=merchants,
        frauds=frauds,
        homes=low + draws.below(len(low), high - low),
        web_weights=web,
        store_weights=store,
        abroad_weights=np.where(usual, store, 0),
        refund_shares=np.asarray([c.refunds for c in CATEGORIES]),
        near=np.asarray([c.refund_range == NEAR for c in CATEGORIES]),
        chain_shares=np.asarray([c.chain_share for c in CATEGORIES]),
        amounts=np.stack([_amount_table(c.shape, c.median) for c in CATEGORIES]),
        card_sums=np.cumsum(users.cards),
    )


def _category_weights() -> tuple[Ints, Ints]:
    """Expected rows online and in stores without the frauds: published figures as they are, the others to fill."""
    web = np.asarray([round(c.rows * c.online) for c in CATEGORIES])
    store = np.asarray([c.rows for c in CATEGORIES]) - web
    stated = np.asarray([c.stated for c in CATEGORIES])
    for part, total in ((web, fig.NULL_STATE_ROWS), (store, fig.TRANSACTIONS - fig.NULL_STATE_ROWS)):
        part[~stated] = part[~stated] * (total - int(part[stated].sum())) // int(part[~stated].sum())
    for part, name, labelled in (
        (web, "frauds_online", fig.FRAUDS_ONLINE),
        (store, "frauds_store", fig.FRAUDS_IN_US_STORES),
        (store, "frauds_italy", sum(fig.FRAUDS_IN_ITALY_BY_YEAR)),
    ):
        share = np.asarray([getattr(category, name) for category in CATEGORIES])
        part -= share * (labelled * fig.TRANSACTIONS // fig.LABELS) // int(share.sum())
    return np.maximum(web, 0), np.maximum(store, 0)


def _amount_table(shape: tuple[tuple[float, float], ...], median: float) -> Ints:
    return quantile_table([(at, ratio * median * 100) for at, ratio in shape], AMOUNT_BINS)
