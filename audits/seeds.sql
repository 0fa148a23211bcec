AUDIT (
  name interchange_periods_are_whole_months,
  dialect postgres
);

/* Monthly models price a month by one rate. */
SELECT
  card_brand,
  card_type,
  valid_from_date,
  valid_until_date
FROM @this_model
WHERE
  EXTRACT(DAY FROM valid_from_date) <> 1
  OR EXTRACT(DAY FROM valid_until_date) <> 1
  OR valid_until_date <= valid_from_date;

AUDIT (
  name interchange_periods_do_not_overlap,
  dialect postgres
);

/* A purchase priced twice would be counted twice. */
SELECT
  earlier.card_brand,
  earlier.card_type,
  earlier.is_card_present,
  earlier.mcc_group,
  earlier.valid_from_date,
  later.valid_from_date AS overlaps_from
FROM @this_model AS earlier
JOIN @this_model AS later
  ON later.card_brand = earlier.card_brand
  AND later.card_type = earlier.card_type
  AND later.is_card_present = earlier.is_card_present
  AND later.mcc_group = earlier.mcc_group
  AND later.valid_from_date > earlier.valid_from_date
WHERE
  earlier.valid_until_date IS NULL
  OR earlier.valid_until_date > later.valid_from_date;

AUDIT (
  name rules_ask_for_something,
  dialect postgres
);

/* A channel or kinds alone are not enough, a limit on a rate needs one on what it divides by, and kinds are known ones. */
SELECT
  rules.rule_name
FROM @this_model AS rules
WHERE
  (
    @asks_for_nothing(rules)
  )
  OR @unknown_kinds(rules)
  OR (
    NOT min_merchant_fraud_bp IS NULL AND min_merchant_labelled IS NULL
  )
  OR (
    NOT min_mcc_fraud_bp IS NULL AND min_mcc_labelled IS NULL
  )
  OR valid_until_date <= valid_from_date;

AUDIT (
  name eras_do_not_overlap,
  dialect postgres
);

/* A month is of one era, and eras begin and end with months. */
SELECT
  earlier.era,
  later.era AS overlapping_era
FROM @this_model AS earlier
JOIN @this_model AS later
  ON later.valid_from_date >= earlier.valid_from_date
WHERE
  (
    later.era <> earlier.era
    AND (
      earlier.valid_until_date IS NULL
      OR earlier.valid_until_date > later.valid_from_date
    )
  )
  OR EXTRACT(DAY FROM earlier.valid_from_date) <> 1
  OR EXTRACT(DAY FROM earlier.valid_until_date) <> 1
