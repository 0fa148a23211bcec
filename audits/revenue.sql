AUDIT (
  name daily_revenue_is_the_outcomes,
  dialect postgres
);

/* Rows, purchases and refunds of the processed days, to the cent. */
WITH outcomes AS (
  SELECT
    COUNT(*) AS transaction_count,
    @dollars_of(SUM(purchase_cents)) AS purchase_volume,
    @dollars_of(SUM(refund_cents)) AS refunds
  FROM facts.fct_outcomes
  WHERE
    @in_range(transacted_on)
), reported AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(purchase_volume), 0) AS purchase_volume,
    COALESCE(SUM(refunds), 0) AS refunds
  FROM @this_model
  WHERE
    @in_range(transacted_on)
)
SELECT
  outcomes.transaction_count,
  reported.transaction_count AS reported_count,
  outcomes.purchase_volume,
  reported.purchase_volume AS reported_volume,
  outcomes.refunds,
  reported.refunds AS reported_refunds
FROM outcomes
CROSS JOIN reported
WHERE
  outcomes.transaction_count IS DISTINCT FROM reported.transaction_count
  OR outcomes.purchase_volume IS DISTINCT FROM reported.purchase_volume
  OR outcomes.refunds IS DISTINCT FROM reported.refunds;

AUDIT (
  name months_are_the_outcomes,
  dialect postgres
);

/* Each cut of a month holds every transaction and every cent of that month. */
WITH outcomes AS (
  SELECT
    COUNT(*) AS transaction_count,
    @dollars_of(SUM(purchase_cents)) AS purchase_volume
  FROM facts.fct_outcomes
  WHERE
    @in_months_of_range(transacted_on)
), reported AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(purchase_volume), 0) AS purchase_volume
  FROM @whole_model()
  WHERE
    @in_months_of_range(month_start)
)
SELECT
  outcomes.transaction_count,
  reported.transaction_count AS reported_count,
  outcomes.purchase_volume,
  reported.purchase_volume AS reported_volume
FROM outcomes
CROSS JOIN reported
WHERE
  outcomes.transaction_count IS DISTINCT FROM reported.transaction_count
  OR outcomes.purchase_volume IS DISTINCT FROM reported.purchase_volume;

AUDIT (
  name declines_are_the_facts,
  dialect postgres
);

/* Under Any error each month holds every transaction and every declined one; one reason never holds more. */
WITH facts AS (
  SELECT
    COUNT(*) AS transaction_count,
    COUNT(*) FILTER(WHERE
      NOT is_approved) AS declined_count
  FROM facts.fct_transactions
  WHERE
    @in_months_of_range(transacted_on)
), reported AS (
  SELECT
    COALESCE(SUM(transaction_count) FILTER(WHERE
      decline_reason = 'Any error'), 0) AS transaction_count,
    COALESCE(SUM(declined_count) FILTER(WHERE
      decline_reason = 'Any error'), 0) AS declined_count,
    COALESCE(MAX(declined_count) FILTER(WHERE
      decline_reason <> 'Any error'), 0) AS most_of_one_reason
  FROM @whole_model()
  WHERE
    @in_months_of_range(month_start)
)
SELECT
  facts.transaction_count,
  reported.transaction_count AS reported_count,
  facts.declined_count,
  reported.declined_count AS reported_declined
FROM facts
CROSS JOIN reported
WHERE
  facts.transaction_count IS DISTINCT FROM reported.transaction_count
  OR facts.declined_count IS DISTINCT FROM reported.declined_count
  OR reported.most_of_one_reason > reported.declined_count;

AUDIT (
  name client_months_are_the_card_months,
  dialect postgres
);

/* No cardholder's transaction or dollar is lost on the way from cards to cardholders. */
WITH cards AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    @dollars_of(SUM(purchase_cents)) AS purchase_volume,
    @dollars_of(SUM(refund_cents)) AS refunds
  FROM facts.fct_card_months
), clients AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(purchase_volume), 0) AS purchase_volume,
    COALESCE(SUM(refunds), 0) AS refunds
  FROM @this_model
)
SELECT
  cards.transaction_count,
  clients.transaction_count AS reported_count,
  cards.purchase_volume,
  clients.purchase_volume AS reported_volume,
  cards.refunds,
  clients.refunds AS reported_refunds
FROM cards
CROSS JOIN clients
WHERE
  cards.transaction_count IS DISTINCT FROM clients.transaction_count
  OR cards.purchase_volume IS DISTINCT FROM clients.purchase_volume
  OR cards.refunds IS DISTINCT FROM clients.refunds;

AUDIT (
  name summary_is_the_daily_revenue,
  dialect postgres
);

/* Every month's transactions, purchases, refunds and estimate are those of its days. */
WITH daily AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(purchase_volume), 0) AS purchase_volume,
    COALESCE(SUM(refunds), 0) AS refunds,
    COALESCE(SUM(estimated_interchange), 0) AS estimated_interchange
  FROM serving.daily_revenue
), monthly AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(purchase_volume), 0) AS purchase_volume,
    COALESCE(SUM(refunds), 0) AS refunds,
    COALESCE(SUM(estimated_interchange), 0) AS estimated_interchange
  FROM @this_model
)
SELECT
  daily.transaction_count,
  monthly.transaction_count AS reported_count,
  daily.purchase_volume,
  monthly.purchase_volume AS reported_volume
FROM daily
CROSS JOIN monthly
WHERE
  daily.transaction_count IS DISTINCT FROM monthly.transaction_count
  OR daily.purchase_volume IS DISTINCT FROM monthly.purchase_volume
  OR daily.refunds IS DISTINCT FROM monthly.refunds
  OR daily.estimated_interchange IS DISTINCT FROM monthly.estimated_interchange;

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
