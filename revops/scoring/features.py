"""Which features a scorecard may use, and how each is read as a whole number: the same in training and in the model that scores.

To add one, add a line: what is trained, the model features.transaction_scores and its tests take their columns from this list.
It changes the version of every scorecard that is trained from then on.
"""

from __future__ import annotations

# Name, and what it is of a row of features.transaction_features. A limit is a whole number, so that all engines compare alike;
# decimals are in hundredths. A flag is true or false, never unknown.
NUMBERS = (
    ("amount_cents", "features.amount_cents"),
    ("card_transactions_1h", "features.card_transactions_1h"),
    ("card_purchase_cents_1h", "features.card_purchase_cents_1h"),
    ("card_transactions_24h", "features.card_transactions_24h"),
    ("card_purchase_cents_24h", "features.card_purchase_cents_24h"),
    ("card_transactions_7d", "features.card_transactions_7d"),
    ("card_purchase_cents_30d", "features.card_purchase_cents_30d"),
    ("card_declines_24h", "features.card_declines_24h"),
    ("amount_z_score_90d", "CAST(features.amount_z_score_90d * 100 AS BIGINT)"),
    ("minutes_since_previous", "features.minutes_since_previous"),
    ("minutes_since_presence", "features.minutes_since_presence"),
    ("days_since_card_opened", "features.days_since_card_opened"),
    ("merchant_transactions_30d", "features.merchant_transactions_30d"),
    ("merchant_fraud_rate_bp_30d", "CAST(features.merchant_fraud_rate_bp_30d * 100 AS BIGINT)"),
    ("mcc_transactions_30d", "features.mcc_transactions_30d"),
    ("mcc_fraud_rate_bp_30d", "CAST(features.mcc_fraud_rate_bp_30d * 100 AS BIGINT)"),
    ("hour_of_day", "features.hour_of_day"),
)
FLAGS = (
    ("is_online", "features.channel = 'online'"),
    ("is_foreign", "features.is_foreign"),
    ("has_bad_card_data", "features.has_bad_card_data"),
    ("is_new_merchant_90d", "features.is_new_merchant_90d"),
    ("is_new_mcc_90d", "features.is_new_mcc_90d"),
    ("is_new_place_90d", "features.is_new_place_90d"),
    ("has_place_changed", "features.has_place_changed"),
    ("has_country_changed", "features.has_country_changed"),
    ("is_large_after_small_1h", "features.is_large_after_small_1h"),
    ("is_weekend", "features.is_weekend"),
)
FEATURES = (*NUMBERS, *FLAGS)

MOST_BINS = 5
"""Of a number whose value is known; a flag has two."""
UNKNOWN = -1
"""The bin of a value that is not known."""
DOUBLES = 40
"""So many points double the odds of fraud; so many or more of one feature are a reason."""
EVEN = 500
"""The score at which fraud is as likely as not."""
HIGHEST = 1000
"""The highest score; the lowest is 0."""
