AUDIT (
  name rules_hit_known_transactions,
  dialect postgres
);

/* Every hit is of a transaction of the same day. */
SELECT
  hits.transaction_id,
  hits.transacted_on
FROM @this_model AS hits
LEFT JOIN facts.fct_outcomes AS outcomes
  ON outcomes.transaction_id = hits.transaction_id
  AND outcomes.transacted_on = hits.transacted_on
WHERE
  @in_range(hits.transacted_on) AND outcomes.transaction_id IS NULL;

AUDIT (
  name performance_is_of_the_outcomes,
  dialect postgres
);

/* Recall divides by all fraud and all loss there is, and nothing finds more than that. */
WITH outcomes AS (
  SELECT
    @labelled_count() AS labelled_count,
    @fraud_count() AS fraud_count,
    @dollars_of(@fraud_loss_cents()) AS fraud_loss
  FROM facts.fct_outcomes
  WHERE
    @in_months_of_range(transacted_on)
), reported AS (
  SELECT
    COALESCE(SUM(labelled_count), 0) AS labelled_count,
    COALESCE(SUM(fraud_count), 0) AS fraud_count,
    COALESCE(SUM(fraud_loss), 0) AS fraud_loss,
    COALESCE(BOOL_OR(fraud_alert_count > fraud_count OR value_caught > fraud_loss), FALSE) AS has_more_than_all
  FROM @whole_model()
  WHERE
    @in_months_of_range(month_start)
    AND measured_name = (
      SELECT
        MIN(measured_name)
      FROM @whole_model()
      WHERE
        measured_kind = 'score'
    )
)
SELECT
  outcomes.labelled_count,
  reported.labelled_count AS reported_labelled,
  outcomes.fraud_count,
  reported.fraud_count AS reported_fraud,
  outcomes.fraud_loss,
  reported.fraud_loss AS reported_loss
FROM outcomes
CROSS JOIN reported
WHERE
  outcomes.labelled_count IS DISTINCT FROM reported.labelled_count
  OR outcomes.fraud_count IS DISTINCT FROM reported.fraud_count
  OR outcomes.fraud_loss IS DISTINCT FROM reported.fraud_loss
  OR reported.has_more_than_all
