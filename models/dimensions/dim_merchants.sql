MODEL (
  name dimensions.dim_merchants,
  kind FULL,
  description 'One row per merchant that a landed transaction names. A merchant is no place: chains stand in hundreds of cities, so the place stays with the transaction.',
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

SELECT
  merchant_id::INT, /* The merchant */
  MIN(mcc)::INT AS mcc, /* Its category; the lowest code, where it was seen under several */
  (
    MIN(mcc) <> MAX(mcc)
  )::BOOLEAN AS has_several_mccs, /* Whether it was seen under several categories */
  MIN(transacted_on)::DATE AS first_seen_on, /* Day of its first landed transaction */
  MAX(transacted_on)::DATE AS last_seen_on /* Day of its last landed transaction */
FROM staging.stg_transactions
WHERE
  NOT merchant_id IS NULL AND NOT mcc IS NULL AND NOT transacted_on IS NULL
GROUP BY
  merchant_id;

@primary_key(merchant_id);

@index(mcc)
