MODEL (
  name facts.fct_decisions,
  kind VIEW,
  description 'One row per decision on an alert, with the time in which it counted: what was known at a moment are the rows decided by then and not yet superseded. A view, so that a decision is seen at once.',
  grain decision_id,
  references (transaction_id, card_id),
  tags (
    fact
  ),
  audits (
    not_null(
      columns := (
        decision_id,
        decided_at,
        decided_by,
        transaction_id,
        card_id,
        decision,
        is_current
      )
    ),
    unique_values(columns := (
      decision_id
    ))
  )
);

WITH in_order AS (
  SELECT
    decision_id,
    decided_at,
    LEAD(decided_at) OVER (PARTITION BY transaction_id, card_id ORDER BY decision_id) AS superseded_at,
    decided_by,
    transaction_id,
    transacted_at,
    card_id,
    score,
    rule_names,
    rules_then,
    decision,
    is_fraud_reviewed,
    assigned_to,
    note
  FROM staging.stg_decisions
)
SELECT
  decision_id::BIGINT, /* The decision; a later one has a larger number */
  decided_at::TIMESTAMPTZ, /* When it was made: from then on it counts */
  superseded_at::TIMESTAMPTZ, /* When the next one on the same transaction was made; NULL while it counts */
  (
    superseded_at IS NULL
  )::BOOLEAN AS is_current, /* Whether it is the last one on its transaction */
  decided_by::TEXT, /* The login that made it */
  transaction_id::BIGINT, /* The transaction that had the alert */
  transacted_at::TIMESTAMP, /* Its minute, as it was then */
  card_id::INT, /* Its card: a transaction of other data with the same number is another one */
  score::INT, /* Of the alert, as it was then */
  rule_names::TEXT, /* The rules that had hit, by weight */
  rules_then::TEXT, /* Their rows of seeds.fraud_rules as they were then, as JSON */
  decision::TEXT, /* fraud, not fraud, or undecided */
  is_fraud_reviewed::BOOLEAN, /* The same as a boolean; NULL while undecided */
  assigned_to::TEXT, /* The login that works on the alert; NULL for none */
  note::TEXT /* In the words of the investigator */
FROM in_order
