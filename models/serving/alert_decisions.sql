MODEL (
  name serving.alert_decisions,
  kind VIEW,
  description 'One row per decision of an investigator on an alert, all of them: is_current marks the one that counts. is_fraud_reviewed is beside is_fraud and never in its place. A view, so that a decision is seen at once.',
  grain decision_id,
  references (transaction_id, card_id),
  tags (serving, fraud, labelled),
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
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  decisions.decision_id::BIGINT, /* The decision; a later one has a larger number */
  decisions.decided_at::TIMESTAMPTZ, /* When it was made: from then on it counts */
  decisions.superseded_at::TIMESTAMPTZ, /* When the next one on the same transaction was made; NULL while it counts */
  decisions.is_current::BOOLEAN, /* Whether it is the last one on its transaction */
  decisions.decided_by::TEXT, /* The login that made it */
  decisions.transaction_id::BIGINT, /* The transaction that had the alert */
  decisions.transacted_at::TIMESTAMP, /* Its minute, as it was then */
  decisions.card_id::INT, /* Its card: join on it too, because other data may have the same transaction number */
  decisions.score::INT, /* Of the alert, as it was then */
  decisions.rule_names::TEXT, /* The rules that had hit, by weight */
  decisions.rules_then::TEXT, /* Their rows of seeds.fraud_rules as they were then, as JSON */
  decisions.decision::TEXT, /* fraud, not fraud, or undecided */
  decisions.is_fraud_reviewed::BOOLEAN, /* The same as a boolean; NULL while undecided */
  outcomes.is_fraud::BOOLEAN, /* What the label says by now; NULL where there is none, or no such transaction any more */
  decisions.assigned_to::TEXT, /* The login that works on the alert; NULL for none */
  decisions.note::TEXT /* In the words of the investigator */
FROM facts.fct_decisions AS decisions
LEFT JOIN facts.fct_outcomes AS outcomes
  ON outcomes.transaction_id = decisions.transaction_id
  AND outcomes.card_id = decisions.card_id
