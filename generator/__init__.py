"""Makes synthetic files in the published layout, following the published dataset's profile, at any scale.

What a scale thins: the transactions, evenly. Users, cards, categories, the map and the merchants are the same at every
scale, and so are the dates: a set at scale 0.05 is what a random twentieth of the rows of the full set looks like, with
every client, era and state in it, each client and card simply less busy. Two things are not thinned row by row, because
they would lose their meaning: frauds come in fewer bursts of the same size, and the ids keep their share of gaps and of
seven-digit numbers (the range shrinks around 10,000,000).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from foundation.errors import UsageError
from generator import writers
from generator.categories import CATEGORIES
from generator.merchants import make_merchants, make_places
from generator.people import make_cards, make_users
from generator.transactions import write_months
from generator.world import make_world

__all__ = ["generate"]

LARGEST_SCALE = 10.0
SMALLEST_SCALE = 0.0001
LARGEST_SEED = 2**32 - 1


def generate(
    out: Path, scale: float, seed: int, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, int]:
    """Writes the five published files into a directory.

    Args:
        out: the directory; made if it is missing. Files of the published names in it are replaced.
        scale: share of the published rows, 1 for 13,305,915 transactions and 8,914,963 labels.
        seed: any whole number from 0 to 4,294,967,295; the same seed and scale give the same bytes on every machine.
        progress: called with the file's name, the rows done and the rows in all.

    Returns:
        Rows per file.

    Raises:
        UsageError: if the scale or the seed is out of range, or `out` is not a directory.
    """
    _check(out, scale, seed)
    scale = float(scale)
    report = progress or (lambda name, done, total: None)
    users = make_users(seed)
    cards = make_cards(seed, users)
    places = make_places(seed)
    merchants = make_merchants(seed, places)
    world = make_world(seed, scale, users, cards, places, merchants)
    lines = writers.TransactionLines(users, cards, merchants.ids, places.texts, [c.mcc for c in CATEGORIES])
    rows: dict[str, int] = {}
    rows["users_data.csv"] = writers.write_users(out / "users_data.csv", users)
    report("users_data.csv", rows["users_data.csv"], rows["users_data.csv"])
    rows["cards_data.csv"] = writers.write_cards(out / "cards_data.csv", cards, users)
    report("cards_data.csv", rows["cards_data.csv"], rows["cards_data.csv"])
    rows["mcc_codes.json"] = writers.write_categories(out / "mcc_codes.json")
    report("mcc_codes.json", rows["mcc_codes.json"], rows["mcc_codes.json"])
    name = "transactions_data.csv"
    with writers.atomic(out / name) as file:
        rows[name], ids, frauds = write_months(
            file, seed, scale, world, lines, lambda done, total: report("transactions_data.csv", done, total)
        )
    name = "train_fraud_labels.json"
    rows[name] = writers.write_labels(
        out / name, seed, ids, frauds, lambda done: report("train_fraud_labels.json", done, len(ids))
    )
    return rows


def _check(out: Path, scale: float, seed: int) -> None:
    if not math.isfinite(scale) or not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        raise UsageError(f"--scale must be a number from {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}, not {scale}")
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"--seed must be a whole number from 0 to {LARGEST_SEED}, not {seed}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {str(out)!r} cannot be made a directory: {error.strerror}") from error
