MODEL (
  name facts.fct_merchant_years,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column year_start
  ),
  description 'One row per year and merchant with transactions: the sums of its months, in cents, with the estimated interchange. What all of history is summed from, so that a day costs a year and not history.',
  grain (year_start, merchant_id),
  references merchant_id,
  tags (fact, labelled, card_attributes),
  audits (
    not_null(
      columns := (
        year_start,
        merchant_id,
        first_month_date,
        last_month_date,
        transaction_count,
        purchase_cents
      )
    ),
    unique_combination_of_columns(columns := (year_start, merchant_id)),
    sums_agree(
      parent := facts.fct_merchant_months,
      over := years,
      day := year_start,
      parent_day := month_start,
      sums := (
        SUM(transaction_count) = SUM(transaction_count),
        SUM(purchase_cents) = SUM(purchase_cents),
        SUM(settled_cents) = SUM(settled_cents),
        SUM(settled_refund_cents) = SUM(settled_refund_cents),
        SUM(labelled_count) = SUM(labelled_count),
        SUM(fraud_count) = SUM(fraud_count),
        SUM(fraud_loss_cents) = SUM(fraud_loss_cents),
        SUM(settled_fraud_cents) = SUM(settled_fraud_cents),
        SUM(estimated_interchange) = SUM(estimated_interchange)
      )
    )
  ),
  cron '@daily',
  interval_unit year,
  allow_partials TRUE
);

SELECT
  DATE_TRUNC('YEAR', month_start)::DATE AS year_start, /* First day of the year */
  merchant_id::INT, /* The merchant */
  SUM(purchase_cents)::BIGINT AS purchase_cents, /* Cents of approved purchases: gross, reversed ones included */
  SUM(settled_cents)::BIGINT AS settled_cents, /* Cents of these */
  SUM(settled_refund_cents)::BIGINT AS settled_refund_cents, /* Cents of these, positive */
  SUM(labelled_purchase_cents)::BIGINT AS labelled_purchase_cents, /* Cents of approved purchases with a label: the denominator of a fraud rate by value */
  SUM(fraud_loss_cents)::BIGINT AS fraud_loss_cents, /* Cents of approved purchases labelled as fraud: gross, reversed ones included */
  SUM(labelled_settled_cents)::BIGINT AS labelled_settled_cents, /* Cents of settled purchases with a label: the denominator of their fraud rate by value */
  SUM(settled_fraud_cents)::BIGINT AS settled_fraud_cents, /* Cents of settled purchases labelled as fraud */
  MIN(month_start)::DATE AS first_month_date, /* First day of its first month of the year with a transaction */
  MAX(month_start)::DATE AS last_month_date, /* First day of its last month of the year with a transaction */
  SUM(transaction_count)::INT AS transaction_count, /* All transactions, declined ones too */
  SUM(approved_count)::INT AS approved_count, /* Without any error */
  SUM(purchase_count)::INT AS purchase_count, /* Approved, of more than zero dollars: gross, reversed ones included */
  SUM(settled_count)::INT AS settled_count, /* Settled: purchases without the reversed ones */
  SUM(settled_refund_count)::INT AS settled_refund_count, /* Refunds without those of reversed purchases */
  SUM(labelled_count)::INT AS labelled_count, /* Transactions with a label: the denominator of a fraud rate by count */
  SUM(fraud_count)::INT AS fraud_count, /* Labelled as fraud, declined or not */
  SUM(settled_fraud_count)::INT AS settled_fraud_count, /* Settled purchases labelled as fraud */
  SUM(declined_fraud_count)::INT AS declined_fraud_count, /* Declined transactions labelled as fraud */
  SUM(refund_fraud_count)::INT AS refund_fraud_count, /* Approved refunds labelled as fraud */
  SUM(labelled_settled_count)::INT AS labelled_settled_count, /* Settled purchases with a label: the denominator of their fraud rate by count */
  MAX(last_fraud_on)::DATE AS last_fraud_on, /* Day of the last fraud; NULL where there was none */
  MIN(first_seen_on)::DATE AS first_seen_on, /* Day of its first transaction of the year */
  MAX(last_seen_on)::DATE AS last_seen_on, /* Day of its last transaction of the year */
  MIN(lowest_mcc)::INT AS lowest_mcc, /* Its category; the lowest code, where it was seen under several */
  MAX(highest_mcc)::INT AS highest_mcc, /* Its category; the highest code, where it was seen under several */
  SUM(unpriced_count)::INT AS unpriced_count, /* Settled purchases for which the seed has no rate: not in the estimate */
  SUM(estimated_interchange)::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded */
  SUM(estimated_labelled_interchange)::DECIMAL(24, 8) AS estimated_labelled_interchange /* The same of settled purchases with a label alone */
FROM facts.fct_merchant_months
WHERE
  @in_years_of_range(month_start)
GROUP BY
  DATE_TRUNC('YEAR', month_start),
  merchant_id;

@primary_key(year_start, merchant_id);

@restated_by(merchant_id, tables := (
  facts.fct_merchant_months
))
