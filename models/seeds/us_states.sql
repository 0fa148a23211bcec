MODEL (
  name seeds.us_states,
  kind SEED (
    path '$root/seeds/us_states.csv'
  ),
  description 'One row per US state, district, territory and military post code that a card transaction may name.',
  columns (
    state_code TEXT,
    state_name TEXT,
    state_kind TEXT
  ),
  column_descriptions (
    state_code = 'Two-letter postal code',
    state_name = 'Name',
    state_kind = 'state, district, territory or military'
  ),
  grain state_code,
  tags (
    seed
  ),
  audits (
    not_null(columns := (state_code, state_name, state_kind)),
    unique_values(columns := (
      state_code
    ))
  )
)
