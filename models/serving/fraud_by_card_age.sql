MODEL (
  name serving.fraud_by_card_age,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, age of the card and channel with transactions. The age is that of the account in the month of the transaction, from the month in which it was opened as published now. Unlabelled is unknown, never legitimate: rates divide by the labelled.',
  grain (month_start, card_age, channel),
  depends_on (
    facts.fct_outcomes
  ),
  tags (serving, fraud, labelled, card_attributes),
  audits (
    not_null(
      columns := (
        month_start,
        card_age,
        channel,
        transaction_count,
        labelled_count,
        fraud_count,
        net_fraud_loss
      )
    ),
    unique_combination_of_columns(columns := (month_start, card_age, channel)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(labelled_count) = @labelled_count(),
        SUM(fraud_count) = @fraud_count(),
        SUM(labelled_settled_count) = @labelled_settled_count(),
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

WITH aged AS (
  SELECT
    months.month_start,
    months.channel,
    months.transaction_count,
    months.labelled_count,
    months.fraud_count,
    months.labelled_settled_count,
    months.labelled_settled_cents,
    months.settled_fraud_count,
    months.settled_fraud_cents,
    CASE
      WHEN cards.card_opened_on IS NULL
      THEN '7 unknown'
      WHEN months.month_start < cards.card_opened_on
      THEN '0 not opened yet'
      WHEN months.month_start < cards.card_opened_on + INTERVAL '6 MONTHS'
      THEN '1 first half-year'
      WHEN months.month_start < cards.card_opened_on + INTERVAL '12 MONTHS'
      THEN '2 second half-year'
      WHEN months.month_start < cards.card_opened_on + INTERVAL '36 MONTHS'
      THEN '3 second and third year'
      WHEN months.month_start < cards.card_opened_on + INTERVAL '60 MONTHS'
      THEN '4 fourth and fifth year'
      WHEN months.month_start < cards.card_opened_on + INTERVAL '120 MONTHS'
      THEN '5 sixth to tenth year'
      ELSE '6 later'
    END AS card_age
  FROM facts.fct_card_place_months AS months
  JOIN dimensions.dim_cards AS cards
    ON cards.card_id = months.card_id
  WHERE
    @in_months_of_range(months.month_start)
), by_age AS (
  SELECT
    month_start,
    card_age,
    channel,
    SUM(transaction_count) AS transaction_count,
    SUM(labelled_count) AS labelled_count,
    SUM(fraud_count) AS fraud_count,
    SUM(labelled_settled_count) AS labelled_settled_count,
    SUM(labelled_settled_cents) AS labelled_settled_cents,
    SUM(settled_fraud_count) AS settled_fraud_count,
    SUM(settled_fraud_cents) AS settled_fraud_cents
  FROM aged
  GROUP BY
    month_start,
    card_age,
    channel
)
SELECT
  month_start::DATE, /* First day of the month */
  card_age::TEXT, /* Whole months from the month in which the account was opened to this month: 0 to 5 are the first half-year, 6 to 11 the second, 12 to 35, 36 to 59 and 60 to 119 the next groups, 120 and more are later; not opened yet is a month before it; in the order of its first digit */
  channel::TEXT, /* swipe, chip or online (card not present) */
  transaction_count::BIGINT, /* All transactions, declined ones too */
  labelled_count::BIGINT, /* With a label, of any kind: what fraud_rate_bp divides by */
  fraud_count::BIGINT, /* Labelled as fraud, of any kind, declined or not */
  @basis_points(fraud_count, labelled_count)::DECIMAL(18, 2) AS fraud_rate_bp, /* By count, of transactions of any kind: basis points of the labelled; NULL where nothing is labelled */
  @rate_low(fraud_count, labelled_count)::DECIMAL(18, 2) AS fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of fraud_rate_bp: what to sort by; NULL where nothing is labelled */
  @rate_high(fraud_count, labelled_count)::DECIMAL(18, 2) AS fraud_rate_high_bp, /* Upper end of the same interval */
  labelled_settled_count::BIGINT, /* Settled purchases with a label: what settled_fraud_rate_bp divides by */
  settled_fraud_count::BIGINT, /* Of these, labelled as fraud */
  @basis_points(settled_fraud_count, labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_bp, /* By count, of settled purchases: basis points of the labelled; NULL where none is labelled */
  @dollars_of(labelled_settled_cents)::DECIMAL(18, 2) AS labelled_settled_volume, /* US dollars of settled purchases with a label: what settled_fraud_rate_by_value_bp divides by */
  @dollars_of(settled_fraud_cents)::DECIMAL(18, 2) AS net_fraud_loss, /* US dollars of settled purchases labelled as fraud: net of what was reversed */
  @basis_points(settled_fraud_cents, labelled_settled_cents)::DECIMAL(18, 2) AS settled_fraud_rate_by_value_bp /* By value, of settled purchases: basis points of labelled_settled_volume; NULL where that is zero */
FROM by_age;

@primary_key(month_start, card_age, channel)
