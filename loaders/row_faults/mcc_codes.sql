-- Made from models/staging/stg_mcc_codes.sql by `python -m tests.loaders.staging`; do not edit.
WITH typed AS (
  SELECT
    CASE
      WHEN TRANSLATE(landed.mcc, '0123456789', '') = ''
      OR (
        TRANSLATE(landed.mcc, '0123456789', '') = '-' AND NOT landed.mcc LIKE '-0%'
      )
      THEN CASE WHEN PG_INPUT_IS_VALID(landed.mcc, 'int') THEN CAST(landed.mcc AS INT) END
    END AS mcc,
    NULLIF(TRIM(landed.description), '') AS mcc_description,
    landed._file_id,
    landed._line_number,
    landed.mcc AS written_key
  FROM raw.mcc_codes AS landed
  WHERE {rows}
)
SELECT
  COALESCE(CAST(mcc AS TEXT), written_key) AS key,
  CAST(CASE
    WHEN mcc IS NULL
    THEN 'the code is not a whole number'
    WHEN mcc_description IS NULL
    THEN 'the description is empty'
  END AS TEXT) AS row_fault,
  _file_id,
  _line_number
FROM typed AS typed
