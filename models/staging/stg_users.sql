MODEL (
  name staging.stg_users,
  kind VIEW,
  description 'One row per landed user row, typed and masked: no address, coordinates to one decimal (about 11 km), the year of birth without the month. row_fault says why a row cannot become a dimension row.',
  grain (_file_id, _line_number),
  tags (
    staging
  ),
  audits (
    not_null(columns := (_file_id, _line_number), blocking := FALSE)
  )
);

WITH typed AS (
  SELECT
    @cast_or_null(landed.id, 'int') AS client_id,
    @blank_to_null(landed.gender) AS gender,
    @year_only(landed.birth_year) AS birth_year,
    @cast_or_null(landed.current_age, 'int') AS current_age,
    @cast_or_null(landed.retirement_age, 'int') AS retirement_age,
    @coarse_degrees(landed.latitude) AS latitude,
    @coarse_degrees(landed.longitude) AS longitude,
    @whole_dollars(landed.per_capita_income) AS per_capita_income,
    @whole_dollars(landed.yearly_income) AS yearly_income,
    @whole_dollars(landed.total_debt) AS total_debt,
    @cast_or_null(landed.credit_score, 'int') AS credit_score,
    @cast_or_null(landed.num_credit_cards, 'int') AS num_credit_cards,
    newer._line_number AS superseding_line,
    landed._file_id,
    landed._line_number,
    landed._loaded_at
  FROM raw.users AS landed
  LEFT JOIN raw.superseded_rows AS newer
    ON newer.relation = 'users'
    AND newer._file_id = landed._file_id
    AND newer._line_number = landed._line_number
)
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
  num_credit_cards::INT, /* Cards held */
  CASE
    WHEN NOT superseding_line IS NULL
    THEN 'duplicate id: another row of it counts'
    WHEN client_id IS NULL
    THEN 'id is not a whole number'
    WHEN birth_year IS NULL
    THEN 'birth_year is not a year'
    WHEN NOT birth_year BETWEEN 1900 AND 2020
    THEN 'birth_year is not of 1900 to 2020'
    WHEN latitude IS NULL OR longitude IS NULL OR NOT latitude BETWEEN -90 AND 90
    THEN 'latitude or longitude is not a number of degrees'
    WHEN per_capita_income IS NULL OR yearly_income IS NULL OR total_debt IS NULL
    THEN 'an income or debt is not written like $24295'
    WHEN current_age IS NULL OR retirement_age IS NULL OR credit_score IS NULL
    THEN 'an age or the credit score is not a whole number'
    WHEN NOT credit_score BETWEEN 300 AND 850
    THEN 'credit_score is not of 300 to 850'
    WHEN num_credit_cards IS NULL
    THEN 'num_credit_cards is not a whole number'
    WHEN gender IS NULL
    THEN 'gender is empty'
  END::TEXT AS row_fault, /* Why the row cannot become a dimension row; NULL for a sound row */
  _file_id::BIGINT, /* The landed file */
  _line_number::BIGINT, /* The line in it */
  _loaded_at::TIMESTAMPTZ /* When it landed */
FROM typed
