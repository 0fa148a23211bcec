AUDIT (
  name no_reason_declines_more_than_all,
  dialect postgres
);

/* One reason never holds more than all of its month and channel. */
WITH totals AS (
  SELECT
    month_start,
    channel,
    declined_count
  FROM @whole_model()
  WHERE
    decline_reason = 'Any error'
)
SELECT
  totals.month_start,
  totals.channel,
  by_reason.decline_reason
FROM totals
JOIN @whole_model() AS by_reason
  ON by_reason.month_start = totals.month_start AND by_reason.channel = totals.channel
WHERE
  @in_months_of_range(totals.month_start)
  AND by_reason.declined_count > totals.declined_count;

AUDIT (
  name errors_are_known,
  dialect postgres
);

/* Errors that are none of the published ones: they count as declined, for the reason Other. Somebody should know of them. */
SELECT
  month_start,
  channel,
  declined_count
FROM @this_model
WHERE
  decline_reason = 'Other' AND declined_count > 0;

AUDIT (
  name places_are_known,
  dialect postgres
);

/* Transactions of which merchant_state is neither a US state nor a country: neither domestic nor foreign. */
SELECT
  month_start,
  place,
  transaction_count
FROM @this_model
WHERE
  place_kind = 'unknown';

AUDIT (
  name clients_come_and_go,
  dialect postgres
);

/* The active clients of a month are those of the month before, with the new and returning ones and without the lost ones. */
SELECT
  this_month.cohort_month_date,
  this_month.month_start
FROM @this_model AS this_month
LEFT JOIN @this_model AS month_before
  ON month_before.cohort_month_date = this_month.cohort_month_date
  AND month_before.months_since_first = this_month.months_since_first - 1
WHERE
  this_month.active_clients <> COALESCE(month_before.active_clients, 0) + this_month.new_clients + this_month.returning_clients - this_month.lost_clients
