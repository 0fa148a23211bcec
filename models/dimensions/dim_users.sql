MODEL (
  name dimensions.dim_users,
  kind FULL,
  description 'One row per cardholder. The attributes are a snapshot of February 2020: never features of past transactions.',
  grain client_id,
  tags (
    dimension
  ),
  audits (
    not_null(columns := (client_id, gender, birth_year)),
    unique_values(columns := (
      client_id
    )),
    accepted_range(column := birth_year, min_v := 1900, max_v := 2020),
    accepted_range(column := credit_score, min_v := 300, max_v := 850),
    no_card_numbers(columns := (
      gender
    ))
  )
);

SELECT
  client_id::INT, /* The cardholder */
  gender::TEXT, /* As published: Female or Male */
  birth_year::INT, /* Year of birth; the month is masked */
  current_age::INT, /* Age in years when the file was made, February 2020 */
  retirement_age::INT, /* Planned age of retirement */
  latitude::DECIMAL(4, 1), /* Degrees north of the home, to one decimal */
  longitude::DECIMAL(4, 1), /* Degrees east of the home, to one decimal */
  per_capita_income::DECIMAL(12, 2), /* Of the home's ZIP code, US dollars a year */
  yearly_income::DECIMAL(12, 2), /* US dollars a year */
  total_debt::DECIMAL(12, 2), /* US dollars */
  credit_score::INT, /* FICO score */
  num_credit_cards::INT /* Cards held */
FROM staging.stg_users
WHERE
  row_fault IS NULL;

@primary_key(client_id)
