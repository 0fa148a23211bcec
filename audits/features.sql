AUDIT (
  name features_are_the_outcomes,
  dialect postgres
);

/* Every transaction of the processed days has its features, of the amount that was asked for. */
WITH outcomes AS (
  SELECT
    COUNT(*) AS row_count,
    COALESCE(SUM(amount_cents), 0) AS amount_cents
  FROM facts.fct_outcomes
  WHERE
    @in_range(transacted_on)
), features AS (
  SELECT
    COUNT(*) AS row_count,
    COALESCE(SUM(amount_cents), 0) AS amount_cents
  FROM @this_model
  WHERE
    @in_range(transacted_on)
)
SELECT
  outcomes.row_count,
  features.row_count AS feature_rows,
  outcomes.amount_cents,
  features.amount_cents AS feature_cents
FROM outcomes
CROSS JOIN features
WHERE
  outcomes.row_count IS DISTINCT FROM features.row_count
  OR outcomes.amount_cents IS DISTINCT FROM features.amount_cents;

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
  name alerts_are_the_rule_hits,
  dialect postgres
);

/* Every hit of a rule in force is in an alert, and its weight in the score. */
WITH hits AS (
  SELECT
    COUNT(DISTINCT transaction_id) AS alert_count,
    COUNT(*) AS rule_count,
    COALESCE(SUM(weight), 0) AS score
  FROM features.rule_hits
  WHERE
    is_in_force AND @in_range(transacted_on)
), alerts AS (
  SELECT
    COUNT(*) AS alert_count,
    COALESCE(SUM(rule_count), 0) AS rule_count,
    COALESCE(SUM(score), 0) AS score
  FROM @this_model
  WHERE
    @in_range(transacted_on)
)
SELECT
  hits.alert_count,
  alerts.alert_count AS alerts_found,
  hits.rule_count,
  alerts.rule_count AS rules_found,
  hits.score,
  alerts.score AS score_found
FROM hits
CROSS JOIN alerts
WHERE
  hits.alert_count IS DISTINCT FROM alerts.alert_count
  OR hits.rule_count IS DISTINCT FROM alerts.rule_count
  OR hits.score IS DISTINCT FROM alerts.score;

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
