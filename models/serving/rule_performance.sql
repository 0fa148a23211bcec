MODEL (
  name serving.rule_performance,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and what is measured: each rule (in force or not), the whole score at each threshold, the 100 cards a day with the highest scores, and, where there is a scorecard, the same of its score. A back-test on labels as they are by now. Unlabelled alerts are unknown: precision divides by labelled alerts. Read it by month or era; years on which rules were chosen prove nothing.',
  grain (month_start, measured_kind, measured_name),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        month_start,
        measured_kind,
        measured_name,
        alert_count,
        labelled_alert_count,
        fraud_alert_count,
        fraud_count,
        value_caught
      )
    ),
    unique_combination_of_columns(columns := (month_start, measured_kind, measured_name)),
    performance_is_of_the_outcomes
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH kind_totals AS (
  SELECT
    month_start,
    @kind_of(outcomes) AS transaction_kind,
    @labelled_count() AS labelled_count,
    @fraud_count() AS fraud_count,
    @fraud_loss_cents() AS fraud_cents
  FROM facts.fct_outcomes AS outcomes
  WHERE
    @in_months_of_range(transacted_on)
  GROUP BY
    month_start,
    @kind_of(outcomes)
), month_totals AS (
  SELECT
    month_start,
    SUM(labelled_count) AS labelled_count,
    SUM(fraud_count) AS fraud_count,
    SUM(fraud_cents) AS fraud_cents
  FROM kind_totals
  GROUP BY
    month_start
), rule_totals AS (
  SELECT
    kinds.month_start,
    rules.rule_name,
    COALESCE(
      SUM(kinds.labelled_count) FILTER(WHERE
        @looks_at(rules, kinds.transaction_kind)),
      0
    ) AS labelled_count,
    COALESCE(SUM(kinds.fraud_count) FILTER(WHERE
      @looks_at(rules, kinds.transaction_kind)), 0) AS fraud_count,
    SUM(kinds.fraud_cents) FILTER(WHERE
      @looks_at(rules, kinds.transaction_kind)) AS fraud_cents
  FROM kind_totals AS kinds
  CROSS JOIN seeds.fraud_rules AS rules
  GROUP BY
    kinds.month_start,
    rules.rule_name
), rule_alerts AS (
  SELECT
    outcomes.month_start,
    hits.rule_name,
    COUNT(*) AS alert_count,
    @labelled_count(of := outcomes) AS labelled_alert_count,
    @fraud_count(of := outcomes) AS fraud_alert_count,
    @fraud_loss_cents(of := outcomes) AS caught_cents,
    @legitimate_purchase_cents(of := outcomes) AS disturbed_cents
  FROM features.rule_hits AS hits
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transaction_id = hits.transaction_id
    AND outcomes.transacted_on = hits.transacted_on
  WHERE
    @in_months_of_range(hits.transacted_on)
  GROUP BY
    outcomes.month_start,
    hits.rule_name
), score_alerts AS (
  SELECT
    outcomes.month_start,
    thresholds.min_score,
    COUNT(*) AS alert_count,
    @labelled_count(of := outcomes) AS labelled_alert_count,
    @fraud_count(of := outcomes) AS fraud_alert_count,
    @fraud_loss_cents(of := outcomes) AS caught_cents,
    @legitimate_purchase_cents(of := outcomes) AS disturbed_cents
  FROM serving.fraud_alerts AS alerts
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transaction_id = alerts.transaction_id
    AND outcomes.transacted_on = alerts.transacted_on
  JOIN seeds.score_thresholds AS thresholds
    ON alerts.score >= thresholds.min_score
  WHERE
    @in_months_of_range(alerts.transacted_on)
  GROUP BY
    outcomes.month_start,
    thresholds.min_score
), scorecard_months AS (
  SELECT DISTINCT
    month_start
  FROM facts.fct_scorecards
  WHERE
    is_current AND @in_months_of_range(month_start)
), scorecard_alerts AS (
  SELECT
    outcomes.month_start,
    thresholds.min_scorecard_score,
    COUNT(*) AS alert_count,
    @labelled_count(of := outcomes) AS labelled_alert_count,
    @fraud_count(of := outcomes) AS fraud_alert_count,
    @fraud_loss_cents(of := outcomes) AS caught_cents,
    @legitimate_purchase_cents(of := outcomes) AS disturbed_cents
  FROM features.transaction_scores AS scores
  JOIN seeds.scorecard_thresholds AS thresholds
    ON scores.scorecard_score >= thresholds.min_scorecard_score
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transaction_id = scores.transaction_id
    AND outcomes.transacted_on = scores.transacted_on
  WHERE
    @in_months_of_range(scores.transacted_on)
  GROUP BY
    outcomes.month_start,
    thresholds.min_scorecard_score
), card_totals AS (
  SELECT
    month_start,
    COUNT(*) FILTER(WHERE
      is_labelled) AS labelled_count,
    COUNT(*) FILTER(WHERE
      is_defrauded) AS fraud_count
  FROM (
    SELECT
      month_start,
      COUNT(is_fraud) > 0 AS is_labelled,
      COALESCE(BOOL_OR(is_fraud), FALSE) AS is_defrauded
    FROM facts.fct_outcomes
    WHERE
      @in_months_of_range(transacted_on)
    GROUP BY
      month_start,
      transacted_on,
      card_id
  ) AS card_days
  GROUP BY
    month_start
), card_scores AS (
  SELECT
    'cards' AS measured_kind,
    transacted_on,
    card_id,
    MAX(score) AS score
  FROM serving.fraud_alerts
  WHERE
    @in_months_of_range(transacted_on)
  GROUP BY
    transacted_on,
    card_id
  UNION ALL
  SELECT
    'scorecard cards' AS measured_kind,
    transacted_on,
    card_id,
    MAX(scorecard_score) AS score
  FROM features.transaction_scores
  WHERE
    @in_months_of_range(transacted_on)
  GROUP BY
    transacted_on,
    card_id
), ranked_cards AS (
  SELECT
    measured_kind,
    transacted_on,
    card_id,
    ROW_NUMBER() OVER (PARTITION BY measured_kind, transacted_on ORDER BY score DESC, card_id) AS place_of_day
  FROM card_scores
), alerted_card_days AS (
  SELECT
    ranked_cards.measured_kind,
    outcomes.month_start,
    outcomes.transacted_on,
    outcomes.card_id,
    COUNT(outcomes.is_fraud) > 0 AS is_labelled,
    COALESCE(BOOL_OR(outcomes.is_fraud), FALSE) AS is_defrauded,
    @fraud_loss_cents(of := outcomes) AS fraud_cents,
    @legitimate_purchase_cents(of := outcomes) AS sound_cents
  FROM ranked_cards
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transacted_on = ranked_cards.transacted_on
    AND outcomes.card_id = ranked_cards.card_id
  WHERE
    ranked_cards.place_of_day <= 100 AND @in_months_of_range(outcomes.transacted_on)
  GROUP BY
    ranked_cards.measured_kind,
    outcomes.month_start,
    outcomes.transacted_on,
    outcomes.card_id
), card_alerts AS (
  SELECT
    measured_kind,
    month_start,
    COUNT(*) AS alert_count,
    COUNT(*) FILTER(WHERE
      is_labelled) AS labelled_alert_count,
    COUNT(*) FILTER(WHERE
      is_defrauded) AS fraud_alert_count,
    SUM(fraud_cents) AS caught_cents,
    SUM(sound_cents) FILTER(WHERE
      NOT is_defrauded) AS disturbed_cents
  FROM alerted_card_days
  GROUP BY
    measured_kind,
    month_start
), card_kinds AS (
  SELECT
    month_start,
    'cards' AS measured_kind,
    '100 cards a day' AS measured_name,
    TRUE AS is_in_force
  FROM month_totals
  UNION ALL
  SELECT
    month_start,
    'scorecard cards' AS measured_kind,
    '100 cards a day by scorecard' AS measured_name,
    FALSE AS is_in_force
  FROM scorecard_months
), measured AS (
  SELECT
    totals.month_start,
    'rule' AS measured_kind,
    rules.rule_name AS measured_name,
    @is_in_force(rules, totals.month_start) AS is_in_force,
    alerts.alert_count,
    alerts.labelled_alert_count,
    alerts.fraud_alert_count,
    totals.labelled_count,
    totals.fraud_count,
    totals.fraud_cents,
    alerts.caught_cents,
    alerts.disturbed_cents
  FROM rule_totals AS totals
  JOIN seeds.fraud_rules AS rules
    ON rules.rule_name = totals.rule_name
  LEFT JOIN rule_alerts AS alerts
    ON alerts.month_start = totals.month_start AND alerts.rule_name = rules.rule_name
  UNION ALL
  SELECT
    totals.month_start,
    'score' AS measured_kind,
    CONCAT('score >= ', thresholds.min_score::TEXT) AS measured_name,
    TRUE AS is_in_force,
    alerts.alert_count,
    alerts.labelled_alert_count,
    alerts.fraud_alert_count,
    totals.labelled_count,
    totals.fraud_count,
    totals.fraud_cents,
    alerts.caught_cents,
    alerts.disturbed_cents
  FROM month_totals AS totals
  CROSS JOIN seeds.score_thresholds AS thresholds
  LEFT JOIN score_alerts AS alerts
    ON alerts.month_start = totals.month_start
    AND alerts.min_score = thresholds.min_score
  UNION ALL
  SELECT
    totals.month_start,
    'scorecard' AS measured_kind,
    CONCAT('scorecard >= ', thresholds.min_scorecard_score::TEXT) AS measured_name,
    FALSE AS is_in_force,
    alerts.alert_count,
    alerts.labelled_alert_count,
    alerts.fraud_alert_count,
    totals.labelled_count,
    totals.fraud_count,
    totals.fraud_cents,
    alerts.caught_cents,
    alerts.disturbed_cents
  FROM month_totals AS totals
  JOIN scorecard_months
    ON scorecard_months.month_start = totals.month_start
  CROSS JOIN seeds.scorecard_thresholds AS thresholds
  LEFT JOIN scorecard_alerts AS alerts
    ON alerts.month_start = totals.month_start
    AND alerts.min_scorecard_score = thresholds.min_scorecard_score
  UNION ALL
  SELECT
    totals.month_start,
    kinds.measured_kind,
    kinds.measured_name,
    kinds.is_in_force,
    alerts.alert_count,
    alerts.labelled_alert_count,
    alerts.fraud_alert_count,
    card_totals.labelled_count,
    card_totals.fraud_count,
    totals.fraud_cents,
    alerts.caught_cents,
    alerts.disturbed_cents
  FROM month_totals AS totals
  JOIN card_totals
    ON card_totals.month_start = totals.month_start
  JOIN card_kinds AS kinds
    ON kinds.month_start = totals.month_start
  LEFT JOIN card_alerts AS alerts
    ON alerts.month_start = totals.month_start
    AND alerts.measured_kind = kinds.measured_kind
)
SELECT
  measured.month_start::DATE, /* First day of the month */
  measured.measured_kind::TEXT, /* rule, score, or cards; scorecard and scorecard cards for the score that was learned: never added to the others */
  measured.measured_name::TEXT, /* The rule, the threshold, or 100 cards a day; of a scorecard, its threshold, or 100 cards a day by it */
  COALESCE(eras.era, 'none')::TEXT AS era, /* As in seeds.fraud_eras */
  COALESCE(eras.is_tuning, FALSE)::BOOLEAN AS is_tuning, /* Whether the shipped rules were chosen on this month */
  measured.is_in_force::BOOLEAN, /* Whether the rule was in force when the month began; FALSE for a scorecard, which raises no alert */
  COALESCE(measured.alert_count, 0)::BIGINT AS alert_count, /* Transactions hit; for cards, cards of a day */
  COALESCE(measured.labelled_alert_count, 0)::BIGINT AS labelled_alert_count, /* Of these with a label: what precision_bp divides by */
  COALESCE(measured.fraud_alert_count, 0)::BIGINT AS fraud_alert_count, /* Of these, fraud */
  measured.labelled_count::BIGINT, /* All of the month with a label, for a rule of the kinds that it looks at; for cards, cards of a day */
  measured.fraud_count::BIGINT, /* All fraud of the month, for a rule of the kinds that it looks at: what recall_bp divides by; for cards, cards of a day */
  @basis_points(measured.fraud_alert_count, measured.labelled_alert_count)::DECIMAL(18, 2) AS precision_bp, /* Fraud by labelled alerts, basis points; NULL where none is labelled */
  @rate_low(measured.fraud_alert_count, measured.labelled_alert_count)::DECIMAL(18, 2) AS precision_low_bp, /* Lower end of the 95 % interval (Wilson) of precision_bp: what to sort rules by; NULL where none is labelled */
  @rate_high(measured.fraud_alert_count, measured.labelled_alert_count)::DECIMAL(18, 2) AS precision_high_bp, /* Upper end of the same interval */
  @basis_points(measured.fraud_alert_count, measured.fraud_count)::DECIMAL(18, 2) AS recall_bp, /* Fraud found by all fraud, basis points; NULL where there is none */
  @basis_points(
    COALESCE(measured.labelled_alert_count, 0) - COALESCE(measured.fraud_alert_count, 0),
    measured.labelled_count - measured.fraud_count
  )::DECIMAL(18, 2) AS false_positive_rate_bp, /* Labelled not fraud, but hit, by all that is labelled not fraud, basis points */
  @dollars_of(measured.fraud_cents)::DECIMAL(18, 2) AS fraud_loss, /* US dollars of all approved fraud of the month, gross; for a rule of the kinds that it looks at */
  @dollars_of(measured.caught_cents)::DECIMAL(18, 2) AS value_caught, /* Of these, dollars that were hit; for cards, of all purchases of the card that day, with an alert or not: serving.alert_capacity has those with one */
  @dollars_of(measured.disturbed_cents)::DECIMAL(18, 2) AS value_of_false_positives /* US dollars of approved purchases that were hit, but are labelled not fraud; for cards, of the days of a card without a fraud */
FROM measured
LEFT JOIN seeds.fraud_eras AS eras
  ON @is_in_force(eras, measured.month_start);

@fill_in_ranges(facts.fct_outcomes);

@primary_key(month_start, measured_kind, measured_name);

@index(measured_name, month_start)
