MODEL (
  name serving.issuer_revenue,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, card brand, card type, channel and segment of cardholders with settled purchases or refunds: what the issuer makes of them, interchange less fraud loss. Both are of settled purchases with a label, so that they are of the same; without a label nobody knows the loss. The interchange is an estimate by seeds.interchange_rates: the data holds no fee. Volume is what cardholders spend, and no revenue of the issuer.',
  grain (month_start, card_brand, card_type, channel, client_segment),
  tags (serving, revenue, fraud, labelled, card_attributes),
  audits (
    not_null(
      columns := (
        month_start,
        card_brand,
        card_type,
        channel,
        client_segment,
        settled_count,
        settled_volume,
        estimated_interchange,
        net_fraud_loss
      )
    ),
    unique_combination_of_columns(columns := (month_start, card_brand, card_type, channel, client_segment)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(settled_count) = @settled_count(),
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

WITH volume_by_rate AS (
  SELECT
    outcomes.month_start,
    cards.card_brand,
    cards.card_type,
    outcomes.channel,
    @credit_segment(clients.credit_score) AS client_segment,
    @mcc_group_of(groups) AS mcc_group,
    @settled_count(of := outcomes) AS settled_count,
    @settled_cents(of := outcomes) AS settled_cents,
    @settled_refund_cents(of := outcomes) AS settled_refund_cents,
    @labelled_settled_count(of := outcomes) AS labelled_settled_count,
    COALESCE(@labelled_settled_cents(of := outcomes), 0) AS labelled_settled_cents,
    @settled_fraud_count(of := outcomes) AS settled_fraud_count,
    COALESCE(@net_fraud_loss_cents(of := outcomes), 0) AS net_fraud_loss_cents
  FROM facts.fct_outcomes AS outcomes
  JOIN dimensions.dim_cards AS cards
    ON cards.card_id = outcomes.card_id
  JOIN dimensions.dim_users AS clients
    ON clients.client_id = cards.client_id
  LEFT JOIN seeds.interchange_mcc_groups AS groups
    ON groups.mcc = outcomes.mcc
  WHERE
    @in_months_of_range(outcomes.transacted_on)
    AND NOT outcomes.is_reversed
    AND outcomes.purchase_cents + outcomes.refund_cents > 0
  GROUP BY
    outcomes.month_start,
    cards.card_brand,
    cards.card_type,
    outcomes.channel,
    @credit_segment(clients.credit_score),
    @mcc_group_of(groups)
), priced AS (
  SELECT
    volume.month_start,
    volume.card_brand,
    volume.card_type,
    volume.channel,
    volume.client_segment,
    volume.settled_count,
    volume.settled_cents,
    volume.settled_refund_cents,
    volume.labelled_settled_count,
    volume.labelled_settled_cents,
    volume.settled_fraud_count,
    volume.net_fraud_loss_cents,
    @interchange_of(volume, rates) AS interchange,
    @labelled_interchange_of(volume, rates) AS labelled_interchange,
    @unpriced_of(volume, rates) AS unpriced_count
  FROM volume_by_rate AS volume
  LEFT JOIN seeds.interchange_rates AS rates
    ON @is_rate_of(rates, volume, volume.channel <> 'online', volume.mcc_group)
    AND @is_in_force(rates, volume.month_start)
), summed AS (
  SELECT
    month_start,
    card_brand,
    card_type,
    channel,
    client_segment,
    SUM(settled_count) AS settled_count,
    SUM(settled_cents) AS settled_cents,
    SUM(settled_refund_cents) AS settled_refund_cents,
    SUM(labelled_settled_count) AS labelled_settled_count,
    SUM(labelled_settled_cents) AS labelled_settled_cents,
    SUM(settled_fraud_count) AS settled_fraud_count,
    SUM(net_fraud_loss_cents) AS net_fraud_loss_cents,
    SUM(interchange) AS interchange,
    SUM(labelled_interchange) AS labelled_interchange,
    SUM(unpriced_count) AS unpriced_count
  FROM priced
  GROUP BY
    month_start,
    card_brand,
    card_type,
    channel,
    client_segment
)
SELECT
  month_start::DATE, /* First day of the month */
  card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  channel::TEXT, /* swipe, chip or online (card not present) */
  client_segment::TEXT, /* Of the cardholder, by the credit score of February 2020: poor below 580, fair from 580, good from 670, very good from 740, exceptional from 800 */
  @days_in_month(month_start)::INT AS days_in_month, /* Calendar days of the month: months are of 28 to 31 days */
  settled_count::BIGINT, /* Settled purchases: approved, of more than zero dollars, not reversed */
  @dollars_of(settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of these: what cardholders spent */
  @dollars_of(settled_refund_cents)::DECIMAL(18, 2) AS settled_refunds, /* US dollars of refunds without those of reversed purchases, positive */
  interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded, so that all cuts of a month sum up to the same */
  unpriced_count::BIGINT, /* Settled purchases for which the seed has no rate: not in the estimate */
  labelled_settled_count::BIGINT, /* Settled purchases with a label */
  @dollars_of(labelled_settled_cents)::DECIMAL(18, 2) AS labelled_settled_volume, /* US dollars of these: what estimated_labelled_margin_bp divides by */
  settled_fraud_count::BIGINT, /* Of these, labelled as fraud */
  @dollars_of(net_fraud_loss_cents)::DECIMAL(18, 2) AS net_fraud_loss, /* US dollars of these frauds: net of what was reversed */
  labelled_interchange::DECIMAL(24, 8) AS estimated_labelled_interchange, /* The estimated interchange of settled purchases with a label alone */
  (
    labelled_interchange - @dollars_of(net_fraud_loss_cents)
  )::DECIMAL(24, 8) AS estimated_labelled_margin, /* Of settled purchases with a label: estimated interchange, refunds not deducted, less net fraud loss; who bears the loss is not in the data */
  @basis_points(
    labelled_interchange - @dollars_of(net_fraud_loss_cents),
    @dollars_of(labelled_settled_cents)
  )::DECIMAL(18, 2) AS estimated_labelled_margin_bp /* The same in basis points of labelled_settled_volume; NULL where that is zero */
FROM summed;

@primary_key(month_start, card_brand, card_type, channel, client_segment)
