AUDIT (
  name outcomes_are_the_facts,
  dialect postgres
);

/* As many rows and as many dollars as the facts of the processed days, and no money moved by what was declined. */
WITH facts AS (
  SELECT
    COUNT(*) AS row_count,
    COALESCE(SUM(amount), 0) AS amount,
    COALESCE(SUM(CASE WHEN is_approved THEN amount ELSE 0 END), 0) AS moved
  FROM facts.fct_transactions
  WHERE
    @in_range(transacted_on)
), outcomes AS (
  SELECT
    COUNT(*) AS row_count,
    @dollars_of(SUM(amount_cents)) AS amount,
    @dollars_of(SUM(purchase_cents - refund_cents)) AS moved
  FROM @this_model
  WHERE
    @in_range(transacted_on)
)
SELECT
  facts.row_count AS fact_rows,
  outcomes.row_count AS outcome_rows,
  facts.amount AS fact_amount,
  outcomes.amount AS outcome_amount,
  facts.moved AS fact_moved,
  outcomes.moved AS outcome_moved
FROM facts
CROSS JOIN outcomes
WHERE
  facts.row_count IS DISTINCT FROM outcomes.row_count
  OR facts.amount IS DISTINCT FROM outcomes.amount
  OR facts.moved IS DISTINCT FROM outcomes.moved;

AUDIT (
  name cents_are_the_outcomes,
  dialect postgres
);

/* The months of the processed range hold every transaction, every cent and every label. */
WITH outcomes AS (
  SELECT
    COUNT(*) AS transaction_count,
    COALESCE(SUM(purchase_cents), 0) AS purchase_cents,
    COALESCE(SUM(refund_cents), 0) AS refund_cents,
    @labelled_count() AS labelled_count
  FROM facts.fct_outcomes
  WHERE
    @in_months_of_range(transacted_on)
), counted AS (
  SELECT
    COALESCE(SUM(transaction_count), 0) AS transaction_count,
    COALESCE(SUM(purchase_cents), 0) AS purchase_cents,
    COALESCE(SUM(refund_cents), 0) AS refund_cents,
    COALESCE(SUM(labelled_count), 0) AS labelled_count
  FROM @whole_model()
  WHERE
    @in_months_of_range(month_start)
)
SELECT
  outcomes.transaction_count,
  counted.transaction_count AS counted_transactions,
  outcomes.purchase_cents,
  counted.purchase_cents AS counted_purchase_cents,
  outcomes.refund_cents,
  counted.refund_cents AS counted_refund_cents,
  outcomes.labelled_count,
  counted.labelled_count AS counted_labelled
FROM outcomes
CROSS JOIN counted
WHERE
  outcomes.transaction_count IS DISTINCT FROM counted.transaction_count
  OR outcomes.purchase_cents IS DISTINCT FROM counted.purchase_cents
  OR outcomes.refund_cents IS DISTINCT FROM counted.refund_cents
  OR outcomes.labelled_count IS DISTINCT FROM counted.labelled_count
