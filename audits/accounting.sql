AUDIT (
  name transactions_are_accounted_for,
  dialect postgres
);

/* Every landed row of the processed days is a fact or in quarantine, and none is both. A row of a day that was not over waits
   in quarantine under 2000-01-01. When its day is over, it is either a fact already or not built yet: so it may be missing
   among the rows of its day. */
WITH landed AS (
  SELECT
    COUNT(*) AS row_count
  FROM staging.stg_transactions
  WHERE
    @landed_in_range(landed_date, transacted_at)
), facts AS (
  SELECT
    COUNT(*) AS row_count
  FROM facts.fct_transactions
  WHERE
    transacted_on BETWEEN @start_ds::DATE AND @end_ds::DATE
), quarantined AS (
  SELECT
    COUNT(*) AS row_count
  FROM @this_model
  WHERE
    @landed_in_range(landed_date, @moment(landed_date))
), waiting AS (
  SELECT
    COUNT(*) AS row_count
  FROM @whole_model()
  WHERE
    reason = 'the day is not over yet'
    AND NOT quarantined_on BETWEEN @start_ds::DATE AND @end_ds::DATE
    AND @landed_in_range(landed_date, @moment(landed_date))
)
SELECT
  landed.row_count AS landed_rows,
  facts.row_count AS fact_rows,
  quarantined.row_count AS quarantined_rows,
  waiting.row_count AS waiting_rows
FROM landed
CROSS JOIN facts
CROSS JOIN quarantined
CROSS JOIN waiting
WHERE
  NOT landed.row_count BETWEEN facts.row_count + quarantined.row_count AND facts.row_count + quarantined.row_count + waiting.row_count;

AUDIT (
  name records_are_accounted_for,
  dialect postgres
);

/* Every landed user, card, category and label is in its dimension or fact, or in quarantine. */
WITH landed AS (
  SELECT
    'users' AS relation,
    COUNT(*) AS row_count
  FROM raw.users
  UNION ALL
  SELECT
    'cards' AS relation,
    COUNT(*) AS row_count
  FROM raw.cards
  UNION ALL
  SELECT
    'mcc_codes' AS relation,
    COUNT(*) AS row_count
  FROM raw.mcc_codes
  UNION ALL
  SELECT
    'fraud_labels' AS relation,
    COUNT(*) AS row_count
  FROM raw.fraud_labels
), arrived AS (
  SELECT
    'users' AS relation,
    COUNT(*) AS row_count
  FROM dimensions.dim_users
  UNION ALL
  SELECT
    'cards' AS relation,
    COUNT(*) AS row_count
  FROM dimensions.dim_cards
  UNION ALL
  SELECT
    'mcc_codes' AS relation,
    COUNT(*) AS row_count
  FROM dimensions.dim_mcc
  UNION ALL
  SELECT
    'fraud_labels' AS relation,
    COUNT(*) AS row_count
  FROM facts.fct_fraud_labels
  UNION ALL
  SELECT
    relation,
    COUNT(*) AS row_count
  FROM @this_model
  GROUP BY
    relation
), arrived_by_relation AS (
  SELECT
    relation,
    SUM(row_count) AS row_count
  FROM arrived
  GROUP BY
    relation
)
SELECT
  landed.relation,
  landed.row_count AS landed_rows,
  arrived_by_relation.row_count AS arrived_rows
FROM landed
JOIN arrived_by_relation
  ON arrived_by_relation.relation = landed.relation
WHERE
  landed.row_count IS DISTINCT FROM arrived_by_relation.row_count
