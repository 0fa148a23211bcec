MODEL (
  name seeds.monitor_thresholds,
  kind SEED (
    path '$root/seeds/monitor_thresholds.csv'
  ),
  description 'One row per monitor, level and period: what a merchant must reach in a month, all of it. Called -like because labels are not chargebacks.',
  columns (
    monitor TEXT,
    level TEXT,
    valid_from_date DATE,
    valid_until_date DATE,
    min_events BIGINT,
    min_transactions BIGINT,
    min_amount DECIMAL(18, 2),
    min_ratio_bp DECIMAL(9, 2),
    reason TEXT
  ),
  column_descriptions (
    monitor = 'VAMP-like, ECM-like or EFM-like',
    level = 'What is reached',
    valid_from_date = 'First day',
    valid_until_date = 'First day on which it no longer holds; empty for none',
    min_events = 'Least number of frauds',
    min_transactions = 'Least number of transactions that the ratio divides by',
    min_amount = 'Least US dollars of fraud',
    min_ratio_bp = 'Least ratio, basis points',
    reason = 'In words'
  ),
  grain (monitor, level, valid_from_date),
  tags (
    seed
  ),
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
  )
)
