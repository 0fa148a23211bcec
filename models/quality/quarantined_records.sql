MODEL (
  name quality.quarantined_records,
  kind FULL,
  description 'One row per landed user, card, category or label that is in no dimension or fact, with the reason: orphans (cards of no known user), duplicates and faulty rows. For transactions see quarantined_transactions.',
  grain (relation, _file_id, _line_number),
  depends_on (
    dimensions.dim_cards,
    dimensions.dim_mcc,
    raw.users,
    raw.cards,
    raw.mcc_codes,
    raw.fraud_labels
  ),
  tags (
    quality
  ),
  audits (
    not_null(columns := (relation, reason, _file_id, _line_number)),
    records_are_accounted_for
  )
);

/* Labels are many: only where the fact holds fewer than landed is each looked at. What depends_on names beside the query's
   own tables, the audit counts. */
WITH landed_labels AS (
  SELECT
    COUNT(*) AS row_count
  FROM staging.stg_fraud_labels
), label_facts AS (
  SELECT
    COUNT(*) AS row_count
  FROM facts.fct_fraud_labels
), faulty AS (
  SELECT
    'users' AS relation,
    client_id AS record_id,
    row_fault AS reason,
    _file_id,
    _line_number
  FROM staging.stg_users
  UNION ALL
  SELECT
    'cards' AS relation,
    cards.card_id AS record_id,
    CASE
      WHEN NOT cards.row_fault IS NULL
      THEN cards.row_fault
      WHEN clients.client_id IS NULL
      THEN 'client_id is of no known user'
    END AS reason,
    cards._file_id,
    cards._line_number
  FROM staging.stg_cards AS cards
  LEFT JOIN dimensions.dim_users AS clients
    ON clients.client_id = cards.client_id
  UNION ALL
  SELECT
    'mcc_codes' AS relation,
    mcc AS record_id,
    row_fault AS reason,
    _file_id,
    _line_number
  FROM staging.stg_mcc_codes
  UNION ALL
  SELECT
    'fraud_labels' AS relation,
    transaction_id AS record_id,
    row_fault AS reason,
    _file_id,
    _line_number
  FROM staging.stg_fraud_labels
  WHERE
    (
      SELECT
        row_count
      FROM landed_labels
    ) <> (
      SELECT
        row_count
      FROM label_facts
    )
)
SELECT
  relation::TEXT, /* The raw relation it is in */
  record_id::BIGINT, /* Its key; NULL where that is not a number */
  reason::TEXT, /* Why it is here */
  _file_id::BIGINT, /* The landed file */
  _line_number::BIGINT /* The line in it */
FROM faulty
WHERE
  NOT reason IS NULL;

@primary_key(relation, _file_id, _line_number)
