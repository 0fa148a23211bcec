MODEL (
  name facts.fct_card_place_months,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, card, channel and place with transactions, in cents, with the estimated interchange. What reports of the value of cards, cardholders and places are summed from.',
  grain (month_start, card_id, channel, place),
  references card_id,
  tags (fact, labelled, card_attributes),
  audits (
    not_null(
      columns := (
        month_start,
        card_id,
        channel,
        place,
        transaction_count,
        settled_cents,
        settled_refund_cents
      )
    ),
    unique_combination_of_columns(columns := (month_start, card_id, channel, place)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(settled_cents) = @settled_cents(),
        SUM(settled_refund_cents) = @settled_refund_cents(),
        SUM(labelled_settled_count) = @labelled_settled_count(),
        SUM(settled_fraud_cents) = @net_fraud_loss_cents()
      )
    )
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE
);

WITH short_of_money AS (
  SELECT
    transaction_id
  FROM facts.fct_transactions
  WHERE
    has_insufficient_balance AND @in_months_of_range(transacted_on)
), prices AS (
  SELECT
    cards.card_id,
    rates.mcc_group,
    rates.is_card_present,
    rates.valid_from_date,
    rates.valid_until_date,
    @rate_in_units(rates) AS rate_units,
    @fee_in_units(rates) AS fee_units
  FROM dimensions.dim_cards AS cards
  JOIN seeds.interchange_rates AS rates
    ON rates.card_brand = cards.card_brand
    AND rates.card_type = cards.card_type /* By card, so that outcomes find their price by one hash of a key that is fine */
)
SELECT
  outcomes.month_start::DATE, /* First day of the month */
  outcomes.card_id::INT, /* The card */
  @settled_cents(of := outcomes)::BIGINT AS settled_cents, /* Cents of these */
  @settled_refund_cents(of := outcomes)::BIGINT AS settled_refund_cents, /* Cents of refunds without those of reversed purchases, positive */
  COALESCE(@labelled_settled_cents(of := outcomes), 0)::BIGINT AS labelled_settled_cents, /* Cents of these: the denominator of their fraud rate by value */
  COALESCE(@net_fraud_loss_cents(of := outcomes), 0)::BIGINT AS settled_fraud_cents, /* Cents of these */
  COUNT(*)::INT AS transaction_count, /* All transactions, declined ones too */
  COUNT(short_of_money.transaction_id)::INT AS insufficient_balance_count, /* Declined with Insufficient Balance, alone or beside other errors */
  @settled_count(of := outcomes)::INT AS settled_count, /* Settled purchases: approved, of more than zero dollars, not reversed */
  @labelled_count(of := outcomes)::INT AS labelled_count, /* Transactions with a label: the denominator of a fraud rate by count */
  @fraud_count(of := outcomes)::INT AS fraud_count, /* Labelled as fraud, declined or not */
  @labelled_settled_count(of := outcomes)::INT AS labelled_settled_count, /* Settled purchases with a label: the denominator of their fraud rate by count */
  @settled_fraud_count(of := outcomes)::INT AS settled_fraud_count, /* Settled purchases labelled as fraud */
  COUNT(*) FILTER(WHERE
    @is_settled(of := outcomes) AND prices.card_id IS NULL)::INT AS unpriced_count, /* Settled purchases for which the seed has no rate: not in the estimate */
  outcomes.is_foreign::BOOLEAN, /* Whether the place is a country abroad */
  outcomes.channel::TEXT, /* swipe, chip or online */
  outcomes.place::TEXT, /* US state code, country, NO PLACE, or UNKNOWN, as in facts.fct_outcomes */
  @interchange_of_units(@interchange_in_units(outcomes, prices))::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded */
  @interchange_of_units(@labelled_interchange_in_units(outcomes, prices))::DECIMAL(24, 8) AS estimated_labelled_interchange /* The same of settled purchases with a label alone */
FROM facts.fct_outcomes AS outcomes
LEFT JOIN short_of_money
  ON short_of_money.transaction_id = outcomes.transaction_id
LEFT JOIN seeds.interchange_mcc_groups AS groups
  ON groups.mcc = outcomes.mcc
LEFT JOIN prices
  ON prices.card_id = outcomes.card_id
  AND prices.mcc_group = @mcc_group_of(groups)
  AND prices.is_card_present = (
    outcomes.channel <> 'online'
  )
  AND @is_in_force(prices, outcomes.month_start)
WHERE
  @in_months_of_range(outcomes.transacted_on)
GROUP BY
  outcomes.month_start,
  outcomes.card_id,
  outcomes.channel,
  outcomes.place,
  outcomes.is_foreign;

@fill_in_ranges(facts.fct_outcomes);

@primary_key(month_start, card_id, channel, place)
