MODEL (
  name serving.client_activity,
  kind FULL,
  description 'One row per cardholder and month, from the month of the first transaction to the last month of the data, months without a transaction too. Summed from months of cards, so that no transaction is read twice.',
  grain (client_id, month_start),
  references client_id,
  tags (serving, revenue),
  audits (
    not_null(
      columns := (
        client_id,
        month_start,
        transaction_count,
        purchase_volume,
        refunds,
        active_cards
      )
    ),
    unique_combination_of_columns(columns := (client_id, month_start)),
    sums_agree(
      parent := facts.fct_card_months,
      sums := (
        SUM(transaction_count) = SUM(transaction_count),
        SUM(purchase_volume) = @dollars_of(SUM(purchase_cents)),
        SUM(refunds) = @dollars_of(SUM(refund_cents)),
        SUM(settled_volume) = @dollars_of(SUM(settled_cents))
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH counted AS (
  SELECT
    client_id,
    month_start,
    COUNT(*) FILTER(WHERE
      settled_count > 0) AS active_cards,
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
    MAX(last_purchase_on) AS last_purchase_on
  FROM facts.fct_card_months
  GROUP BY
    client_id,
    month_start
), last_days AS (
  SELECT
    MAX(last_transaction_on) AS last_day
  FROM facts.fct_card_months
), months AS (
  SELECT
    dates.month_start,
    MAX(dates.date_day) AS as_of_on
  FROM dimensions.dim_dates AS dates
  CROSS JOIN last_days
  WHERE
    dates.date_day <= last_days.last_day
  GROUP BY
    dates.month_start
), first_months AS (
  SELECT
    client_id,
    MIN(month_start) AS first_month
  FROM counted
  GROUP BY
    client_id
), followed AS (
  SELECT
    first_months.client_id,
    months.month_start,
    months.as_of_on,
    COALESCE(counted.active_cards, 0) AS active_cards,
    COALESCE(counted.transaction_count, 0) AS transaction_count,
    COALESCE(counted.approved_count, 0) AS approved_count,
    COALESCE(counted.purchase_count, 0) AS purchase_count,
    COALESCE(counted.refund_count, 0) AS refund_count,
    COALESCE(counted.purchase_cents, 0) AS purchase_cents,
    COALESCE(counted.refund_cents, 0) AS refund_cents,
    COALESCE(counted.settled_count, 0) AS settled_count,
    COALESCE(counted.settled_cents, 0) AS settled_cents,
    COALESCE(counted.settled_refund_count, 0) AS settled_refund_count,
    COALESCE(counted.settled_refund_cents, 0) AS settled_refund_cents,
    MAX(counted.last_purchase_on) OVER (
      PARTITION BY first_months.client_id
      ORDER BY months.month_start
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS last_purchase_on
  FROM first_months
  JOIN months
    ON months.month_start >= first_months.first_month
  LEFT JOIN counted
    ON counted.client_id = first_months.client_id
    AND counted.month_start = months.month_start
)
SELECT
  client_id::INT, /* The cardholder */
  month_start::DATE, /* First day of the month */
  (
    settled_count > 0
  )::BOOLEAN AS is_active, /* Whether there was at least one settled purchase */
  active_cards::BIGINT, /* Cards with at least one settled purchase */
  transaction_count::BIGINT, /* All transactions, declined ones too: what decline_rate_bp divides by */
  approved_count::BIGINT, /* Without any error */
  (
    transaction_count - approved_count
  )::BIGINT AS declined_count, /* With an error */
  @basis_points(transaction_count - approved_count, transaction_count)::DECIMAL(18, 2) AS decline_rate_bp, /* Basis points of all transactions; NULL where there was none */
  purchase_count::BIGINT, /* Approved, of more than zero dollars: gross, reversed ones included */
  refund_count::BIGINT, /* Approved, of less than zero dollars: gross, those of reversed purchases included */
  @dollars_of(purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases: gross, reversed ones included */
  @dollars_of(refund_cents)::DECIMAL(18, 2) AS refunds, /* US dollars that went back, positive: gross, those of reversed purchases included */
  @dollars_of(purchase_cents - refund_cents)::DECIMAL(18, 2) AS net_volume, /* Purchase volume less refunds; settled volume less settled refunds is the same, but where the halves of a reversed pair are of two rows here */
  (
    purchase_count - settled_count
  )::BIGINT AS reversed_count, /* Purchases with an exactly opposite refund of the card at the merchant within 24 hours: holds that were released, and never purchases */
  @dollars_of(purchase_cents - settled_cents)::DECIMAL(18, 2) AS reversed_volume, /* US dollars of these */
  settled_count::BIGINT AS settled_count, /* Purchases without the reversed ones */
  @dollars_of(settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of settled purchases */
  settled_refund_count::BIGINT AS settled_refund_count, /* Refunds without those of reversed purchases */
  @dollars_of(settled_refund_cents)::DECIMAL(18, 2) AS settled_refunds, /* US dollars of these, positive */
  @average_of(@dollars_of(settled_cents), settled_count)::DECIMAL(18, 2) AS average_ticket, /* US dollars for each settled purchase; NULL where there was none */
  last_purchase_on::DATE, /* Day of the last settled purchase up to the end of the month; NULL where there was none yet */
  @days_between(last_purchase_on, as_of_on)::INT AS days_since_last_purchase /* Calendar days from it to the end of the month, or to the last day of the data */
FROM followed;

@primary_key(client_id, month_start);

@index(month_start)
