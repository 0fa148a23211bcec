MODEL (
  name serving.scorecard_scores,
  kind VIEW,
  description 'One row per transaction of a month that has a scorecard, with the score that it learned; empty until revops train was run. It raises no alert: serving.fraud_alerts has the score of the rules. What it was trained on is in serving.scorecards; on generated rows it proves the machinery only.',
  grain transaction_id,
  references (transaction_id, card_id),
  tags (serving, fraud),
  audits (
    not_null(
      columns := (
        transaction_id,
        transacted_on,
        month_start,
        card_id,
        scorecard_score,
        scorecard_version
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  transaction_id::BIGINT, /* The transaction */
  transacted_on::DATE, /* Its day */
  DATE_TRUNC('MONTH', transacted_on)::DATE AS month_start, /* First day of its month, as in serving.scorecards */
  card_id::INT, /* The card */
  scorecard_score::INT, /* 0 to 1,000: 500 where fraud is as likely as not; each 40 more double the odds, each 40 less halve them */
  scorecard_reasons::TEXT, /* Features that at least doubled the odds, each with its points; NULL for none */
  scorecard_version::TEXT /* The scorecard of its month */
FROM features.transaction_scores
