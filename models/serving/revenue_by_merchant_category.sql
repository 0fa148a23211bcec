MODEL (
  name serving.revenue_by_merchant_category,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and merchant category with transactions. Volume is what cardholders spend, and no revenue of the issuer. Two codes may share one description: read by code. The interchange is an estimate by seeds.interchange_rates: the data holds no fee.',
  grain (month_start, mcc),
  references mcc,
  tags (serving, revenue, card_attributes),
  audits (
    not_null(
      columns := (month_start, mcc, mcc_description, transaction_count, purchase_volume, refunds)
    ),
    unique_combination_of_columns(columns := (month_start, mcc)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(purchase_volume) = @dollars_of(SUM(purchase_cents)),
        SUM(settled_volume) = @dollars_of(@settled_cents())
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
    outcomes.mcc,
    outcomes.channel <> 'online' AS is_card_present,
    cards.card_type,
    cards.card_brand,
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
  WHERE
    @in_months_of_range(outcomes.transacted_on)
  GROUP BY
    outcomes.month_start,
    outcomes.mcc,
    outcomes.channel <> 'online',
    cards.card_type,
    cards.card_brand
), priced AS (
  SELECT
    volume.month_start,
    volume.mcc,
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
  LEFT JOIN seeds.interchange_mcc_groups AS groups
    ON groups.mcc = volume.mcc
  LEFT JOIN seeds.interchange_rates AS rates
    ON @is_rate_of(rates, volume, volume.is_card_present, @mcc_group_of(groups))
    AND @is_in_force(rates, volume.month_start)
), by_category AS (
  SELECT
    month_start,
    mcc,
    SUM(transaction_count) AS transaction_count,
    SUM(approved_count) AS approved_count,
    SUM(purchase_count) AS purchase_count,
    SUM(refund_count) AS refund_count,
    SUM(purchase_cents) AS purchase_cents,
    SUM(refund_cents) AS refund_cents,
    SUM(settled_count) AS settled_count,
    SUM(settled_cents) AS settled_cents,
    SUM(settled_refund_count) AS settled_refund_count,
    SUM(settled_refund_cents) AS settled_refund_cents,
    SUM(interchange) AS interchange,
    SUM(unpriced_count) AS unpriced_count
  FROM priced
  GROUP BY
    month_start,
    mcc
)
SELECT
  by_category.month_start::DATE, /* First day of the month */
  by_category.mcc::INT, /* Merchant category code */
  categories.mcc_description::TEXT, /* What the code stands for */
  @days_in_month(by_category.month_start)::INT AS days_in_month, /* Calendar days of the month: months are of 28 to 31 days */
  by_category.transaction_count::BIGINT, /* All transactions, declined ones too */
  by_category.approved_count::BIGINT, /* Without any error */
  (
    by_category.transaction_count - by_category.approved_count
  )::BIGINT AS declined_count, /* With an error */
  by_category.purchase_count::BIGINT, /* Approved, of more than zero dollars: gross, reversed ones included */
  by_category.refund_count::BIGINT, /* Approved, of less than zero dollars: gross, those of reversed purchases included */
  @dollars_of(by_category.purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases: gross, reversed ones included */
  @dollars_of(by_category.refund_cents)::DECIMAL(18, 2) AS refunds, /* US dollars that went back, positive: gross, those of reversed purchases included */
  @dollars_of(by_category.purchase_cents - by_category.refund_cents)::DECIMAL(18, 2) AS net_volume, /* Purchase volume less refunds; settled volume less settled refunds is the same, but where the halves of a reversed pair are of two rows here */
  (
    by_category.purchase_count - by_category.settled_count
  )::BIGINT AS reversed_count, /* Purchases with an exactly opposite refund of the card at the merchant within 24 hours: holds that were released, and never purchases */
  @dollars_of(by_category.purchase_cents - by_category.settled_cents)::DECIMAL(18, 2) AS reversed_volume, /* US dollars of these */
  by_category.settled_count::BIGINT AS settled_count, /* Purchases without the reversed ones */
  @dollars_of(by_category.settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of settled purchases */
  by_category.settled_refund_count::BIGINT AS settled_refund_count, /* Refunds without those of reversed purchases */
  @dollars_of(by_category.settled_refund_cents)::DECIMAL(18, 2) AS settled_refunds, /* US dollars of these, positive */
  @average_of(@dollars_of(by_category.settled_cents), by_category.settled_count)::DECIMAL(18, 2) AS average_ticket, /* US dollars for each settled purchase; NULL where there was none */
  @basis_points(
    by_category.settled_cents,
    SUM(by_category.settled_cents) OVER (PARTITION BY by_category.month_start)
  )::DECIMAL(18, 2) AS volume_share_bp, /* Basis points of the month's settled volume */
  by_category.interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded, so that all cuts of a month sum up to the same */
  by_category.unpriced_count::BIGINT /* Settled purchases for which the seed has no rate: not in the estimate */
FROM by_category
JOIN dimensions.dim_mcc AS categories
  ON categories.mcc = by_category.mcc;

@primary_key(month_start, mcc);

@index(mcc, month_start)
