MODEL (
  name serving.seasonality,
  kind FULL,
  description 'One row per day from the first to the last of the data, with its settled purchases as an index of what is usual around it, so that weekdays, holidays and seasons show apart from growth. Against the 35 days around it, each weekday five times, the index shows weekdays and holidays; against the 365 days around it, it shows seasons too.',
  grain date_day,
  tags (serving, revenue),
  audits (
    not_null(
      columns := (date_day, weekday_name, is_weekend, is_holiday, settled_count, settled_volume)
    ),
    unique_values(columns := (
      date_day
    )),
    sums_agree(
      parent := serving.daily_revenue,
      sums := (
        SUM(settled_count) = SUM(settled_count),
        SUM(settled_volume) = SUM(settled_volume)
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH sold AS (
  SELECT
    transacted_on,
    SUM(settled_count) AS settled_count,
    SUM(settled_volume) AS settled_volume
  FROM serving.daily_revenue
  GROUP BY
    transacted_on
), ends AS (
  SELECT
    MIN(transacted_on) AS first_day,
    MAX(transacted_on) AS last_day
  FROM sold
), days AS (
  SELECT
    dates.date_day,
    dates.month_number,
    dates.weekday_number,
    dates.weekday_name,
    dates.is_weekend,
    COALESCE(sold.settled_count, 0) AS settled_count,
    COALESCE(sold.settled_volume, 0) AS settled_volume,
    @holiday_of(dates) AS holiday_name
  FROM dimensions.dim_dates AS dates
  JOIN ends
    ON dates.date_day BETWEEN ends.first_day AND ends.last_day
  LEFT JOIN sold
    ON sold.transacted_on = dates.date_day
), compared AS (
  SELECT
    days.*,
    COUNT(*) OVER five_weeks AS days_of_35,
    SUM(days.settled_count) OVER five_weeks AS purchases_of_35,
    SUM(days.settled_volume) OVER five_weeks AS volume_of_35,
    COUNT(*) OVER year_around AS days_of_365,
    SUM(days.settled_count) OVER year_around AS purchases_of_365,
    SUM(days.settled_volume) OVER year_around AS volume_of_365
  FROM days
  WINDOW five_weeks AS (ORDER BY days.date_day ROWS BETWEEN 17 PRECEDING AND 17 FOLLOWING), year_around AS (ORDER BY days.date_day ROWS BETWEEN 182 PRECEDING AND 182 FOLLOWING)
)
SELECT
  date_day::DATE, /* The day */
  month_number::INT, /* 1 to 12 */
  weekday_number::INT, /* 1 for Monday to 7 for Sunday */
  weekday_name::TEXT, /* Its weekday in English */
  is_weekend::BOOLEAN, /* Whether it is a Saturday or Sunday */
  (
    NOT holiday_name IS NULL
  )::BOOLEAN AS is_holiday, /* Whether it is a federal holiday of the United States, on the day itself */
  holiday_name::TEXT, /* Which; NULL for none */
  settled_count::BIGINT, /* Settled purchases: approved, of more than zero dollars, not reversed */
  settled_volume::DECIMAL(18, 2), /* US dollars of these */
  CASE WHEN days_of_35 = 35 THEN @index_of(settled_count, purchases_of_35, 35) END::DECIMAL(18, 2) AS settled_count_index_35d, /* 100 times the purchases by the mean of the 35 days from 17 before to 17 after: 100 is as usual; NULL in the first and last 17 days of the data */
  CASE WHEN days_of_35 = 35 THEN @index_of(settled_volume, volume_of_35, 35) END::DECIMAL(18, 2) AS settled_volume_index_35d, /* Likewise of the settled volume */
  CASE
    WHEN days_of_365 = 365
    THEN @index_of(settled_count, purchases_of_365, 365)
  END::DECIMAL(18, 2) AS settled_count_index_365d, /* 100 times the purchases by the mean of the 365 days from 182 before to 182 after; NULL in the first and last 182 days of the data */
  CASE WHEN days_of_365 = 365 THEN @index_of(settled_volume, volume_of_365, 365) END::DECIMAL(18, 2) AS settled_volume_index_365d /* Likewise of the settled volume */
FROM compared;

@primary_key(date_day)
