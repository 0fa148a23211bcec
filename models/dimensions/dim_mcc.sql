MODEL (
  name dimensions.dim_mcc,
  kind FULL,
  description 'One row per merchant category code. Two codes may share one description (known_exceptions): join on the code.',
  grain mcc,
  depends_on (
    seeds.known_exceptions
  ),
  tags (
    dimension
  ),
  audits (
    not_null(columns := (mcc, mcc_description)),
    unique_values(columns := (
      mcc
    )),
    mcc_descriptions_are_distinct(blocking := FALSE),
    no_card_numbers(columns := (
      mcc_description
    ))
  )
);

SELECT
  mcc::INT, /* Merchant category code */
  mcc_description::TEXT /* What the code stands for, as published */
FROM staging.stg_mcc_codes
WHERE
  row_fault IS NULL;

@primary_key(mcc)
