MODEL (
  name serving.issuer_revenue_by_place,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, place of the merchant and channel with transactions: what the issuer makes of them, as serving.issuer_revenue says it by brand, card type and segment. Margin and loss are of settled purchases with a label, so that both are of the same; without a label nobody knows the loss.',
  grain (month_start, place, channel),
  depends_on (
    facts.fct_outcomes
  ),
  tags (serving, revenue, fraud, labelled, card_attributes),
  audits (
    not_null(
      columns := (
        month_start,
        place,
        channel,
        place_kind,
        active_cards,
        settled_count,
        settled_volume,
        estimated_interchange,
        net_fraud_loss
      )
    ),
    unique_combination_of_columns(columns := (month_start, place, channel)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(settled_volume) = @dollars_of(@settled_cents()),
        SUM(settled_refunds) = @dollars_of(@settled_refund_cents()),
        SUM(labelled_settled_count) = @labelled_settled_count(),
        SUM(net_fraud_loss) = @dollars_of(@net_fraud_loss_cents())
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
    month_start,
    place,
    is_foreign,
    channel,
    COUNT(*) FILTER(WHERE
      settled_count > 0) AS active_cards,
    SUM(transaction_count) AS transaction_count,
    SUM(settled_count) AS settled_count,
    SUM(settled_cents) AS settled_cents,
    SUM(settled_refund_cents) AS settled_refund_cents,
    SUM(labelled_settled_count) AS labelled_settled_count,
    SUM(labelled_settled_cents) AS labelled_settled_cents,
    SUM(settled_fraud_count) AS settled_fraud_count,
    SUM(settled_fraud_cents) AS settled_fraud_cents,
    SUM(estimated_interchange) AS interchange,
    SUM(estimated_labelled_interchange) AS labelled_interchange,
    SUM(unpriced_count) AS unpriced_count
  FROM facts.fct_card_place_months
  WHERE
    @in_months_of_range(month_start)
  GROUP BY
    month_start,
    place,
    is_foreign,
    channel
)
SELECT
  month_start::DATE, /* First day of the month */
  place::TEXT, /* US state code, country, NO PLACE, or UNKNOWN, as in serving.revenue_by_state */
  channel::TEXT, /* swipe, chip or online */
  @place_kind_of(place, is_foreign)::TEXT AS place_kind, /* domestic, foreign, none or unknown */
  active_cards::BIGINT, /* Cards with at least one settled purchase there by this channel in the month: not to be added up over channels, places or months */
  transaction_count::BIGINT, /* All transactions, declined ones too */
  settled_count::BIGINT, /* Settled purchases: approved, of more than zero dollars, not reversed */
  @dollars_of(settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of these: what cardholders spent */
  @dollars_of(settled_refund_cents)::DECIMAL(18, 2) AS settled_refunds, /* US dollars of refunds without those of reversed purchases, positive */
  interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded, so that all cuts of a month sum up to the same */
  unpriced_count::BIGINT, /* Settled purchases for which the seed has no rate: not in the estimate */
  labelled_settled_count::BIGINT, /* Settled purchases with a label */
  @dollars_of(labelled_settled_cents)::DECIMAL(18, 2) AS labelled_settled_volume, /* US dollars of these: what estimated_labelled_margin_bp divides by */
  settled_fraud_count::BIGINT, /* Of these, labelled as fraud */
  @dollars_of(settled_fraud_cents)::DECIMAL(18, 2) AS net_fraud_loss, /* US dollars of these frauds: net of what was reversed */
  labelled_interchange::DECIMAL(24, 8) AS estimated_labelled_interchange, /* The estimated interchange of settled purchases with a label alone */
  (
    labelled_interchange - @dollars_of(settled_fraud_cents)
  )::DECIMAL(24, 8) AS estimated_labelled_margin, /* Of settled purchases with a label: estimated interchange, refunds not deducted, less net fraud loss; who bears the loss is not in the data */
  @basis_points(
    labelled_interchange - @dollars_of(settled_fraud_cents),
    @dollars_of(labelled_settled_cents)
  )::DECIMAL(18, 2) AS estimated_labelled_margin_bp /* The same in basis points of labelled_settled_volume; NULL where that is zero */
FROM by_place;

@primary_key(month_start, place, channel);

@index(place, month_start)
