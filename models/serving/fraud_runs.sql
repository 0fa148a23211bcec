MODEL (
  name serving.fraud_runs,
  kind FULL,
  description 'One row per card and run of frauds. A run begins with a labelled fraud before which the card had none for 60 days, and goes on while each next fraud comes at most 60 days after the one before. What came after the first alert is what a block of the card at that alert would have saved: value_caught of serving.rule_performance is what alerts hit, not what they prevent. A third of all transactions has no label: all figures are of the frauds that are known.',
  grain (card_id, run_number),
  depends_on (
    facts.fct_card_months
  ),
  references (card_id, client_id),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        card_id,
        run_number,
        client_id,
        first_fraud_at,
        last_fraud_at,
        fraud_count,
        net_fraud_loss,
        frauds_after_alert,
        loss_after_alert
      )
    ),
    unique_combination_of_columns(columns := (card_id, run_number)),
    sums_agree(
      parent := facts.fct_card_months,
      sums := (
        SUM(fraud_count) = SUM(fraud_count),
        SUM(net_fraud_loss) = @dollars_of(SUM(settled_fraud_cents))
      )
    ),
    runs_are_apart
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH frauds AS (
  SELECT
    outcomes.transaction_id,
    outcomes.card_id,
    outcomes.client_id,
    outcomes.merchant_id,
    outcomes.transacted_at,
    outcomes.transacted_on,
    outcomes.minute_number,
    outcomes.channel,
    outcomes.is_approved,
    CASE WHEN outcomes.is_reversed THEN 0 ELSE outcomes.purchase_cents END AS lost_cents,
    CASE WHEN NOT alerts.action IS NULL THEN outcomes.minute_number END AS alerted_minute,
    CASE WHEN alerts.action = 'block' THEN outcomes.minute_number END AS blocked_minute
  FROM facts.fct_outcomes AS outcomes
  LEFT JOIN serving.fraud_alerts AS alerts
    ON alerts.transaction_id = outcomes.transaction_id
  WHERE
    outcomes.is_fraud
), beginnings AS (
  SELECT
    frauds.*,
    CASE
      WHEN @starts_a_run(
        frauds.transacted_on,
        LAG(frauds.transacted_on) OVER (PARTITION BY frauds.card_id ORDER BY frauds.minute_number, frauds.transaction_id)
      )
      THEN 1
      ELSE 0
    END AS begun_runs
  FROM frauds
), numbered AS (
  SELECT
    beginnings.*,
    SUM(beginnings.begun_runs) OVER (
      PARTITION BY beginnings.card_id
      ORDER BY beginnings.minute_number, beginnings.transaction_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS run_number
  FROM beginnings
), followed AS (
  SELECT
    numbered.*,
    MIN(numbered.alerted_minute) OVER (PARTITION BY numbered.card_id, numbered.run_number) AS alert_minute,
    MIN(numbered.blocked_minute) OVER (PARTITION BY numbered.card_id, numbered.run_number) AS block_minute
  FROM numbered
)
SELECT
  card_id::INT, /* The card */
  run_number::INT, /* 1 for the first run of the card */
  MIN(client_id)::INT AS client_id, /* Its holder */
  MIN(transacted_at)::TIMESTAMP AS first_fraud_at, /* Minute of the first fraud of the run */
  MAX(transacted_at)::TIMESTAMP AS last_fraud_at, /* Minute of its last fraud */
  @days_between(MIN(transacted_on), MAX(transacted_on))::INT AS days_long, /* Calendar days from the first to the last: 0 where all are of one day */
  COUNT(*)::BIGINT AS fraud_count, /* Labelled as fraud, declined or not */
  COUNT(*) FILTER(WHERE
    NOT is_approved)::BIGINT AS declined_fraud_count, /* Of these, declined: no money moved */
  COUNT(*) FILTER(WHERE
    channel = 'online')::BIGINT AS online_fraud_count, /* Of these, card not present */
  COUNT(DISTINCT merchant_id)::BIGINT AS merchant_count, /* Merchants with frauds of the run */
  @dollars_of(SUM(lost_cents))::DECIMAL(18, 2) AS net_fraud_loss, /* US dollars of settled purchases labelled as fraud: net of what was reversed */
  COUNT(alerted_minute)::BIGINT AS alerted_fraud_count, /* Frauds of the run that have an alert in serving.fraud_alerts */
  MIN(transacted_at) FILTER(WHERE
    minute_number = alert_minute)::TIMESTAMP AS first_alert_at, /* Minute of the first of these; alerts on other transactions of the card do not count; NULL where no fraud of the run has one */
  (
    MIN(alert_minute) - MIN(minute_number)
  )::INT AS minutes_to_alert, /* Minutes from the first fraud to that: 0 where the first fraud itself has an alert; NULL where none has one */
  @dollars_of(SUM(lost_cents) FILTER(WHERE
    minute_number = alert_minute))::DECIMAL(18, 2) AS loss_at_alert, /* US dollars of net fraud loss in that very minute: saved too where an alert declines at once */
  COUNT(*) FILTER(WHERE
    minute_number > alert_minute)::BIGINT AS frauds_after_alert, /* Frauds of the run in a later minute; 0 where none has an alert */
  @dollars_of(SUM(lost_cents) FILTER(WHERE
    minute_number > alert_minute))::DECIMAL(18, 2) AS loss_after_alert, /* US dollars of net fraud loss in a later minute than first_alert_at: what a block of the card then would have saved; the purchases that blocks refuse wrongly are not set against it */
  MIN(transacted_at) FILTER(WHERE
    minute_number = block_minute)::TIMESTAMP AS first_block_at, /* As first_alert_at, of alerts whose action is block; NULL where there is none */
  COUNT(*) FILTER(WHERE
    minute_number > block_minute)::BIGINT AS frauds_after_block, /* Frauds of the run in a later minute than first_block_at */
  @dollars_of(SUM(lost_cents) FILTER(WHERE
    minute_number > block_minute))::DECIMAL(18, 2) AS loss_after_block /* US dollars of net fraud loss in a later minute than first_block_at */
FROM followed
GROUP BY
  card_id,
  run_number;

@primary_key(card_id, run_number);

@index(first_fraud_at)
