"""The published dataset's figures that the generator follows, each with where it comes from. No logic in here.

Sources: `real` = measured on the published users/cards/mcc files or on the published first 4,999 transactions;
`eda` = stated for the whole file by public notebooks and READMEs, several of which agree; `derived` = follows from those;
`chosen` = nothing is published, a plausible figure was put in its place.
"""

# ruff: noqa: E501 - a table reads best with one figure per line
from __future__ import annotations

# --- Sizes [eda, several agree] -------------------------------------------------------------------------------------------
USERS = 2_000
CARDS = 6_146
CATEGORIES = 109
TRANSACTIONS = 13_305_915
LABELS = 8_914_963
MERCHANTS = 74_831
CITY_NAMES = 12_492
ZIPS = 24_586
ACTIVE_USERS = 1_219
CARDS_NEVER_USED = 2_075

# --- Ids: first and last of the published file [real, eda]; 18.3 % of the range is not used [derived] ---------------------
FIRST_ID, LAST_ID = 7_475_327, 23_761_874
ID_RANGE = LAST_ID - FIRST_ID + 1
IDS_BELOW_8_DIGITS = 10_000_000 - FIRST_ID

# --- Years: rows without error [eda], labels and frauds [eda] -------------------------------------------------------------
FIRST_YEAR, LAST_YEAR, LAST_MONTH = 2010, 2019, 10
ROWS_WITHOUT_ERROR = (
    1_221_497, 1_270_206, 1_300_851, 1_331_226, 1_343_995, 1_365_712, 1_369_872, 1_377_019, 1_372_832, 1_141_312,
)  # fmt: skip
LABELS_BY_YEAR = (831_529, 863_428, 885_421, 907_304, 915_073, 930_224, 932_762, 937_284, 934_599, 777_339)
FRAUDS_BY_YEAR = (2_573, 37, 923, 1_337, 664, 2_189, 2_448, 172, 1_629, 1_360)
FRAUDS_IN_ITALY_BY_YEAR = (0, 0, 0, 0, 0, 0, 0, 172, 1_529, 1_360)
FRAUDS_ONLINE = 8_779  # null state [eda]
FRAUDS_IN_US_STORES = 1_234  # [eda]
FRAUDS_IN_OTHER_COUNTRIES = 258  # besides Italy [eda]
ACTIVE_USERS_2010, ACTIVE_USERS_2019 = 1_137, 1_210  # [eda]

# --- Channels [eda]; online share of 2010 [30,000 random rows], its growth [chosen, so that the total agrees] -------------
SWIPE_ROWS, CHIP_ROWS, ONLINE_ROWS = 6_967_185, 4_780_818, 1_557_912
NULL_STATE_ROWS = 1_563_700  # city ONLINE
ONLINE_CITY_NOT_ONLINE_CHANNEL = NULL_STATE_ROWS - ONLINE_ROWS  # 5,788 [eda, derived]
FOREIGN_ROWS = 89_006  # a state but no zip [derived]
ONLINE_WEIGHT_BY_YEAR = (1085, 1105, 1125, 1145, 1165, 1185, 1205, 1225, 1245, 1265)
FIRST_CHIP_YEAR = 2015  # an era break [30,000 random rows of 2010: none; a client's first is of 2015-01-02]
CHIP_WEIGHT_BY_YEAR = (86, 88, 90, 92, 94)  # growth 2015 .. 2019 [chosen]

# --- Seasonality: hour 0 .. 23 in per mille [eda]; weekday, Monday first: Thursday 1 % above a flat week [eda] -----------
HOURS = (11, 9, 8, 8, 9, 14, 57, 68, 66, 66, 65, 71, 72, 68, 67, 64, 65, 36, 36, 34, 32, 32, 31, 12)
WEEKDAYS = (1000, 1000, 1000, 1010, 1000, 1000, 1000)
# Frauds per 10,000 labelled by hour and by weekday [eda]; multiplied with the above they give the frauds' own clock.
FRAUD_RATE_BY_HOUR = (
    15, 50, 50, 150, 180, 200, 90, 90, 90, 200, 255, 255, 210, 200, 190, 180, 150, 150, 150, 150, 15, 15, 15, 15,
)  # fmt: skip
FRAUD_RATE_BY_WEEKDAY = (138, 160, 87, 162, 180, 113, 208)

# --- Errors [eda]: rows of each value in the whole file, and who can have it (S store, O online) -------------------------
# The last thirteen are stated only as 405 rows together: their split is chosen. Who can have "Bad Zipcode" is chosen.
ERRORS: tuple[tuple[str, int, str], ...] = (
    ("Insufficient Balance", 130_902, "SO"),
    ("Bad PIN", 32_119, "S"),
    ("Technical Glitch", 26_271, "SO"),
    ("Bad Card Number", 7_767, "O"),
    ("Bad Expiration", 6_161, "O"),
    ("Bad CVV", 6_106, "O"),
    ("Bad Zipcode", 1_126, "O"),
    ("Bad PIN,Insufficient Balance", 293, "S"),
    ("Insufficient Balance,Technical Glitch", 243, "SO"),
    ("Bad PIN,Technical Glitch", 74, "S"),
    ("Bad Card Number,Insufficient Balance", 71, "O"),
    ("Bad Card Number,Bad CVV", 61, "O"),
    ("Bad Expiration,Insufficient Balance", 47, "O"),
    ("Bad Card Number,Bad Expiration", 38, "O"),
    ("Bad Expiration,Bad CVV", 32, "O"),
    ("Bad CVV,Insufficient Balance", 30, "O"),
    ("Bad Expiration,Technical Glitch", 18, "O"),
    ("Bad Card Number,Technical Glitch", 16, "O"),
    ("Bad CVV,Technical Glitch", 8, "O"),
    ("Bad Zipcode,Insufficient Balance", 6, "O"),
    ("Bad Card Number,Bad Expiration,Insufficient Balance", 2, "O"),
    ("Bad Zipcode,Technical Glitch", 2, "O"),
)
# Frauds among the labelled rows of an error, in per mille [eda].
FRAUD_PER_MILLE_BY_ERROR = {
    "Bad CVV": 34.0,
    "Bad Expiration": 13.0,
    "Bad Card Number": 11.0,
    "Bad PIN": 5.2,
    "Insufficient Balance": 1.9,
    "Technical Glitch": 1.8,
}

# --- Amounts [eda] ---------------------------------------------------------------------------------------------------------
LARGEST_CENTS = 682_020
LARGEST_REFUND = 500  # whole dollars; the near refunds of groceries and fuel are 50 .. 100, the far ones 101 .. 500
MINUS_ZERO_ROWS = 5  # `$-0.00` [derived from two sources that differ by five]
# Fraud amounts in cents, (percent, value): median 78.14, q75 about 160; mean online 120.7, in stores 90 [eda].
FRAUD_AMOUNTS_ONLINE = (
    (0, 50), (10, 900), (25, 3100), (50, 8400), (75, 17000), (90, 25200), (98, 40000), (99.5, 62000), (100, 140000),
)  # fmt: skip
FRAUD_AMOUNTS_STORE = (
    (0, 40), (10, 650), (25, 2400), (50, 6900), (75, 13300), (90, 18600), (98, 30000), (99.5, 46000), (100, 100000),
)  # fmt: skip

# --- Clients: rows relative to the mean, in percent, at quantiles [30,000 random rows]; the top client is 96 [eda] -------
CLIENT_WEIGHTS = ((0, 12), (5, 35), (25, 69), (50, 98), (75, 138), (95, 220), (99, 320), (100, 430))
TOP_CLIENT, TOP_CLIENT_WEIGHT = 96, 520
ROWS_BEFORE_OPENING, ROWS_AFTER_EXPIRY = 309, 83  # [eda]

# --- Ties of (minute, client) [4,999 real rows]: a fourth of the same-merchant ties ascend, the rest are swapped ----------
TIE_SWAPPED = 0.75
REFUND_IN_SALES_MINUTE = 0.075
# A refund of groceries or fuel releases a hold: a sale of exactly the opposite amount at most 28 minutes before or after.
HOLD_IN_REFUNDS_MINUTE = 0.024
HOLD_MINUTES = 28

# --- Merchants with their category and rows [eda; category real] ----------------------------------------------------------
TOP_MERCHANTS: tuple[tuple[int, int, int], ...] = (
    (59935, 5499, 610_053),
    (27092, 4829, 589_140),
    (61195, 5541, 562_410),
    (39021, 4784, 440_281),
    (43293, 5499, 362_842),
    (22204, 5541, 347_511),
    (14528, 5499, 333_505),
    (60569, 5300, 301_657),
)
LARGEST_MERCHANT_ID = 100_343

# --- Users [real]: (percent, value) ---------------------------------------------------------------------------------------
FEMALES = 1_016
AGES = (
    (0, 18),
    (5, 19),
    (10, 22),
    (25, 30),
    (40, 39),
    (50, 44),
    (60, 49),
    (75, 58),
    (90, 71),
    (95, 80),
    (99, 90),
    (100, 101),
)
RETIREMENT_AGES = (
    (0, 50),
    (1, 56),
    (5, 60),
    (10, 62),
    (25, 65),
    (50, 66),
    (60, 67),
    (75, 68),
    (90, 71),
    (95, 72),
    (99, 74),
    (100, 79),
)
CREDIT_SCORES = (
    (0, 480),
    (1, 517),
    (5, 589),
    (10, 620),
    (25, 681),
    (40, 698),
    (50, 711),
    (60, 726),
    (75, 753),
    (90, 792),
    (95, 815),
    (99, 850),
    (100, 850),
)
INCOMES_PER_CAPITA = (
    (0, 8_000),
    (0.3, 8_658),
    (4.3, 12_684),
    (9.3, 14_214),
    (24.5, 16_823),
    (39.5, 18_906),
    (49.6, 20_581),
    (59.7, 22_549),
    (74.8, 26_273),
    (89.9, 34_138),
    (95, 41_682),
    (99, 58_517),
    (99.9, 105_000),
    (100, 163_145),
)
ZERO_INCOMES_PER_CAPITA = 15
DEBTS = (
    (0, 1),
    (5, 7_000),
    (20, 22_000),
    (35, 43_000),
    (47, 57_500),
    (58, 67_500),
    (74, 88_500),
    (89, 126_000),
    (95, 153_400),
    (99, 230_000),
    (99.8, 300_000),
    (100, 516_263),
)
ZERO_DEBTS = 102
# Yearly over per capita income in per mille: before retirement age all but constant; after it, spread.
INCOME_RATIO = 2039
INCOME_RATIOS_RETIRED = ((0, 680), (5, 754), (25, 1276), (50, 1602), (75, 1938), (95, 2366), (100, 2900))

# --- Cards [real] ---------------------------------------------------------------------------------------------------------
CARDS_PER_USER = (416, 388, 449, 376, 206, 105, 40, 17, 3)  # users with 1 .. 9 cards
# brand, type, without a chip, with a chip
CARD_KINDS: tuple[tuple[str, str, int, int], ...] = (
    ("Amex", "Credit", 35, 367),
    ("Discover", "Credit", 20, 189),
    ("Mastercard", "Credit", 71, 564),
    ("Mastercard", "Debit", 230, 1961),
    ("Mastercard", "Debit (Prepaid)", 40, 343),
    ("Visa", "Credit", 89, 722),
    ("Visa", "Debit", 140, 1180),
    ("Visa", "Debit (Prepaid)", 21, 174),
)
BRAND_DIGITS = {"Amex": ("3", 15), "Discover": ("6", 16), "Mastercard": ("5", 16), "Visa": ("4", 16)}
ISSUED = (3_114, 2_972, 60)  # cards issued 1, 2, 3 times
# Limit over the owner's yearly income in per mille; prepaid in dollars.
LIMIT_RATIOS_CREDIT = ((0, 60), (5, 115), (25, 205), (50, 247), (75, 300), (95, 400), (99, 560), (100, 1_000))
LIMIT_RATIOS_DEBIT = ((0, 20), (5, 130), (25, 303), (50, 398), (75, 500), (95, 640), (99, 860), (100, 1_500))
LIMITS_PREPAID = ((0, 0), (5, 24), (25, 51), (50, 65), (75, 80), (95, 106), (100, 145))
ZERO_LIMITS = 31
# Cards by year of opening, 1991 .. 2019; in January and February of 2020.
OPENED_1991_2019 = (3, 2, 3, 10, 6, 16, 27, 42, 61, 64, 121, 147, 197, 246, 300, 359, 408, 487, 466, 545, 335, 188, 199, 178, 148, 120, 101, 101, 88)  # fmt: skip
OPENED_2020 = (571, 607)
NEW_CARD_USERS, NEW_USERS_CARDS = 387, 734  # users whose every card was opened after the last transaction
EXPIRES_BEFORE_2020 = 0.22  # of the cards opened before 2020; else an even month of 2020 .. 2024
# Years between opening and the last change of the PIN: cards by lag, of those opened before 2020.
PIN_LAGS = (2069, 319, 325, 324, 292, 270, 269, 239, 209, 162, 125, 93, 73, 54, 34, 36, 27, 19, 12, 9, 4, 1, 1, 1, 1)
SILENT_BY_AGE = (
    (22, 1.0),
    (24, 1.0),
    (29, 0.97),
    (34, 0.56),
    (44, 0.26),
    (54, 0.15),
    (64, 0.14),
    (74, 0.1),
    (120, 0.05),
)
