MODEL (
  name quality.quarantined_transactions,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column quarantined_on
  ),
  description 'One row per landed transaction row that is not in facts.fct_transactions, with the reason and the row as it is in raw: orphans (of no known client, card or category), duplicates and faulty rows. Together they are raw.transactions, in rows and in dollars.',
  grain (_file_id, _line_number),
  tags (
    quality
  ),
  audits (
    not_null(columns := (reason, quarantined_on, _file_id, _line_number)),
    transactions_are_accounted_for,
    no_card_numbers(
      columns := (
        landed_id,
        landed_date,
        landed_client_id,
        landed_card_id,
        landed_amount,
        landed_use_chip,
        landed_merchant_id,
        landed_merchant_city,
        landed_merchant_state,
        landed_zip,
        landed_mcc,
        landed_errors
      )
    )
  )
);

/* A fact row comes from one raw row and no two from the same: where a range holds as many facts as landed rows, nothing is
   missing and nothing needs to be looked at. Most days end here, at the cost of two counts. */
WITH landed_in_range AS (
  SELECT
    COUNT(*) AS row_count
  FROM staging.stg_transactions
  WHERE
    @landed_in_range(landed_date, transacted_at)
), facts_in_range AS (
  SELECT
    COUNT(*) AS row_count
  FROM facts.fct_transactions
  WHERE
    transacted_on BETWEEN @start_ds::DATE AND @end_ds::DATE
), judged AS (
  SELECT
    staged.transaction_id,
    CASE
      WHEN NOT staged.row_fault IS NULL
      THEN staged.row_fault
      WHEN staged.transacted_at >= @execution_ds::TIMESTAMP
      THEN 'the day is not over yet'
      WHEN clients.client_id IS NULL
      THEN 'client_id is of no known user'
      WHEN cards.card_id IS NULL
      THEN 'card_id is of no known card'
      WHEN cards.client_id <> staged.client_id
      THEN 'card_id is not a card of client_id'
      WHEN categories.mcc IS NULL
      THEN 'mcc is of no known category'
    END AS reason,
    @accounted_on(staged.transacted_at) AS quarantined_on,
    staged.amount,
    staged.landed_id,
    staged.landed_date,
    staged.landed_client_id,
    staged.landed_card_id,
    staged.landed_amount,
    staged.landed_use_chip,
    staged.landed_merchant_id,
    staged.landed_merchant_city,
    staged.landed_merchant_state,
    staged.landed_zip,
    staged.landed_mcc,
    staged.landed_errors,
    staged._file_id,
    staged._line_number
  FROM staging.stg_transactions AS staged
  LEFT JOIN dimensions.dim_users AS clients
    ON clients.client_id = staged.client_id
  LEFT JOIN dimensions.dim_cards AS cards
    ON cards.card_id = staged.card_id
  LEFT JOIN dimensions.dim_mcc AS categories
    ON categories.mcc = staged.mcc
  WHERE
    (
      SELECT
        row_count
      FROM landed_in_range
    ) <> (
      SELECT
        row_count
      FROM facts_in_range
    )
    AND @landed_in_range(staged.landed_date, staged.transacted_at)
)
SELECT
  transaction_id::BIGINT, /* The transaction; NULL where the id is not a number */
  reason::TEXT, /* Why it is here */
  quarantined_on::DATE, /* The day of the transaction; 2000-01-01 for a row without a usable date */
  amount::DECIMAL(12, 2), /* US dollars; NULL where the amount cannot be read */
  landed_id::TEXT, /* As landed */
  landed_date::TEXT, /* As landed */
  landed_client_id::TEXT, /* As landed */
  landed_card_id::TEXT, /* As landed */
  landed_amount::TEXT, /* As landed */
  landed_use_chip::TEXT, /* As landed */
  landed_merchant_id::TEXT, /* As landed */
  landed_merchant_city::TEXT, /* As landed */
  landed_merchant_state::TEXT, /* As landed */
  landed_zip::TEXT, /* As landed */
  landed_mcc::TEXT, /* As landed */
  landed_errors::TEXT, /* As landed */
  _file_id::BIGINT, /* The landed file */
  _line_number::BIGINT /* The line in it */
FROM judged
WHERE
  NOT reason IS NULL AND quarantined_on BETWEEN @start_ds::DATE AND @end_ds::DATE;

@primary_key(_file_id, _line_number);

@index(transaction_id)
