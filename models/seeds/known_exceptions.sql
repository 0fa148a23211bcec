MODEL (
  name seeds.known_exceptions,
  kind SEED (
    path '$root/seeds/known_exceptions.csv'
  ),
  description 'One row per exception to a check that somebody decided to live with: which check, which key, why and since when.',
  columns (
    check_name TEXT,
    exception_key TEXT,
    reason TEXT,
    decided_on DATE
  ),
  column_descriptions (
    check_name = 'The audit or test that knows of the exception',
    exception_key = 'What it excepts',
    reason = 'Why',
    decided_on = 'When this was decided'
  ),
  grain (check_name, exception_key),
  tags (
    seed
  ),
  audits (
    not_null(columns := (check_name, exception_key, reason, decided_on)),
    unique_combination_of_columns(columns := (check_name, exception_key))
  )
)
