MODEL (
  name serving.fraud_alerts,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_on,
    lookback 2
  ),
  description 'One row per transaction that a rule in force hit, of the kinds that the rule looks at, with the rules, the score and the reasons in words. is_fraud is what the label says by now, not what was known then.',
  grain transaction_id,
  references (client_id, card_id, merchant_id, mcc),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (transaction_id, transacted_on, score, rule_count, rule_names, reasons, action)
    ),
    sums_agree(
      parent := features.rule_hits,
      over := days,
      sums := (
        COUNT(*) = COUNT(DISTINCT transaction_id) FILTER(WHERE
          is_in_force),
        SUM(rule_count) = COUNT(*) FILTER(WHERE
          is_in_force),
        SUM(score) = SUM(weight) FILTER(WHERE
          is_in_force)
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH hits AS (
  SELECT
    transaction_id,
    SUM(weight) AS score,
    COUNT(*) AS rule_count,
    @joined_text(rule_name, ', ', -weight, rule_name) AS rule_names,
    @joined_text(reason, '; ', -weight, rule_name) AS reasons,
    MAX(CASE action WHEN 'block' THEN 3 WHEN 'call' THEN 2 ELSE 1 END) AS action_rank
  FROM features.rule_hits
  WHERE
    is_in_force AND @in_range(transacted_on)
  GROUP BY
    transaction_id
)
SELECT
  outcomes.transaction_id::BIGINT, /* The transaction */
  outcomes.transacted_at::TIMESTAMP, /* Its minute, local time */
  outcomes.transacted_on::DATE, /* Its day */
  outcomes.client_id::INT, /* The cardholder */
  outcomes.card_id::INT, /* The card */
  outcomes.merchant_id::INT, /* The merchant */
  outcomes.mcc::INT, /* Merchant category code */
  outcomes.channel::TEXT, /* swipe, chip or online */
  outcomes.place::TEXT, /* US state code, country, NO PLACE, or UNKNOWN */
  @dollars_of(outcomes.amount_cents)::DECIMAL(18, 2) AS amount, /* US dollars, refunds negative */
  outcomes.is_approved::BOOLEAN, /* Whether it went through all the same */
  @kind_of(outcomes)::TEXT AS transaction_kind, /* purchase, if approved; declined, a purchase that was not; refund; check of zero dollars: a rule says which it looks at */
  hits.score::INT, /* Sum of the weights of the rules */
  hits.rule_count::INT, /* How many rules hit */
  hits.rule_names::TEXT, /* Which, by weight */
  hits.reasons::TEXT, /* Why, in words, in the same order */
  CASE hits.action_rank WHEN 3 THEN 'block' WHEN 2 THEN 'call' ELSE 'review' END::TEXT AS action, /* The strongest action that a rule asks for */
  outcomes.is_fraud::BOOLEAN /* What the label says by now; NULL where there is none: unknown, not legitimate */
FROM hits
JOIN facts.fct_outcomes AS outcomes
  ON outcomes.transaction_id = hits.transaction_id
WHERE
  @in_range(outcomes.transacted_on);

@primary_key(transaction_id);

@index(transacted_on, score);

@index(card_id, transacted_on);

@index(client_id, transacted_on)
