MODEL (
  name staging.stg_transactions,
  kind VIEW,
  description 'One row per landed transaction row, typed. A row that cannot become a fact says why in row_fault; whether its client, card and MCC exist is asked later, against the dimensions.',
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
    @cast_or_null(landed.id, 'bigint', landed._is_regular) AS transaction_id,
    @moment(landed.date, landed._is_regular) AS transacted_at,
    @cast_or_null(landed.client_id, 'int', landed._is_regular) AS client_id,
    @cast_or_null(landed.card_id, 'int', landed._is_regular) AS card_id,
    @cast_or_null(landed.merchant_id, 'int', landed._is_regular) AS merchant_id,
    @cast_or_null(landed.mcc, 'int', landed._is_regular) AS mcc,
    @dollars(landed.amount, landed._is_regular) AS amount,
    CASE landed.use_chip
      WHEN 'Swipe Transaction'
      THEN 'swipe'
      WHEN 'Chip Transaction'
      THEN 'chip'
      WHEN 'Online Transaction'
      THEN 'online'
    END AS channel,
    @blank_to_null(landed.merchant_city, landed._is_regular) AS merchant_city,
    @blank_to_null(landed.merchant_state, landed._is_regular) AS merchant_state,
    @zip_code(landed.zip, landed._is_regular) AS zip,
    @error_text(landed.errors, landed._is_regular) AS errors,
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
    newer._line_number AS superseding_line,
    landed._file_id,
    landed._line_number,
    landed._loaded_at
  FROM raw.transactions AS landed
  LEFT JOIN raw.superseded_rows AS newer
    ON newer.relation = 'transactions'
    AND newer._file_id = landed._file_id
    AND newer._line_number = landed._line_number
)
SELECT
  transaction_id::BIGINT, /* The transaction, as the issuer numbers it */
  transacted_at::TIMESTAMP, /* Local time of the purchase, in whole minutes; no time zone is known */
  transacted_at::DATE AS transacted_on, /* Its day */
  client_id::INT, /* The cardholder */
  card_id::INT, /* The card */
  merchant_id::INT, /* The merchant; one merchant may stand in many cities */
  mcc::INT, /* Merchant category code */
  amount::DECIMAL(12, 2), /* US dollars, refunds negative */
  channel::TEXT, /* swipe, chip or online */
  merchant_city::TEXT, /* City, or ONLINE */
  merchant_state::TEXT, /* US state code, or a country, as published; NULL online */
  zip::TEXT, /* Five digits, leading zeros restored; NULL online and abroad */
  errors::TEXT, /* What went wrong, comma-joined; NULL for none */
  CASE
    WHEN NOT superseding_line IS NULL
    THEN 'duplicate id: another row of it counts'
    WHEN _is_regular AND @is_plausible_as_written(landed_amount)
    THEN NULL
    WHEN transaction_id IS NULL
    THEN 'id is not a whole number'
    WHEN transacted_at IS NULL
    THEN 'date is not YYYY-MM-DD HH:MM:SS'
    WHEN transacted_at < '2000-01-01'::TIMESTAMP
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
    WHEN NOT @is_plausible(amount)
    THEN 'amount is beyond what is plausible'
    WHEN channel IS NULL
    THEN 'use_chip is none of the three known'
    WHEN zip IS NULL AND landed_zip <> ''
    THEN 'zip is not a ZIP code'
  END::TEXT AS row_fault, /* Why the row cannot become a fact; NULL for a sound row */
  landed_id::TEXT, /* As landed */
  landed_date::TEXT, /* As landed: text that sorts like the date, by which PostgreSQL finds a day without reading all */
  landed_client_id::TEXT, /* As landed */
  landed_card_id::TEXT, /* As landed */
  landed_amount::TEXT, /* As landed */
  landed_use_chip::TEXT, /* As landed */
  landed_merchant_id::TEXT, /* As landed */
  landed_merchant_city::TEXT, /* As landed */
  landed_merchant_state::TEXT, /* As landed */
  landed_zip::TEXT, /* As landed: a number with decimals, leading zeros lost */
  landed_mcc::TEXT, /* As landed */
  landed_errors::TEXT, /* As landed */
  _file_id::BIGINT, /* The landed file */
  _line_number::BIGINT, /* The line in it */
  _loaded_at::TIMESTAMPTZ /* When it landed */
FROM typed
