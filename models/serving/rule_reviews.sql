MODEL (
  name serving.rule_reviews,
  kind VIEW,
  description 'One row per month and what is measured in serving.rule_performance, of which an alert was decided on: precision by review beside precision by label of the same alerts. Reviewed alerts are those that somebody chose to look at, no sample: compare rules by it with care. A view, so that a decision is seen at once.',
  grain (month_start, measured_kind, measured_name),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        month_start,
        measured_kind,
        measured_name,
        reviewed_alert_count,
        reviewed_fraud_count
      )
    ),
    unique_combination_of_columns(columns := (month_start, measured_kind, measured_name))
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH reviewed AS (
  SELECT
    outcomes.transaction_id,
    outcomes.month_start,
    outcomes.is_fraud,
    decisions.is_fraud_reviewed
  FROM facts.fct_decisions AS decisions
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transaction_id = decisions.transaction_id
    AND outcomes.card_id = decisions.card_id
  WHERE
    decisions.is_current AND NOT decisions.is_fraud_reviewed IS NULL
), measured AS (
  SELECT
    reviewed.month_start,
    'rule' AS measured_kind,
    hits.rule_name AS measured_name,
    reviewed.is_fraud,
    reviewed.is_fraud_reviewed
  FROM reviewed
  JOIN features.rule_hits AS hits
    ON hits.transaction_id = reviewed.transaction_id
  UNION ALL
  SELECT
    reviewed.month_start,
    'score' AS measured_kind,
    CONCAT('score >= ', thresholds.min_score::TEXT) AS measured_name,
    reviewed.is_fraud,
    reviewed.is_fraud_reviewed
  FROM reviewed
  JOIN serving.fraud_alerts AS alerts
    ON alerts.transaction_id = reviewed.transaction_id
  JOIN seeds.score_thresholds AS thresholds
    ON alerts.score >= thresholds.min_score
), counted AS (
  SELECT
    month_start,
    measured_kind,
    measured_name,
    COUNT(*) AS reviewed_alert_count,
    COUNT(*) FILTER(WHERE
      is_fraud_reviewed) AS reviewed_fraud_count,
    COUNT(is_fraud) AS labelled_count,
    COUNT(*) FILTER(WHERE
      is_fraud) AS fraud_count,
    COUNT(*) FILTER(WHERE
      is_fraud <> is_fraud_reviewed) AS contradicted_count
  FROM measured
  GROUP BY
    month_start,
    measured_kind,
    measured_name
)
SELECT
  counted.month_start::DATE, /* First day of the month of the transactions */
  counted.measured_kind::TEXT, /* rule or score, as in serving.rule_performance */
  counted.measured_name::TEXT, /* The rule or the threshold */
  COALESCE(eras.era, 'none')::TEXT AS era, /* As in seeds.fraud_eras */
  COALESCE(eras.is_tuning, FALSE)::BOOLEAN AS is_tuning, /* Whether the shipped rules were chosen on this month */
  counted.reviewed_alert_count::BIGINT, /* Alerts that were decided to be fraud or not: what reviewed_precision_bp divides by */
  counted.reviewed_fraud_count::BIGINT, /* Of these, decided to be fraud */
  @basis_points(counted.reviewed_fraud_count, counted.reviewed_alert_count)::DECIMAL(18, 2) AS reviewed_precision_bp, /* Fraud by reviewed alerts, basis points */
  counted.labelled_count::BIGINT, /* Of the reviewed ones, those with a label */
  counted.fraud_count::BIGINT, /* Of these, labelled as fraud */
  @basis_points(counted.fraud_count, counted.labelled_count)::DECIMAL(18, 2) AS precision_bp, /* Fraud by labelled ones of the reviewed alerts, basis points; NULL where none is labelled */
  counted.contradicted_count::BIGINT /* Of the labelled ones, those of which the label says otherwise than the review */
FROM counted
LEFT JOIN seeds.fraud_eras AS eras
  ON @is_in_force(eras, counted.month_start)
