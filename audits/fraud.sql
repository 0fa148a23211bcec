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
  );

AUDIT (
  name runs_are_apart,
  dialect postgres
);

/* Two runs of a card are more than 60 days apart, in the order of their numbers. */
SELECT
  earlier.card_id,
  earlier.run_number,
  earlier.last_fraud_at,
  later.first_fraud_at
FROM @this_model AS earlier
JOIN @this_model AS later
  ON later.card_id = earlier.card_id AND later.run_number = earlier.run_number + 1
WHERE
  NOT @starts_a_run(later.first_fraud_at::DATE, earlier.last_fraud_at::DATE);

AUDIT (
  name cases_are_some_of_the_cards,
  dialect postgres
);

/* Cases that used a merchant are some of the cases and some of the cards that used it, and all of these some of the cards. */
SELECT
  month_start,
  merchant_id,
  case_count,
  shared_case_count,
  card_count,
  merchant_card_count
FROM @whole_model()
WHERE
  @in_months_of_range(month_start)
  AND (
    shared_case_count > case_count
    OR shared_case_count > merchant_card_count
    OR case_count > card_count
    OR merchant_card_count > card_count
    OR shared_case_count < 1
  )
