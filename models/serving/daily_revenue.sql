MODEL (
  name serving.daily_revenue,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_on,
    lookback 2
  ),
  description 'One row per day, channel and card type with transactions. Volume is what cardholders spend; what the issuer makes of it, by brand too, is in serving.issuer_revenue. Declined transactions move no money; refunds stand apart from purchases; holds that were released are reversed, and not settled. The interchange is an estimate by seeds.interchange_rates: the data holds no fee.',
  grain (transacted_on, channel, card_type),
  tags (serving, revenue, card_attributes),
  audits (
    not_null(
      columns := (transacted_on, channel, card_type, transaction_count, purchase_volume, refunds)
    ),
    unique_combination_of_columns(columns := (transacted_on, channel, card_type)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := days,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(purchase_volume) = @dollars_of(SUM(purchase_cents)),
        SUM(refunds) = @dollars_of(SUM(refund_cents)),
        SUM(settled_volume) = @dollars_of(@settled_cents()),
        SUM(settled_refunds) = @dollars_of(@settled_refund_cents())
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH volume_by_rate AS (
  SELECT
    outcomes.transacted_on,
    outcomes.channel,
    cards.card_type,
    cards.card_brand,
    @mcc_group_of(groups) AS mcc_group,
    COUNT(*) AS transaction_count,
    COUNT(*) FILTER(WHERE
      outcomes.is_approved) AS approved_count,
    COUNT(*) FILTER(WHERE
      outcomes.purchase_cents > 0) AS purchase_count,
    COUNT(*) FILTER(WHERE
      outcomes.refund_cents > 0) AS refund_count,
    SUM(outcomes.purchase_cents) AS purchase_cents,
    SUM(outcomes.refund_cents) AS refund_cents,
    @settled_count(of := outcomes) AS settled_count,
    @settled_cents(of := outcomes) AS settled_cents,
    @settled_refund_count(of := outcomes) AS settled_refund_count,
    @settled_refund_cents(of := outcomes) AS settled_refund_cents
  FROM facts.fct_outcomes AS outcomes
  JOIN dimensions.dim_cards AS cards
    ON cards.card_id = outcomes.card_id
  LEFT JOIN seeds.interchange_mcc_groups AS groups
    ON groups.mcc = outcomes.mcc
  WHERE
    @in_range(outcomes.transacted_on)
  GROUP BY
    outcomes.transacted_on,
    outcomes.channel,
    cards.card_type,
    cards.card_brand,
    @mcc_group_of(groups)
), priced AS (
  SELECT
    volume.transacted_on,
    volume.channel,
    volume.card_type,
    volume.transaction_count,
    volume.approved_count,
    volume.purchase_count,
    volume.refund_count,
    volume.purchase_cents,
    volume.refund_cents,
    volume.settled_count,
    volume.settled_cents,
    volume.settled_refund_count,
    volume.settled_refund_cents,
    @interchange_of(volume, rates) AS interchange,
    @unpriced_of(volume, rates) AS unpriced_count
  FROM volume_by_rate AS volume
  LEFT JOIN seeds.interchange_rates AS rates
    ON @is_rate_of(rates, volume, volume.channel <> 'online', volume.mcc_group)
    AND @is_in_force(rates, volume.transacted_on)
)
SELECT
  transacted_on::DATE, /* The day */
  channel::TEXT, /* swipe, chip or online */
  card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  SUM(transaction_count)::BIGINT AS transaction_count, /* All transactions, declined ones too */
  SUM(approved_count)::BIGINT AS approved_count, /* Without any error */
  SUM(transaction_count - approved_count)::BIGINT AS declined_count, /* With an error */
  SUM(purchase_count)::BIGINT AS purchase_count, /* Approved, of more than zero dollars: gross, reversed ones included */
  SUM(refund_count)::BIGINT AS refund_count, /* Approved, of less than zero dollars: gross, those of reversed purchases included */
  @dollars_of(SUM(purchase_cents))::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases: gross, reversed ones included */
  @dollars_of(SUM(refund_cents))::DECIMAL(18, 2) AS refunds, /* US dollars that went back, positive: gross, those of reversed purchases included */
  @dollars_of(SUM(purchase_cents - refund_cents))::DECIMAL(18, 2) AS net_volume, /* Purchase volume less refunds; settled volume less settled refunds is the same, but where the halves of a reversed pair are of two rows here */
  (
    SUM(purchase_count) - SUM(settled_count)
  )::BIGINT AS reversed_count, /* Purchases with an exactly opposite refund of the card at the merchant within 24 hours: holds that were released, and never purchases */
  @dollars_of(SUM(purchase_cents) - SUM(settled_cents))::DECIMAL(18, 2) AS reversed_volume, /* US dollars of these */
  SUM(settled_count)::BIGINT AS settled_count, /* Purchases without the reversed ones */
  @dollars_of(SUM(settled_cents))::DECIMAL(18, 2) AS settled_volume, /* US dollars of settled purchases */
  SUM(settled_refund_count)::BIGINT AS settled_refund_count, /* Refunds without those of reversed purchases */
  @dollars_of(SUM(settled_refund_cents))::DECIMAL(18, 2) AS settled_refunds, /* US dollars of these, positive */
  @average_of(@dollars_of(SUM(settled_cents)), SUM(settled_count))::DECIMAL(18, 2) AS average_ticket, /* US dollars for each settled purchase; NULL where there was none */
  SUM(interchange)::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded, so that all cuts of a month sum up to the same */
  SUM(unpriced_count)::BIGINT AS unpriced_count /* Settled purchases for which the seed has no rate: not in the estimate */
FROM priced
GROUP BY
  transacted_on,
  channel,
  card_type;

@primary_key(transacted_on, channel, card_type)
