MODEL (
  name serving.network_monitors,
  kind FULL,
  description 'One row per month, merchant with settled fraud, and monitor. Called -like: labels are not chargebacks, a third of all transactions has none, and the clearing rules of networks are not in the data. ratio_bp divides by all settled purchases, as networks do, so that unlabelled ones count as good, here alone; labelled_ratio_bp divides by the labelled. Thresholds are dated (seeds.monitor_thresholds): level is by those in force in the month, latest_level by the latest ones, whatever the month.',
  grain (month_start, merchant_id, monitor),
  references merchant_id,
  tags (serving, fraud),
  audits (
    not_null(
      columns := (
        month_start,
        merchant_id,
        monitor,
        event_count,
        transaction_count,
        fraud_amount,
        level,
        latest_level
      )
    ),
    unique_combination_of_columns(columns := (month_start, merchant_id, monitor)),
    sums_agree(
      parent := facts.fct_merchant_months,
      sums := (
        SUM(event_count) FILTER(WHERE
          monitor = 'ECM-like') = SUM(settled_fraud_count),
        SUM(event_count) FILTER(WHERE
          monitor = 'VAMP-like') = SUM(online_fraud_count),
        SUM(event_count) FILTER(WHERE
          monitor = 'EFM-like') = SUM(online_fraud_count)
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH measured AS (
  SELECT
    month_start,
    merchant_id,
    'VAMP-like' AS monitor,
    online_fraud_count AS event_count,
    online_settled_count AS transaction_count,
    online_labelled_count AS labelled_count,
    online_fraud_cents AS fraud_cents
  FROM facts.fct_merchant_months
  WHERE
    fraud_count > 0 AND settled_fraud_count > 0
  UNION ALL
  SELECT
    months.month_start,
    months.merchant_id,
    'ECM-like' AS monitor,
    months.settled_fraud_count AS event_count,
    COALESCE(earlier.settled_count, 0) AS transaction_count,
    COALESCE(earlier.labelled_settled_count, 0) AS labelled_count,
    months.settled_fraud_cents AS fraud_cents
  FROM facts.fct_merchant_months AS months
  LEFT JOIN facts.fct_merchant_months AS earlier
    ON earlier.merchant_id = months.merchant_id
    AND earlier.month_start = (
      months.month_start - INTERVAL '1 MONTH'
    )::DATE
  WHERE
    months.fraud_count > 0 AND months.settled_fraud_count > 0
  UNION ALL
  SELECT
    month_start,
    merchant_id,
    'EFM-like' AS monitor,
    online_fraud_count AS event_count,
    online_settled_count AS transaction_count,
    online_labelled_count AS labelled_count,
    online_fraud_cents AS fraud_cents
  FROM facts.fct_merchant_months
  WHERE
    fraud_count > 0 AND settled_fraud_count > 0
), judged AS (
  SELECT
    measured.month_start,
    measured.merchant_id,
    measured.monitor,
    measured.event_count,
    measured.transaction_count,
    measured.labelled_count,
    measured.fraud_cents,
    thresholds.level,
    thresholds.min_ratio_bp,
    thresholds.valid_until_date IS NULL AS is_latest,
    @is_in_force(thresholds, measured.month_start) AS is_in_force,
    measured.event_count >= thresholds.min_events
    AND measured.transaction_count > 0
    AND measured.transaction_count >= thresholds.min_transactions
    AND measured.fraud_cents >= thresholds.min_amount * 100
    AND measured.event_count::BIGINT * 10000 >= thresholds.min_ratio_bp::BIGINT * measured.transaction_count AS is_reached
  FROM measured
  JOIN seeds.monitor_thresholds AS thresholds
    ON thresholds.monitor = measured.monitor
), strictest AS (
  SELECT
    month_start,
    merchant_id,
    monitor,
    event_count,
    transaction_count,
    labelled_count,
    fraud_cents,
    BOOL_OR(is_in_force) AS is_in_force,
    MAX(min_ratio_bp) FILTER(WHERE
      is_reached AND is_in_force) AS reached_ratio_bp,
    MAX(min_ratio_bp) FILTER(WHERE
      is_reached AND is_latest) AS latest_ratio_bp
  FROM judged
  GROUP BY
    month_start,
    merchant_id,
    monitor,
    event_count,
    transaction_count,
    labelled_count,
    fraud_cents
)
SELECT
  strictest.month_start::DATE, /* First day of the month */
  strictest.merchant_id::INT, /* The merchant */
  strictest.monitor::TEXT, /* VAMP-like, ECM-like or EFM-like */
  strictest.event_count::BIGINT, /* Settled purchases labelled as fraud; for VAMP-like and EFM-like card not present only; not to be added over monitors */
  strictest.transaction_count::BIGINT, /* What ratio_bp divides by: settled purchases, labelled or not, of the month before for ECM-like, card not present for the others; with nothing to divide by, nothing is reached */
  strictest.labelled_count::BIGINT AS labelled_transaction_count, /* Of these with a label: what labelled_ratio_bp divides by */
  @basis_points(strictest.event_count, strictest.transaction_count)::DECIMAL(18, 2) AS ratio_bp, /* Events by all transactions, as networks count: what the thresholds are compared with; unlabelled ones count as good, so it is too low by as many frauds as have no label; NULL where there is nothing to divide by */
  @basis_points(strictest.event_count, strictest.labelled_count)::DECIMAL(18, 2) AS labelled_ratio_bp, /* Events by transactions with a label, like the fraud rates of other reports; may be above 10,000 for ECM-like; NULL where none is labelled */
  @dollars_of(strictest.fraud_cents)::DECIMAL(18, 2) AS fraud_amount, /* US dollars of these events */
  CASE
    WHEN NOT strictest.is_in_force
    THEN 'not in force'
    ELSE COALESCE(reached.level, 'below')
  END::TEXT AS level, /* What was reached of the thresholds in force that month: below, or the strictest level; not in force before the first. An issuer does not see what networks judge the merchant by as well: purchases with the cards of other issuers, disputes that are no fraud, and which share was authenticated by 3-D Secure */
  COALESCE(latest.level, 'below')::TEXT AS latest_level /* What would be reached by the latest thresholds; with the same blind spots as level */
FROM strictest
LEFT JOIN seeds.monitor_thresholds AS reached
  ON reached.monitor = strictest.monitor
  AND reached.min_ratio_bp = strictest.reached_ratio_bp
  AND @is_in_force(reached, strictest.month_start)
LEFT JOIN seeds.monitor_thresholds AS latest
  ON latest.monitor = strictest.monitor
  AND latest.min_ratio_bp = strictest.latest_ratio_bp
  AND latest.valid_until_date IS NULL;

@primary_key(month_start, merchant_id, monitor);

@index(merchant_id, month_start);

@restated_by(merchant_id, tables := (
  facts.fct_merchant_months
))
