AUDIT (
  name sums_agree,
  dialect postgres,
  defaults (over = 'all', day = transacted_on, parent_day = transacted_on)
);

/* Nothing is lost or counted twice on the way: of each of the `sums`, the left side over the model is the right side over
   `parent`, which the model has to depend on. `over` says of which rows: those of the `days` of the processed range, of the
   `months` or `years` that these touch, or `all`; `day` is the model's column of the day, month or year, and `parent_day` the
   parent's. */
SELECT
  @sides_of(@sums, right)
FROM @parent
WHERE
  @in_audited(@over, @parent_day)
EXCEPT
SELECT
  @sides_of(@sums, left)
FROM @whole_model()
WHERE
  @in_audited(@over, @day)
