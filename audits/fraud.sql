AUDIT (
  name fraud_months_are_the_outcomes,
  dialect postgres
);

/* Each cut of a month holds every transaction, label, fraud and dollar lost of that month, and no rate over more than there is. */
WITH outcomes AS (
  SELECT
    COUNT(*) AS transaction_count,
    @labelled_count() AS labelled_count,
    @fraud_count() AS fraud_count,
    @dollars_of(@fraud_loss_cents()) AS fraud_loss
  FROM facts.fct_outcomes
  WHERE
    @in_months_of_range(transacted_on)
), reported AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(labelled_count), 0) AS labelled_count,
    COALESCE(SUM(fraud_count), 0) AS fraud_count,
    COALESCE(SUM(fraud_loss), 0) AS fraud_loss
  FROM @whole_model()
  WHERE
    @in_months_of_range(month_start)
)
SELECT
  outcomes.transaction_count,
  reported.transaction_count AS reported_count,
  outcomes.labelled_count,
  reported.labelled_count AS reported_labelled,
  outcomes.fraud_count,
  reported.fraud_count AS reported_fraud,
  outcomes.fraud_loss,
  reported.fraud_loss AS reported_loss
FROM outcomes
CROSS JOIN reported
WHERE
  outcomes.transaction_count IS DISTINCT FROM reported.transaction_count
  OR outcomes.labelled_count IS DISTINCT FROM reported.labelled_count
  OR outcomes.fraud_count IS DISTINCT FROM reported.fraud_count
  OR outcomes.fraud_loss IS DISTINCT FROM reported.fraud_loss
  OR reported.fraud_count > reported.labelled_count
  OR reported.labelled_count > reported.transaction_count;

AUDIT (
  name merchants_are_the_merchant_months,
  dialect postgres
);

/* Every transaction, label, fraud and dollar lost of the months is somebody's. */
WITH months AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(labelled_count), 0) AS labelled_count,
    COALESCE(SUM(fraud_count), 0) AS fraud_count,
    @dollars_of(SUM(fraud_loss_cents)) AS fraud_loss
  FROM facts.fct_merchant_months
), reported AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(labelled_count), 0) AS labelled_count,
    COALESCE(SUM(fraud_count), 0) AS fraud_count,
    COALESCE(SUM(fraud_loss), 0) AS fraud_loss
  FROM @this_model
)
SELECT
  months.transaction_count,
  reported.transaction_count AS reported_count,
  months.fraud_count,
  reported.fraud_count AS reported_fraud
FROM months
CROSS JOIN reported
WHERE
  months.transaction_count IS DISTINCT FROM reported.transaction_count
  OR months.labelled_count IS DISTINCT FROM reported.labelled_count
  OR months.fraud_count IS DISTINCT FROM reported.fraud_count
  OR months.fraud_loss IS DISTINCT FROM reported.fraud_loss;

AUDIT (
  name cards_are_the_card_months,
  dialect postgres
);

/* Every transaction, label, fraud and dollar lost of the months is somebody's. */
WITH months AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(labelled_count), 0) AS labelled_count,
    COALESCE(SUM(fraud_count), 0) AS fraud_count,
    @dollars_of(SUM(fraud_loss_cents)) AS fraud_loss
  FROM facts.fct_card_months
), reported AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(labelled_count), 0) AS labelled_count,
    COALESCE(SUM(fraud_count), 0) AS fraud_count,
    COALESCE(SUM(fraud_loss), 0) AS fraud_loss
  FROM @this_model
)
SELECT
  months.transaction_count,
  reported.transaction_count AS reported_count,
  months.fraud_count,
  reported.fraud_count AS reported_fraud
FROM months
CROSS JOIN reported
WHERE
  months.transaction_count IS DISTINCT FROM reported.transaction_count
  OR months.labelled_count IS DISTINCT FROM reported.labelled_count
  OR months.fraud_count IS DISTINCT FROM reported.fraud_count
  OR months.fraud_loss IS DISTINCT FROM reported.fraud_loss;

AUDIT (
  name monitored_fraud_is_the_merchant_months,
  dialect postgres
);

/* ECM-like counts every settled fraud there is; VAMP-like and EFM-like the same online ones. */
WITH months AS (
  SELECT
    COALESCE(SUM(settled_fraud_count), 0) AS settled_fraud_count,
    COALESCE(SUM(online_fraud_count), 0) AS online_fraud_count
  FROM facts.fct_merchant_months
), reported AS (
  SELECT
    COALESCE(SUM(event_count) FILTER(WHERE
      monitor = 'ECM-like'), 0) AS ecm_count,
    COALESCE(SUM(event_count) FILTER(WHERE
      monitor = 'VAMP-like'), 0) AS vamp_count,
    COALESCE(SUM(event_count) FILTER(WHERE
      monitor = 'EFM-like'), 0) AS efm_count
  FROM @this_model
)
SELECT
  months.settled_fraud_count,
  reported.ecm_count,
  months.online_fraud_count,
  reported.vamp_count,
  reported.efm_count
FROM months
CROSS JOIN reported
WHERE
  months.settled_fraud_count IS DISTINCT FROM reported.ecm_count
  OR months.online_fraud_count IS DISTINCT FROM reported.vamp_count
  OR months.online_fraud_count IS DISTINCT FROM reported.efm_count
