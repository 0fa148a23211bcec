MODEL (
  name dimensions.dim_merchants,
  kind FULL,
  description 'One row per merchant with transactions. A merchant is no place: chains stand in hundreds of cities, so the place stays with the transaction.',
  grain merchant_id,
  references mcc,
  tags (
    dimension
  ),
  audits (
    not_null(columns := (merchant_id, mcc, first_seen_on, last_seen_on)),
    unique_values(columns := (
      merchant_id
    )),
    first_seen_is_not_after_last_seen
  )
);

/* Nothing lands about merchants: all that is known of one is in its transactions, here summed by year already. */
SELECT
  merchant_id::INT, /* The merchant */
  MIN(lowest_mcc)::INT AS mcc, /* Its category; the lowest code, where it was seen under several */
  (
    MIN(lowest_mcc) <> MAX(highest_mcc)
  )::BOOLEAN AS has_several_mccs, /* Whether it was seen under several categories */
  MIN(first_seen_on)::DATE AS first_seen_on, /* Day of its first transaction */
  MAX(last_seen_on)::DATE AS last_seen_on /* Day of its last transaction */
FROM facts.fct_merchant_years
GROUP BY
  merchant_id;

@primary_key(merchant_id);

@index(mcc);

@restated_by(merchant_id, tables := (
  facts.fct_merchant_years
))
