AUDIT (
  name holds_every_key_of,
  dialect postgres
);

/* Each value of the column of `holder`, on which the model has to depend, has its row here. The holder is a report that has all
   values of the fact and few rows, so that the fact itself need not be read. */
SELECT DISTINCT
  @column
FROM @holder
WHERE
  NOT @column IN (
    SELECT
      @key
    FROM @this_model
  )
