MODEL (
  name serving.decline_analysis,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, channel and reason of decline. A transaction with two errors counts for both, and once under Any error: reasons do not add up to it.',
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
    declines_are_the_facts,
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
    CASE WHEN amount > 0 THEN @cents(amount) ELSE 0 END AS attempted_cents,
    has_bad_card_number,
    has_bad_cvv,
    has_bad_expiration,
    has_bad_pin,
    has_bad_zipcode,
    has_insufficient_balance,
    has_technical_glitch,
    @has_other_error(errors) AS has_other_error
  FROM facts.fct_transactions
  WHERE
    @in_months_of_range(transacted_on)
), counted AS (
  SELECT
    month_start,
    channel,
    COUNT(*) AS transaction_count,
    COUNT(*) FILTER(WHERE
      NOT is_approved) AS any_count,
    SUM(attempted_cents) FILTER(WHERE
      NOT is_approved) AS any_cents,
    COUNT(*) FILTER(WHERE
      has_bad_card_number) AS bad_card_number_count,
    SUM(attempted_cents) FILTER(WHERE
      has_bad_card_number) AS bad_card_number_cents,
    COUNT(*) FILTER(WHERE
      has_bad_cvv) AS bad_cvv_count,
    SUM(attempted_cents) FILTER(WHERE
      has_bad_cvv) AS bad_cvv_cents,
    COUNT(*) FILTER(WHERE
      has_bad_expiration) AS bad_expiration_count,
    SUM(attempted_cents) FILTER(WHERE
      has_bad_expiration) AS bad_expiration_cents,
    COUNT(*) FILTER(WHERE
      has_bad_pin) AS bad_pin_count,
    SUM(attempted_cents) FILTER(WHERE
      has_bad_pin) AS bad_pin_cents,
    COUNT(*) FILTER(WHERE
      has_bad_zipcode) AS bad_zipcode_count,
    SUM(attempted_cents) FILTER(WHERE
      has_bad_zipcode) AS bad_zipcode_cents,
    COUNT(*) FILTER(WHERE
      has_insufficient_balance) AS insufficient_balance_count,
    SUM(attempted_cents) FILTER(WHERE
      has_insufficient_balance) AS insufficient_balance_cents,
    COUNT(*) FILTER(WHERE
      has_technical_glitch) AS technical_glitch_count,
    SUM(attempted_cents) FILTER(WHERE
      has_technical_glitch) AS technical_glitch_cents,
    COUNT(*) FILTER(WHERE
      has_other_error) AS other_count,
    SUM(attempted_cents) FILTER(WHERE
      has_other_error) AS other_cents
  FROM attempted
  GROUP BY
    month_start,
    channel
), reasons AS (
  SELECT
    'Any error' AS decline_reason
  UNION ALL
  SELECT
    'Bad Card Number' AS decline_reason
  UNION ALL
  SELECT
    'Bad CVV' AS decline_reason
  UNION ALL
  SELECT
    'Bad Expiration' AS decline_reason
  UNION ALL
  SELECT
    'Bad PIN' AS decline_reason
  UNION ALL
  SELECT
    'Bad Zipcode' AS decline_reason
  UNION ALL
  SELECT
    'Insufficient Balance' AS decline_reason
  UNION ALL
  SELECT
    'Technical Glitch' AS decline_reason
  UNION ALL
  SELECT
    'Other' AS decline_reason
), by_reason AS (
  SELECT
    counted.month_start,
    counted.channel,
    reasons.decline_reason,
    counted.transaction_count,
    CASE reasons.decline_reason
      WHEN 'Bad Card Number'
      THEN counted.bad_card_number_count
      WHEN 'Bad CVV'
      THEN counted.bad_cvv_count
      WHEN 'Bad Expiration'
      THEN counted.bad_expiration_count
      WHEN 'Bad PIN'
      THEN counted.bad_pin_count
      WHEN 'Bad Zipcode'
      THEN counted.bad_zipcode_count
      WHEN 'Insufficient Balance'
      THEN counted.insufficient_balance_count
      WHEN 'Technical Glitch'
      THEN counted.technical_glitch_count
      WHEN 'Other'
      THEN counted.other_count
      ELSE counted.any_count
    END AS declined_count,
    CASE reasons.decline_reason
      WHEN 'Bad Card Number'
      THEN counted.bad_card_number_cents
      WHEN 'Bad CVV'
      THEN counted.bad_cvv_cents
      WHEN 'Bad Expiration'
      THEN counted.bad_expiration_cents
      WHEN 'Bad PIN'
      THEN counted.bad_pin_cents
      WHEN 'Bad Zipcode'
      THEN counted.bad_zipcode_cents
      WHEN 'Insufficient Balance'
      THEN counted.insufficient_balance_cents
      WHEN 'Technical Glitch'
      THEN counted.technical_glitch_cents
      WHEN 'Other'
      THEN counted.other_cents
      ELSE counted.any_cents
    END AS declined_cents
  FROM counted
  CROSS JOIN reasons
)
SELECT
  month_start::DATE, /* First day of the month */
  channel::TEXT, /* swipe, chip or online */
  decline_reason::TEXT, /* One error as published, Other for those that are none of the published, or Any error for all declined */
  transaction_count::BIGINT, /* All transactions of the month and channel: what decline_rate_bp divides by */
  declined_count::BIGINT, /* Declined with this error */
  @basis_points(declined_count, transaction_count)::DECIMAL(18, 2) AS decline_rate_bp, /* Basis points of all transactions */
  @dollars_of(declined_cents)::DECIMAL(18, 2) AS declined_amount /* US dollars that were asked for and refused; refunds not counted */
FROM by_reason;

@primary_key(month_start, channel, decline_reason)
