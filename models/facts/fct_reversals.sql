MODEL (
  name facts.fct_reversals,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_on,
    lookback 2
  ),
  description 'One row per approved transaction that has an exactly opposite approved one of the same card and merchant at most 24 hours before or after. A purchase and a refund are a reversed pair where each is the nearest such row of the other: by minutes; of two as near, the earlier; of the same minute, the lower transaction_id. So each row is in one pair at most, and whether it is depends on rows of two days before and two after: a changed day is felt in both directions.',
  grain transaction_id,
  references counterpart_id,
  tags (
    fact
  ),
  audits (
    not_null(columns := (transaction_id, transacted_on, is_reversed, is_second_leg)),
    no_row_is_reversed_twice
  )
);

WITH opposites AS (
  SELECT
    refunds.transaction_id AS refund_id,
    refunds.transacted_on AS refunded_on,
    @minute_number(refunds.transacted_at) AS refund_minute,
    purchases.transaction_id AS purchase_id,
    purchases.transacted_on AS purchased_on,
    @minute_number(purchases.transacted_at) AS purchase_minute
  FROM facts.fct_transactions AS refunds
  JOIN facts.fct_transactions AS purchases
    ON purchases.card_id = refunds.card_id
    AND purchases.merchant_id = refunds.merchant_id
    AND purchases.amount = -refunds.amount
    AND @is_within_reversal(purchases.transacted_at, refunds.transacted_at)
  WHERE
    refunds.is_approved
    AND refunds.amount < 0
    AND @in_range(refunds.transacted_on, 2, 2)
    AND purchases.is_approved
    AND purchases.amount > 0
    AND @in_range(purchases.transacted_on, 2, 2)
), ranked AS (
  SELECT
    refund_id,
    refunded_on,
    refund_minute,
    purchase_id,
    purchased_on,
    purchase_minute,
    ABS(refund_minute - purchase_minute) AS minutes_apart,
    ROW_NUMBER() OVER (
      PARTITION BY refund_id
      ORDER BY ABS(refund_minute - purchase_minute), purchase_minute, purchase_id
    ) AS place_of_purchase,
    ROW_NUMBER() OVER (
      PARTITION BY purchase_id
      ORDER BY ABS(refund_minute - purchase_minute), refund_minute, refund_id
    ) AS place_of_refund
  FROM opposites
), halves AS (
  SELECT
    refund_id AS transaction_id,
    refunded_on AS transacted_on,
    purchase_id AS counterpart_id,
    minutes_apart,
    purchase_minute < refund_minute AS is_second_leg,
    place_of_purchase = 1 AND place_of_refund = 1 AS is_reversed
  FROM ranked
  WHERE
    @in_range(refunded_on)
  UNION ALL
  SELECT
    purchase_id AS transaction_id,
    purchased_on AS transacted_on,
    refund_id AS counterpart_id,
    minutes_apart,
    refund_minute < purchase_minute AS is_second_leg,
    place_of_purchase = 1 AND place_of_refund = 1 AS is_reversed
  FROM ranked
  WHERE
    @in_range(purchased_on)
)
SELECT
  transaction_id::BIGINT, /* The transaction: a purchase or a refund */
  transacted_on::DATE, /* Its day */
  BOOL_OR(is_reversed)::BOOLEAN AS is_reversed, /* Whether it is half of a reversed pair: certain two days after it */
  MAX(CASE WHEN is_reversed THEN counterpart_id END)::BIGINT AS counterpart_id, /* The other half of the pair; NULL where there is none */
  MAX(CASE WHEN is_reversed THEN minutes_apart END)::INT AS minutes_apart, /* Minutes between the halves; NULL where there is no pair */
  BOOL_OR(is_second_leg)::BOOLEAN AS is_second_leg /* Whether an opposite one of an earlier minute went before it, paired or not: known at its own minute */
FROM halves
GROUP BY
  transaction_id,
  transacted_on;

@look_back(2);

@look_ahead(2);

@fill_in_ranges(facts.fct_transactions);

@primary_key(transaction_id);

@index(transacted_on)
