MODEL (
  name facts.fct_scorecards,
  kind VIEW,
  description 'One row per scorecard, feature and bin; is_current marks the scorecard that scores its month: the one trained last, whichever it is, on rows before that month alone. A view: training is followed by the next build.',
  grain (scorecard_id, feature, bin),
  tags (
    fact
  ),
  audits (
    not_null(
      columns := (
        scorecard_id,
        version,
        month_start,
        trained_at,
        training_from_date,
        training_until_date,
        feature,
        bin,
        points,
        is_current
      )
    ),
    unique_combination_of_columns(columns := (scorecard_id, feature, bin)),
    scorecards_know_nothing_of_their_month
  )
);

WITH current_scorecards AS (
  SELECT
    month_start,
    MAX(scorecard_id) AS scorecard_id
  FROM staging.stg_scorecards
  GROUP BY
    month_start
)
SELECT
  bins.scorecard_id::BIGINT, /* The scorecard; a later one has a larger number */
  bins.version::TEXT, /* A hash of the rows and settings that it was trained with: the same have the same */
  bins.month_start::DATE, /* First day of the month that it scores */
  (
    bins.scorecard_id = current_scorecards.scorecard_id
  )::BOOLEAN AS is_current, /* Whether it is the one that scores its month */
  bins.trained_at::TIMESTAMPTZ, /* When it was trained */
  bins.training_from_date::DATE, /* First day of the rows that it was trained on */
  bins.training_until_date::DATE, /* First day after them: labels of later days were not complete when the month began */
  bins.fraud_count::BIGINT, /* Labelled frauds of these days: all were trained on */
  bins.legitimate_count::BIGINT, /* Transactions of these days labelled as no fraud */
  bins.sampled_count::BIGINT, /* Of the latter, those that were trained on, each for as many as it was drawn from */
  bins.training_auc_bp::INT, /* How well it tells the frauds that it was trained on from the others: area under the ROC curve, basis points */
  bins.base_points::INT, /* What every score starts with */
  bins.feature::TEXT, /* As in revops/scoring/features.py */
  bins.bin::INT, /* 0 for the lowest values, then 1 and on; -1 for unknown */
  bins.at_least::BIGINT, /* Lower bound of the bin, decimals in hundredths; NULL for the lowest and for unknown */
  bins.points::INT /* What the bin adds to the score: 40 double the odds of fraud */
FROM staging.stg_scorecards AS bins
JOIN current_scorecards
  ON current_scorecards.month_start = bins.month_start
