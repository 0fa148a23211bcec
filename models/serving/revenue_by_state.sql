MODEL (
  name serving.revenue_by_state,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month_start
  ),
  description 'One row per month and place of the merchant: a US state, a country abroad, NO PLACE where none is published, or UNKNOWN. Georgia is the country, GA the state. Volume is what cardholders spend, and no revenue of the issuer.',
  grain (month_start, place),
  tags (serving, revenue),
  audits (
    not_null(
      columns := (month_start, place, place_kind, transaction_count, purchase_volume, refunds)
    ),
    unique_combination_of_columns(columns := (month_start, place)),
    sums_agree(
      parent := facts.fct_outcomes,
      over := months,
      day := month_start,
      sums := (
        SUM(transaction_count) = COUNT(*),
        SUM(purchase_volume) = @dollars_of(SUM(purchase_cents)),
        SUM(settled_volume) = @dollars_of(@settled_cents())
      )
    ),
    places_are_known(blocking := FALSE)
  ),
  cron '@daily',
  interval_unit month,
  allow_partials TRUE,
  grants (
    'select' = 'revops_analyst'
  )
);

WITH by_client AS (
  SELECT
    month_start,
    place,
    is_foreign,
    client_id,
    COUNT(*) AS transaction_count,
    COUNT(*) FILTER(WHERE
      is_approved) AS approved_count,
    COUNT(*) FILTER(WHERE
      purchase_cents > 0) AS purchase_count,
    COUNT(*) FILTER(WHERE
      refund_cents > 0) AS refund_count,
    SUM(purchase_cents) AS purchase_cents,
    SUM(refund_cents) AS refund_cents,
    @settled_count() AS settled_count,
    @settled_cents() AS settled_cents,
    @settled_refund_count() AS settled_refund_count,
    @settled_refund_cents() AS settled_refund_cents
  FROM facts.fct_outcomes
  WHERE
    @in_months_of_range(transacted_on)
  GROUP BY
    month_start,
    place,
    is_foreign,
    client_id
), by_place AS (
  SELECT
    month_start,
    place,
    is_foreign,
    COUNT(*) FILTER(WHERE
      settled_count > 0) AS active_clients,
    SUM(transaction_count) AS transaction_count,
    SUM(approved_count) AS approved_count,
    SUM(purchase_count) AS purchase_count,
    SUM(refund_count) AS refund_count,
    SUM(purchase_cents) AS purchase_cents,
    SUM(refund_cents) AS refund_cents,
    SUM(settled_count) AS settled_count,
    SUM(settled_cents) AS settled_cents,
    SUM(settled_refund_count) AS settled_refund_count,
    SUM(settled_refund_cents) AS settled_refund_cents
  FROM by_client
  GROUP BY
    month_start,
    place,
    is_foreign
)
SELECT
  by_place.month_start::DATE, /* First day of the month */
  by_place.place::TEXT, /* US state code, country, NO PLACE where none is published (not the same as channel online), or UNKNOWN for all that is published as neither state nor country */
  @place_kind_of(by_place.place, by_place.is_foreign)::TEXT AS place_kind, /* domestic, foreign, none or unknown */
  CASE
    WHEN @is_real_place(by_place.place)
    THEN COALESCE(states.state_name, by_place.place)
    ELSE INITCAP(by_place.place)
  END::TEXT AS place_name, /* Name of the state or country */
  by_place.active_clients::BIGINT, /* Cardholders with at least one settled purchase there in the month; not to be added over places or months */
  @days_in_month(by_place.month_start)::INT AS days_in_month, /* Calendar days of the month: months are of 28 to 31 days */
  by_place.transaction_count::BIGINT, /* All transactions, declined ones too */
  by_place.approved_count::BIGINT, /* Without any error */
  (
    by_place.transaction_count - by_place.approved_count
  )::BIGINT AS declined_count, /* With an error */
  by_place.purchase_count::BIGINT, /* Approved, of more than zero dollars: gross, reversed ones included */
  by_place.refund_count::BIGINT, /* Approved, of less than zero dollars: gross, those of reversed purchases included */
  @dollars_of(by_place.purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases: gross, reversed ones included */
  @dollars_of(by_place.refund_cents)::DECIMAL(18, 2) AS refunds, /* US dollars that went back, positive: gross, those of reversed purchases included */
  @dollars_of(by_place.purchase_cents - by_place.refund_cents)::DECIMAL(18, 2) AS net_volume, /* Purchase volume less refunds; settled volume less settled refunds is the same, but where the halves of a reversed pair are of two rows here */
  (
    by_place.purchase_count - by_place.settled_count
  )::BIGINT AS reversed_count, /* Purchases with an exactly opposite refund of the card at the merchant within 24 hours: holds that were released, and never purchases */
  @dollars_of(by_place.purchase_cents - by_place.settled_cents)::DECIMAL(18, 2) AS reversed_volume, /* US dollars of these */
  by_place.settled_count::BIGINT AS settled_count, /* Purchases without the reversed ones */
  @dollars_of(by_place.settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of settled purchases */
  by_place.settled_refund_count::BIGINT AS settled_refund_count, /* Refunds without those of reversed purchases */
  @dollars_of(by_place.settled_refund_cents)::DECIMAL(18, 2) AS settled_refunds, /* US dollars of these, positive */
  @average_of(@dollars_of(by_place.settled_cents), by_place.settled_count)::DECIMAL(18, 2) AS average_ticket /* US dollars for each settled purchase; NULL where there was none */
FROM by_place
LEFT JOIN seeds.us_states AS states
  ON states.state_code = by_place.place AND NOT by_place.is_foreign;

@primary_key(month_start, place);

@index(place, month_start)
