-- Made from models/staging/stg_transactions.sql by `python -m tests.loaders.staging`; do not edit.
WITH typed AS (
  SELECT
    CASE
      WHEN (
        landed._is_regular
        OR (
          TRANSLATE(landed.id, '0123456789', '') = ''
          OR (
            TRANSLATE(landed.id, '0123456789', '') = '-' AND NOT landed.id LIKE '-0%'
          )
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular OR (
            PG_INPUT_IS_VALID(landed.id, 'bigint')
          )
        )
        THEN CAST(landed.id AS BIGINT)
      END
    END AS transaction_id,
    CASE
      WHEN (
        landed._is_regular
        OR (
          landed.date LIKE '____-__-__ __:__:__'
          AND TRANSLATE(landed.date, '0123456789', '') = '-- ::'
          AND SUBSTRING(landed.date FROM 12 FOR 2) < '24'
          AND SUBSTRING(landed.date FROM 18 FOR 2) < '60'
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular OR (
            PG_INPUT_IS_VALID(landed.date, 'TIMESTAMP')
          )
        )
        THEN CAST(landed.date AS TIMESTAMP)
      END
    END AS transacted_at,
    CASE
      WHEN (
        landed._is_regular
        OR (
          TRANSLATE(landed.client_id, '0123456789', '') = ''
          OR (
            TRANSLATE(landed.client_id, '0123456789', '') = '-'
            AND NOT landed.client_id LIKE '-0%'
          )
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular OR (
            PG_INPUT_IS_VALID(landed.client_id, 'int')
          )
        )
        THEN CAST(landed.client_id AS INT)
      END
    END AS client_id,
    CASE
      WHEN (
        landed._is_regular
        OR (
          TRANSLATE(landed.card_id, '0123456789', '') = ''
          OR (
            TRANSLATE(landed.card_id, '0123456789', '') = '-'
            AND NOT landed.card_id LIKE '-0%'
          )
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular OR (
            PG_INPUT_IS_VALID(landed.card_id, 'int')
          )
        )
        THEN CAST(landed.card_id AS INT)
      END
    END AS card_id,
    CASE
      WHEN (
        landed._is_regular
        OR (
          TRANSLATE(landed.merchant_id, '0123456789', '') = ''
          OR (
            TRANSLATE(landed.merchant_id, '0123456789', '') = '-'
            AND NOT landed.merchant_id LIKE '-0%'
          )
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular OR (
            PG_INPUT_IS_VALID(landed.merchant_id, 'int')
          )
        )
        THEN CAST(landed.merchant_id AS INT)
      END
    END AS merchant_id,
    CASE
      WHEN (
        landed._is_regular
        OR (
          TRANSLATE(landed.mcc, '0123456789', '') = ''
          OR (
            TRANSLATE(landed.mcc, '0123456789', '') = '-' AND NOT landed.mcc LIKE '-0%'
          )
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular OR (
            PG_INPUT_IS_VALID(landed.mcc, 'int')
          )
        )
        THEN CAST(landed.mcc AS INT)
      END
    END AS mcc,
    CASE
      WHEN (
        landed._is_regular
        OR (
          landed.amount LIKE '$%_.__'
          AND NOT landed.amount LIKE '$-.%'
          AND TRANSLATE(landed.amount, '0123456789', '') IN ('$.', '$-.')
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular
          OR (
            PG_INPUT_IS_VALID(SUBSTRING(landed.amount FROM 2), 'DECIMAL(12, 2)')
          )
        )
        THEN CAST(SUBSTRING(landed.amount FROM 2) AS DECIMAL(12, 2))
      END
    END AS amount,
    CASE landed.use_chip
      WHEN 'Swipe Transaction'
      THEN 'swipe'
      WHEN 'Chip Transaction'
      THEN 'chip'
      WHEN 'Online Transaction'
      THEN 'online'
    END AS channel,
    CASE
      WHEN landed._is_regular
      THEN landed.merchant_city
      ELSE NULLIF(TRIM(landed.merchant_city), '')
    END AS merchant_city,
    CASE
      WHEN landed._is_regular
      THEN landed.merchant_state
      ELSE NULLIF(TRIM(landed.merchant_state), '')
    END AS merchant_state,
    CASE
      WHEN landed._is_regular
      THEN LPAD(SPLIT_PART(landed.zip, '.', 1), 5, '0')
      WHEN SPLIT_PART(SPLIT_PART(TRIM(landed.zip), '.', 1), '-', 1) <> ''
      AND TRANSLATE(SPLIT_PART(SPLIT_PART(TRIM(landed.zip), '.', 1), '-', 1), '0123456789', '') = ''
      AND LENGTH(SPLIT_PART(SPLIT_PART(TRIM(landed.zip), '.', 1), '-', 1)) <= 5
      AND (
        TRIM(landed.zip) IN (
          SPLIT_PART(SPLIT_PART(TRIM(landed.zip), '.', 1), '-', 1),
          SPLIT_PART(SPLIT_PART(TRIM(landed.zip), '.', 1), '-', 1) || '.0'
        )
        OR (
          TRIM(landed.zip) LIKE '_____-____'
          AND TRANSLATE(TRIM(landed.zip), '0123456789', '') = '-'
        )
      )
      THEN LPAD(SPLIT_PART(SPLIT_PART(TRIM(landed.zip), '.', 1), '-', 1), 5, '0')
    END AS zip,
    CASE
      WHEN landed.errors IS NULL
      OR LOWER(TRIM(landed.errors)) IN (
        '',
        'nan',
        'na',
        'n/a',
        '<na>',
        'nat',
        'none',
        'null',
        'nil',
        'no',
        'no error',
        'no errors',
        '-',
        '0',
        '0.0',
        'false',
        'ok',
        'success',
        'approved'
      )
      THEN NULL
      ELSE CASE
        WHEN landed._is_regular
        THEN landed.errors
        ELSE NULLIF(TRIM(landed.errors), '')
      END
    END AS errors,
    landed.id AS landed_id,
    landed.date AS landed_date,
    landed.client_id AS landed_client_id,
    landed.card_id AS landed_card_id,
    landed.amount AS landed_amount,
    landed.use_chip AS landed_use_chip,
    landed.merchant_id AS landed_merchant_id,
    landed.merchant_city AS landed_merchant_city,
    landed.merchant_state AS landed_merchant_state,
    landed.zip AS landed_zip,
    landed.mcc AS landed_mcc,
    landed.errors AS landed_errors,
    landed._is_regular,
    landed._file_id,
    landed._line_number,
    landed.id AS written_key
  FROM raw.transactions AS landed
  WHERE {rows}
)
SELECT
  COALESCE(CAST(transaction_id AS TEXT), written_key) AS key,
  CAST(CASE
    WHEN _is_regular AND OCTET_LENGTH(landed_amount) <= 10
    THEN NULL
    WHEN transaction_id IS NULL
    THEN 'id is not a whole number'
    WHEN transacted_at IS NULL
    THEN 'date is not YYYY-MM-DD HH:MM:SS'
    WHEN transacted_at < CAST('2000-01-01' AS TIMESTAMP)
    THEN 'date is before 2000'
    WHEN client_id IS NULL
    THEN 'client_id is not a whole number'
    WHEN card_id IS NULL
    THEN 'card_id is not a whole number'
    WHEN merchant_id IS NULL
    THEN 'merchant_id is not a whole number'
    WHEN mcc IS NULL
    THEN 'mcc is not a whole number'
    WHEN amount IS NULL
    THEN 'amount is not written like $-77.00'
    WHEN NOT amount BETWEEN -1000000 AND 1000000
    THEN 'amount is beyond what is plausible'
    WHEN channel IS NULL
    THEN 'use_chip is none of the three known'
    WHEN zip IS NULL AND landed_zip <> ''
    THEN 'zip is not a ZIP code'
  END AS TEXT) AS row_fault,
  _file_id,
  _line_number
FROM typed AS typed
