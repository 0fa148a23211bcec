MODEL (
  name seeds.fraud_eras,
  kind SEED (
    path '$root/seeds/fraud_eras.csv'
  ),
  description 'One row per period in which fraud was of one kind: a back-test is read by era, never as one blended number.',
  columns (
    era TEXT,
    starts_on DATE,
    ended_on DATE,
    is_tuning BOOLEAN,
    reason TEXT
  ),
  column_descriptions (
    era = 'Name',
    starts_on = 'First day, the first of a month',
    ended_on = 'First day after it, the first of a month; empty while it lasts',
    is_tuning = 'Whether the shipped rules were chosen on it',
    reason = 'What tells it apart'
  ),
  grain era,
  tags (
    seed
  ),
  audits (
    not_null(columns := (era, starts_on, is_tuning, reason)),
    unique_values(columns := (
      era
    )),
    eras_do_not_overlap
  )
)
