MODEL (
  name facts.fct_merchant_months,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and merchant with transactions, in cents, with the estimated interchange. What reports and monitors of merchants are summed from. Settled is what was approved, of more than zero dollars, and not reversed.',
  grain (month_start, merchant_id),
  references merchant_id,
  tags (fact, labelled, card_attributes),
  audits (
    not_null(
      columns := (month_start, merchant_id, transaction_count, purchase_cents, refund_cents)
    ),
    unique_combination_of_columns(columns := (month_start, merchant_id)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(purchase_cents) = SUM(purchase_cents),
        SUM(refund_cents) = SUM(refund_cents),
        SUM(settled_count) = @settled_count(),
        SUM(settled_cents) = @settled_cents(),
        SUM(settled_refund_cents) = @settled_refund_cents(),
        SUM(labelled_count) = @labelled_count()
      )
    )
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE
);

WITH prices AS (
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
  outcomes.merchant_id::INT, /* The merchant */
  SUM(outcomes.purchase_cents)::BIGINT AS purchase_cents, /* Cents of approved purchases: gross, reversed ones included */
  SUM(outcomes.refund_cents)::BIGINT AS refund_cents, /* Cents that went back, positive: gross, those of reversed purchases included */
  @settled_cents(of := outcomes)::BIGINT AS settled_cents, /* Cents of these */
  @settled_refund_cents(of := outcomes)::BIGINT AS settled_refund_cents, /* Cents of these, positive */
  COALESCE(@labelled_purchase_cents(of := outcomes), 0)::BIGINT AS labelled_purchase_cents, /* Cents of approved purchases with a label: the denominator of a fraud rate by value */
  COALESCE(@fraud_loss_cents(of := outcomes), 0)::BIGINT AS fraud_loss_cents, /* Cents of approved purchases labelled as fraud: gross, reversed ones included */
  COALESCE(@labelled_settled_cents(of := outcomes), 0)::BIGINT AS labelled_settled_cents, /* Cents of settled purchases with a label: the denominator of their fraud rate by value */
  COALESCE(@net_fraud_loss_cents(of := outcomes), 0)::BIGINT AS settled_fraud_cents, /* Cents of settled purchases labelled as fraud */
  COALESCE(@fraud_loss_cents(@is_settled(of := outcomes) AND outcomes.channel = 'online'), 0)::BIGINT AS online_fraud_cents, /* Of these, card not present */
  COUNT(*)::INT AS transaction_count, /* All transactions, declined ones too */
  COUNT(*) FILTER(WHERE
    outcomes.is_approved)::INT AS approved_count, /* Without any error */
  COUNT(*) FILTER(WHERE
    outcomes.purchase_cents > 0)::INT AS purchase_count, /* Approved, of more than zero dollars: gross, reversed ones included */
  COUNT(*) FILTER(WHERE
    @is_settled(of := outcomes) AND outcomes.channel = 'online')::INT AS online_settled_count, /* Settled, card not present */
  @settled_count(of := outcomes)::INT AS settled_count, /* Settled: purchases without the reversed ones */
  @settled_refund_count(of := outcomes)::INT AS settled_refund_count, /* Refunds without those of reversed purchases */
  @labelled_count(of := outcomes)::INT AS labelled_count, /* Transactions with a label: the denominator of a fraud rate by count */
  @fraud_count(of := outcomes)::INT AS fraud_count, /* Labelled as fraud, declined or not */
  @settled_fraud_count(of := outcomes)::INT AS settled_fraud_count, /* Settled purchases labelled as fraud */
  @fraud_count(@is_settled(of := outcomes) AND outcomes.channel = 'online')::INT AS online_fraud_count, /* Settled purchases labelled as fraud, card not present */
  COUNT(outcomes.is_fraud) FILTER(WHERE
    @is_settled(of := outcomes) AND outcomes.channel = 'online')::INT AS online_labelled_count, /* Settled purchases with a label, card not present */
  @declined_fraud_count(of := outcomes)::INT AS declined_fraud_count, /* Declined transactions labelled as fraud */
  @refund_fraud_count(of := outcomes)::INT AS refund_fraud_count, /* Approved refunds labelled as fraud */
  @labelled_settled_count(of := outcomes)::INT AS labelled_settled_count, /* Settled purchases with a label: the denominator of their fraud rate by count */
  MAX(outcomes.transacted_on) FILTER(WHERE
    outcomes.is_fraud)::DATE AS last_fraud_on, /* Day of the last fraud; NULL where there was none */
  MIN(outcomes.transacted_on)::DATE AS first_seen_on, /* Day of its first transaction of the month */
  MAX(outcomes.transacted_on)::DATE AS last_seen_on, /* Day of its last transaction of the month */
  MIN(outcomes.mcc)::INT AS lowest_mcc, /* Its category; the lowest code, where it was seen under several */
  MAX(outcomes.mcc)::INT AS highest_mcc, /* Its category; the highest code, where it was seen under several */
  COUNT(*) FILTER(WHERE
    @is_settled(of := outcomes) AND prices.card_id IS NULL)::INT AS unpriced_count, /* Settled purchases for which the seed has no rate: not in the estimate */
  @interchange_of_units(@interchange_in_units(outcomes, prices))::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded */
  @interchange_of_units(@labelled_interchange_in_units(outcomes, prices))::DECIMAL(24, 8) AS estimated_labelled_interchange /* The same of settled purchases with a label alone */
FROM facts.fct_outcomes AS outcomes
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
  outcomes.merchant_id;

@fill_in_ranges(facts.fct_outcomes);

@primary_key(month_start, merchant_id);

@index(merchant_id, month_start);

@index(month_start, merchant_id, where := fraud_count > 0)
