MODEL (
  name dimensions.dim_dates,
  kind FULL,
  description 'One row per day from 2000 to 2039, with what a report groups by. Weeks are ISO weeks.',
  grain date_day,
  tags (
    dimension
  ),
  audits (
    not_null(columns := (date_day, calendar_year, month_start, weekday_name)),
    unique_values(columns := (
      date_day
    )),
    number_of_rows(threshold := 14000)
  )
);

WITH days AS (
  @date_spine('day', '2000-01-01', '2039-12-31')
), weeks AS (
  SELECT
    date_day::DATE AS date_day,
    DATE_TRUNC('WEEK', date_day)::DATE AS week_start
  FROM days
), numbered AS (
  SELECT
    date_day,
    week_start,
    CASE date_day
      WHEN (
        week_start + INTERVAL '0 DAY'
      )::DATE
      THEN 1
      WHEN (
        week_start + INTERVAL '1 DAY'
      )::DATE
      THEN 2
      WHEN (
        week_start + INTERVAL '2 DAY'
      )::DATE
      THEN 3
      WHEN (
        week_start + INTERVAL '3 DAY'
      )::DATE
      THEN 4
      WHEN (
        week_start + INTERVAL '4 DAY'
      )::DATE
      THEN 5
      WHEN (
        week_start + INTERVAL '5 DAY'
      )::DATE
      THEN 6
      ELSE 7
    END AS weekday_number /* Compared, not extracted: engines number weekdays differently */
  FROM weeks
)
SELECT
  date_day::DATE, /* The day */
  EXTRACT(YEAR FROM date_day)::INT AS calendar_year, /* Its year */
  EXTRACT(QUARTER FROM date_day)::INT AS quarter_number, /* 1 to 4 */
  EXTRACT(MONTH FROM date_day)::INT AS month_number, /* 1 to 12 */
  DATE_TRUNC('MONTH', date_day)::DATE AS month_start, /* First day of its month */
  TO_CHAR(date_day, 'YYYY-MM')::TEXT AS month_label, /* Such as 2019-10 */
  week_start::DATE, /* Monday of its week */
  weekday_number::INT, /* 1 for Monday to 7 for Sunday */
  CASE weekday_number
    WHEN 1
    THEN 'Monday'
    WHEN 2
    THEN 'Tuesday'
    WHEN 3
    THEN 'Wednesday'
    WHEN 4
    THEN 'Thursday'
    WHEN 5
    THEN 'Friday'
    WHEN 6
    THEN 'Saturday'
    ELSE 'Sunday'
  END::TEXT AS weekday_name, /* Its weekday in English */
  (
    weekday_number >= 6
  )::BOOLEAN AS is_weekend /* Whether it is a Saturday or Sunday */
FROM numbered;

@primary_key(date_day)
