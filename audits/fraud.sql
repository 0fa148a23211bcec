AUDIT (
  name rates_are_of_a_part,
  dialect postgres
);

/* Frauds are some of the labelled, and these some of all transactions. */
SELECT
  transaction_count,
  labelled_count,
  fraud_count
FROM @whole_model()
WHERE
  @in_months_of_range(month_start)
  AND (
    fraud_count > labelled_count OR labelled_count > transaction_count
  )
