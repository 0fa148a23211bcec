MODEL (
  name serving.fraud_by_channel_month,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and channel with transactions. Unlabelled is unknown, never legitimate: rates divide by the labelled.',
  grain (month_start, channel),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (month_start, channel, transaction_count, labelled_count, fraud_count, fraud_loss)
    ),
    unique_combination_of_columns(columns := (month_start, channel)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(labelled_count) = @labelled_count(),
        SUM(fraud_count) = @fraud_count(),
        SUM(fraud_loss) = @dollars_of(@fraud_loss_cents())
      )
    ),
    rates_are_of_a_part
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH labelled AS (
  SELECT
    month_start,
    channel,
    COUNT(*) AS transaction_count,
    @labelled_count() AS labelled_count,
    @fraud_count() AS fraud_count,
    @labelled_purchase_cents() AS labelled_purchase_cents,
    @fraud_loss_cents() AS fraud_loss_cents
  FROM facts.fct_outcomes
  WHERE
    @in_months_of_range(transacted_on)
  GROUP BY
    month_start,
    channel
)
SELECT
  labelled.month_start::DATE, /* First day of the month */
  labelled.channel::TEXT, /* swipe, chip or online (card not present) */
  labelled.transaction_count::BIGINT, /* All transactions, declined ones too */
  labelled.labelled_count::BIGINT, /* With a label: what fraud_rate_bp divides by */
  labelled.fraud_count::BIGINT, /* Labelled as fraud, declined or not */
  @basis_points(labelled.fraud_count, labelled.labelled_count)::DECIMAL(18, 2) AS fraud_rate_bp, /* By count: basis points of the labelled; NULL where nothing is labelled */
  @dollars_of(labelled.labelled_purchase_cents)::DECIMAL(18, 2) AS labelled_purchase_volume, /* US dollars of approved purchases with a label: what fraud_rate_by_value_bp divides by */
  @dollars_of(labelled.fraud_loss_cents)::DECIMAL(18, 2) AS fraud_loss, /* US dollars of approved purchases labelled as fraud */
  @basis_points(labelled.fraud_loss_cents, labelled.labelled_purchase_cents)::DECIMAL(18, 2) AS fraud_rate_by_value_bp /* By value: basis points of the labelled purchase volume; NULL where that is zero */
FROM labelled;

@primary_key(month_start, channel)
