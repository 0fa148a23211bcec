"""The generator as its callers see it: the same bytes for a seed, whole files or none, plain refusals, honest progress."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UsageError
from generator import figures as fig
from generator import generate, writers
from generator.details import no_twins
from generator.draws import Draws, from_table, quantile_table, spread
from generator.rows import Rows

SCALE = 0.0005
ROOT = Path(__file__).resolve().parents[2]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    generate(folder, SCALE, 11)
    return folder


def test_the_same_seed_gives_the_same_bytes_in_another_process(small: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib; from generator import generate; generate(pathlib.Path(sys.argv[1]), 5e-4, 11)"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, env={**os.environ, "PYTHONHASHSEED": "4711"}
    )
    assert digests(tmp_path) == digests(small)


def test_another_seed_gives_other_people_cards_and_transactions(small: Path, tmp_path: Path) -> None:
    generate(tmp_path, SCALE, 12)
    same = {name for name, digest in digests(tmp_path).items() if digest == digests(small)[name]}
    assert same == {"mcc_codes.json"}


def test_people_are_the_same_at_every_scale_and_the_files_are_whole_and_nothing_else_is_left(
    small: Path, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    rows = generate(tmp_path, 2 * SCALE, 11, lambda name, done, total: seen.append((name, done, total)))
    assert sorted(rows) == sorted(digests(tmp_path)) == sorted(writers.FILES)
    for name in ("users_data.csv", "cards_data.csv", "mcc_codes.json"):
        assert digests(tmp_path)[name] == digests(small)[name]
    transactions = (tmp_path / "transactions_data.csv").read_bytes()
    labels = json.loads((tmp_path / "train_fraud_labels.json").read_bytes())["target"]
    assert rows["transactions_data.csv"] == transactions.count(b"\n") - 1 == round(2 * SCALE * fig.TRANSACTIONS)
    assert rows["train_fraud_labels.json"] == len(labels) == round(2 * SCALE * fig.LABELS)
    for name in writers.FILES:
        steps = [(done, total) for seen_name, done, total in seen if seen_name == name]
        assert steps == sorted(steps), "progress never goes back"
        assert steps[-1] == (rows[name], rows[name])


@pytest.mark.unit
@pytest.mark.parametrize("scale", [0, -1, 11, 0.00001, float("nan"), float("inf")])
def test_a_scale_that_makes_no_sense_is_a_usage_error_that_names_the_option(scale: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--scale"):
        generate(tmp_path / "out", scale, 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.unit
@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_a_usage_error_that_names_the_option(seed: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--seed"):
        generate(tmp_path / "out", 0.001, seed)


@pytest.mark.unit
def test_a_file_where_the_folder_should_be_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="--out"):
        generate(tmp_path / "out", 0.001, 1)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.unit
def test_a_write_that_breaks_off_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "transactions_data.csv"
    target.write_text("old")

    def write_half() -> None:
        with writers.atomic(target) as file:
            file.write(b"half a line")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_text() == "old"


@pytest.mark.unit
def test_draws_are_the_raw_words_of_pcg64_low_half_first() -> None:
    draws = Draws(5, "a name")
    seed = np.random.SeedSequence([5, zlib.crc32(b"a name")])
    expected = [
        half for word in np.random.PCG64(seed).random_raw(2).tolist() for half in (word & 0xFFFFFFFF, word >> 32)
    ]
    assert draws.words(3).tolist() == expected[:3]


@pytest.mark.unit
def test_spread_loses_nothing_and_follows_the_weights() -> None:
    assert spread(10, [1, 1, 2]) == [3, 2, 5]
    assert spread(1, [5, 5, 90]) == [0, 0, 1]
    assert sum(spread(fig.TRANSACTIONS, fig.ROWS_WITHOUT_ERROR)) == fig.TRANSACTIONS


@pytest.mark.unit
def test_a_quantile_table_returns_the_quantiles_it_was_made_of() -> None:
    drawn = from_table(Draws(1, "t"), 100_000, quantile_table(((0, 0), (60, 100), (90, 1000), (100, 5000)), 500))
    assert np.quantile(drawn, [0.3, 0.9]) == pytest.approx([50, 1000], rel=0.03)
    assert drawn.min() >= 0
    assert drawn.max() < 5000


@pytest.mark.unit
def test_quota_and_sample_are_exact_and_take_all_where_there_is_less() -> None:
    draws = Draws(2, "q")
    mask = np.asarray([True, False, True, True, False])
    assert draws.quota(mask, 2).sum() == 2
    assert not draws.quota(mask, 3)[~mask].any()
    assert draws.quota(mask, 9).tolist() == mask.tolist()
    assert draws.sample(1000, 37).sum() == 37
    assert sorted(draws.shuffled(50).tolist()) == list(range(50))


@pytest.mark.unit
def test_three_rows_alike_become_three_that_differ_also_with_another_row_between_them() -> None:
    merchants = np.asarray([7, 8, 7, 7, 7])
    no = np.zeros(5, dtype=np.bool_)
    cents, same = np.full(5, 500), np.zeros(5, dtype=np.int64)
    rows = Rows(same, same, same, merchants, same, no, cents, no, no, no)
    no_twins(rows, clients=np.asarray([1, 1, 1, 1, 2]))
    assert cents[[1, 4]].tolist() == [500, 500], "another merchant, another client"
    assert sorted(cents[[0, 2, 3]].tolist()) == [500, 501, 502]


@pytest.mark.unit
def test_refunds_alike_stay_whole_dollars_within_the_largest_refund() -> None:
    cents, same = np.asarray([-50_000, -50_000, 0, 0]), np.zeros(4, dtype=np.int64)
    refunds = np.ones(4, dtype=np.bool_)
    rows = Rows(same, same, same, same, same, ~refunds, cents, refunds, ~refunds, ~refunds)
    no_twins(rows, clients=np.asarray([1, 1, 2, 2]))
    assert cents.tolist() == [-50_000, -100, 0, -100]


@pytest.mark.unit
def test_the_declared_figures_agree_with_each_other() -> None:
    assert sum(fig.ROWS_WITHOUT_ERROR) == 13_094_522
    assert sum(fig.LABELS_BY_YEAR) == fig.LABELS
    assert fig.SWIPE_ROWS + fig.CHIP_ROWS + fig.ONLINE_ROWS == fig.TRANSACTIONS
    assert sum(rows for _, rows, _ in fig.ERRORS) == fig.TRANSACTIONS - sum(fig.ROWS_WITHOUT_ERROR)
    assert len(fig.ERRORS) == 22
    frauds = (fig.FRAUDS_ONLINE, fig.FRAUDS_IN_US_STORES, fig.FRAUDS_IN_OTHER_COUNTRIES)
    assert sum(frauds) + sum(fig.FRAUDS_IN_ITALY_BY_YEAR) == sum(fig.FRAUDS_BY_YEAR) == 13_332
    assert sum(n * (i + 1) for i, n in enumerate(fig.CARDS_PER_USER)) == fig.CARDS
    assert sum(fig.CARDS_PER_USER) == fig.USERS
    assert sum(without + having for _, _, without, having in fig.CARD_KINDS) == sum(fig.ISSUED) == fig.CARDS
    assert sum(fig.OPENED_1991_2019) + sum(fig.OPENED_2020) == fig.CARDS
