MODEL (
  name staging.stg_fraud_labels,
  kind VIEW,
  description 'One row per landed fraud label. About a third of all transactions has none: unlabelled is unknown, never legitimate. row_fault says why a row cannot become a fact.',
  grain (_file_id, _line_number),
  tags (
    staging
  ),
  ignored_rules (
    'nomissingaudits'
  )
);

/* No audits: rows are looked at one by one downstream (raw = facts + quarantine), and an audit here would read all again. */
WITH typed AS (
  SELECT
    @cast_or_null(landed.transaction_id, 'bigint', landed._is_regular) AS transaction_id,
    CASE landed.is_fraud WHEN 'Yes' THEN TRUE WHEN 'No' THEN FALSE END AS is_fraud,
    landed._is_regular,
    newer._line_number AS superseding_line,
    landed._file_id,
    landed._line_number,
    landed._loaded_at
  FROM raw.fraud_labels AS landed
  LEFT JOIN raw.superseded_rows AS newer
    ON newer.relation = 'fraud_labels'
    AND newer._file_id = landed._file_id
    AND newer._line_number = landed._line_number
)
SELECT
  transaction_id::BIGINT, /* The transaction, which may not have landed yet */
  is_fraud::BOOLEAN, /* Whether it was fraud */
  CASE
    WHEN NOT superseding_line IS NULL
    THEN 'duplicate id: another row of it counts'
    WHEN _is_regular
    THEN NULL
    WHEN transaction_id IS NULL
    THEN 'the transaction id is not a whole number'
    WHEN is_fraud IS NULL
    THEN 'the label is neither Yes nor No'
  END::TEXT AS row_fault, /* Why the row cannot become a fact; NULL for a sound row */
  _file_id::BIGINT, /* The landed file */
  _line_number::BIGINT, /* The entry in it */
  _loaded_at::TIMESTAMPTZ /* When it landed */
FROM typed
