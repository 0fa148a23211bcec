"""Owns the made-up users and cards: who they are, which of them ever pays, and with which card in which month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator import figures as fig
from generator.draws import Draws, Ints, from_table, quantile_table
from generator.geography import NO_HOMES, STATES

MONTHS = (fig.LAST_YEAR - fig.FIRST_YEAR) * 12 + fig.LAST_MONTH
FIRST_MONTH = fig.FIRST_YEAR * 12
"""A month as one number: year * 12 + month - 1."""

_FIRST_NAMES = (
    "1st", "11th", "Alder", "Ash", "Aspen", "Bay", "Birch", "Bluff", "Brook", "Canyon", "Cedar", "Cherry",
    "Clover", "Cove", "Creek", "Dale", "Elm", "Fern", "Field", "Forest", "Glen", "Grove", "Harbor", "Hazel", "Hill",
    "Holly", "Ivy", "Juniper", "Lake", "Laurel", "Linden", "Maple", "Meadow", "Mill", "Oak", "Orchard", "Park",
    "Pine", "Pond", "Rose",
)  # fmt: skip
_LAST_NAMES = ("Drive", "Avenue", "Street", "Lane", "Boulevard")


@dataclass(frozen=True)
class Users:
    """One entry per user, in the order of the users file."""

    ids: Ints
    birth_months: Ints  # year * 12 + month - 1
    ages: Ints
    retirement_ages: Ints
    females: Ints
    addresses: list[str]
    states: Ints  # index into STATES
    latitudes: Ints  # hundredths of a degree
    longitudes: Ints
    incomes_per_capita: Ints
    incomes: Ints
    debts: Ints
    scores: Ints
    cards: Ints
    weights: Ints  # rows per month relative to the others; 0 for the silent
    begins: Ints  # first and last month with payments
    ends: Ints
    new_only: Ints  # 1 where every card is opened after the last transaction


@dataclass(frozen=True)
class Cards:
    """One entry per card, in the order of the cards file, which follows the users' order."""

    ids: Ints
    owners: Ints  # index into Users
    brands: list[str]
    types: list[str]
    numbers: list[str]
    expires: Ints  # months
    cvvs: Ints
    has_chip: Ints
    issued: Ints
    limits: Ints
    opened: Ints  # months
    pin_years: Ints
    weights: Ints  # use relative to the owner's other cards


def make_users(seed: int) -> Users:
    """Draws the users; the same for every scale."""
    draws = Draws(seed, "users")
    count = fig.USERS
    ages = _exact(draws, fig.AGES, count)
    months = draws.below(count, 12)
    # The published ages are of February 2020: a birthday later in the year has not come yet.
    birth_months = (2020 - ages - (months > 1)) * 12 + months
    retirement = _exact(draws, fig.RETIREMENT_AGES, count)
    cards = np.repeat(np.arange(1, 10), fig.CARDS_PER_USER)[draws.shuffled(count)]
    per_capita = _exact(draws, fig.INCOMES_PER_CAPITA, count)
    ratio = np.where(
        ages >= retirement,
        from_table(draws, count, quantile_table(fig.INCOME_RATIOS_RETIRED, 200)),
        fig.INCOME_RATIO,
    )
    incomes = (per_capita * ratio + draws.below(count, 1000)) // 1000
    poor = draws.sample(count, fig.ZERO_INCOMES_PER_CAPITA)
    per_capita[poor], incomes[poor] = 0, 1 + draws.below(count, 2_500)[poor]
    debts = _debts(draws, ages, incomes)
    new_only, silent = _who_is_silent(draws, ages, cards)
    weights = _weights(draws, silent)
    begins, ends = _windows(draws, weights, ages)
    ids = draws.shuffled(count)
    # The top client is known by id: it swaps ids with the client that drew that id.
    top = int(np.argmax(weights))
    weights[top] = fig.TOP_CLIENT_WEIGHT
    holder = int(np.flatnonzero(ids == fig.TOP_CLIENT)[0])
    ids[[top, holder]] = ids[[holder, top]]
    states = _homes(draws, weights)
    centre = np.asarray([(state.latitude, state.longitude) for state in STATES])[states]
    jitter = np.asarray([draws.below(count, 240) - 120, draws.below(count, 240) - 120]).T
    jitter[states == [s.code for s in STATES].index("HI")] //= 10
    place = centre + jitter
    return Users(
        ids=ids,
        birth_months=birth_months,
        ages=ages,
        retirement_ages=retirement,
        females=draws.sample(count, fig.FEMALES).astype(np.int64),
        addresses=_addresses(draws, count),
        states=states,
        latitudes=place[:, 0],
        longitudes=place[:, 1],
        incomes_per_capita=per_capita,
        incomes=incomes,
        debts=debts,
        scores=_exact(draws, fig.CREDIT_SCORES, count),
        cards=cards,
        weights=weights,
        begins=begins,
        ends=ends,
        new_only=new_only,
    )


def _exact(draws: Draws, knots: tuple[tuple[float, float], ...], count: int) -> Ints:
    """A shuffle of the quantiles themselves, so that the figures are met at 2,000 rows without sampling noise."""
    return quantile_table(knots, count - 1)[draws.shuffled(count)]


def _debts(draws: Draws, ages: Ints, incomes: Ints) -> Ints:
    """Debt follows income and falls with age: quantiles dealt out by a noisy rank of both."""
    count = len(ages)
    table = np.zeros(count, dtype=np.int64)
    table[fig.ZERO_DEBTS :] = quantile_table(fig.DEBTS, count - fig.ZERO_DEBTS - 1)
    rank = incomes - 600 * ages + draws.below(count, 60_000)
    debts = np.empty(count, dtype=np.int64)
    debts[np.argsort(rank, kind="stable")] = table
    return debts


def _who_is_silent(draws: Draws, ages: Ints, cards: Ints) -> tuple[Ints, Ints]:
    """Marks the users with new cards only, and all who never pay: mostly the young."""
    count = len(ages)
    fresh = np.zeros(count, dtype=np.int64)
    # The youngest, with some noise, and few cards: 734 for 387 users.
    order = np.argsort(ages * 1000 + draws.below(count, 9000) + 2_600 * cards, kind="stable")
    fresh[order[: fig.NEW_CARD_USERS]] = 1
    _swap_until(fresh, cards, fig.NEW_USERS_CARDS, order)
    shares = np.asarray([next(p for age, p in fig.SILENT_BY_AGE if a <= age) for a in ages.tolist()])
    silent = fresh.copy()
    rest = np.flatnonzero(fresh == 0)
    # Lowest first: a weighted choice of exactly as many as are missing; who never pays has fewer cards.
    lot = draws.below(len(rest), 1_000_000) - (shares[rest] * 1_000_000).astype(np.int64) + 130_000 * cards[rest]
    silent[rest[np.argsort(lot, kind="stable")[: fig.USERS - fig.ACTIVE_USERS - fig.NEW_CARD_USERS]]] = 1
    return fresh, silent


def _swap_until(chosen: Ints, cards: Ints, wanted: int, order: Ints) -> None:
    """Swaps one chosen user for one not chosen until the chosen hold `wanted` cards."""
    while (missing := wanted - int(cards[chosen == 1].sum())) != 0:
        step = 1 if missing > 0 else -1
        inside = next(i for i in order[::-1].tolist() if chosen[i] and 1 <= cards[i] + step <= 9)
        outside = next(i for i in order.tolist() if not chosen[i] and cards[i] == cards[inside] + step)
        chosen[inside], chosen[outside] = 0, 1


def _weights(draws: Draws, silent: Ints) -> Ints:
    active = np.flatnonzero(silent == 0)
    weights = np.zeros(len(silent), dtype=np.int64)
    weights[active] = _exact(draws, fig.CLIENT_WEIGHTS, len(active))
    return weights


def _windows(draws: Draws, weights: Ints, ages: Ints) -> tuple[Ints, Ints]:
    """First and last month with payments: most pay all the time, the youngest payers begin later, a few stop."""
    begins = np.full(len(weights), FIRST_MONTH)
    ends = np.full(len(weights), FIRST_MONTH + MONTHS - 1)
    payers = np.flatnonzero((weights > 0) & (weights < int(weights.max())))
    order = payers[np.argsort(ages[payers], kind="stable")]
    late = order[: fig.ACTIVE_USERS - fig.ACTIVE_USERS_2010]
    begins[late] = FIRST_MONTH + 12 + draws.below(len(late), 84)
    stopped = order[::-1][: fig.ACTIVE_USERS - fig.ACTIVE_USERS_2019]
    ends[stopped] = FIRST_MONTH + 60 + draws.below(len(stopped), 48)
    return begins, ends


def state_weights() -> list[int]:
    """Expected rows per state: published, or the rest shared out like the published first rows."""
    stated = sum(state.rows for state in STATES)
    sampled = sum(state.sampled for state in STATES if not state.rows)
    rest = fig.TRANSACTIONS - fig.NULL_STATE_ROWS - fig.FOREIGN_ROWS - stated
    return [state.rows or rest * state.sampled // sampled for state in STATES]


def _homes(draws: Draws, weights: Ints) -> Ints:
    """Deals users out to states, heaviest first, each to the state that is furthest below its share."""
    shares = np.asarray([0 if s.code in NO_HOMES else w for s, w in zip(STATES, state_weights(), strict=True)])
    homes = np.zeros(len(weights), dtype=np.int64)
    total, given = int(weights.sum()), np.zeros(len(shares), dtype=np.int64)
    wanted = shares * total // int(shares.sum())
    active = np.argsort(-weights, kind="stable")[: int((weights > 0).sum())]
    for user in active.tolist():
        homes[user] = int(np.argmax(wanted - given))
        given[homes[user]] += weights[user]
    silent = np.flatnonzero(weights == 0)
    homes[silent] = draws.pick(len(silent), shares)
    return homes


def _addresses(draws: Draws, count: int) -> list[str]:
    number, first, last, second = (draws.below(count, bound).tolist() for bound in (9_900, 40, 5, 40))
    two = draws.chance(count, 0.1).tolist()
    return [
        f"{n} {_FIRST_NAMES[f]}{' ' + _FIRST_NAMES[s] if t and s != f else ''} {_LAST_NAMES[e]}"
        for n, f, e, s, t in zip(number, first, last, second, two, strict=True)
    ]


def make_cards(seed: int, users: Users) -> Cards:
    """Draws the cards; the same for every scale."""
    draws = Draws(seed, "cards")
    count = fig.CARDS
    owners = np.repeat(np.arange(fig.USERS), users.cards)
    kinds = [
        (b, t, chip)
        for b, t, without, having in fig.CARD_KINDS
        for chip, n in ((0, without), (1, having))
        for _ in range(n)
    ]
    kinds = [kinds[i] for i in draws.shuffled(count).tolist()]
    opened, expires = _dates(draws, users, owners)
    return Cards(
        ids=draws.shuffled(count),
        owners=owners,
        brands=[brand for brand, _, _ in kinds],
        types=[kind for _, kind, _ in kinds],
        numbers=_numbers(draws, [brand for brand, _, _ in kinds]),
        expires=expires,
        cvvs=draws.below(count, 1000),
        has_chip=np.asarray([chip for _, _, chip in kinds]),
        issued=np.repeat([1, 2, 3], fig.ISSUED)[draws.shuffled(count)],
        limits=_limits(draws, [kind for _, kind, _ in kinds], users.incomes[owners]),
        opened=opened,
        pin_years=_pin_years(draws, opened),
        weights=np.asarray([30, 22, 16, 12, 9, 6, 4, 2])[draws.below(count, 8)],
    )


def _dates(draws: Draws, users: Users, owners: Ints) -> tuple[Ints, Ints]:
    """Months of opening and of expiry: the published years, older cards for older owners, as many cards never used."""
    january = 2020 * 12
    fresh = users.new_only[owners] == 1
    opened = np.zeros(len(owners), dtype=np.int64)
    late = int(fresh.sum())
    months_2020 = np.repeat([january, january + 1], fig.OPENED_2020)[draws.shuffled(sum(fig.OPENED_2020))]
    opened[fresh] = months_2020[:late]
    old = np.flatnonzero(~fresh)
    years = np.repeat(np.arange(1991, 2020), fig.OPENED_1991_2019)
    pool = np.concatenate([years * 12 + draws.below(len(years), 12), months_2020[late:]])
    pool.sort()
    # Dealt out by age with much noise, so that cards are rarely older than their owner's eighteenth birthday.
    rank = -users.ages[owners[old]] * 1000 + draws.below(len(old), 75_000)
    opened[old[np.argsort(rank, kind="stable")]] = pool
    before = draws.chance(len(owners), fig.EXPIRES_BEFORE_2020) & (opened < january)
    earlier = opened + 1 + draws.below(len(owners), np.maximum(1, january - opened - 1))
    later = january + draws.below(len(owners), 60)
    # A card opened in 2020 whose month came out too early expires in its first month: the published excess of 2020.
    expires = np.where(before, np.minimum(earlier, january - 1), np.maximum(opened, later))
    _give_payers_working_cards(opened, expires, users, owners)
    return opened, expires


def _give_payers_working_cards(opened: Ints, expires: Ints, users: Users, owners: Ints) -> None:
    """Swaps dates between payers' and silent users' cards: a working card for every month a payer pays in, and
    `CARDS_NEVER_USED` cards that nobody can have used."""
    silent = np.flatnonzero((users.weights[owners] == 0) & (users.new_only[owners] == 0))
    begins, ends = users.begins[owners], users.ends[owners]
    whole = [i for i in silent.tolist() if opened[i] <= FIRST_MONTH and expires[i] >= FIRST_MONTH + MONTHS - 1]

    def swap(one: int, other: int) -> None:
        for dates in (opened, expires):
            dates[one], dates[other] = dates[other], dates[one]

    card_of = np.argsort(owners, kind="stable")
    last_of = np.searchsorted(owners, np.arange(fig.USERS), side="right")
    for user in np.flatnonzero(users.weights > 0).tolist():
        mine = card_of[last_of[user] - users.cards[user] : last_of[user]]
        span = np.arange(users.begins[user], users.ends[user] + 1)[:, None]
        if not ((opened[mine] <= span) & (span <= expires[mine])).any(axis=1).all():
            swap(int(mine[0]), whole.pop())
    payer = users.weights[owners] > 0
    usable = (opened <= ends) & (expires >= begins)
    surplus = int((~payer | ~usable).sum()) - fig.CARDS_NEVER_USED
    idle = np.flatnonzero(payer & ~usable).tolist()
    spare = whole[::-1] + [
        i for i in silent.tolist() if FIRST_MONTH < opened[i] < 2019 * 12 and expires[i] >= 2020 * 12
    ]
    busy = np.flatnonzero(payer & usable).tolist()
    fit = [i for i in spare if opened[i] <= 2018 * 12]
    for _ in range(surplus):
        swap(idle.pop(), fit.pop(0))
    dead = [i for i in silent.tolist() if opened[i] >= 2020 * 12 or expires[i] < FIRST_MONTH]
    for _ in range(-surplus):
        swap(busy.pop(), dead.pop())


def _pin_years(draws: Draws, opened: Ints) -> Ints:
    lag = draws.pick(len(opened), fig.PIN_LAGS)
    earliest = 2002 + draws.below(len(opened), 14)
    years = np.maximum(opened // 12 + lag, np.where(opened < 2002 * 12, earliest, 0))
    return np.asarray(np.minimum(years, 2020))


def _numbers(draws: Draws, brands: list[str]) -> list[str]:
    """Unique card numbers. Like the published ones they carry no check digit: one in ten passes Luhn, by chance."""
    seen: set[str] = set()
    numbers = []
    for brand in brands:
        first, length = fig.BRAND_DIGITS[brand]
        while True:
            high, low = draws.below(2, 10**9).tolist()
            number = (first + f"{high:09d}{low:09d}"[-(length - 1) :])[:length]
            if number not in seen:
                break
        seen.add(number)
        numbers.append(number)
    return numbers


def _limits(draws: Draws, types: list[str], incomes: Ints) -> Ints:
    count = len(types)
    ratios = {
        "Credit": quantile_table(fig.LIMIT_RATIOS_CREDIT, 1000),
        "Debit": quantile_table(fig.LIMIT_RATIOS_DEBIT, 1000),
    }
    limits = from_table(draws, count, quantile_table(fig.LIMITS_PREPAID, 200))
    for kind, table in ratios.items():
        mine = np.asarray([t == kind for t in types])
        limits[mine] = from_table(draws, int(mine.sum()), table) * incomes[mine] // 1000
    credit = np.asarray([t == "Credit" for t in types])
    limits[credit] = limits[credit] // 100 * 100  # credit limits are whole hundreds
    missing = fig.ZERO_LIMITS - int((limits == 0).sum())
    limits[draws.quota(limits > 0, missing)] = 0
    return np.asarray(np.minimum(limits, 151_223))
