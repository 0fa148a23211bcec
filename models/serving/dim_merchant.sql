MODEL (
  name serving.dim_merchant,
  kind VIEW,
  description 'One row per merchant with transactions: dimension of the star around serving.fct_transaction. A merchant is no place: chains are in hundreds of cities, so the place is that of the transaction.',
  grain merchant_id,
  depends_on (
    serving.merchant_risk
  ),
  references (
    mcc
  ),
  tags (serving, star),
  audits (
    not_null(columns := (merchant_id, mcc)),
    unique_values(columns := (
      merchant_id
    )),
    holds_every_key_of(holder := serving.merchant_risk, column := merchant_id, key := merchant_id)
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  merchant_id::INT, /* The merchant */
  mcc::INT, /* Its category; the lowest code, where it was seen under several: group transactions by their own */
  has_several_mccs::BOOLEAN, /* Whether it was seen under several categories */
  first_seen_on::DATE, /* Day of its first transaction */
  last_seen_on::DATE /* Day of its last transaction */
FROM dimensions.dim_merchants
