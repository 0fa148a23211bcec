MODEL (
  name serving.scorecards,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month that has a scorecard: what it was trained on, and how well it tells frauds from others in its month, of which it knew nothing. Labels as they are by now. On generated rows it proves the machinery only.',
  grain month_start,
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        month_start,
        scorecard_version,
        training_from_date,
        training_until_date,
        scored_count,
        labelled_count,
        fraud_count
      )
    ),
    unique_values(columns := (
      month_start
    )),
    sums_agree(
      parent := features.transaction_scores,
      over := months,
      day := month_start,
      sums := (
        SUM(scored_count) = COUNT(*)
      )
    )
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH scorecards AS (
  SELECT
    month_start,
    version,
    trained_at,
    training_from_date,
    training_until_date,
    fraud_count,
    legitimate_count,
    sampled_count,
    training_auc_bp,
    COUNT(DISTINCT feature) AS feature_count
  FROM facts.fct_scorecards
  WHERE
    is_current AND @in_months_of_range(month_start)
  GROUP BY
    month_start,
    version,
    trained_at,
    training_from_date,
    training_until_date,
    fraud_count,
    legitimate_count,
    sampled_count,
    training_auc_bp
), by_score AS (
  SELECT
    outcomes.month_start,
    scores.scorecard_score,
    COUNT(*) AS scored_count,
    @labelled_count(of := outcomes) AS labelled_count,
    @fraud_count(of := outcomes) AS fraud_count
  FROM features.transaction_scores AS scores
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transaction_id = scores.transaction_id
    AND outcomes.transacted_on = scores.transacted_on
  WHERE
    @in_months_of_range(scores.transacted_on)
  GROUP BY
    outcomes.month_start,
    scores.scorecard_score
), with_lower AS (
  SELECT
    month_start,
    scored_count,
    labelled_count,
    fraud_count,
    labelled_count - fraud_count AS legitimate_count,
    SUM(labelled_count - fraud_count) OVER (
      PARTITION BY month_start
      ORDER BY scorecard_score
      RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS lower_count
  FROM by_score
), month_totals AS (
  SELECT
    month_start,
    SUM(scored_count) AS scored_count,
    SUM(labelled_count) AS labelled_count,
    SUM(fraud_count) AS fraud_count,
    SUM(legitimate_count) AS legitimate_count,
    SUM(fraud_count * (
      2 * COALESCE(lower_count, 0) + legitimate_count
    )) AS twice_ordered_pairs /* A fraud and another of the same score count half */
  FROM with_lower
  GROUP BY
    month_start
)
SELECT
  scorecards.month_start::DATE, /* First day of the month that it scores */
  scorecards.version::TEXT AS scorecard_version, /* A hash of the rows and settings that it was trained with: the same have the same */
  scorecards.trained_at::TIMESTAMPTZ, /* When it was trained */
  scorecards.training_from_date::DATE, /* First day of the rows that it was trained on */
  scorecards.training_until_date::DATE, /* First day after them: labels of later days were not complete when the month began */
  scorecards.fraud_count::BIGINT AS training_fraud_count, /* Labelled frauds that it was trained on */
  scorecards.legitimate_count::BIGINT AS training_legitimate_count, /* Transactions of the same days labelled as no fraud */
  scorecards.sampled_count::BIGINT AS training_sampled_count, /* Of the latter, those that it was trained on, each for as many as it was drawn from */
  scorecards.feature_count::BIGINT, /* Features that it gives points for */
  scorecards.training_auc_bp::INT, /* How often a fraud has a higher score than another transaction, of those that it was trained on: area under the ROC curve, basis points */
  @basis_points(
    month_totals.twice_ordered_pairs,
    2 * month_totals.fraud_count * month_totals.legitimate_count
  )::DECIMAL(18, 2) AS auc_bp, /* The same out of time: of the labelled transactions of the month; NULL where there is no fraud or nothing else */
  month_totals.scored_count::BIGINT, /* Transactions of the month, all scored */
  month_totals.labelled_count::BIGINT, /* Of these, with a label */
  month_totals.fraud_count::BIGINT /* Of these, fraud */
FROM scorecards
JOIN month_totals
  ON month_totals.month_start = scorecards.month_start;

@fill_in_ranges(facts.fct_outcomes);

@primary_key(month_start)
