MODEL (
  name serving.client_value,
  kind FULL,
  description 'One row per client, active or not: what their cards were used for and what they earned over all of the data, summed from serving.card_lifecycle. Income, debt, score and limits are those published now, in February 2020. The lifetime value is the past one, with no forecast, no discount and no other cost.',
  grain client_id,
  depends_on (
    facts.fct_card_months
  ),
  references client_id,
  tags (serving, revenue, fraud),
  audits (
    not_null(
      columns := (
        client_id,
        issued_cards,
        used_cards,
        transaction_count,
        purchase_volume,
        fraud_loss,
        estimated_lifetime_value
      )
    ),
    unique_values(columns := (
      client_id
    )),
    sums_agree(
      parent := facts.fct_card_months,
      sums := (
        SUM(transaction_count) = SUM(transaction_count),
        SUM(purchase_volume) = @dollars_of(SUM(purchase_cents)),
        SUM(refunds) = @dollars_of(SUM(refund_cents)),
        SUM(fraud_loss) = @dollars_of(SUM(fraud_loss_cents))
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH summed AS (
  SELECT
    client_id,
    COUNT(*) AS issued_cards,
    COUNT(*) FILTER(WHERE
      is_used) AS used_cards,
    SUM(credit_limit) AS total_credit_limit,
    MIN(first_month_date) AS first_month,
    MAX(last_transaction_on) AS last_transaction_on,
    MAX(last_purchase_on) AS last_purchase_on,
    MIN(days_since_last_purchase) AS days_since_last_purchase,
    MAX(months_since_first_use) AS months_since_first_use,
    SUM(transaction_count) AS transaction_count,
    SUM(declined_count) AS declined_count,
    SUM(insufficient_balance_count) AS insufficient_balance_count,
    SUM(purchase_count) AS purchase_count,
    SUM(purchase_volume) AS purchase_volume,
    SUM(refund_count) AS refund_count,
    SUM(refunds) AS refunds,
    SUM(estimated_interchange) AS interchange,
    SUM(fraud_count) AS fraud_count,
    SUM(fraud_loss) AS fraud_loss
  FROM serving.card_lifecycle
  GROUP BY
    client_id
), activity AS (
  SELECT
    client_id,
    COUNT(*) FILTER(WHERE
      is_active) AS active_months
  FROM serving.client_activity
  GROUP BY
    client_id
), valued AS (
  SELECT
    clients.client_id,
    clients.yearly_income,
    clients.total_debt,
    clients.credit_score,
    COALESCE(summed.issued_cards, 0) AS issued_cards,
    COALESCE(summed.used_cards, 0) AS used_cards,
    summed.total_credit_limit,
    summed.first_month,
    summed.last_transaction_on,
    summed.last_purchase_on,
    summed.days_since_last_purchase,
    summed.months_since_first_use,
    COALESCE(activity.active_months, 0) AS active_months,
    COALESCE(summed.transaction_count, 0) AS transaction_count,
    COALESCE(summed.declined_count, 0) AS declined_count,
    COALESCE(summed.insufficient_balance_count, 0) AS insufficient_balance_count,
    COALESCE(summed.purchase_count, 0) AS purchase_count,
    COALESCE(summed.purchase_volume, 0) AS purchase_volume,
    COALESCE(summed.refund_count, 0) AS refund_count,
    COALESCE(summed.refunds, 0) AS refunds,
    COALESCE(summed.interchange, 0) AS interchange,
    COALESCE(summed.fraud_count, 0) AS fraud_count,
    COALESCE(summed.fraud_loss, 0) AS fraud_loss
  FROM dimensions.dim_users AS clients
  LEFT JOIN summed
    ON summed.client_id = clients.client_id
  LEFT JOIN activity
    ON activity.client_id = clients.client_id
)
SELECT
  client_id::INT, /* The client */
  yearly_income::DECIMAL(12, 2), /* US dollars a year, as published now */
  total_debt::DECIMAL(12, 2), /* US dollars, as published now */
  credit_score::INT, /* FICO score, as published now */
  issued_cards::BIGINT, /* Cards of the client, used or not */
  used_cards::BIGINT, /* Of these, with any transaction, declined ones too: 0 for a client that was never active */
  total_credit_limit::DECIMAL(18, 2), /* US dollars: the limits of all issued cards added up, debit and prepaid cards too */
  first_month::DATE AS first_month_date, /* First day of the month of the first transaction; NULL where there was none */
  last_transaction_on::DATE, /* Day of the last transaction; NULL where there was none */
  last_purchase_on::DATE, /* Day of the last approved purchase; NULL where there was none */
  days_since_last_purchase::INT, /* Calendar days from it to the last day of the data */
  months_since_first_use::INT, /* Calendar months from that of the first transaction to the last of the data, both counted; NULL where there was none */
  active_months::BIGINT, /* Months with at least one approved purchase by any card */
  transaction_count::BIGINT, /* All transactions, declined ones too: what insufficient_balance_rate_bp divides by */
  declined_count::BIGINT, /* With an error */
  insufficient_balance_count::BIGINT, /* Declined with Insufficient Balance, alone or beside other errors */
  @basis_points(insufficient_balance_count, transaction_count)::DECIMAL(18, 2) AS insufficient_balance_rate_bp, /* Basis points of all transactions; NULL where there was none */
  purchase_count::BIGINT, /* Approved, of more than zero dollars: what refund_rate_bp divides by */
  purchase_volume::DECIMAL(18, 2), /* US dollars of approved purchases */
  refund_count::BIGINT, /* Approved, of less than zero dollars */
  refunds::DECIMAL(18, 2), /* US dollars that went back, positive */
  @basis_points(refund_count, purchase_count)::DECIMAL(18, 2) AS refund_rate_bp, /* By count: refunds in basis points of the purchases; NULL where there was no purchase */
  @basis_points(refunds, purchase_volume)::DECIMAL(18, 2) AS refund_rate_by_value_bp, /* By value: refunds in basis points of the purchase volume; NULL where that is zero */
  @basis_points(purchase_volume, active_months * total_credit_limit)::DECIMAL(18, 2) AS average_limit_use_bp, /* Purchase volume by active month, in basis points of total_credit_limit; NULL where that is zero or unknown, or no month active */
  @basis_points(12 * purchase_volume, active_months * yearly_income)::DECIMAL(18, 2) AS income_use_bp, /* Twelve times the purchase volume by active month, in basis points of the yearly income; NULL where that is zero or unknown, or no month active */
  interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on purchases, refunds not deducted; not rounded */
  fraud_count::BIGINT, /* Labelled as fraud, declined or not */
  fraud_loss::DECIMAL(18, 2), /* US dollars of approved purchases labelled as fraud */
  (
    interchange - fraud_loss
  )::DECIMAL(24, 8) AS estimated_lifetime_value, /* Estimated interchange less fraud loss, over all of the data */
  @average_of(interchange - fraud_loss, months_since_first_use)::DECIMAL(18, 2) AS estimated_value_per_month /* That by months_since_first_use, so that clients of different age compare; NULL where there was no transaction */
FROM valued;

@primary_key(client_id)
