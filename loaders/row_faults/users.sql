-- Made from models/staging/stg_users.sql by `python -m tests.loaders.staging`; do not edit.
WITH typed AS (
  SELECT
    CASE
      WHEN TRANSLATE(landed.id, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.id, '0123456789', '') = '-' AND NOT landed.id LIKE '-0%'
      )
      THEN CASE WHEN PG_INPUT_IS_VALID(landed.id, 'int') THEN CAST(landed.id AS INT) END
    END AS client_id,
    NULLIF(TRIM(landed.gender), '') AS gender,
    CASE
      WHEN (
        landed.birth_year LIKE '____' OR landed.birth_year LIKE '____-__%'
      )
      AND TRANSLATE(SUBSTRING(landed.birth_year FROM 1 FOR 4), '0123456789', '') = ''
      THEN CASE
        WHEN PG_INPUT_IS_VALID(SUBSTRING(landed.birth_year FROM 1 FOR 4), 'INT')
        THEN CAST(SUBSTRING(landed.birth_year FROM 1 FOR 4) AS INT)
      END
    END AS birth_year,
    CASE
      WHEN TRANSLATE(landed.current_age, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.current_age, '0123456789', '') = '-'
        AND NOT landed.current_age LIKE '-0%'
      )
      THEN CASE
        WHEN PG_INPUT_IS_VALID(landed.current_age, 'int')
        THEN CAST(landed.current_age AS INT)
      END
    END AS current_age,
    CASE
      WHEN TRANSLATE(landed.retirement_age, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.retirement_age, '0123456789', '') = '-'
        AND NOT landed.retirement_age LIKE '-0%'
      )
      THEN CASE
        WHEN PG_INPUT_IS_VALID(landed.retirement_age, 'int')
        THEN CAST(landed.retirement_age AS INT)
      END
    END AS retirement_age,
    CASE
      WHEN TRANSLATE(landed.latitude, '0123456789', '') IN ('', '-', '.', '-.')
      AND CASE
        WHEN PG_INPUT_IS_VALID(landed.latitude, 'DECIMAL(9, 6)')
        THEN CAST(landed.latitude AS DECIMAL(9, 6))
      END BETWEEN -180 AND 180
      THEN CAST(ROUND(
        CASE
          WHEN PG_INPUT_IS_VALID(landed.latitude, 'DECIMAL(9, 6)')
          THEN CAST(landed.latitude AS DECIMAL(9, 6))
        END,
        1
      ) AS DECIMAL(4, 1))
    END AS latitude,
    CASE
      WHEN TRANSLATE(landed.longitude, '0123456789', '') IN ('', '-', '.', '-.')
      AND CASE
        WHEN PG_INPUT_IS_VALID(landed.longitude, 'DECIMAL(9, 6)')
        THEN CAST(landed.longitude AS DECIMAL(9, 6))
      END BETWEEN -180 AND 180
      THEN CAST(ROUND(
        CASE
          WHEN PG_INPUT_IS_VALID(landed.longitude, 'DECIMAL(9, 6)')
          THEN CAST(landed.longitude AS DECIMAL(9, 6))
        END,
        1
      ) AS DECIMAL(4, 1))
    END AS longitude,
    CASE
      WHEN landed.per_capita_income LIKE '$%'
      AND TRANSLATE(landed.per_capita_income, '0123456789', '') IN ('$', '$-')
      THEN CASE
        WHEN PG_INPUT_IS_VALID(SUBSTRING(landed.per_capita_income FROM 2), 'DECIMAL(12, 2)')
        THEN CAST(SUBSTRING(landed.per_capita_income FROM 2) AS DECIMAL(12, 2))
      END
    END AS per_capita_income,
    CASE
      WHEN landed.yearly_income LIKE '$%'
      AND TRANSLATE(landed.yearly_income, '0123456789', '') IN ('$', '$-')
      THEN CASE
        WHEN PG_INPUT_IS_VALID(SUBSTRING(landed.yearly_income FROM 2), 'DECIMAL(12, 2)')
        THEN CAST(SUBSTRING(landed.yearly_income FROM 2) AS DECIMAL(12, 2))
      END
    END AS yearly_income,
    CASE
      WHEN landed.total_debt LIKE '$%'
      AND TRANSLATE(landed.total_debt, '0123456789', '') IN ('$', '$-')
      THEN CASE
        WHEN PG_INPUT_IS_VALID(SUBSTRING(landed.total_debt FROM 2), 'DECIMAL(12, 2)')
        THEN CAST(SUBSTRING(landed.total_debt FROM 2) AS DECIMAL(12, 2))
      END
    END AS total_debt,
    CASE
      WHEN TRANSLATE(landed.credit_score, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.credit_score, '0123456789', '') = '-'
        AND NOT landed.credit_score LIKE '-0%'
      )
      THEN CASE
        WHEN PG_INPUT_IS_VALID(landed.credit_score, 'int')
        THEN CAST(landed.credit_score AS INT)
      END
    END AS credit_score,
    CASE
      WHEN TRANSLATE(landed.num_credit_cards, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.num_credit_cards, '0123456789', '') = '-'
        AND NOT landed.num_credit_cards LIKE '-0%'
      )
      THEN CASE
        WHEN PG_INPUT_IS_VALID(landed.num_credit_cards, 'int')
        THEN CAST(landed.num_credit_cards AS INT)
      END
    END AS num_credit_cards,
    landed._file_id,
    landed._line_number,
    landed.id AS written_key
  FROM raw.users AS landed
  WHERE {rows}
)
SELECT
  COALESCE(CAST(client_id AS TEXT), written_key) AS key,
  CAST(CASE
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
  END AS TEXT) AS row_fault,
  _file_id,
  _line_number
FROM typed AS typed
