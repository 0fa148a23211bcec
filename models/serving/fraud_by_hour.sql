MODEL (
  name serving.fraud_by_hour,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and hour of the day with transactions. Hours are local, as published; night is 00:00 to 05:59. Unlabelled is unknown, never legitimate: rates divide by the labelled.',
  grain (month_start, hour_of_day),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        month_start,
        hour_of_day,
        transaction_count,
        labelled_count,
        fraud_count,
        fraud_loss
      )
    ),
    unique_combination_of_columns(columns := (month_start, hour_of_day)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(labelled_count) = @labelled_count(),
        SUM(fraud_count) = @fraud_count(),
        SUM(fraud_loss) = @dollars_of(@fraud_loss_cents()),
        SUM(labelled_settled_count) = @labelled_settled_count(),
        SUM(settled_fraud_count) = @settled_fraud_count(),
        SUM(declined_fraud_count) = @declined_fraud_count(),
        SUM(refund_fraud_count) = @refund_fraud_count(),
        SUM(net_fraud_loss) = @dollars_of(@net_fraud_loss_cents())
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
    EXTRACT(HOUR FROM transacted_at) AS hour_of_day,
    COUNT(*) AS transaction_count,
    @labelled_count() AS labelled_count,
    @fraud_count() AS fraud_count,
    @labelled_purchase_cents() AS labelled_purchase_cents,
    @fraud_loss_cents() AS fraud_loss_cents,
    @labelled_settled_count() AS labelled_settled_count,
    @settled_fraud_count() AS settled_fraud_count,
    @declined_fraud_count() AS declined_fraud_count,
    @refund_fraud_count() AS refund_fraud_count,
    @labelled_settled_cents() AS labelled_settled_cents,
    @net_fraud_loss_cents() AS net_fraud_loss_cents
  FROM facts.fct_outcomes
  WHERE
    @in_months_of_range(transacted_on)
  GROUP BY
    month_start,
    EXTRACT(HOUR FROM transacted_at)
)
SELECT
  labelled.month_start::DATE, /* First day of the month */
  labelled.hour_of_day::INT, /* 0 to 23 */
  (
    labelled.hour_of_day < 6
  )::BOOLEAN AS is_night, /* From 00:00 to 05:59 */
  labelled.transaction_count::BIGINT, /* All transactions, declined ones too */
  labelled.labelled_count::BIGINT, /* With a label, of any kind: what fraud_rate_bp divides by */
  labelled.fraud_count::BIGINT, /* Labelled as fraud, of any kind: purchases, declined attempts, refunds and checks of zero dollars */
  @basis_points(labelled.fraud_count, labelled.labelled_count)::DECIMAL(18, 2) AS fraud_rate_bp, /* By count, of transactions of any kind: basis points of the labelled; NULL where nothing is labelled. settled_fraud_rate_bp is of the transactions that a rate by value is of */
  @dollars_of(labelled.labelled_purchase_cents)::DECIMAL(18, 2) AS labelled_purchase_volume, /* US dollars of approved purchases with a label, gross, reversed ones included: what fraud_rate_by_value_bp divides by */
  @dollars_of(labelled.fraud_loss_cents)::DECIMAL(18, 2) AS fraud_loss, /* US dollars of approved purchases labelled as fraud: gross, reversed ones included; net_fraud_loss is what did not come back */
  @basis_points(labelled.fraud_loss_cents, labelled.labelled_purchase_cents)::DECIMAL(18, 2) AS fraud_rate_by_value_bp, /* By value, gross: basis points of the labelled purchase volume; NULL where that is zero */
  @rate_low(labelled.fraud_count, labelled.labelled_count)::DECIMAL(18, 2) AS fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of fraud_rate_bp: what to sort by, so that one fraud of one does not lead; NULL where nothing is labelled */
  @rate_high(labelled.fraud_count, labelled.labelled_count)::DECIMAL(18, 2) AS fraud_rate_high_bp, /* Upper end of the same interval */
  labelled.settled_fraud_count::BIGINT, /* Settled purchases labelled as fraud: what net_fraud_loss is the loss of */
  labelled.declined_fraud_count::BIGINT, /* Declined transactions labelled as fraud: tried, and refused */
  labelled.refund_fraud_count::BIGINT, /* Approved refunds labelled as fraud; the rest of fraud_count are reversed purchases and checks of zero dollars */
  labelled.labelled_settled_count::BIGINT, /* Settled purchases with a label: what settled_fraud_rate_bp divides by */
  @basis_points(labelled.settled_fraud_count, labelled.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_bp, /* By count, of settled purchases: basis points of the labelled; NULL where none is labelled */
  @rate_low(labelled.settled_fraud_count, labelled.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of settled_fraud_rate_bp */
  @rate_high(labelled.settled_fraud_count, labelled.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_high_bp, /* Upper end of the same interval */
  @dollars_of(labelled.labelled_settled_cents)::DECIMAL(18, 2) AS labelled_settled_volume, /* US dollars of settled purchases with a label: what settled_fraud_rate_by_value_bp divides by */
  @dollars_of(labelled.net_fraud_loss_cents)::DECIMAL(18, 2) AS net_fraud_loss, /* US dollars of settled purchases labelled as fraud: net of what was reversed */
  @basis_points(labelled.net_fraud_loss_cents, labelled.labelled_settled_cents)::DECIMAL(18, 2) AS settled_fraud_rate_by_value_bp, /* By value, of settled purchases: basis points of labelled_settled_volume; NULL where that is zero. One large fraud moves it: there is no interval */
  @ratio(
    labelled.fraud_count * SUM(labelled.labelled_count) OVER (PARTITION BY labelled.month_start),
    labelled.labelled_count * SUM(labelled.fraud_count) OVER (PARTITION BY labelled.month_start)
  )::DECIMAL(18, 2) AS vampire_index /* Fraud rate of the hour by that of the whole month: 2 is twice as risky; NULL where the month has no fraud */
FROM labelled;

@primary_key(month_start, hour_of_day)
