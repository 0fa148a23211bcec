MODEL (
  name serving.client_cohorts,
  kind FULL,
  description 'One row per month of first purchase and month from then to the last of the data: how many of those clients are still there. New, returning and lost clients of a month are sums over its cohorts. The last month may not be complete: mind is_complete, or its clients seem lost. Clients whose first purchase is older than the data are of the first cohorts.',
  grain (cohort_month_date, month_start),
  tags (serving, revenue),
  audits (
    not_null(
      columns := (
        cohort_month_date,
        month_start,
        is_complete,
        client_count,
        active_clients,
        new_clients,
        returning_clients,
        lost_clients,
        settled_volume
      )
    ),
    unique_combination_of_columns(columns := (cohort_month_date, month_start)),
    sums_agree(
      parent := serving.client_activity,
      sums := (
        SUM(active_clients) = COUNT(*) FILTER(WHERE
          is_active),
        SUM(settled_volume) = SUM(settled_volume)
      )
    ),
    clients_come_and_go
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH first_purchases AS (
  SELECT
    client_id,
    MIN(month_start) AS cohort_month_date
  FROM serving.client_activity
  WHERE
    is_active
  GROUP BY
    client_id
), followed AS (
  SELECT
    first_purchases.cohort_month_date,
    activity.month_start,
    activity.settled_volume,
    activity.is_active,
    COALESCE(
      LAG(activity.is_active) OVER (PARTITION BY activity.client_id ORDER BY activity.month_start),
      FALSE
    ) AS was_active
  FROM serving.client_activity AS activity
  JOIN first_purchases
    ON first_purchases.client_id = activity.client_id
  WHERE
    activity.month_start >= first_purchases.cohort_month_date
)
SELECT
  followed.cohort_month_date::DATE, /* First day of the month of the clients' first settled purchase */
  followed.month_start::DATE, /* First day of the month that is looked at */
  months.is_complete::BOOLEAN, /* Whether that month is complete, as serving.monthly_executive_summary says: who comes on its last days is not lost */
  (
    @calendar_months(followed.cohort_month_date, followed.month_start) - 1
  )::INT AS months_since_first, /* Months from the one to the other: 0 in the month of the first purchase */
  COUNT(*)::BIGINT AS client_count, /* Clients of the cohort: what retention_bp divides by, the same in all its months */
  COUNT(*) FILTER(WHERE
    followed.is_active)::BIGINT AS active_clients, /* Of these, with at least one settled purchase in the month */
  @basis_points(COUNT(*) FILTER(WHERE
    followed.is_active), COUNT(*))::DECIMAL(18, 2) AS retention_bp, /* Active clients in basis points of the cohort */
  COUNT(*) FILTER(WHERE
    followed.month_start = followed.cohort_month_date)::BIGINT AS new_clients, /* Of the active ones, those whose first month it is: all or none of a cohort */
  COUNT(*) FILTER(WHERE
    followed.is_active
    AND NOT followed.was_active
    AND followed.month_start > followed.cohort_month_date)::BIGINT AS returning_clients, /* Of the active ones, those that were not active in the month before, but earlier */
  COUNT(*) FILTER(WHERE
    followed.was_active AND NOT followed.is_active)::BIGINT AS lost_clients, /* Active in the month before, not in this one; they may come back, and are returning then */
  SUM(followed.settled_volume)::DECIMAL(18, 2) AS settled_volume /* US dollars of settled purchases of the cohort in the month */
FROM followed
JOIN serving.monthly_executive_summary AS months
  ON months.month_start = followed.month_start
GROUP BY
  followed.cohort_month_date,
  followed.month_start,
  months.is_complete;

@primary_key(cohort_month_date, month_start);

@index(month_start)
