MODEL (
  name serving.data_freshness,
  kind VIEW,
  description 'One row per relation that files land in: what has landed, when, and how far the transactions reach. A view, so that it is of this moment.',
  grain relation_name,
  tags (
    serving
  ),
  audits (
    not_null(columns := (relation_name, file_count, rows_loaded, rows_rejected)),
    unique_values(columns := (
      relation_name
    ))
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH landed AS (
  SELECT
    relation,
    COUNT(*) AS file_count,
    SUM(rows_loaded) AS rows_loaded,
    SUM(rows_rejected) AS rows_rejected,
    MAX(ended_at) AS last_landed_at
  FROM ops.load_files
  GROUP BY
    relation
), last_days AS (
  SELECT
    'transactions' AS relation,
    MAX(transacted_on) AS last_transaction_on,
    NULL::DATE AS last_fraud_on
  FROM facts.fct_outcomes
  UNION ALL
  SELECT
    'fraud_labels' AS relation,
    MAX(transacted_on) AS last_transaction_on,
    (
      SELECT
        MAX(transacted_on)
      FROM facts.fct_outcomes
      WHERE
        is_fraud
    ) AS last_fraud_on /* One maximum a query: each is found at the end of an index */
  FROM facts.fct_outcomes
  WHERE
    NOT is_fraud IS NULL
)
SELECT
  landed.relation::TEXT AS relation_name, /* The relation of raw */
  landed.file_count::BIGINT, /* Files landed */
  landed.rows_loaded::BIGINT, /* Rows taken from them */
  landed.rows_rejected::BIGINT, /* Rows refused: see ops.rejected_rows */
  landed.last_landed_at::TIMESTAMPTZ, /* When the last file landed */
  last_days.last_transaction_on::DATE, /* Transactions: the last day there is. Labels: the last day with a labelled transaction. NULL for others */
  last_days.last_fraud_on::DATE /* Labels: the last day with a transaction labelled as fraud; days after it look free of fraud. NULL for others */
FROM landed
LEFT JOIN last_days
  ON last_days.relation = landed.relation
