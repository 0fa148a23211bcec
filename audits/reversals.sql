AUDIT (
  name no_row_is_reversed_twice,
  dialect postgres
);

/* A purchase is taken back once, and a refund takes back one purchase. */
SELECT
  counterpart_id
FROM @this_model
WHERE
  is_reversed
GROUP BY
  counterpart_id
HAVING
  COUNT(*) > 1
