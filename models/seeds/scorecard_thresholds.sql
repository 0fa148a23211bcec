MODEL (
  name seeds.scorecard_thresholds,
  kind SEED (
    path '$root/seeds/scorecard_thresholds.csv'
  ),
  description 'One row per score of a scorecard at which the back-test looks.',
  columns (
    min_scorecard_score INT,
    reason TEXT
  ),
  column_descriptions (
    min_scorecard_score = 'Transactions of this score or more; 500 is as likely fraud as not, 40 more double the odds',
    reason = 'What the scorecard says of a transaction with just this score'
  ),
  grain min_scorecard_score,
  tags (
    seed
  ),
  audits (
    not_null(columns := (min_scorecard_score, reason)),
    unique_values(columns := (
      min_scorecard_score
    ))
  )
)
