AUDIT (
  name card_expires_after_it_was_opened,
  dialect postgres
);

SELECT
  card_id,
  card_opened_on,
  card_expires_on
FROM @this_model
WHERE
  card_expires_on < card_opened_on;

AUDIT (
  name first_seen_is_not_after_last_seen,
  dialect postgres
);

SELECT
  merchant_id,
  first_seen_on,
  last_seen_on
FROM @this_model
WHERE
  first_seen_on > last_seen_on;

AUDIT (
  name mcc_descriptions_are_distinct,
  dialect postgres
);

/* Descriptions that several codes share, beyond those somebody decided to live with. */
SELECT
  categories.mcc_description,
  COUNT(*) AS code_count
FROM @this_model AS categories
WHERE
  NOT categories.mcc_description IN (
    SELECT
      exception_key
    FROM seeds.known_exceptions
    WHERE
      check_name = 'mcc_descriptions_are_distinct'
  )
GROUP BY
  categories.mcc_description
HAVING
  COUNT(*) > 1
