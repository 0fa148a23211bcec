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
  place_kind = 'unknown'
