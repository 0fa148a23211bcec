MODEL (
  name seeds.fraud_rules,
  kind SEED (
    path '$root/seeds/fraud_rules.csv'
  ),
  description 'One row per fraud rule: which kinds of transactions it looks at, what it asks for, its weight, and the reason an investigator reads. An empty cell asks for nothing. Edit, plan dev, and compare serving.rule_performance: see docs/cookbook.md. A rule without any limit would hit everything: at least one is asked for.',
  @rule_columns() /* Of macros/fraud_rules.py, which says what a rule may ask for */,
  @rule_column_descriptions(),
  grain rule_name,
  tags (
    seed
  ),
  audits (
    not_null(columns := (rule_name, weight, action, valid_from_date, reason)),
    unique_values(columns := (
      rule_name
    )),
    accepted_values(column := action, is_in := ('review', 'call', 'block')),
    accepted_range(column := weight, min_v := 1, max_v := 100),
    rules_ask_for_something
  )
)
