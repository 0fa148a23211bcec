MODEL (
  name staging.stg_mcc_codes,
  kind VIEW,
  description 'One row per landed merchant category code. Two codes may share one description: join on the code. row_fault says why a row cannot become a dimension row.',
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
    @cast_or_null(landed.mcc, 'int') AS mcc,
    @blank_to_null(landed.description) AS mcc_description,
    newer._line_number AS superseding_line,
    landed._file_id,
    landed._line_number,
    landed._loaded_at
  FROM raw.mcc_codes AS landed
  LEFT JOIN raw.superseded_rows AS newer
    ON newer.relation = 'mcc_codes'
    AND newer._file_id = landed._file_id
    AND newer._line_number = landed._line_number
)
SELECT
  mcc::INT, /* Merchant category code */
  mcc_description::TEXT, /* What the code stands for, as published */
  CASE
    WHEN NOT superseding_line IS NULL
    THEN 'duplicate code: another row of it counts'
    WHEN mcc IS NULL
    THEN 'the code is not a whole number'
    WHEN mcc_description IS NULL
    THEN 'the description is empty'
  END::TEXT AS row_fault, /* Why the row cannot become a dimension row; NULL for a sound row */
  _file_id::BIGINT, /* The landed file */
  _line_number::BIGINT, /* The line in it */
  _loaded_at::TIMESTAMPTZ /* When it landed */
FROM typed
