"""Owns the details that make rows look as published: ties, refunds next to sales, channels, errors, gaps of ids."""

from __future__ import annotations

import numpy as np

from generator import figures as fig
from generator.draws import Draws, Ints, Mask
from generator.people import MONTHS
from generator.quotas import Month
from generator.rows import Rows
from generator.world import World

SWIPE, CHIP, NET = range(3)


def tie_refunds_to_sales(draws: Draws, rows: Rows, holding: Mask, valid: Mask) -> None:
    """Gives refunds the card and merchant of sales: most of any, nearly in its minute; those that release a hold, of the hold.

    Args:
        draws: the month's.
        rows: changed in place.
        holding: which rows are of categories that hold whole amounts and release them.
        valid: which rows are of cards in their time; the few others are tied to none, so that there are no more of them.
    """
    kind = rows.categories * 2 + rows.online
    released, holds = _holds(rows, kind, holding, valid)
    is_hold = np.zeros(len(kind), dtype=np.bool_)
    is_hold[holds] = True
    _tie_to_any_sale(draws, rows, kind, is_hold, valid)
    _tie_holds(draws, rows, released, holds)


def _holds(rows: Rows, kind: Ints, holding: Mask, valid: Mask) -> tuple[Ints, Ints]:
    """The refunds that release a hold, and for each a sale that is to be the hold: one of whole dollars, as far as there are."""
    whole = (rows.cents % 100 == 0) & (rows.cents >= 5000) & (rows.cents <= 10000)
    released, holds = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for each in np.unique(kind[rows.refunds & holding]):
        back = np.flatnonzero(rows.refunds & (kind == each) & valid)
        sales = np.flatnonzero(~rows.refunds & (kind == each) & valid)
        chosen = sales[np.argsort(~whole[sales], kind="stable")][: len(back)]
        released.append(back[: len(chosen)])
        holds.append(chosen)
    return np.concatenate(released), np.concatenate(holds)


def _tie_holds(draws: Draws, rows: Rows, released: Ints, holds: Ints) -> None:
    count = len(holds)
    same = draws.chance(count, fig.HOLD_IN_REFUNDS_MINUTE)
    nearer = np.minimum(draws.below(count, fig.HOLD_MINUTES), draws.below(count, fig.HOLD_MINUTES))
    apart = np.where(same, 0, 1 + nearer)
    released_at = rows.minutes[released]
    minute_of_day = released_at % 1440
    is_after = (draws.chance(count, 0.5) | (minute_of_day < apart)) & (minute_of_day + apart < 1440)
    rows.minutes[holds] = released_at + np.where(is_after, apart, -apart)
    rows.cents[holds] = -rows.cents[released]
    for column in (rows.cards, rows.merchants, rows.places):
        column[holds] = column[released]


def _tie_to_any_sale(draws: Draws, rows: Rows, kind: Ints, is_hold: Mask, valid: Mask) -> None:
    back = np.flatnonzero(rows.refunds & valid & draws.chance(len(rows.minutes), 0.7))
    sales = np.flatnonzero(~rows.refunds & ~is_hold & valid & np.isin(kind, np.unique(kind[back])))
    if not len(back) or not len(sales):
        return
    sales = sales[np.argsort(kind[sales], kind="stable")]
    low, high = (np.searchsorted(kind[sales], kind[back], side=side) for side in ("left", "right"))
    fits = high > low
    back, low, high = back[fits], low[fits], high[fits]
    sale = sales[low + draws.below(len(back), high - low)]
    same = draws.chance(len(back), fig.REFUND_IN_SALES_MINUTE)
    later = np.where(same, 0, 1 + draws.below(len(back), 25))
    end_of_day = rows.minutes[sale] // 1440 * 1440 + 1439
    rows.minutes[back] = np.minimum(rows.minutes[sale] + later, end_of_day)
    for column in (rows.cards, rows.merchants, rows.places):
        column[back] = column[sale]


def pin_ends(month: Month, rows: Rows) -> None:
    """The dataset begins at 00:01 of its first day and ends at 23:59 of its last, at every scale."""
    if not len(rows.minutes):
        return
    if month.index == 0:
        np.maximum(rows.minutes, 1, out=rows.minutes)
        rows.minutes[int(np.argmin(rows.minutes))] = 1
    if month.index == MONTHS - 1:
        rows.minutes[int(np.argmax(rows.minutes))] = len(month.days) * 1440 - 1


def no_twins(rows: Rows, clients: Ints) -> None:
    """No two rows (sorted by minute and client) are alike but for the id: a cent more or a dollar less differs."""
    tie = (rows.minutes[1:] == rows.minutes[:-1]) & (clients[1:] == clients[:-1])
    tied = np.flatnonzero(np.concatenate([tie, [False]]) | np.concatenate([[False], tie]))
    while len(tied):
        tied = tied[np.lexsort((rows.cents[tied], rows.merchants[tied], clients[tied], rows.minutes[tied]))]
        same = np.ones(max(0, len(tied) - 1), dtype=np.bool_)
        for column in (rows.minutes, clients, rows.merchants, rows.cents):
            same &= column[tied[1:]] == column[tied[:-1]]
        twins = tied[1:][same]
        if not len(twins):
            return
        other_refund = -100 * (-rows.cents[twins] // 100 % fig.LARGEST_REFUND + 1)
        rows.cents[twins] = np.where(rows.refunds[twins], other_refund, rows.cents[twins] + 1)


def drawn_channels(draws: Draws, world: World, month: Month, rows: Rows) -> Ints:
    """Online, or chip as far as the month's quota goes and the card has one, or swipe."""
    chip_card = world.cards.has_chip[rows.cards] == 1
    stray = draws.quota(rows.online & ~rows.fraud, month.stray)
    chip = draws.quota(chip_card & (~rows.online | stray), month.chip)
    return np.where(rows.online & ~stray, NET, np.where(chip, CHIP, SWIPE))


def drawn_errors(draws: Draws, rows: Rows) -> Ints:
    """Index into the errors + 1, 0 for none."""
    count = len(rows.minutes)
    errors = np.zeros(count, dtype=np.int64)
    word = draws.words(count)
    totals = {"O": fig.NULL_STATE_ROWS, "S": fig.TRANSACTIONS - fig.NULL_STATE_ROWS}
    for place, mask in (("O", rows.online), ("S", ~rows.online)):
        for fraud in (False, True):
            edges = np.cumsum([int(p * 2**32) for p in _error_shares(place, totals, fraud)])
            chosen = mask & (rows.fraud == fraud)
            found = np.searchsorted(edges, word[chosen], side="right") + 1
            errors[chosen] = np.where(found > len(edges), 0, found)
    return errors


def _error_shares(place: str, totals: dict[str, int], fraud: bool) -> list[float]:
    shares = []
    frauds = {"O": fig.FRAUDS_ONLINE, "S": sum(fig.FRAUDS_BY_YEAR) - fig.FRAUDS_ONLINE}
    for name, rows, where in fig.ERRORS:
        if place not in where:
            shares.append(0.0)
            continue
        base = sum(totals[p] for p in where)
        if fraud:
            rate = fig.FRAUD_PER_MILLE_BY_ERROR.get(name, 1.5) / 1000
            shares.append(rows * fig.LABELS / fig.TRANSACTIONS * rate / sum(frauds[p] for p in where))
        else:
            shares.append(rows / base)
    return shares


def numbered(draws: Draws, month: Month, rows: Rows, clients: Ints) -> Ints:
    """Ascending ids with gaps, but for the dataset's first and last; ties are swapped as published."""
    first, width = month.ids
    count = len(rows.minutes)
    used = draws.sample(width, count)
    if count:
        for end, edge in ((0, 0), (MONTHS - 1, width - 1)):
            if month.index == end and not used[edge]:
                used[np.flatnonzero(used)[0 if edge == 0 else -1]] = False
                used[edge] = True
    ids = np.flatnonzero(used).astype(np.int64) + first
    tie = (
        (rows.minutes[1:] == rows.minutes[:-1])
        & (clients[1:] == clients[:-1])
        & (rows.merchants[1:] == rows.merchants[:-1])
    )
    tie[1:] &= ~tie[:-1]  # pairs only
    swap = np.flatnonzero(tie & draws.chance(max(0, count - 1), fig.TIE_SWAPPED))
    ids[swap], ids[swap + 1] = ids[swap + 1], ids[swap].copy()
    return ids
