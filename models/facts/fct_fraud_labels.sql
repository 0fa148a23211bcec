MODEL (
  name facts.fct_fraud_labels,
  kind FULL,
  description 'One row per labelled transaction id, whether or not the transaction has landed yet. A fact of its own, because labels arrive apart from transactions and in any order.',
  grain transaction_id,
  tags (
    fact
  ),
  audits (
    not_null(columns := (transaction_id, is_fraud))
  )
);

SELECT
  transaction_id::BIGINT, /* The transaction, which may not have landed yet */
  is_fraud::BOOLEAN /* Whether it was fraud */
FROM staging.stg_fraud_labels
WHERE
  @is_sound(row_fault);

@primary_key(transaction_id)
