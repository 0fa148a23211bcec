MODEL (
  name serving.active_clients,
  kind FULL,
  description 'One row per period with transactions, a month, quarter or year: how many cardholders and cards were active, of how many. Counts of months cannot be added up to a quarter or a year: who is active in two months is one.',
  grain (period_kind, period_start_date),
  tags (serving, revenue),
  audits (
    not_null(
      columns := (
        period_kind,
        period_start_date,
        active_clients,
        active_cards,
        issued_cards,
        open_cards
      )
    ),
    unique_combination_of_columns(columns := (period_kind, period_start_date)),
    no_more_are_active_than_there_are,
    sums_agree(
      parent := facts.fct_card_months,
      sums := (
        SUM(active_cards) FILTER(WHERE
          period_kind = 'month') = COUNT(*) FILTER(WHERE
          settled_count > 0),
        COUNT(*) FILTER(WHERE
          period_kind = 'month') = COUNT(DISTINCT month_start)
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH lengths AS (
  SELECT
    month_count
  FROM (VALUES
    (1),
    (3),
    (12)) AS listed(month_count)
), calendar AS (
  SELECT DISTINCT
    lengths.month_count,
    dates.month_start,
    CASE lengths.month_count
      WHEN 1
      THEN dates.month_start
      WHEN 3
      THEN DATE_TRUNC('QUARTER', dates.month_start)::DATE
      ELSE DATE_TRUNC('YEAR', dates.month_start)::DATE
    END AS period_start
  FROM dimensions.dim_dates AS dates
  CROSS JOIN lengths
), periods AS (
  SELECT
    calendar.month_count,
    calendar.period_start,
    (
      MAX(calendar.month_start) + INTERVAL '1 MONTH' - INTERVAL '1 DAY'
    )::DATE AS period_end,
    COUNT(*) = COUNT(summary.month_start) FILTER(WHERE
      summary.is_complete) AS is_complete
  FROM calendar
  LEFT JOIN serving.monthly_executive_summary AS summary
    ON summary.month_start = calendar.month_start
  GROUP BY
    calendar.month_count,
    calendar.period_start
  HAVING
    COUNT(summary.month_start) > 0
), cards_used AS (
  SELECT
    calendar.month_count,
    calendar.period_start,
    months.client_id,
    months.card_id
  FROM facts.fct_card_months AS months
  JOIN calendar
    ON calendar.month_start = months.month_start
  WHERE
    months.settled_count > 0
  GROUP BY
    calendar.month_count,
    calendar.period_start,
    months.client_id,
    months.card_id
), clients_used AS (
  SELECT
    month_count,
    period_start,
    client_id,
    COUNT(*) AS active_cards
  FROM cards_used
  GROUP BY
    month_count,
    period_start,
    client_id
), used AS (
  SELECT
    month_count,
    period_start,
    COUNT(*) AS active_clients,
    SUM(active_cards) AS active_cards
  FROM clients_used
  GROUP BY
    month_count,
    period_start
), held_by_client AS (
  SELECT
    periods.month_count,
    periods.period_start,
    cards.client_id,
    COUNT(*) AS issued_cards,
    COUNT(*) FILTER(WHERE
      cards.card_expires_on >= periods.period_start) AS open_cards
  FROM periods
  JOIN dimensions.dim_cards AS cards
    ON cards.card_opened_on <= periods.period_end
  GROUP BY
    periods.month_count,
    periods.period_start,
    cards.client_id
), held AS (
  SELECT
    month_count,
    period_start,
    SUM(issued_cards) AS issued_cards,
    SUM(open_cards) AS open_cards,
    COUNT(*) FILTER(WHERE
      open_cards > 0) AS open_clients
  FROM held_by_client
  GROUP BY
    month_count,
    period_start
)
SELECT
  CASE periods.month_count WHEN 1 THEN 'month' WHEN 3 THEN 'quarter' ELSE 'year' END::TEXT AS period_kind, /* month, quarter or year */
  periods.period_start::DATE AS period_start_date, /* First day */
  periods.period_end::DATE AS period_end_date, /* Last day by the calendar, also where the data ends before */
  periods.is_complete::BOOLEAN, /* Whether each month of it is complete, as serving.monthly_executive_summary says */
  COALESCE(used.active_clients, 0)::BIGINT AS active_clients, /* Cardholders with at least one settled purchase */
  COALESCE(held.open_clients, 0)::BIGINT AS clients_with_open_cards, /* Cardholders with an open card */
  COALESCE(used.active_cards, 0)::BIGINT AS active_cards, /* Cards with at least one settled purchase: a few of them in the months before they were opened or after they expired */
  COALESCE(held.open_cards, 0)::BIGINT AS open_cards, /* Cards opened by the last day and not expired before the first */
  COALESCE(held.issued_cards, 0)::BIGINT AS issued_cards, /* Cards opened by the last day, expired or not */
  @basis_points(used.active_clients, held.open_clients)::DECIMAL(18, 2) AS active_clients_bp, /* Active cardholders in basis points of those with an open card; NULL where there is none */
  @basis_points(used.active_cards, held.open_cards)::DECIMAL(18, 2) AS active_cards_bp /* Active cards in basis points of open ones; NULL where there is none */
FROM periods
LEFT JOIN used
  ON used.month_count = periods.month_count
  AND used.period_start = periods.period_start
LEFT JOIN held
  ON held.month_count = periods.month_count
  AND held.period_start = periods.period_start;

@primary_key(period_kind, period_start_date)
