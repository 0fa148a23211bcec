"""A generated set against the published profile: one row per figure, with the published value and how far off it may be.

The set is a twentieth of the whole: its counts are scaled up before they are compared. Where the tolerance is wider than
the eye would like, the reason is chance: a twentieth of 13,332 frauds is 667, in a hundred bursts.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from generator import generate
from generator.profile import measure, passes_luhn

SCALE = 0.05

# figure -> published value, tolerance in percent of it
WITHIN_PERCENT: dict[str, tuple[float, float]] = {
    # sizes
    "count clients": (1_219, 0),
    "count cards": (4_071, 1),
    "count mccs": (109, 0),
    "count countries": (147, 4),
    "share id gaps": (0.183, 0.5),
    "share 8-digit ids": (0.845, 0.5),
    # nulls, channels
    "rows null state": (1_563_700, 0.01),
    "rows state without zip": (89_006, 10),
    "rows ONLINE of another channel": (5_788, 1),
    "rows Swipe Transaction": (6_967_185, 0.1),
    "rows Chip Transaction": (4_780_818, 0.1),
    "rows Online Transaction": (1_557_912, 0.1),
    "share online 2010": (0.108, 1),
    # errors
    "rows with errors": (211_393, 3),
    "rows Insufficient Balance": (130_902, 4),
    "rows Bad PIN": (32_119, 8),
    "rows Technical Glitch": (26_271, 9),
    "rows Bad Card Number": (7_767, 16),
    "rows Bad Expiration": (6_161, 18),
    "rows Bad CVV": (6_106, 18),
    "rows Bad Zipcode": (1_126, 45),
    # amounts
    "rows below zero": (660_049, 2),
    "rows at zero": (10_639, 15),
    "amount mean": (42.976, 1.5),
    "amount deviation": (81.66, 4),
    "amount q25": (8.93, 5),
    "amount q50": (28.99, 4),
    "amount q75": (63.71, 4),
    "dollars": (571_835_522, 1.5),
    "dollars above zero": (639_000_000, 2),
    "dollars below zero": (-67_500_000, 5),
    "share refunds of 5499": (0.21, 4),
    "share refunds of 5541": (0.20, 4),
    "dollars mcc 4829": (53_200_000, 2),
    "dollars mcc 5411": (41_000_000, 4),
    "dollars mcc 5300": (37_700_000, 4),
    "dollars mcc 5912": (35_100_000, 4),
    "dollars mcc 5541": (29_600_000, 10),
    "dollars mcc 4900": (27_700_000, 4),
    # states, countries
    "rows state CA": (1_427_087, 4),
    "rows state TX": (1_010_207, 4),
    "rows state NY": (857_510, 5),
    "rows state FL": (701_623, 5),
    "rows state OH": (484_122, 5),
    "rows state IL": (467_931, 5),
    "rows state VA": (230_685, 7),
    "rows state Mexico": (27_401, 20),
    "rows state Canada": (10_647, 30),
    "rows state Italy": (7_081, 25),
    # categories, merchants
    "rows mcc 5411": (1_592_584, 2),
    "rows mcc 5499": (1_460_875, 2),
    "rows mcc 5541": (1_424_711, 2),
    "rows mcc 5812": (999_738, 2),
    "rows mcc 5912": (772_913, 2),
    "rows mcc 4784": (674_135, 2),
    "rows mcc 5300": (601_942, 2),
    "rows mcc 4829": (589_140, 2),
    "rows mcc 4121": (500_662, 2),
    "rows mcc 5814": (499_659, 2),
    "rows mcc 7538": (478_263, 3),
    "rows mcc 5311": (475_384, 3),
    "rows mcc 4900": (242_993, 4),
    "rows mcc 4814": (218_243, 4),
    "rows merchant 59935": (610_053, 2),
    "rows merchant 27092": (589_140, 2),
    "rows merchant 61195": (562_410, 2),
    "rows merchant 39021": (440_281, 2),
    "rows merchant 43293": (362_842, 3),
    "rows merchant 22204": (347_511, 3),
    "rows merchant 14528": (333_505, 3),
    "rows merchant 60569": (301_657, 3),
    # clients
    "ratio rows per client q75 to q25": (2.0, 12),
    "ratio rows per client greatest to median": (5.3, 12),
    "count clients 2010": (1_137, 1),
    "count clients 2019": (1_210, 1),
    "rows before the card opened": (309, 10),
    "rows after the card expired": (83, 40),
    "rows with falling ids": (14 / 4_999 * 13_305_915, 20),
    # frauds: shares of the labelled rows
    "share fraud": (0.001495, 1),
    "share fraud online": (0.008409, 3),
    "share fraud chip": (0.000992, 15),
    "share fraud swipe": (0.000295, 35),
    "share fraud null state": (0.00838, 3),
    "share fraud in the states": (0.000158, 5),
    "share fraud abroad": (0.0558, 15),
    "share fraud mcc 5311": (0.0071, 40),
    "share fraud mcc 5045, 5094 and 5732": (848 / 10_097, 35),
    "share fraud mcc 4411 and 5733": (241 / 480, 45),
    "share fraud error Bad CVV": (0.034, 60),
    "share fraud Italy 2017-2019": (3_061 / 3_587, 12),
    "labels Yes 2010": (2_573, 2),
    "labels Yes 2012": (923, 2),
    "labels Yes 2013": (1_337, 2),
    "labels Yes 2014": (664, 2),
    "labels Yes 2015": (2_189, 2),
    "labels Yes 2016": (2_448, 2),
    "labels Yes 2017": (172, 8),
    "labels Yes 2017 in Italy": (172, 8),
    "labels Yes 2018": (1_629, 2),
    "labels Yes 2018 in Italy": (1_529, 2),
    "labels Yes 2019": (1_360, 2),
    "labels Yes 2019 in Italy": (1_360, 2),
    "amount median of frauds": (78.14, 20),
    "amount q75 of frauds": (160, 20),
    "amount median of the others": (34.77, 4),
    # users and cards: whole at every scale
    "users current_age mean": (45.4, 1.5),
    "users retirement_age mean": (66.2, 1),
    "users per_capita_income mean": (23_142, 2),
    "users per_capita_income p5": (12_684, 4),
    "users per_capita_income p50": (20_581, 2),
    "users per_capita_income p95": (41_685, 2),
    "users yearly_income mean": (45_716, 2),
    "users yearly_income p50": (40_745, 2),
    "users yearly_income p95": (82_981, 3),
    "users total_debt mean": (63_710, 2),
    "users total_debt p25": (23_987, 4),
    "users total_debt p50": (58_251, 2),
    "users total_debt p95": (153_445, 2),
    "users credit_score mean": (709.7, 0.5),
    "users credit_score p50": (711, 0.5),
    "cards credit_limit mean": (14_347, 3),
    "cards credit_limit p25": (7_043, 4),
    "cards credit_limit p50": (12_593, 4),
    "cards credit_limit p75": (19_157, 4),
    "cards credit_limit p95": (34_282, 6),
    "cards credit_limit prepaid p50": (65, 3),
    "cards expiring in 2020 or later": (5_032, 2),
    "cards with a cvv of two digits": (562, 10),
    "share card numbers passing Luhn": (0.0975, 15),
    **{f"rows year {year}": (rows * 1.016144, 0.05) for year, rows in {
        2010: 1_221_497, 2011: 1_270_206, 2012: 1_300_851, 2013: 1_331_226, 2014: 1_343_995,
        2015: 1_365_712, 2016: 1_369_872, 2017: 1_377_019, 2018: 1_372_832, 2019: 1_141_312,
    }.items()},
    **{f"share labelled {year}": (0.670, 0.3) for year in range(2010, 2020)},
}  # fmt: skip

# figure -> exactly this, at every scale
EXACTLY: dict[str, float] = {
    "count labels": round(8_914_963 * SCALE),
    "count rows": round(13_305_915 * SCALE),
    "count labels without a transaction": 0,
    "count users": 2_000,
    "count all cards": 6_146,
    "count all mccs": 109,
    "rows null state elsewhere than ONLINE": 0,
    "rows chip before 2015": 0,
    "rows chip of a card without one": 0,
    "rows with an error of the other channel": 0,
    "rows below zero with cents": 0,
    "rows out of order": 0,
    "rows with falling ids outside a tie": 0,
    "rows with falling ids at another merchant": 0,
    "rows alike": 0,
    "rows with an id twice": 0,
    "rows of a card of somebody else": 0,
    "count mccs of a merchant at most": 1,
    "client with the most dollars": 96,
    "first minute": dt.datetime(2010, 1, 1, 0, 1, tzinfo=dt.timezone.utc).timestamp() // 60,
    "last minute": dt.datetime(2019, 10, 31, 23, 59, tzinfo=dt.timezone.utc).timestamp() // 60,
    "amount least": -500,
    "labels Yes mcc 4784": 0,
    "labels Yes mcc 4900": 0,
    **{f"labels Yes {year} in Italy": 0 for year in range(2010, 2017)},
    "users Female": 1_016,
    "users of another age than in 2020-02": 0,
    "users with another number of cards": 0,
    "users current_age p0": 18,
    "users current_age p5": 19,
    "users current_age p25": 30,
    "users current_age p50": 44,
    "users current_age p75": 58,
    "users current_age p95": 80,
    "users current_age p100": 101,
    "users retirement_age p50": 66,
    "users credit_score p0": 480,
    "users credit_score p100": 850,
    "users total_debt p0": 0,
    "users total_debt p100": 516_263,
    "cards card_brand Mastercard": 3_209,
    "cards card_brand Visa": 2_326,
    "cards card_brand Amex": 402,
    "cards card_brand Discover": 209,
    "cards card_type Debit": 3_511,
    "cards card_type Credit": 2_057,
    "cards card_type Debit (Prepaid)": 578,
    "cards has_chip YES": 5_500,
    "cards num_cards_issued 1": 3_114,
    "cards num_cards_issued 2": 2_972,
    "cards card_on_dark_web No": 6_146,
    "cards opened in 2020": 1_178,
    "cards expiring before opening": 0,
    "cards with a PIN before opening": 0,
    "cards with a number twice": 0,
}

# figure -> least and greatest
BETWEEN: dict[str, tuple[float, float]] = {
    "count merchants": (40_000, 74_831),
    "count cities of merchant 59935": (436, 12_492),  # 436 in 30,000 random rows
    "count days": (3_590, 3_591),
    "amount greatest": (1_500, 6_820.20),
    "amount q90": (97, 110),
    "amount q95": (135, 155),
    "amount q99": (275, 345),
    "amount q99.9": (750, 950),
    "share refunds in 5499 and 5541": (0.79, 0.91),
    "share refunds online": (0.004, 0.008),
    "share refunds that release a hold": (0.75, 0.91),  # nearly all of 5499 and 5541; 206 of 263 in the first rows
    "share holds after their release": (0.44, 0.55),  # 102 of 206
    "share holds in the minute of their release": (0.01, 0.05),  # 5 of 206
    "share chip of store rows 2015": (0.70, 0.85),
    "share swiped of cards without a chip": (0.85, 0.95),
    "share fraud abroad but Italy": (0.002, 0.008),
    "share fraud at hours 20-24": (0, 0.0004),
    "share fraud at hours 10-11": (0.0018, 0.0032),
    "labels Yes 2011": (20, 60),
    "ratio frauds per card and month": (2.5, 8),  # in bursts, not one by one
    "percent weekday 3": (100.2, 101.8),  # Thursday; the other days are flat
    **{f"percent weekday {day}": (99.2, 100.5) for day in (0, 1, 2, 4, 5, 6)},
    **{f"percent hour {hour}": (share - 0.15, share + 0.15) for hour, share in enumerate(
        (1.1, 0.9, 0.8, 0.8, 0.9, 1.4, 5.7, 6.8, 6.6, 6.6, 6.5, 7.1, 7.2, 6.8, 6.7, 6.4, 6.5, 3.6, 3.6, 3.4, 3.2, 3.2, 3.1, 1.2)
    )},
}  # fmt: skip


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    folder = tmp_path_factory.mktemp("twentieth")
    generate(folder, SCALE, 7)
    return measure(folder)


@pytest.mark.parametrize("name", WITHIN_PERCENT)
def test_figure_is_near_the_published_one(name: str, figures: dict[str, float]) -> None:
    published, percent = WITHIN_PERCENT[name]
    assert figures[name] == pytest.approx(published, rel=percent / 100 + 1e-6)


@pytest.mark.parametrize("name", EXACTLY)
def test_figure_is_exact(name: str, figures: dict[str, float]) -> None:
    assert figures[name] == EXACTLY[name]


@pytest.mark.parametrize("name", BETWEEN)
def test_figure_is_in_its_range(name: str, figures: dict[str, float]) -> None:
    least, greatest = BETWEEN[name]
    assert least <= figures[name] <= greatest


def test_georgia_the_country_and_ga_the_state_are_both_there(figures: dict[str, float]) -> None:
    assert 0 < figures["rows state Georgia"] < figures["rows state GA"] / 100


@pytest.mark.real
def test_the_measurement_agrees_with_what_is_known_of_the_real_people_and_cards(
    real_data: Path, tmp_path: Path
) -> None:
    for file in real_data.iterdir():
        (tmp_path / file.name).symlink_to(file)
    found = measure(tmp_path)
    for table in (WITHIN_PERCENT, EXACTLY):
        for name, expected in table.items():
            if name.startswith(("users ", "cards ", "share card numbers")):
                published, percent = expected if isinstance(expected, tuple) else (expected, 0)
                assert found[name] == pytest.approx(published, rel=percent / 100 + 1e-3), name
    assert found["count rows"] == 4_999
    assert found["rows with falling ids"] / 13_305_915 * 4_999 == pytest.approx(14)
    assert found["count labels without a transaction"] == 5_735
    assert found["rows out of order"] == found["rows alike"] == found["rows below zero with cents"] == 0
    assert found["rows with falling ids outside a tie"] == found["rows with falling ids at another merchant"] == 0


@pytest.mark.unit
def test_luhn_tells_a_check_digit_from_another() -> None:
    assert passes_luhn("79927398713")
    assert not passes_luhn("79927398710")
