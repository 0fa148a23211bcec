"""What each merchant category looks like: rows, channel, refunds, merchants, amounts, frauds. No logic but the table's own.

Rows marked `stated` are published for the whole file (of 4411, 5733, 5045, 5732, 5094, 4112 and 3722: labelled rows / 0.67);
the others are shares of the published first 4,999 rows, which hold a holiday, and are scaled together to fill the rest.
Amounts' medians come from those first rows, moved to the published means where there is one.
"""

# ruff: noqa: E501 - a table reads best with one category per line
from __future__ import annotations

from dataclasses import dataclass

Knots = tuple[tuple[float, float], ...]

# Quantiles of a sale relative to the category's median, as (percent, ratio).
# fmt: off
STAPLE: Knots = ((0, 0.01), (5, 0.15), (25, 0.42), (50, 1), (75, 2.5), (90, 5.0), (95, 6.4), (99, 9), (99.8, 12), (100, 17))
MARKET: Knots = ((0, 0.01), (5, 0.16), (25, 0.38), (50, 1), (75, 2.7), (90, 7.2), (95, 9.4), (99, 14), (99.8, 19), (100, 26))
SNACK: Knots = ((0, 0.03), (5, 0.2), (25, 0.6), (50, 1), (68, 6), (75, 13), (90, 24), (95, 30), (99, 40), (100, 55))
TICKET: Knots = ((0, 0.05), (5, 0.35), (25, 0.72), (50, 1), (75, 1.37), (90, 1.7), (95, 2), (99, 2.6), (100, 4))
GOODS: Knots = ((0, 0.03), (5, 0.16), (25, 0.48), (50, 1), (75, 1.6), (90, 2.45), (95, 3.1), (99, 4.2), (99.8, 6.2), (100, 11))
FEE: Knots = ((0, 0.12), (5, 0.35), (25, 0.7), (50, 1), (75, 1.4), (90, 1.7), (95, 2), (99, 2.6), (100, 4))
TRAVEL: Knots = ((0, 0.05), (5, 0.45), (25, 0.72), (50, 1), (75, 1.6), (90, 2.6), (95, 3.4), (99, 5), (100, 8))
LUXURY: Knots = ((0, 0.1), (5, 0.22), (25, 0.6), (50, 1), (75, 2), (90, 3.4), (95, 4.4), (99, 6.5), (99.8, 10), (100, 16))
MACHINES: Knots = ((0, 0.2), (5, 0.55), (25, 0.85), (50, 1), (75, 1.2), (90, 1.5), (95, 1.8), (99, 2.6), (100, 4.5))
# Money transfers are multiples of twenty dollars, now and then nothing at all: (percent up to which, ratio).
_STEPS = ((1.75, 0.0), (4.6, 0.2), (15, 0.4), (27.5, 0.6), (48.5, 0.8), (75, 1.0), (87, 1.2), (93, 1.4), (96.5, 1.6), (98.5, 1.8), (100, 2.0))
# fmt: on
TWENTIES: Knots = (
    (0, 0),
    *(
        edge
        for (end, ratio), (_, after) in zip(_STEPS, (*_STEPS[1:], _STEPS[-1]), strict=True)
        for edge in ((end, ratio), (end, after))
    ),
)  # fmt: skip

NEAR, FAR = "near", "far"


@dataclass(frozen=True)
class Category:
    """One merchant category.

    Attributes:
        mcc: the code.
        rows: expected rows at scale 1.
        median: the median sale in dollars.
        shape: quantiles of a sale over the median.
        online: share of the rows that are online.
        refunds: share of the rows that are refunds.
        refund_range: near (50 to 100 dollars) or far (101 to 500).
        local: weight of the category among the merchants that stand in one place; 0 for none.
        chains: merchants that are in every place.
        chain_share: their share of the store rows.
        stated: whether `rows` is published, and so must not be scaled.
        frauds_online, frauds_store, frauds_italy: labelled frauds at scale 1 (sums are scaled to the published ones).
    """

    mcc: int
    rows: int
    median: float
    shape: Knots
    online: float = 0.0
    refunds: float = 0.0
    refund_range: str = FAR
    local: int = 0
    chains: int = 0
    chain_share: float = 0.0
    stated: bool = False
    frauds_online: int = 0
    frauds_store: int = 0
    frauds_italy: int = 0


def _main(mcc: int, rows: int, median: float, shape: Knots, **more: float | str | bool) -> Category:
    return Category(mcc, rows, median, shape, stated=True, **more)  # type: ignore[arg-type]


def _local(mcc: int, rows: int, median: float, shape: Knots, local: int, **more: float) -> Category:
    return Category(mcc, rows, median, shape, local=local, **more)  # type: ignore[arg-type]


def _single(mcc: int, rows: int, median: float, shape: Knots, **more: float) -> Category:
    """A category with one merchant that is in every place."""
    return Category(mcc, rows, median, shape, chains=1, chain_share=1.0, **more)  # type: ignore[arg-type]


def _trip(mcc: int, rows: int = 5_500, median: float = 196, refunds: float = 0.45, **more: float | bool) -> Category:
    return Category(mcc, rows, median, TRAVEL, refunds=refunds, chains=1, chain_share=1.0, **more)  # type: ignore[arg-type]


def _machines(mcc: int, median: float) -> Category:
    return Category(mcc, 1_350, median, MACHINES, chains=1, chain_share=1.0, stated=True)


# fmt: off
CATEGORIES: tuple[Category, ...] = (
    _main(5411, 1_592_584, 10.2, MARKET, local=271, chains=12, chain_share=0.58, frauds_online=30, frauds_store=150, frauds_italy=330),
    _main(5499, 1_460_875, 2.5, SNACK, refunds=0.2095, refund_range=NEAR, chains=6, chain_share=1.0, frauds_store=60),
    _main(5541, 1_424_711, 16.6, STAPLE, refunds=0.1995, refund_range=NEAR, chains=16, chain_share=1.0, frauds_store=90),
    _main(5812, 999_738, 12.5, STAPLE, local=215, chains=12, chain_share=0.5, frauds_online=20, frauds_store=60, frauds_italy=420),
    _main(5912, 772_913, 37.0, GOODS, local=82, chains=6, chain_share=0.5, frauds_online=420, frauds_store=110, frauds_italy=110),
    _main(4784, 674_135, 33.6, TICKET, online=1.0),
    _main(5300, 601_942, 51.5, GOODS, online=0.02, local=72, chains=1, chain_share=0.5114, frauds_online=850, frauds_store=170),
    _main(4829, 589_140, 100, TWENTIES, chains=1, chain_share=1.0, frauds_store=60),
    _main(4121, 500_662, 22.2, TICKET, online=0.55, local=55, frauds_online=60),
    _main(5814, 499_659, 12.0, STAPLE, local=15, chains=12, chain_share=0.9, frauds_store=20),
    _main(7538, 478_263, 51.0, TICKET, local=61, frauds_store=20),
    _main(5311, 475_384, 47.0, GOODS, online=0.23, local=8, chains=10, chain_share=0.97, frauds_online=1780, frauds_store=160, frauds_italy=311),
    _main(4900, 242_993, 107, FEE, online=0.36, local=49),
    _main(4814, 218_243, 105, FEE, online=0.52, chains=3, chain_share=1.0, frauds_online=30),
    _local(5310, 205_000, 36.0, GOODS, 43, online=0.06, frauds_online=1000, frauds_store=130, frauds_italy=60),
    _local(5813, 430_000, 24.2, TICKET, 118, frauds_italy=200),
    _single(5942, 170_000, 3.9, STAPLE, frauds_store=10),
    _local(7832, 150_000, 29, TICKET, 26),
    _local(5921, 150_000, 11.8, TICKET, 43, frauds_italy=40),
    _local(7995, 118_000, 91, LUXURY, 24),
    _local(5211, 110_000, 36.5, GOODS, 24, online=0.05, frauds_online=260, frauds_store=60),
    _local(5651, 75_000, 62, GOODS, 15, online=0.12, frauds_online=420, frauds_store=20, frauds_italy=230),
    Category(5815, 75_000, 14.9, TICKET, online=1.0, frauds_online=210),
    Category(7801, 62_000, 77, LUXURY, online=1.0),
    _local(7802, 64_000, 76, LUXURY, 6, frauds_italy=20),
    Category(4899, 57_000, 128, FEE, online=1.0, frauds_online=20),
    Category(5719, 46_000, 62, GOODS, chains=2, chain_share=1.0, online=0.05, frauds_online=180, frauds_italy=60),
    _local(7922, 45_000, 94, TICKET, 4, online=0.7, frauds_online=60, frauds_italy=15),
    _local(7230, 43_000, 33, TICKET, 16, frauds_italy=15),
    Category(4214, 42_000, 15.5, TICKET, local=2, online=0.05, frauds_online=180),
    _single(5970, 40_000, 43, GOODS, online=0.04, frauds_online=110),
    _local(7349, 38_000, 37, TICKET, 6, online=0.55, frauds_online=20),
    _local(5655, 32_000, 61, GOODS, 11, online=0.08, frauds_online=320, frauds_italy=40),
    _local(7996, 27_000, 150, TICKET, 6, online=0.4, frauds_online=30, frauds_italy=20),
    _local(7393, 20_000, 36, TICKET, 2, online=0.5),
    _local(4111, 45_000, 70, TICKET, 4, frauds_italy=10),
    _single(9402, 70_000, 13.5, TICKET, online=0.05, frauds_online=150),
    _local(5932, 15_000, 150, LUXURY, 6, online=0.08, frauds_online=90, frauds_italy=40),
    _local(8021, 26_000, 130, LUXURY, 6),
    _local(5621, 32_000, 51, GOODS, 5, online=0.1, frauds_online=150, frauds_italy=150),
    _local(7542, 55_000, 14.4, TICKET, 6),
    _local(5251, 40_000, 45, GOODS, 4, online=0.05, frauds_online=90),
    _local(6300, 18_000, 130, LUXURY, 3, online=0.25),
    _local(5193, 25_000, 30, TICKET, 4, online=0.4, frauds_online=110),
    _local(8011, 26_000, 120, LUXURY, 4),
    Category(5192, 16_000, 33, TICKET, online=1.0, frauds_online=60),
    _local(8099, 18_000, 130, LUXURY, 3),
    _local(7210, 25_000, 14.2, TICKET, 3),
    _local(8043, 18_000, 65, LUXURY, 3),
    _local(4131, 15_000, 72, TICKET, 3, frauds_italy=15),
    _local(5661, 24_000, 88, GOODS, 3, online=0.15, frauds_online=190, frauds_italy=120),
    _local(5947, 15_000, 16, GOODS, 2, online=0.1, frauds_online=60, frauds_italy=40),
    _local(5712, 11_000, 150, LUXURY, 2, online=0.12, frauds_online=180, frauds_italy=60),
    Category(5977, 28_000, 12.6, GOODS, local=2, online=0.1, frauds_online=200, frauds_italy=60),
    _local(8049, 12_000, 140, TICKET, 2),
    _local(8062, 6_000, 426.26, LUXURY, 2),
    _local(8111, 6_000, 420, LUXURY, 2),
    _local(8041, 11_000, 60, LUXURY, 2),
    _local(8931, 9_000, 150, LUXURY, 2),
    _local(7276, 9_000, 150, LUXURY, 2),
    _local(7531, 12_000, 150, LUXURY, 2),
    _local(7549, 15_000, 105, TICKET, 2),
    _local(1711, 14_000, 160, LUXURY, 2),
    _local(5533, 20_000, 42, GOODS, 3, online=0.08, frauds_online=150),
    _local(5941, 18_000, 60, GOODS, 2, online=0.12, frauds_online=210, frauds_italy=40),
    _local(5722, 9_000, 150, LUXURY, 2, online=0.1, frauds_online=200),
    _local(5261, 14_000, 35, GOODS, 2, online=0.08, frauds_online=70),
    _main(5732, 7_000, 140, LUXURY, online=0.25, local=2, frauds_online=250, frauds_store=42, frauds_italy=110),
    _main(5094, 5_260, 110, LUXURY, online=0.15, local=2, frauds_online=110, frauds_store=32, frauds_italy=100),
    _main(5045, 2_810, 160, LUXURY, online=0.25, local=2, frauds_online=130, frauds_store=24, frauds_italy=50),
    _main(5733, 304, 140, LUXURY, online=0.2, local=1, frauds_online=40, frauds_store=6, frauds_italy=30),
    _main(4411, 428, 1_400, MACHINES, refunds=0.25, chains=1, chain_share=1.0, frauds_italy=165),
    Category(5816, 8_000, 12, TICKET, online=1.0, frauds_online=240),
    Category(4722, 28_000, 150, TRAVEL, refunds=0.44, online=1.0, frauds_online=60),
    _local(7011, 26_000, 110, TRAVEL, 11, refunds=0.43, frauds_italy=30),
    _single(4112, 1_500, 210, TRAVEL, stated=True, frauds_store=10, frauds_italy=50),
    _trip(3722, 6_200, 190, refunds=0.42, stated=True, frauds_italy=60),
    _single(4511, 5_200, 190, TRAVEL, refunds=0.42),
    *(_trip(mcc) for mcc in (3359, 3387, 3389, 3393, 3395, 3405, 3596, 3640, 3684, 3730, 3775)),
    *(_trip(mcc, 8_200) for mcc in (3390, 3504, 3509, 3771, 3780)),
    *(_machines(mcc, 640) for mcc in (3058, 3066, 3075, 3132, 3144, 3174, 3256, 3260)),
    *(_machines(mcc, 690) for mcc in (3000, 3001, 3005, 3006, 3007, 3008, 3009)),
)
# fmt: on
