MODEL (
  name serving.monitor_thresholds,
  kind VIEW,
  description 'One row per monitor, level and period: all that a merchant must reach in a month for serving.network_monitors to give it the level.',
  grain (monitor, level, valid_from_date),
  tags (serving, fraud),
  audits (
    not_null(
      columns := (
        monitor,
        level,
        valid_from_date,
        min_events,
        min_transactions,
        min_amount,
        min_ratio_bp,
        reason
      )
    ),
    unique_combination_of_columns(columns := (monitor, level, valid_from_date))
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  thresholds.monitor::TEXT, /* VAMP-like, ECM-like or EFM-like */
  thresholds.level::TEXT, /* What is reached */
  thresholds.valid_from_date::DATE, /* First day */
  thresholds.valid_until_date::DATE, /* First day on which it no longer holds; NULL while in force */
  thresholds.min_events::BIGINT, /* Least event_count of serving.network_monitors */
  thresholds.min_transactions::BIGINT, /* Least transaction_count */
  thresholds.min_amount::DECIMAL(18, 2), /* Least fraud_amount, US dollars */
  thresholds.min_ratio_bp::DECIMAL(9, 2), /* Least ratio_bp */
  thresholds.reason::TEXT /* In words */
FROM seeds.monitor_thresholds AS thresholds
