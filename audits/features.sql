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
  OR reported.has_more_than_all;

AUDIT (
  name scorecards_know_nothing_of_their_month,
  dialect postgres
);

/* A label counts seven days after its transaction: rows of the last seven days before the month have none that is certain. */
SELECT
  version,
  month_start,
  training_until_date
FROM @this_model
WHERE
  @days_between(training_until_date, month_start) < 7;

AUDIT (
  name months_with_a_scorecard_are_scored,
  dialect postgres
);

/* Every transaction of a month has the score of the scorecard of that month. */
WITH scorecards AS (
  SELECT DISTINCT
    month_start,
    version
  FROM facts.fct_scorecards
  WHERE
    is_current AND @in_months_of_range(month_start)
)
SELECT
  features.transaction_id,
  features.transacted_on,
  scores.scorecard_version
FROM scorecards
JOIN features.transaction_features AS features
  ON DATE_TRUNC('MONTH', features.transacted_on)::DATE = scorecards.month_start
LEFT JOIN @this_model AS scores
  ON scores.transaction_id = features.transaction_id
  AND scores.transacted_on = features.transacted_on
WHERE
  @in_range(features.transacted_on)
  AND scores.scorecard_version IS DISTINCT FROM scorecards.version
