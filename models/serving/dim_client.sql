MODEL (
  name serving.dim_client,
  kind VIEW,
  description 'One row per cardholder, with or without transactions: dimension of the star around serving.fct_transaction. Income, debt and score are a snapshot of February 2020, and say nothing of the past.',
  grain client_id,
  depends_on (
    serving.client_value
  ),
  tags (serving, star),
  audits (
    not_null(columns := (client_id, client_segment)),
    unique_values(columns := (
      client_id
    )),
    holds_every_key_of(holder := serving.client_value, column := client_id, key := client_id)
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  client_id::INT, /* The cardholder */
  gender::TEXT, /* As published: Female or Male */
  birth_year::INT, /* Year of birth */
  @credit_segment(credit_score)::TEXT AS client_segment, /* By the credit score: poor below 580, fair from 580, good from 670, very good from 740, exceptional from 800 */
  credit_score::INT, /* FICO score of February 2020 */
  yearly_income::DECIMAL(12, 2), /* US dollars a year */
  per_capita_income::DECIMAL(12, 2), /* Of the home's ZIP code, US dollars a year */
  total_debt::DECIMAL(12, 2), /* US dollars */
  latitude::DECIMAL(4, 1) AS client_latitude, /* Degrees north of the home, to one decimal */
  longitude::DECIMAL(4, 1) AS client_longitude /* Degrees east of the home, to one decimal */
FROM dimensions.dim_users
