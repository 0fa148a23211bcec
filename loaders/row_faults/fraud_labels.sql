-- Made from models/staging/stg_fraud_labels.sql by `python -m tests.loaders.staging`; do not edit.
WITH typed AS (
  SELECT
    CASE
      WHEN (
        landed._is_regular
        OR (
          TRANSLATE(landed.transaction_id, '0123456789', '') = ''
          OR (
            TRANSLATE(landed.transaction_id, '0123456789', '') = '-'
            AND NOT landed.transaction_id LIKE '-0%'
          )
        )
      )
      THEN CASE
        WHEN (
          landed._is_regular OR (
            PG_INPUT_IS_VALID(landed.transaction_id, 'bigint')
          )
        )
        THEN CAST(landed.transaction_id AS BIGINT)
      END
    END AS transaction_id,
    CASE landed.is_fraud WHEN 'Yes' THEN TRUE WHEN 'No' THEN FALSE END AS is_fraud,
    landed._is_regular,
    landed._file_id,
    landed._line_number,
    landed.transaction_id AS written_key
  FROM raw.fraud_labels AS landed
  WHERE {rows}
)
SELECT
  COALESCE(CAST(transaction_id AS TEXT), written_key) AS key,
  CAST(CASE
    WHEN _is_regular
    THEN NULL
    WHEN transaction_id IS NULL
    THEN 'the transaction id is not a whole number'
    WHEN is_fraud IS NULL
    THEN 'the label is neither Yes nor No'
  END AS TEXT) AS row_fault,
  _file_id,
  _line_number
FROM typed AS typed
