MODEL (
  name serving.fraud_rules,
  kind VIEW,
  description 'One row per fraud rule of the seed, with all that it asks for, so that a reason can be understood and a change can be tried (desk.what_if).',
  grain rule_name,
  tags (serving, fraud),
  audits (
    not_null(columns := (rule_name, weight, action, valid_from_date, reason, cells)),
    unique_values(columns := (
      rule_name
    ))
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  rules.rule_name::TEXT, /* The rule */
  rules.weight::INT, /* What a hit adds to the score */
  rules.action::TEXT, /* review, call or block */
  rules.valid_from_date::DATE, /* First day on which it raises alerts */
  rules.valid_until_date::DATE, /* First day on which it no longer does; NULL while in force */
  rules.channel::TEXT, /* online, or present for the card present; NULL for both */
  COALESCE(rules.kinds, 'purchase')::TEXT AS kinds, /* Which transactions it looks at */
  rules.reason::TEXT, /* In words, with features in braces */
  @rule_as_text(rules)::TEXT AS cells /* All cells of its row of the seed, one line each, name=value */
FROM seeds.fraud_rules AS rules
