MODEL (
  name features.rule_hits,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_on,
    lookback 2
  ),
  description 'One row per transaction and rule of seeds.fraud_rules that it hits, on every day of the data, also before a rule was in force and after it was retired: so that it can be back-tested.',
  grain (transaction_id, rule_name),
  depends_on (
    facts.fct_outcomes
  ),
  references (transaction_id, rule_name),
  tags (
    feature
  ),
  audits (
    not_null(
      columns := (transaction_id, rule_name, transacted_on, weight, action, is_in_force, reason)
    ),
    rules_hit_known_transactions
  )
);

SELECT
  features.transaction_id::BIGINT, /* The transaction */
  rules.rule_name::TEXT, /* The rule that it hits */
  features.transacted_on::DATE, /* Its day */
  rules.weight::INT, /* What the hit adds to the score */
  rules.action::TEXT, /* review, call or block */
  @is_in_force(rules, features.transacted_on)::BOOLEAN AS is_in_force, /* Whether the rule was in force that day: only then it raises an alert */
  @reason_in_words(rules.reason, features)::TEXT AS reason /* Why, in words an investigator reads */
FROM features.transaction_features AS features
JOIN seeds.fraud_rules AS rules
  ON @rule_is_hit(rules, features)
WHERE
  @in_range(features.transacted_on);

@primary_key(transaction_id, rule_name);

@index(transacted_on)
