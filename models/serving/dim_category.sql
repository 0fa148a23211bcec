MODEL (
  name serving.dim_category,
  kind VIEW,
  description 'One row per merchant category code, with or without transactions: dimension of the star around serving.fct_transaction. Two codes may share one description: group by code or label.',
  grain mcc,
  depends_on (
    serving.revenue_by_merchant_category
  ),
  tags (serving, star),
  audits (
    not_null(columns := (mcc, mcc_description, mcc_label, mcc_group)),
    unique_values(columns := (mcc, mcc_label)),
    holds_every_key_of(holder := serving.revenue_by_merchant_category, column := mcc, key := mcc)
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  categories.mcc::INT, /* Merchant category code */
  categories.mcc_description::TEXT, /* What the code stands for, as published */
  (
    categories.mcc::TEXT || ' ' || categories.mcc_description
  )::TEXT AS mcc_label, /* Code and description: unique, what to put on an axis */
  @mcc_group_of(groups)::TEXT AS mcc_group /* What its interchange is modelled by: grocery, fuel, restaurant, travel, utility or other */
FROM dimensions.dim_mcc AS categories
LEFT JOIN seeds.interchange_mcc_groups AS groups
  ON groups.mcc = categories.mcc
