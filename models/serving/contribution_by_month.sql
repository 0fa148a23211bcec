MODEL (
  name serving.contribution_by_month,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, card brand, card type, channel and place with transactions: what the issuer earns. The contribution is the estimated interchange less the fraud loss, before any other cost: the data holds no fee, no interest and no cost. A third of all transactions has no label, so that the fraud loss is what is known of it, and the contribution at most this.',
  grain (month_start, card_brand, card_type, channel, place),
  depends_on (
    facts.fct_outcomes
  ),
  tags (serving, revenue, fraud, labelled, card_attributes),
  audits (
    not_null(
      columns := (
        month_start,
        card_brand,
        card_type,
        channel,
        place,
        place_kind,
        transaction_count,
        purchase_volume,
        estimated_interchange,
        fraud_loss,
        estimated_contribution
      )
    ),
    unique_combination_of_columns(columns := (month_start, card_brand, card_type, channel, place)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(purchase_volume) = @dollars_of(SUM(purchase_cents)),
        SUM(refunds) = @dollars_of(SUM(refund_cents)),
        SUM(fraud_loss) = @dollars_of(@fraud_loss_cents())
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

WITH by_place AS (
  SELECT
    months.month_start,
    cards.card_brand,
    cards.card_type,
    months.channel,
    months.place,
    months.is_foreign,
    COUNT(*) FILTER(WHERE
      months.purchase_count > 0) AS active_cards,
    SUM(months.transaction_count) AS transaction_count,
    SUM(months.purchase_count) AS purchase_count,
    SUM(months.refund_count) AS refund_count,
    SUM(months.purchase_cents) AS purchase_cents,
    SUM(months.refund_cents) AS refund_cents,
    SUM(months.fraud_loss_cents) AS fraud_loss_cents,
    SUM(months.estimated_interchange) AS interchange,
    SUM(months.unpriced_count) AS unpriced_count
  FROM facts.fct_card_place_months AS months
  JOIN dimensions.dim_cards AS cards
    ON cards.card_id = months.card_id
  WHERE
    @in_months_of_range(months.month_start)
  GROUP BY
    months.month_start,
    cards.card_brand,
    cards.card_type,
    months.channel,
    months.place,
    months.is_foreign
)
SELECT
  month_start::DATE, /* First day of the month */
  card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  channel::TEXT, /* swipe, chip or online */
  place::TEXT, /* US state code, country, NO PLACE, or UNKNOWN, as in serving.revenue_by_state */
  @place_kind_of(place, is_foreign)::TEXT AS place_kind, /* domestic, foreign, none or unknown */
  active_cards::BIGINT, /* Cards with at least one approved purchase of this channel and place in the month: not to be added up over channels, places or months */
  transaction_count::BIGINT, /* All transactions, declined ones too */
  purchase_count::BIGINT, /* Approved, of more than zero dollars */
  refund_count::BIGINT, /* Approved, of less than zero dollars */
  @dollars_of(purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases */
  @dollars_of(refund_cents)::DECIMAL(18, 2) AS refunds, /* US dollars that went back, positive */
  interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on purchases, refunds not deducted; not rounded, so that all cuts of a month sum up to the same */
  unpriced_count::BIGINT, /* Purchases for which the seed has no rate: not in the estimate */
  @dollars_of(fraud_loss_cents)::DECIMAL(18, 2) AS fraud_loss, /* US dollars of approved purchases labelled as fraud */
  (
    interchange - @dollars_of(fraud_loss_cents)
  )::DECIMAL(24, 8) AS estimated_contribution /* Estimated interchange less fraud loss */
FROM by_place;

@primary_key(month_start, card_brand, card_type, channel, place);

@index(place, month_start)
