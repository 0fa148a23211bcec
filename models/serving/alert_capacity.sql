MODEL (
  name serving.alert_capacity,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month with alerts and number of cards that can be looked at a day. Of each day, the cards with the highest score of an alert are looked at, ties by number, as in serving.rule_performance for 100 cards a day, whose dollars are of all purchases of these cards, here of those with an alert; the others are missed. Labels are those of now; a card of a day is labelled when any of its alerts of that day is, and defrauded when any of these is fraud.',
  grain (month_start, cards_a_day),
  tags (serving, fraud, labelled),
  audits (
    not_null(
      columns := (
        month_start,
        cards_a_day,
        day_count,
        days_over_capacity,
        alert_count,
        alerted_cards,
        reviewed_cards,
        value_caught
      )
    ),
    unique_combination_of_columns(columns := (month_start, cards_a_day)),
    sums_agree(
      parent := serving.fraud_alerts,
      over := months,
      day := month_start,
      sums := (
        SUM(alert_count) FILTER(WHERE
          cards_a_day = 100) = COUNT(*)
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

WITH card_days AS (
  SELECT
    outcomes.month_start,
    alerts.transacted_on,
    alerts.card_id,
    MAX(alerts.score) AS score,
    COUNT(*) AS alert_count,
    @labelled_count(of := outcomes) > 0 AS is_labelled,
    @fraud_count(of := outcomes) > 0 AS is_defrauded,
    @fraud_loss_cents(of := outcomes) AS fraud_cents
  FROM serving.fraud_alerts AS alerts
  JOIN facts.fct_outcomes AS outcomes
    ON outcomes.transaction_id = alerts.transaction_id
  WHERE
    @in_months_of_range(alerts.transacted_on)
    AND @in_months_of_range(outcomes.transacted_on)
  GROUP BY
    outcomes.month_start,
    alerts.transacted_on,
    alerts.card_id
), ranked AS (
  SELECT
    card_days.*,
    ROW_NUMBER() OVER (
      PARTITION BY card_days.transacted_on
      ORDER BY card_days.score DESC, card_days.card_id
    ) AS place_of_day
  FROM card_days
), capacities AS (
  SELECT
    cards_a_day
  FROM (VALUES
    (5),
    (10),
    (25),
    (50),
    (100),
    (200)) AS listed(cards_a_day)
), by_day AS (
  SELECT
    ranked.month_start,
    ranked.transacted_on,
    capacities.cards_a_day,
    COUNT(*) AS alerted_cards,
    SUM(ranked.alert_count) AS alert_count,
    COUNT(*) FILTER(WHERE
      ranked.place_of_day <= capacities.cards_a_day) AS reviewed_cards,
    COUNT(*) FILTER(WHERE
      ranked.is_labelled AND ranked.place_of_day <= capacities.cards_a_day) AS labelled_reviewed_cards,
    COUNT(*) FILTER(WHERE
      ranked.is_defrauded) AS defrauded_cards,
    COUNT(*) FILTER(WHERE
      ranked.is_defrauded AND ranked.place_of_day <= capacities.cards_a_day) AS defrauded_reviewed_cards,
    SUM(ranked.fraud_cents) AS fraud_cents,
    SUM(ranked.fraud_cents) FILTER(WHERE
      ranked.place_of_day <= capacities.cards_a_day) AS caught_cents
  FROM ranked
  CROSS JOIN capacities
  GROUP BY
    ranked.month_start,
    ranked.transacted_on,
    capacities.cards_a_day
)
SELECT
  month_start::DATE, /* First day of the month */
  cards_a_day::INT, /* How many cards can be looked at each day: 5, 10, 25, 50, 100 or 200 */
  COUNT(*)::BIGINT AS day_count, /* Days of the month with alerts */
  COUNT(*) FILTER(WHERE
    alerted_cards > cards_a_day)::BIGINT AS days_over_capacity, /* Of these, days on which more cards have alerts */
  MAX(alerted_cards)::BIGINT AS busiest_day_cards, /* Cards with alerts on the day with most of them */
  SUM(alert_count)::BIGINT AS alert_count, /* Alerts of the month: rows of serving.fraud_alerts */
  SUM(alerted_cards)::BIGINT AS alerted_cards, /* Cards of a day with alerts, added up over the days */
  SUM(reviewed_cards)::BIGINT AS reviewed_cards, /* Of these, looked at */
  SUM(labelled_reviewed_cards)::BIGINT AS labelled_reviewed_cards, /* Of the ones looked at, with a labelled alert: what precision_bp divides by */
  SUM(defrauded_reviewed_cards)::BIGINT AS defrauded_reviewed_cards, /* Of these, defrauded */
  SUM(defrauded_cards - defrauded_reviewed_cards)::BIGINT AS defrauded_missed_cards, /* Defrauded cards of a day that were beyond the capacity of that day */
  @basis_points(SUM(defrauded_reviewed_cards), SUM(labelled_reviewed_cards))::DECIMAL(18, 2) AS precision_bp, /* Defrauded by labelled ones that were looked at, basis points; NULL where none is labelled */
  @dollars_of(SUM(caught_cents))::DECIMAL(18, 2) AS value_caught, /* US dollars of approved purchases labelled as fraud, gross, with an alert, of the cards that were looked at on their day; not to be added over cards_a_day */
  @dollars_of(SUM(fraud_cents) - COALESCE(SUM(caught_cents), 0))::DECIMAL(18, 2) AS value_missed /* Likewise, of the cards that were not */
FROM by_day
GROUP BY
  month_start,
  cards_a_day;

@primary_key(month_start, cards_a_day)
