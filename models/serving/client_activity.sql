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
        SUM(refunds) = @dollars_of(SUM(refund_cents))
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
      purchase_count > 0) AS active_cards,
    SUM(transaction_count) AS transaction_count,
    SUM(approved_count) AS approved_count,
    SUM(purchase_count) AS purchase_count,
    SUM(refund_count) AS refund_count,
    SUM(purchase_cents) AS purchase_cents,
    SUM(refund_cents) AS refund_cents,
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
    purchase_count > 0
  )::BOOLEAN AS is_active, /* Whether there was at least one approved purchase */
  active_cards::BIGINT, /* Cards with at least one approved purchase */
  transaction_count::BIGINT, /* All transactions, declined ones too: what decline_rate_bp divides by */
  approved_count::BIGINT, /* Without any error */
  (
    transaction_count - approved_count
  )::BIGINT AS declined_count, /* With an error */
  @basis_points(transaction_count - approved_count, transaction_count)::DECIMAL(18, 2) AS decline_rate_bp, /* Basis points of all transactions; NULL where there was none */
  purchase_count::BIGINT, /* Approved, of more than zero dollars */
  refund_count::BIGINT, /* Approved, of less than zero dollars */
  @dollars_of(purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases */
  @dollars_of(refund_cents)::DECIMAL(18, 2) AS refunds, /* US dollars that went back, positive */
  @dollars_of(purchase_cents - refund_cents)::DECIMAL(18, 2) AS net_volume, /* Purchase volume less refunds */
  @average_of(@dollars_of(purchase_cents), purchase_count)::DECIMAL(18, 2) AS average_ticket, /* US dollars for each purchase; NULL where there was none */
  last_purchase_on::DATE, /* Day of the last approved purchase up to the end of the month; NULL where there was none yet */
  @days_between(last_purchase_on, as_of_on)::INT AS days_since_last_purchase /* Days from it to the end of the month, or to the last day of the data */
FROM followed;

@primary_key(client_id, month_start);

@index(month_start)
