MODEL (
  name seeds.interchange_rates,
  kind SEED (
    path '$root/seeds/interchange_rates.csv'
  ),
  description 'One row per card brand, card type, presence of the card, group of categories and period: the modelled interchange. An estimate: the data holds no fee, and no network publishes one rate for so wide a cut.',
  columns (
    card_brand TEXT,
    card_type TEXT,
    is_card_present BOOLEAN,
    mcc_group TEXT,
    valid_from_date DATE,
    valid_until_date DATE,
    rate_bp DECIMAL(6, 2),
    fixed_fee DECIMAL(6, 2),
    reason TEXT
  ),
  column_descriptions (
    card_brand = 'As in dimensions.dim_cards',
    card_type = 'As in dimensions.dim_cards',
    is_card_present = 'Whether the card was present: channel swipe or chip',
    mcc_group = 'As in seeds.interchange_mcc_groups, or other',
    valid_from_date = 'First day, always the first of a month',
    valid_until_date = 'First day on which it no longer holds, always the first of a month; empty for none',
    rate_bp = 'Basis points of the amount',
    fixed_fee = 'US dollars for each purchase',
    reason = 'What it is modelled on'
  ),
  grain (card_brand, card_type, is_card_present, mcc_group, valid_from_date),
  tags (
    seed
  ),
  audits (
    not_null(
      columns := (
        card_brand,
        card_type,
        is_card_present,
        mcc_group,
        valid_from_date,
        rate_bp,
        fixed_fee,
        reason
      )
    ),
    unique_combination_of_columns(columns := (card_brand, card_type, is_card_present, mcc_group, valid_from_date)),
    interchange_periods_are_whole_months,
    interchange_periods_do_not_overlap
  )
)
