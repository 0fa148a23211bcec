MODEL (
  name features.transaction_scores,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_on,
    lookback 2
  ),
  description 'One row per transaction of a month that has a scorecard, with the score that it learned: 0 to 1,000, higher for a likelier fraud. Empty until revops train was run. Beside the score of the rules, never in it: no alert is made by it.',
  grain transaction_id,
  references (transaction_id, card_id),
  tags (
    feature
  ),
  audits (
    not_null(
      columns := (transaction_id, transacted_on, card_id, scorecard_score, scorecard_version)
    ),
    accepted_range(column := scorecard_score, min_v := 0, max_v := 1000),
    months_with_a_scorecard_are_scored
  )
);

WITH scorecards AS (
  SELECT
    month_start,
    version,
    MAX(base_points) AS base_points,
    @scorecard_limits()
  FROM facts.fct_scorecards
  WHERE
    is_current AND @in_months_of_range(month_start)
  GROUP BY
    month_start,
    version
), points AS (
  SELECT
    features.transaction_id,
    features.transacted_on,
    features.card_id,
    scorecards.version,
    scorecards.base_points,
    @scorecard_points()
  FROM features.transaction_features AS features
  JOIN scorecards
    ON scorecards.month_start = DATE_TRUNC('MONTH', features.transacted_on)::DATE
  WHERE
    @in_range(features.transacted_on)
)
SELECT
  transaction_id::BIGINT, /* The transaction */
  transacted_on::DATE, /* Its day */
  card_id::INT, /* The card */
  version::TEXT AS scorecard_version, /* The scorecard of its month: what it was trained on is in facts.fct_scorecards */
  @scorecard_score()::INT AS scorecard_score, /* 0 to 1,000: 500 where fraud is as likely as not; each 40 more double the odds, each 40 less halve them */
  @scorecard_reasons()::TEXT AS scorecard_reasons /* Features that at least doubled the odds, each with its points; NULL for none */
FROM points;

@primary_key(transaction_id);

@index(transacted_on)
