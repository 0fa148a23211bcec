MODEL (
  name seeds.fraud_eras,
  kind SEED (
    path '$root/seeds/fraud_eras.csv'
  ),
  description 'One row per period in which fraud was of one kind: a back-test is read by era, never as one blended number.',
  columns (
    era TEXT,
    valid_from_date DATE,
    valid_until_date DATE,
    is_tuning BOOLEAN,
    reason TEXT
  ),
  column_descriptions (
    era = 'Name',
    valid_from_date = 'First day, the first of a month',
    valid_until_date = 'First day after it, the first of a month; empty while it lasts',
    is_tuning = 'Whether the shipped rules were chosen on it',
    reason = 'What tells it apart'
  ),
  grain era,
  tags (
    seed
  ),
  audits (
    not_null(columns := (era, valid_from_date, is_tuning, reason)),
    unique_values(columns := (
      era
    )),
    eras_do_not_overlap
  )
)
