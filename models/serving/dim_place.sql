MODEL (
  name serving.dim_place,
  kind VIEW,
  description 'One row per place that a merchant may be in, with or without transactions: a US state, a country abroad, NO PLACE where none is published, UNKNOWN for all that is neither state nor country. Dimension of the star around serving.fct_transaction. Georgia is the country, GA the state.',
  grain place,
  depends_on (
    serving.revenue_by_state
  ),
  tags (serving, star),
  audits (
    not_null(columns := (place, place_kind, place_name)),
    unique_values(columns := (
      place
    )),
    holds_every_key_of(holder := serving.revenue_by_state, column := place, key := place)
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH places AS (
  SELECT
    state_code AS place,
    state_name AS place_name,
    'United States' AS country_name,
    'US' AS country_code
  FROM seeds.us_states
  UNION ALL
  SELECT
    country_name AS place,
    country_name AS place_name,
    country_name,
    country_code
  FROM seeds.countries
  UNION ALL
  SELECT
    place,
    INITCAP(place) AS place_name,
    NULL AS country_name,
    NULL AS country_code
  FROM (VALUES
    ('NO PLACE'),
    ('UNKNOWN')) AS listed(place)
)
SELECT
  place::TEXT, /* US state code, country, NO PLACE where none is published (most of them online), or UNKNOWN for all that is published as neither state nor country */
  @place_kind_of(place, country_name <> 'United States')::TEXT AS place_kind, /* domestic, foreign, none or unknown */
  place_name::TEXT, /* Name of the state or country */
  country_name::TEXT, /* Its country; NULL where it has none, or an unknown one */
  country_code::TEXT /* Two-letter code of ISO 3166, for maps; one code may have several names; NULL likewise */
FROM places
