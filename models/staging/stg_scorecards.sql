MODEL (
  name staging.stg_scorecards,
  kind VIEW,
  description 'One row per scorecard, feature and bin, as revops train wrote it: rows are added, never changed. No scorecard is there until somebody trains one.',
  grain (scorecard_id, feature, bin),
  tags (
    staging
  ),
  ignored_rules (
    'nomissingaudits'
  )
);

SELECT
  scorecard_id::BIGINT, /* The scorecard; a later one has a larger number */
  version::TEXT, /* A hash of the rows and settings that it was trained with: the same have the same */
  month_start::DATE, /* First day of the month that it scores */
  trained_at::TIMESTAMPTZ, /* When it was trained */
  training_from_date::DATE, /* First day of the rows that it was trained on */
  training_until_date::DATE, /* First day after them: labels of later days were not complete when the month began */
  fraud_count::BIGINT, /* Labelled frauds of these days: all were trained on */
  legitimate_count::BIGINT, /* Transactions of these days labelled as no fraud */
  sampled_count::BIGINT, /* Of the latter, those that were trained on, each for as many as it was drawn from */
  training_auc_bp::INT, /* How well it tells the frauds that it was trained on from the others: area under the ROC curve, basis points */
  base_points::INT, /* What every score starts with */
  feature::TEXT, /* As in revops/scoring/features.py */
  bin::INT, /* 0 for the lowest values, then 1 and on; -1 for unknown */
  at_least::BIGINT, /* Lower bound of the bin, decimals in hundredths; NULL for the lowest and for unknown */
  points::INT /* What the bin adds to the score: 40 double the odds of fraud */
FROM desk.scorecards
