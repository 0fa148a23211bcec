MODEL (
  name seeds.fraud_rules,
  kind SEED (
    path '$root/seeds/fraud_rules.csv'
  ),
  description 'One row per fraud rule: what it asks for, its weight, and the reason an investigator reads. An empty cell asks for nothing. Edit, plan dev, and compare serving.rule_performance: see docs/cookbook.md. A rule without any limit would hit everything: at least one is asked for.',
  columns (
    rule_name TEXT,
    weight INT,
    action TEXT,
    valid_from_date DATE,
    valid_until_date DATE,
    channel TEXT,
    has_to_be_bad_card_data BOOLEAN,
    has_to_be_foreign BOOLEAN,
    has_to_be_new_merchant BOOLEAN,
    has_to_be_new_mcc BOOLEAN,
    has_to_be_new_place BOOLEAN,
    has_to_change_country BOOLEAN,
    has_to_be_large_after_small BOOLEAN,
    has_to_be_night BOOLEAN,
    min_amount_cents BIGINT,
    min_transactions_1h BIGINT,
    min_transactions_24h BIGINT,
    min_declines_24h BIGINT,
    min_z_score DECIMAL(12, 2),
    min_idle_days BIGINT,
    min_merchant_labelled BIGINT,
    min_merchant_fraud_bp DECIMAL(12, 2),
    min_mcc_labelled BIGINT,
    min_mcc_fraud_bp DECIMAL(12, 2),
    max_minutes_since_presence BIGINT,
    reason TEXT
  ),
  column_descriptions (
    rule_name = 'Name',
    weight = 'What a hit adds to the score',
    action = 'review, call or block',
    valid_from_date = 'First day on which it raises alerts',
    valid_until_date = 'First day on which it no longer does; empty while in force',
    channel = 'online, or present for the card present; empty for both',
    has_to_be_bad_card_data = 'true to ask for has_bad_card_data',
    has_to_be_foreign = 'true to ask for is_foreign',
    has_to_be_new_merchant = 'true to ask for is_new_merchant_90d',
    has_to_be_new_mcc = 'true to ask for is_new_mcc_90d',
    has_to_be_new_place = 'true to ask for is_new_place_90d',
    has_to_change_country = 'true to ask for has_country_changed',
    has_to_be_large_after_small = 'true to ask for is_large_after_small_1h',
    has_to_be_night = 'true to ask for is_night',
    min_amount_cents = 'Least amount_cents; empty for any',
    min_transactions_1h = 'Least card_transactions_1h; empty for any',
    min_transactions_24h = 'Least card_transactions_24h; empty for any',
    min_declines_24h = 'Least card_declines_24h; empty for any',
    min_z_score = 'Least amount_z_score_90d; empty for any',
    min_idle_days = 'Least days_since_last_use; empty for any',
    min_merchant_labelled = 'Least merchant_labelled_30d; empty for any',
    min_merchant_fraud_bp = 'Least merchant_fraud_rate_bp_30d; empty for any',
    min_mcc_labelled = 'Least mcc_labelled_30d; empty for any',
    min_mcc_fraud_bp = 'Least mcc_fraud_rate_bp_30d; empty for any',
    max_minutes_since_presence = 'Most minutes_since_presence; empty for any',
    reason = 'In words, with features in braces'
  ),
  grain rule_name,
  tags (
    seed
  ),
  audits (
    not_null(columns := (rule_name, weight, action, valid_from_date, reason)),
    unique_values(columns := (
      rule_name
    )),
    accepted_values(column := action, is_in := ('review', 'call', 'block')),
    accepted_range(column := weight, min_v := 1, max_v := 100),
    rules_ask_for_something
  )
)
