MODEL (
  name serving.authorisation,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and channel with attempted purchases: refunds and zero-dollar checks are none. A declined purchase that the same card tries again at the same merchant for the same amount within an hour is one attempt with that next try: so an attempt ends in an approval, or in a decline that is not tried again, and counts in the month and channel of its end. Approved purchases are gross: a hold that is released later was approved, too.',
  grain (month_start, channel),
  tags (serving, revenue),
  audits (
    not_null(columns := (month_start, channel, attempt_count, approved_count, lost_count)),
    unique_combination_of_columns(columns := (month_start, channel)),
    sums_agree(
      parent := facts.fct_transactions,
      over := months,
      day := month_start,
      sums := (
        SUM(approved_count) = COUNT(*) FILTER(WHERE
          is_approved AND amount > 0),
        SUM(approved_volume) = SUM(amount) FILTER(WHERE
          is_approved AND amount > 0),
        SUM(lost_count + retried_count) = COUNT(*) FILTER(WHERE
          NOT is_approved AND amount > 0)
      )
    )
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH later_tries AS (
  SELECT
    declines.transaction_id,
    later.is_approved,
    ROW_NUMBER() OVER (
      PARTITION BY declines.transaction_id
      ORDER BY later.transacted_at, later.transaction_id
    ) AS place
  FROM facts.fct_transactions AS declines
  JOIN facts.fct_transactions AS later
    ON later.card_id = declines.card_id
    AND later.merchant_id = declines.merchant_id
    AND later.amount = declines.amount
    AND later.transacted_at BETWEEN declines.transacted_at AND declines.transacted_at + INTERVAL '1 HOUR'
    AND (
      later.transacted_at > declines.transacted_at
      OR later.transaction_id > declines.transaction_id
    )
  WHERE
    NOT declines.is_approved
    AND declines.amount > 0
    AND @in_months_of_range(declines.transacted_on)
    AND @in_months_of_range(later.transacted_on, look_ahead := 1)
), next_tries AS (
  SELECT
    transaction_id,
    is_approved
  FROM later_tries
  WHERE
    place = 1
), tries AS (
  SELECT
    DATE_TRUNC('MONTH', purchases.transacted_at)::DATE AS month_start,
    purchases.channel,
    purchases.is_approved,
    @cents(purchases.amount) AS amount_cents,
    NOT purchases.is_approved AND next_tries.transaction_id IS NULL AS is_lost,
    COALESCE(purchases.errors = 'Technical Glitch', FALSE) AS is_technical,
    COALESCE(next_tries.is_approved, FALSE) AS is_recovered
  FROM facts.fct_transactions AS purchases
  LEFT JOIN next_tries
    ON next_tries.transaction_id = purchases.transaction_id
  WHERE
    purchases.amount > 0 AND @in_months_of_range(purchases.transacted_on)
), counted AS (
  SELECT
    month_start,
    channel,
    COUNT(*) FILTER(WHERE
      is_approved) AS approved_count,
    COUNT(*) FILTER(WHERE
      is_lost) AS lost_count,
    COUNT(*) FILTER(WHERE
      is_lost AND is_technical) AS technical_lost_count,
    COUNT(*) FILTER(WHERE
      NOT is_approved AND NOT is_lost) AS retried_count,
    COUNT(*) FILTER(WHERE
      is_recovered) AS recovered_count,
    COALESCE(SUM(amount_cents) FILTER(WHERE
      is_approved), 0) AS approved_cents,
    COALESCE(SUM(amount_cents) FILTER(WHERE
      is_lost), 0) AS lost_cents,
    COALESCE(SUM(amount_cents) FILTER(WHERE
      is_lost AND is_technical), 0) AS technical_lost_cents,
    COALESCE(SUM(amount_cents) FILTER(WHERE
      is_recovered), 0) AS recovered_cents
  FROM tries
  GROUP BY
    month_start,
    channel
)
SELECT
  month_start::DATE, /* First day of the month */
  channel::TEXT, /* swipe, chip or online (card not present), of the try that ended the attempt */
  (
    approved_count + lost_count
  )::BIGINT AS attempt_count, /* Attempted purchases, tries of one attempt counted once: what approval_rate_bp divides by */
  approved_count::BIGINT, /* Attempts that ended in an approval: approved purchases, gross */
  lost_count::BIGINT, /* Attempts that ended in a decline: not tried again within an hour */
  (
    lost_count - technical_lost_count
  )::BIGINT AS issuer_lost_count, /* Of these, by a decision of the issuer: with any error but Technical Glitch alone */
  technical_lost_count::BIGINT, /* Of the lost ones, those for Technical Glitch alone in the last try: a system failed */
  @basis_points(approved_count, approved_count + lost_count)::DECIMAL(18, 2) AS approval_rate_bp, /* By count: basis points of attempts */
  @basis_points(approved_count, approved_count + lost_count - technical_lost_count)::DECIMAL(18, 2) AS issuer_approval_rate_bp, /* By count: basis points of attempts without those lost to Technical Glitch alone; NULL where there are none */
  @dollars_of(approved_cents + lost_cents)::DECIMAL(18, 2) AS attempted_volume, /* US dollars of attempts, each once: what approval_rate_by_value_bp divides by */
  @dollars_of(approved_cents)::DECIMAL(18, 2) AS approved_volume, /* US dollars of approved purchases, gross */
  @dollars_of(lost_cents)::DECIMAL(18, 2) AS lost_volume, /* US dollars of attempts that ended in a decline, those of fraud too: what no retry of the same amount saved */
  @dollars_of(lost_cents - technical_lost_cents)::DECIMAL(18, 2) AS issuer_lost_volume, /* Of these, by a decision of the issuer */
  @dollars_of(technical_lost_cents)::DECIMAL(18, 2) AS technical_lost_volume, /* Of these, for Technical Glitch alone */
  @basis_points(approved_cents, approved_cents + lost_cents)::DECIMAL(18, 2) AS approval_rate_by_value_bp, /* By value: basis points of the attempted volume */
  (
    lost_count + retried_count
  )::BIGINT AS declined_count, /* Declined tries of purchases, each of an attempt too: lost_count and retried_count */
  retried_count::BIGINT, /* Declined tries after which the card tried the same amount at the merchant again within an hour */
  recovered_count::BIGINT, /* Of these, those of which the next try was approved */
  @dollars_of(recovered_cents)::DECIMAL(18, 2) AS recovered_volume /* US dollars of these: what a retry saved */
FROM counted;

@look_ahead(1);

@primary_key(month_start, channel)
