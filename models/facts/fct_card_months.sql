MODEL (
  name facts.fct_card_months,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and card with transactions, in cents. What reports of cards and cardholders are summed from: of a new day, one month is counted again instead of all history.',
  grain (month_start, card_id),
  references (client_id, card_id),
  tags (fact, labelled),
  audits (
    not_null(
      columns := (month_start, card_id, client_id, transaction_count, purchase_cents, refund_cents)
    ),
    unique_combination_of_columns(columns := (month_start, card_id)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(purchase_cents) = SUM(purchase_cents),
        SUM(refund_cents) = SUM(refund_cents),
        SUM(settled_count) = @settled_count(),
        SUM(settled_cents) = @settled_cents(),
        SUM(settled_refund_cents) = @settled_refund_cents(),
        SUM(labelled_count) = @labelled_count()
      )
    )
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE
);

SELECT
  month_start::DATE, /* First day of the month */
  card_id::INT, /* The card */
  SUM(purchase_cents)::BIGINT AS purchase_cents, /* Cents of approved purchases: gross, reversed ones included */
  SUM(refund_cents)::BIGINT AS refund_cents, /* Cents that went back, positive: gross, those of reversed purchases included */
  @settled_cents()::BIGINT AS settled_cents, /* Cents of these */
  @settled_refund_cents()::BIGINT AS settled_refund_cents, /* Cents of these, positive */
  COALESCE(@labelled_purchase_cents(), 0)::BIGINT AS labelled_purchase_cents, /* Cents of approved purchases with a label: the denominator of a fraud rate by value */
  COALESCE(@fraud_loss_cents(), 0)::BIGINT AS fraud_loss_cents, /* Cents of approved purchases labelled as fraud: gross, reversed ones included */
  COALESCE(@labelled_settled_cents(), 0)::BIGINT AS labelled_settled_cents, /* Cents of settled purchases with a label: the denominator of their fraud rate by value */
  COALESCE(@net_fraud_loss_cents(), 0)::BIGINT AS settled_fraud_cents, /* Cents of settled purchases labelled as fraud */
  MIN(client_id)::INT AS client_id, /* Its holder: the client of all its transactions */
  COUNT(*)::INT AS transaction_count, /* All transactions, declined ones too */
  COUNT(*) FILTER(WHERE
    is_approved)::INT AS approved_count, /* Without any error */
  COUNT(*) FILTER(WHERE
    purchase_cents > 0)::INT AS purchase_count, /* Approved, of more than zero dollars: gross, reversed ones included */
  COUNT(*) FILTER(WHERE
    refund_cents > 0)::INT AS refund_count, /* Approved, of less than zero dollars: gross, those of reversed purchases included */
  @settled_count()::INT AS settled_count, /* Settled: purchases without the reversed ones */
  @settled_refund_count()::INT AS settled_refund_count, /* Refunds without those of reversed purchases */
  @labelled_count()::INT AS labelled_count, /* Transactions with a label: the denominator of a fraud rate by count */
  @fraud_count()::INT AS fraud_count, /* Labelled as fraud, declined or not */
  @settled_fraud_count()::INT AS settled_fraud_count, /* Settled purchases labelled as fraud */
  @declined_fraud_count()::INT AS declined_fraud_count, /* Declined transactions labelled as fraud */
  @refund_fraud_count()::INT AS refund_fraud_count, /* Approved refunds labelled as fraud */
  @labelled_settled_count()::INT AS labelled_settled_count, /* Settled purchases with a label: the denominator of their fraud rate by count */
  MAX(transacted_on) FILTER(WHERE
    is_fraud)::DATE AS last_fraud_on, /* Day of the last fraud; NULL where there was none */
  MAX(transacted_on) FILTER(WHERE
    @is_settled())::DATE AS last_purchase_on, /* Day of the last settled purchase; NULL where there was none */
  MAX(transacted_on)::DATE AS last_transaction_on /* Day of the last transaction */
FROM facts.fct_outcomes
WHERE
  @in_months_of_range(transacted_on)
GROUP BY
  month_start,
  card_id;

@fill_in_ranges(facts.fct_outcomes);

@primary_key(month_start, card_id);

@index(card_id, month_start);

@index(client_id, month_start)
