MODEL (
  name staging.stg_decisions,
  kind VIEW,
  description 'One row per decision of an investigator on an alert. A correction is a row of its own. desk.decide has checked each before it was written, so none has a fault.',
  grain decision_id,
  tags (
    staging
  ),
  ignored_rules (
    'nomissingaudits'
  )
);

SELECT
  decision_id::BIGINT, /* The decision; a later one has a larger number */
  decided_at::TIMESTAMPTZ, /* When it was made: from then on it counts */
  decided_by::TEXT, /* The login that made it */
  transaction_id::BIGINT, /* The transaction that had the alert */
  transacted_at::TIMESTAMP, /* Its minute, as it was then */
  card_id::INT, /* Its card, as it was then */
  score::INT, /* Of the alert, as it was then */
  rule_names::TEXT, /* The rules that had hit, by weight */
  rules::TEXT AS rules_then, /* Their rows of seeds.fraud_rules as they were then, as JSON */
  decision::TEXT, /* fraud, not fraud, or undecided */
  CASE decision WHEN 'fraud' THEN TRUE WHEN 'not fraud' THEN FALSE END::BOOLEAN AS is_fraud_reviewed, /* The same as a boolean; NULL while undecided */
  assigned_to::TEXT, /* The login that works on the alert; NULL for none */
  note::TEXT /* In the words of the investigator */
FROM desk.decisions
