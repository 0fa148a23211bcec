-- Made from models/staging/stg_cards.sql by `python -m tests.loaders.staging`; do not edit.
WITH typed AS (
  SELECT
    CASE
      WHEN TRANSLATE(landed.id, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.id, '0123456789', '') = '-' AND NOT landed.id LIKE '-0%'
      )
      THEN CASE WHEN PG_INPUT_IS_VALID(landed.id, 'int') THEN CAST(landed.id AS INT) END
    END AS card_id,
    CASE
      WHEN TRANSLATE(landed.client_id, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.client_id, '0123456789', '') = '-'
        AND NOT landed.client_id LIKE '-0%'
      )
      THEN CASE
        WHEN PG_INPUT_IS_VALID(landed.client_id, 'int')
        THEN CAST(landed.client_id AS INT)
      END
    END AS client_id,
    NULLIF(TRIM(landed.card_brand), '') AS card_brand,
    NULLIF(TRIM(landed.card_type), '') AS card_type,
    NULLIF(TRIM(landed.card_token), '') AS card_token,
    NULLIF(TRIM(landed.card_last4), '') AS card_last4,
    CASE
      WHEN landed.expires LIKE '__/____'
      AND TRANSLATE(landed.expires, '0123456789', '') = '/'
      THEN CASE
        WHEN PG_INPUT_IS_VALID(
          CONCAT(
            SUBSTRING(landed.expires FROM 4 FOR 4),
            '-',
            SUBSTRING(landed.expires FROM 1 FOR 2),
            '-01'
          ),
          'DATE'
        )
        THEN CAST(CONCAT(
          SUBSTRING(landed.expires FROM 4 FOR 4),
          '-',
          SUBSTRING(landed.expires FROM 1 FOR 2),
          '-01'
        ) AS DATE)
      END
    END AS expires_in,
    CASE UPPER(TRIM(landed.has_chip)) WHEN 'YES' THEN TRUE WHEN 'NO' THEN FALSE END AS has_chip,
    CASE
      WHEN TRANSLATE(landed.num_cards_issued, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.num_cards_issued, '0123456789', '') = '-'
        AND NOT landed.num_cards_issued LIKE '-0%'
      )
      THEN CASE
        WHEN PG_INPUT_IS_VALID(landed.num_cards_issued, 'int')
        THEN CAST(landed.num_cards_issued AS INT)
      END
    END AS num_cards_issued,
    CASE
      WHEN landed.credit_limit LIKE '$%'
      AND TRANSLATE(landed.credit_limit, '0123456789', '') IN ('$', '$-')
      THEN CASE
        WHEN PG_INPUT_IS_VALID(SUBSTRING(landed.credit_limit FROM 2), 'DECIMAL(12, 2)')
        THEN CAST(SUBSTRING(landed.credit_limit FROM 2) AS DECIMAL(12, 2))
      END
    END AS credit_limit,
    CASE
      WHEN landed.acct_open_date LIKE '__/____'
      AND TRANSLATE(landed.acct_open_date, '0123456789', '') = '/'
      THEN CASE
        WHEN PG_INPUT_IS_VALID(
          CONCAT(
            SUBSTRING(landed.acct_open_date FROM 4 FOR 4),
            '-',
            SUBSTRING(landed.acct_open_date FROM 1 FOR 2),
            '-01'
          ),
          'DATE'
        )
        THEN CAST(CONCAT(
          SUBSTRING(landed.acct_open_date FROM 4 FOR 4),
          '-',
          SUBSTRING(landed.acct_open_date FROM 1 FOR 2),
          '-01'
        ) AS DATE)
      END
    END AS opened_in,
    CASE
      WHEN TRANSLATE(landed.year_pin_last_changed, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.year_pin_last_changed, '0123456789', '') = '-'
        AND NOT landed.year_pin_last_changed LIKE '-0%'
      )
      THEN CASE
        WHEN PG_INPUT_IS_VALID(landed.year_pin_last_changed, 'int')
        THEN CAST(landed.year_pin_last_changed AS INT)
      END
    END AS pin_last_changed_year,
    CASE UPPER(TRIM(landed.card_on_dark_web))
      WHEN 'YES'
      THEN TRUE
      WHEN 'NO'
      THEN FALSE
    END AS is_on_dark_web,
    landed._file_id,
    landed._line_number,
    landed.id AS written_key
  FROM raw.cards AS landed
  WHERE {rows}
)
SELECT
  COALESCE(CAST(card_id AS TEXT), written_key) AS key,
  CAST(CASE
    WHEN card_id IS NULL
    THEN 'id is not a whole number'
    WHEN client_id IS NULL
    THEN 'client_id is not a whole number'
    WHEN opened_in IS NULL OR expires_in IS NULL
    THEN 'expires or acct_open_date is not MM/YYYY'
    WHEN expires_in < opened_in
    THEN 'the card expires before it was opened'
    WHEN card_brand IS NULL OR card_type IS NULL
    THEN 'card_brand or card_type is empty'
    WHEN has_chip IS NULL OR is_on_dark_web IS NULL
    THEN 'has_chip or card_on_dark_web is neither yes nor no'
    WHEN credit_limit IS NULL
    THEN 'credit_limit is not written like $24295'
    WHEN num_cards_issued IS NULL OR pin_last_changed_year IS NULL
    THEN 'num_cards_issued or year_pin_last_changed is not a whole number'
  END AS TEXT) AS row_fault,
  _file_id,
  _line_number
FROM typed AS typed
