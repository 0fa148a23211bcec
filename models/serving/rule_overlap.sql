MODEL (
  name serving.rule_overlap,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month, rule with alerts and what else hit: each other rule that hit some of the same transactions, all for every alert of the rule, and none for the alerts that no other rule in force hit: what would be lost without the rule. Labels are those of now; unlabelled alerts are unknown. Rules count while they are in force.',
  grain (month_start, rule_name, other_rule_name),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        month_start,
        rule_name,
        other_rule_name,
        alert_count,
        labelled_alert_count,
        fraud_alert_count,
        value_caught
      )
    ),
    unique_combination_of_columns(columns := (month_start, rule_name, other_rule_name)),
    sums_agree(
      parent := serving.fraud_alerts,
      over := months,
      day := month_start,
      sums := (
        SUM(alert_count) FILTER(WHERE
          other_rule_name = 'all') = SUM(rule_count),
        SUM(alert_count) FILTER(WHERE
          other_rule_name = 'none') = COUNT(*) FILTER(WHERE
          rule_count = 1),
        SUM(fraud_alert_count) FILTER(WHERE
          other_rule_name = 'all') = SUM(rule_count) FILTER(WHERE
          is_fraud)
      )
    )
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH hits AS (
  SELECT
    transaction_id,
    rule_name
  FROM features.rule_hits
  WHERE
    is_in_force AND @in_months_of_range(transacted_on)
), alerts AS (
  SELECT
    alerts.transaction_id,
    alerts.rule_count,
    outcomes.month_start,
    outcomes.purchase_cents,
    outcomes.is_fraud
  FROM serving.fraud_alerts AS alerts
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transaction_id = alerts.transaction_id
  WHERE
    @in_months_of_range(alerts.transacted_on)
    AND @in_months_of_range(outcomes.transacted_on)
), overlaps AS (
  SELECT
    transaction_id,
    rule_name,
    'all' AS other_rule_name
  FROM hits
  UNION ALL
  SELECT
    hits.transaction_id,
    hits.rule_name,
    'none' AS other_rule_name
  FROM hits
  JOIN alerts
    ON alerts.transaction_id = hits.transaction_id
  WHERE
    alerts.rule_count = 1
  UNION ALL
  SELECT
    hits.transaction_id,
    hits.rule_name,
    others.rule_name AS other_rule_name
  FROM hits
  JOIN hits AS others
    ON others.transaction_id = hits.transaction_id
    AND others.rule_name <> hits.rule_name
), summed AS (
  SELECT
    alerts.month_start,
    overlaps.rule_name,
    overlaps.other_rule_name,
    COUNT(*) AS alert_count,
    @labelled_count(of := alerts) AS labelled_alert_count,
    @fraud_count(of := alerts) AS fraud_alert_count,
    @fraud_loss_cents(of := alerts) AS caught_cents,
    @legitimate_purchase_cents(of := alerts) AS disturbed_cents
  FROM overlaps
  JOIN alerts
    ON alerts.transaction_id = overlaps.transaction_id
  GROUP BY
    alerts.month_start,
    overlaps.rule_name,
    overlaps.other_rule_name
)
SELECT
  month_start::DATE, /* First day of the month */
  rule_name::TEXT, /* The rule */
  other_rule_name::TEXT, /* Another rule, all for every alert of the rule, or none for those that no other rule hit */
  alert_count::BIGINT, /* Transactions that both rules hit while in force; for all and none, the rule alone */
  @basis_points(
    alert_count,
    MAX(alert_count) FILTER(WHERE
      other_rule_name = 'all') OVER (PARTITION BY month_start, rule_name)
  )::DECIMAL(18, 2) AS share_bp, /* Basis points of all alerts of the rule in the month */
  labelled_alert_count::BIGINT, /* Of these alerts, with a label */
  fraud_alert_count::BIGINT, /* Of these, fraud */
  @basis_points(fraud_alert_count, labelled_alert_count)::DECIMAL(18, 2) AS precision_bp, /* Fraud by labelled alerts, basis points; NULL where none is labelled */
  @rate_low(fraud_alert_count, labelled_alert_count)::DECIMAL(18, 2) AS precision_low_bp, /* Lower end of the 95 % interval (Wilson) of precision_bp; NULL where none is labelled */
  @rate_high(fraud_alert_count, labelled_alert_count)::DECIMAL(18, 2) AS precision_high_bp, /* Upper end of the same interval */
  @dollars_of(caught_cents)::DECIMAL(18, 2) AS value_caught, /* US dollars of approved purchases labelled as fraud among these alerts, gross as in serving.rule_performance; for none, what only this rule catches */
  @dollars_of(disturbed_cents)::DECIMAL(18, 2) AS value_of_false_positives /* US dollars of approved purchases labelled as no fraud among these alerts */
FROM summed;

@primary_key(month_start, rule_name, other_rule_name)
