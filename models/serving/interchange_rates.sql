MODEL (
  name serving.interchange_rates,
  kind VIEW,
  description 'One row per card brand, card type, presence of the card, group of categories and period: the modelled interchange that all estimates of serving use. serving.dim_category says of which group a category is. An estimate: the data holds no fee, and no network publishes one rate for so wide a cut.',
  grain (card_brand, card_type, is_card_present, mcc_group, valid_from_date),
  tags (serving, revenue),
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
    unique_combination_of_columns(columns := (card_brand, card_type, is_card_present, mcc_group, valid_from_date))
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  rates.card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  rates.card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  rates.is_card_present::BOOLEAN, /* Whether the card was present: channel swipe or chip */
  rates.mcc_group::TEXT, /* As in serving.dim_category */
  rates.valid_from_date::DATE, /* First day */
  rates.valid_until_date::DATE, /* First day on which it no longer holds; NULL while in force */
  rates.rate_bp::DECIMAL(6, 2), /* Basis points of the amount of a settled purchase */
  rates.fixed_fee::DECIMAL(6, 2), /* US dollars for each settled purchase */
  rates.reason::TEXT /* What it is modelled on */
FROM seeds.interchange_rates AS rates
