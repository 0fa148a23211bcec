MODEL (
  name serving.dim_date,
  kind VIEW,
  description 'One row per day of the calendar years with transactions: dimension of the star around serving.fct_transaction. Years are whole and no day is missing, as BI tools expect of a calendar. Weeks are ISO weeks.',
  grain date_day,
  depends_on (
    serving.daily_revenue
  ),
  tags (serving, star),
  audits (
    not_null(columns := (date_day, month_start, is_complete_month, is_last_complete_month)),
    unique_values(columns := (
      date_day
    )),
    holds_every_key_of(holder := serving.daily_revenue, column := transacted_on, key := date_day)
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH landed AS (
  SELECT
    MIN(EXTRACT(YEAR FROM month_start))::INT AS first_year,
    MAX(EXTRACT(YEAR FROM month_start))::INT AS last_year,
    MAX(month_start) FILTER(WHERE
      is_complete) AS last_complete_month
  FROM serving.monthly_executive_summary
)
SELECT
  days.date_day::DATE, /* The day */
  days.calendar_year::INT, /* Its year */
  days.quarter_number::INT, /* 1 to 4 */
  (
    days.calendar_year::TEXT || '-Q' || days.quarter_number::TEXT
  )::TEXT AS quarter_label, /* Such as 2019-Q4 */
  days.month_number::INT, /* 1 to 12: sort month_label within a year by it */
  days.month_start::DATE, /* First day of its month */
  days.month_label::TEXT, /* Such as 2019-10 */
  days.week_start::DATE, /* Monday of its week */
  days.weekday_number::INT, /* 1 for Monday to 7 for Sunday: sort weekday_name by it */
  days.weekday_name::TEXT, /* Its weekday in English */
  days.is_weekend::BOOLEAN, /* Whether it is a Saturday or Sunday */
  COALESCE(months.is_complete, FALSE)::BOOLEAN AS is_complete_month, /* Whether each day of its month has transactions: compare only such months */
  COALESCE(days.month_start = landed.last_complete_month, FALSE)::BOOLEAN AS is_last_complete_month /* Whether it is of the last complete month of the data, which is what "last month" means here */
FROM dimensions.dim_dates AS days
JOIN landed
  ON days.calendar_year BETWEEN landed.first_year AND landed.last_year
LEFT JOIN serving.monthly_executive_summary AS months
  ON months.month_start = days.month_start
