MODEL (
  name seeds.score_thresholds,
  kind SEED (
    path '$root/seeds/score_thresholds.csv'
  ),
  description 'One row per score at which the back-test looks.',
  columns (
    min_score INT,
    reason TEXT
  ),
  column_descriptions (min_score = 'Alerts of this score or more', reason = 'Why there'),
  grain min_score,
  tags (
    seed
  ),
  audits (
    not_null(columns := (min_score, reason)),
    unique_values(columns := (
      min_score
    ))
  )
)
