AUDIT (
  name no_more_are_active_than_there_are,
  dialect postgres
);

/* Open cards are some of the issued, and the active ones of a longer period no fewer than those of a month of it. */
SELECT
  longer.period_kind,
  longer.period_start_date
FROM @this_model AS longer
JOIN @this_model AS months
  ON months.period_kind = 'month'
  AND months.period_start_date BETWEEN longer.period_start_date AND longer.period_end_date
WHERE
  longer.open_cards > longer.issued_cards
  OR months.active_clients > longer.active_clients
  OR months.active_cards > longer.active_cards
