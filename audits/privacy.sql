AUDIT (
  name no_card_numbers,
  dialect postgres
);

/* Runs of 13 to 19 digits, in groups or not, that pass Luhn. None ever lands; should one all the same, it goes no further. */
WITH suspected AS (
  SELECT
    UNNEST(ARRAY[@EACH(@columns, c -> c)]) AS shown
  FROM @this_model
  WHERE
    @OR(@EACH(@columns, c -> LENGTH(c) >= 13 AND c ~ '[0-9]([ -]?[0-9]){12}'))
), runs AS (
  SELECT
    TRANSLATE(found.runs[1], ' -', '') AS digits
  FROM suspected
  CROSS JOIN LATERAL REGEXP_MATCHES(suspected.shown, '(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])', 'g') AS found(runs)
), digits_by_place AS (
  SELECT
    digits,
    place,
    SUBSTRING(digits FROM LENGTH(digits) - place FOR 1)::INT * (
      1 + place % 2
    ) AS weighted
  FROM runs
  CROSS JOIN LATERAL GENERATE_SERIES(0, LENGTH(digits) - 1) AS places(place)
)
SELECT
  RIGHT(digits, 4) AS last_four
FROM digits_by_place
GROUP BY
  digits
HAVING
  SUM(weighted - CASE WHEN weighted > 9 THEN 9 ELSE 0 END) % 10 = 0
