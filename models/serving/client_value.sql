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
        settled_volume,
        net_fraud_loss,
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
        SUM(settled_volume) = @dollars_of(SUM(settled_cents)),
        SUM(settled_refunds) = @dollars_of(SUM(settled_refund_cents)),
        SUM(net_fraud_loss) = @dollars_of(SUM(settled_fraud_cents))
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
    COUNT(*) FILTER(WHERE
      is_open) AS open_cards,
    SUM(credit_limit) AS total_credit_limit,
    SUM(credit_limit) FILTER(WHERE
      is_open) AS open_credit_limit,
    MIN(first_month_date) AS first_month,
    MAX(last_transaction_on) AS last_transaction_on,
    MAX(last_purchase_on) AS last_purchase_on,
    MIN(days_since_last_purchase) AS days_since_last_purchase,
    MAX(months_since_first_use) AS months_since_first_use,
    SUM(transaction_count) AS transaction_count,
    SUM(declined_count) AS declined_count,
    SUM(insufficient_balance_count) AS insufficient_balance_count,
    SUM(reversed_count) AS reversed_count,
    SUM(settled_count) AS settled_count,
    SUM(settled_volume) AS settled_volume,
    SUM(settled_refund_count) AS settled_refund_count,
    SUM(settled_refunds) AS settled_refunds,
    SUM(estimated_interchange) AS estimated_interchange,
    SUM(labelled_settled_count) AS labelled_settled_count,
    SUM(settled_fraud_count) AS settled_fraud_count,
    SUM(net_fraud_loss) AS net_fraud_loss,
    SUM(estimated_labelled_interchange) AS estimated_labelled_interchange
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
    COALESCE(summed.open_cards, 0) AS open_cards,
    summed.total_credit_limit,
    summed.open_credit_limit,
    summed.first_month,
    summed.last_transaction_on,
    summed.last_purchase_on,
    summed.days_since_last_purchase,
    summed.months_since_first_use,
    COALESCE(activity.active_months, 0) AS active_months,
    COALESCE(summed.transaction_count, 0) AS transaction_count,
    COALESCE(summed.declined_count, 0) AS declined_count,
    COALESCE(summed.insufficient_balance_count, 0) AS insufficient_balance_count,
    COALESCE(summed.reversed_count, 0) AS reversed_count,
    COALESCE(summed.settled_count, 0) AS settled_count,
    COALESCE(summed.settled_volume, 0) AS settled_volume,
    COALESCE(summed.settled_refund_count, 0) AS settled_refund_count,
    COALESCE(summed.settled_refunds, 0) AS settled_refunds,
    COALESCE(summed.estimated_interchange, 0) AS estimated_interchange,
    COALESCE(summed.labelled_settled_count, 0) AS labelled_settled_count,
    COALESCE(summed.settled_fraud_count, 0) AS settled_fraud_count,
    COALESCE(summed.net_fraud_loss, 0) AS net_fraud_loss,
    COALESCE(summed.estimated_labelled_interchange, 0) AS estimated_labelled_interchange
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
  open_cards::BIGINT, /* Of the issued ones, those open on the last day of the data */
  total_credit_limit::DECIMAL(18, 2), /* US dollars: the limits of all issued cards added up, debit and prepaid cards too, expired ones as well */
  open_credit_limit::DECIMAL(18, 2), /* US dollars: the limits of the open cards among them; NULL where none is open */
  first_month::DATE AS first_month_date, /* First day of the month of the first transaction; NULL where there was none */
  last_transaction_on::DATE, /* Day of the last transaction; NULL where there was none */
  last_purchase_on::DATE, /* Day of the last settled purchase; NULL where there was none */
  days_since_last_purchase::INT, /* Calendar days from it to the last day of the data */
  months_since_first_use::INT, /* Calendar months from that of the first transaction to the last of the data, both counted; NULL where there was none */
  active_months::BIGINT, /* Months with at least one settled purchase by any card */
  transaction_count::BIGINT, /* All transactions, declined ones too: what insufficient_balance_rate_bp divides by */
  declined_count::BIGINT, /* With an error */
  insufficient_balance_count::BIGINT, /* Declined with Insufficient Balance, alone or beside other errors */
  @basis_points(insufficient_balance_count, transaction_count)::DECIMAL(18, 2) AS insufficient_balance_rate_bp, /* Basis points of all transactions; NULL where there was none */
  reversed_count::BIGINT, /* Approved purchases that were reversed: not settled */
  settled_count::BIGINT, /* Settled purchases: approved, of more than zero dollars, not reversed. What refund_rate_bp divides by */
  settled_volume::DECIMAL(18, 2), /* US dollars of these */
  settled_refund_count::BIGINT, /* Refunds without those of reversed purchases */
  settled_refunds::DECIMAL(18, 2), /* US dollars of these, positive */
  @basis_points(settled_refund_count, settled_count)::DECIMAL(18, 2) AS refund_rate_bp, /* By count: settled refunds in basis points of the settled purchases; NULL where there was none of these */
  @basis_points(settled_refunds, settled_volume)::DECIMAL(18, 2) AS refund_rate_by_value_bp, /* By value: settled refunds in basis points of the settled volume; NULL where that is zero */
  @basis_points(settled_volume, active_months * total_credit_limit)::DECIMAL(18, 2) AS average_limit_use_bp, /* Settled volume by active month, in basis points of total_credit_limit; NULL where that is zero or unknown, or no month active */
  @basis_points(12 * settled_volume, active_months * yearly_income)::DECIMAL(18, 2) AS income_use_bp, /* Twelve times the settled volume by active month, in basis points of the yearly income; NULL where that is zero or unknown, or no month active */
  estimated_interchange::DECIMAL(24, 8), /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded */
  labelled_settled_count::BIGINT, /* Settled purchases with a label: of these alone the loss is known */
  settled_fraud_count::BIGINT, /* Of these, labelled as fraud */
  net_fraud_loss::DECIMAL(18, 2), /* US dollars of these frauds: net of what was reversed */
  estimated_labelled_interchange::DECIMAL(24, 8), /* The estimated interchange of settled purchases with a label alone */
  (
    estimated_labelled_interchange - net_fraud_loss
  )::DECIMAL(24, 8) AS estimated_lifetime_value, /* Of settled purchases with a label, about two in three, over all of the data: estimated interchange, refunds not deducted, less net fraud loss */
  @average_of(estimated_labelled_interchange - net_fraud_loss, months_since_first_use)::DECIMAL(18, 2) AS estimated_value_per_month /* That by months_since_first_use, months without labels counted too, so that clients of different age compare; NULL where there was no transaction */
FROM valued;

@primary_key(client_id)
