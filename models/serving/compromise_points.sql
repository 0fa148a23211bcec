MODEL (
  name serving.compromise_points,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and merchant that a case of the month used: where defrauded cards have a point of compromise in common. A case is a card with a run of frauds (see serving.fraud_runs) that began in the month, and with a transaction in the 60 days before that day; a merchant is used by a case when it has a transaction of the card in these 60 days, of whatever kind, approved or not. What chance gives is taken from all cards in the two calendar months before the month. Rank by evidence; the first two months of the data have less before them to compare with. Months in which no case used a merchant have no row: sums over months leave out what chance would have given then.',
  grain (month_start, merchant_id),
  references merchant_id,
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        month_start,
        merchant_id,
        case_count,
        shared_case_count,
        card_count,
        merchant_card_count,
        evidence
      )
    ),
    unique_combination_of_columns(columns := (month_start, merchant_id)),
    cases_are_some_of_the_cards
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH frauds AS (
  SELECT
    card_id,
    month_start,
    transacted_on,
    LAG(transacted_on) OVER (PARTITION BY card_id ORDER BY transacted_on) AS previous_fraud_on
  FROM facts.fct_outcomes
  WHERE
    is_fraud AND @in_months_of_range(transacted_on, 60)
), runs AS (
  SELECT
    card_id,
    month_start,
    transacted_on AS began_on
  FROM frauds
  WHERE
    @starts_a_run(transacted_on, previous_fraud_on)
    AND @in_months_of_range(transacted_on)
), case_uses AS (
  SELECT DISTINCT
    runs.month_start,
    runs.card_id,
    outcomes.merchant_id
  FROM runs
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.card_id = runs.card_id
    AND @is_before_the_run(outcomes.transacted_on, runs.began_on)
  WHERE
    @in_months_of_range(outcomes.transacted_on, 60)
), case_totals AS (
  SELECT
    month_start,
    COUNT(DISTINCT card_id) AS case_count
  FROM case_uses
  GROUP BY
    month_start
), suspects AS (
  SELECT
    month_start,
    merchant_id,
    COUNT(*) AS shared_case_count
  FROM case_uses
  GROUP BY
    month_start,
    merchant_id
), comparable_months AS (
  SELECT
    month_start,
    (
      month_start - INTERVAL '1 MONTH'
    )::DATE AS comparable_month
  FROM case_totals
  UNION ALL
  SELECT
    month_start,
    (
      month_start - INTERVAL '2 MONTHS'
    )::DATE AS comparable_month
  FROM case_totals
), tested_merchants AS (
  SELECT
    comparable.month_start,
    COUNT(DISTINCT months.merchant_id) AS merchant_count
  FROM facts.fct_merchant_months AS months
  JOIN comparable_months AS comparable
    ON comparable.comparable_month = months.month_start
  WHERE
    @in_months_of_range(months.month_start, 62)
  GROUP BY
    comparable.month_start
), cards AS (
  SELECT
    comparable.month_start,
    months.card_id
  FROM facts.fct_card_months AS months
  JOIN comparable_months AS comparable
    ON comparable.comparable_month = months.month_start
  WHERE
    @in_months_of_range(months.month_start, 62)
  UNION
  SELECT
    month_start,
    card_id
  FROM case_uses
), card_totals AS (
  SELECT
    month_start,
    COUNT(*) AS card_count
  FROM cards
  GROUP BY
    month_start
), merchant_cards AS (
  SELECT
    suspects.month_start,
    suspects.merchant_id,
    outcomes.card_id
  FROM facts.fct_outcomes AS outcomes
  JOIN comparable_months AS comparable
    ON comparable.comparable_month = outcomes.month_start
  JOIN suspects
    ON suspects.merchant_id = outcomes.merchant_id
    AND suspects.month_start = comparable.month_start
  WHERE
    @in_months_of_range(outcomes.transacted_on, 62)
  UNION
  SELECT
    month_start,
    merchant_id,
    card_id
  FROM case_uses
), merchant_totals AS (
  SELECT
    month_start,
    merchant_id,
    COUNT(*) AS merchant_card_count
  FROM merchant_cards
  GROUP BY
    month_start,
    merchant_id
)
SELECT
  suspects.month_start::DATE, /* First day of the month in which the runs began */
  suspects.merchant_id::INT, /* The merchant */
  case_totals.case_count::BIGINT, /* Cases of the month: n */
  suspects.shared_case_count::BIGINT, /* Of these, those that used the merchant in their 60 days: k */
  card_totals.card_count::BIGINT, /* Cards with a transaction in the two calendar months before the month, and the cases: c */
  merchant_totals.merchant_card_count::BIGINT, /* Of these, those with a transaction at the merchant in those two months, and the cases that used it in their 60 days: m */
  CAST(CAST(case_totals.case_count * merchant_totals.merchant_card_count AS DECIMAL(30, 8)) / card_totals.card_count AS DECIMAL(18, 4)) AS expected_case_count, /* Cases that chance would give: n * m / c */
  @ratio(
    suspects.shared_case_count * card_totals.card_count,
    case_totals.case_count * merchant_totals.merchant_card_count
  )::DECIMAL(18, 2) AS lift, /* How many times as many cases as by chance: (k / n) / (m / c) */
  @evidence_of(
    suspects.shared_case_count,
    case_totals.case_count,
    merchant_totals.merchant_card_count,
    card_totals.card_count
  )::DECIMAL(18, 2) AS evidence, /* Chance gives k or more of n cases with a probability of at most 10 to the power of minus this: k * LOG10(q / p) + (n - k) * LOG10((1 - q) / (1 - p)), q = k / n, p = m / c, without the second term where k = n; 0 where q is not above p */
  COALESCE(tested_merchants.merchant_count, 0)::BIGINT AS tested_merchant_count /* Merchants with a transaction in the two calendar months before the month: about so many times 10 to the power of minus evidence look as bad by luck, in each month */
FROM suspects
JOIN case_totals
  ON case_totals.month_start = suspects.month_start
JOIN card_totals
  ON card_totals.month_start = suspects.month_start
LEFT JOIN tested_merchants
  ON tested_merchants.month_start = suspects.month_start
JOIN merchant_totals
  ON merchant_totals.month_start = suspects.month_start
  AND merchant_totals.merchant_id = suspects.merchant_id;

@look_back(62);

@fill_in_ranges(facts.fct_outcomes);

@primary_key(month_start, merchant_id);

@index(merchant_id, month_start)
