MODEL (
  name serving.decline_analysis,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, channel and reason of decline. A transaction with two errors counts for both, and once under Any error: reasons do not add up to it. Each month and channel with transactions has all nine reasons, with zeros where nothing was declined for one. Refunds and zero-dollar checks are among the transactions: for purchases see serving.authorisation.',
  grain (month_start, channel, decline_reason),
  tags (serving, revenue),
  audits (
    not_null(
      columns := (
        month_start,
        channel,
        decline_reason,
        transaction_count,
        declined_count,
        declined_amount
      )
    ),
    unique_combination_of_columns(columns := (month_start, channel, decline_reason)),
    sums_agree(
      parent := facts.fct_transactions,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) FILTER(WHERE
          decline_reason = 'Any error') = COUNT(*),
        SUM(declined_count) FILTER(WHERE
          decline_reason = 'Any error') = COUNT(*) FILTER(WHERE
          NOT is_approved)
      )
    ),
    no_reason_declines_more_than_all,
    errors_are_known(blocking := FALSE)
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH attempted AS (
  SELECT
    DATE_TRUNC('MONTH', transacted_at)::DATE AS month_start,
    channel,
    is_approved,
    errors,
    COUNT(*) AS transaction_count,
    SUM(CASE WHEN amount > 0 THEN @cents(amount) ELSE 0 END) AS attempted_cents
  FROM facts.fct_transactions
  WHERE
    @in_months_of_range(transacted_on)
  GROUP BY
    DATE_TRUNC('MONTH', transacted_at)::DATE,
    channel,
    is_approved,
    errors
), reasons AS (
  SELECT
    decline_reason
  FROM (VALUES
    ('Any error'),
    ('Bad Card Number'),
    ('Bad CVV'),
    ('Bad Expiration'),
    ('Bad PIN'),
    ('Bad Zipcode'),
    ('Insufficient Balance'),
    ('Technical Glitch'),
    ('Other')) AS listed(decline_reason)
), judged AS (
  SELECT
    attempted.month_start,
    attempted.channel,
    reasons.decline_reason,
    attempted.transaction_count,
    attempted.attempted_cents,
    CASE reasons.decline_reason
      WHEN 'Any error'
      THEN NOT attempted.is_approved
      WHEN 'Other'
      THEN @has_other_error(attempted.errors)
      ELSE @has_error(attempted.errors, reasons.decline_reason)
    END AS is_declined
  FROM attempted
  CROSS JOIN reasons
), by_reason AS (
  SELECT
    month_start,
    channel,
    decline_reason,
    SUM(transaction_count) AS transaction_count,
    COALESCE(SUM(transaction_count) FILTER(WHERE
      is_declined), 0) AS declined_count,
    SUM(attempted_cents) FILTER(WHERE
      is_declined) AS declined_cents
  FROM judged
  GROUP BY
    month_start,
    channel,
    decline_reason
)
SELECT
  month_start::DATE, /* First day of the month */
  channel::TEXT, /* swipe, chip or online */
  decline_reason::TEXT, /* One error as published, Other for those that are none of the published, or Any error for all declined */
  transaction_count::BIGINT, /* All transactions of the month and channel, refunds and zero-dollar checks too: what decline_rate_bp divides by */
  declined_count::BIGINT, /* Declined with this error, alone or beside others; 0 where none was */
  @basis_points(declined_count, transaction_count)::DECIMAL(18, 2) AS decline_rate_bp, /* Basis points of all transactions */
  @dollars_of(declined_cents)::DECIMAL(18, 2) AS declined_amount /* US dollars that were asked for and refused; refunds not counted */
FROM by_reason;

@primary_key(month_start, channel, decline_reason)
