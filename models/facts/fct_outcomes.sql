MODEL (
  name facts.fct_outcomes,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_on,
    lookback 2
  ),
  description 'One row per transaction with what came of it: the money it moved, in cents, and its label. The one place where purchase, refund, reversed and labelled are defined, from is_approved of facts.fct_transactions; every report and feature is a sum over it. When labels arrive, their days are restated here.',
  grain transaction_id,
  references (client_id, card_id, mcc, merchant_id),
  tags (fact, labelled),
  audits (
    not_null(
      columns := (
        transaction_id,
        transacted_on,
        month_start,
        amount_cents,
        purchase_cents,
        refund_cents,
        is_reversed,
        is_second_leg
      )
    ),
    sums_agree(
      parent := facts.fct_transactions,
      over := days,
      sums := (
        COUNT(*) = COUNT(*),
        @dollars_of(SUM(amount_cents)) = SUM(amount),
        @dollars_of(SUM(purchase_cents - refund_cents)) = SUM(amount) FILTER(WHERE
          is_approved)
      )
    )
  )
);

SELECT
  facts.transaction_id::BIGINT, /* The transaction */
  facts.transacted_at::TIMESTAMP, /* Local time of the purchase, in whole minutes */
  facts.transacted_on::DATE, /* Its day */
  DATE_TRUNC('MONTH', facts.transacted_at)::DATE AS month_start, /* First day of its month */
  @minute_number(facts.transacted_at)::INT AS minute_number, /* Whole minutes since 1970: what windows measure time in, cheaper than intervals */
  facts.client_id::INT, /* The cardholder */
  facts.card_id::INT, /* The card */
  facts.merchant_id::INT, /* The merchant */
  facts.mcc::INT, /* Merchant category code */
  facts.channel::TEXT, /* swipe, chip or online */
  @place_of(facts.merchant_state, facts.merchant_country)::TEXT AS place, /* US state code, country, NO PLACE where no state is published (most of them online, see channel), or UNKNOWN for all that is published as neither state nor country */
  (
    COALESCE(facts.merchant_country, 'United States') <> 'United States'
  )::BOOLEAN AS is_foreign, /* Whether the place is a country abroad */
  facts.is_approved::BOOLEAN, /* Whether it went through: no error at all */
  (
    facts.has_bad_card_number OR facts.has_bad_cvv OR facts.has_bad_expiration
  )::BOOLEAN AS has_bad_card_data, /* Whether card number, security code or expiry date was wrong */
  @cents(facts.amount)::BIGINT AS amount_cents, /* As published, in cents, refunds negative, declined or not */
  CASE
    WHEN facts.is_approved AND facts.amount > 0
    THEN @cents(facts.amount)
    ELSE 0
  END::BIGINT AS purchase_cents, /* Purchase volume: cents of an approved purchase, else 0 */
  CASE
    WHEN facts.is_approved AND facts.amount < 0
    THEN -@cents(facts.amount)
    ELSE 0
  END::BIGINT AS refund_cents, /* Cents of an approved refund, positive, else 0 */
  COALESCE(reversals.is_reversed, FALSE)::BOOLEAN AS is_reversed, /* Whether it is half of a purchase and an exactly opposite refund of the card at the merchant within 24 hours: a hold that was released. Certain two days after it */
  COALESCE(reversals.is_second_leg, FALSE)::BOOLEAN AS is_second_leg, /* Whether an exactly opposite approved amount of the card at the merchant went before it within 24 hours, in an earlier minute: known at its own minute */
  labels.is_fraud::BOOLEAN /* Whether it was fraud; NULL where there is no label: unknown, not legitimate */
FROM facts.fct_transactions AS facts
LEFT JOIN facts.fct_fraud_labels AS labels
  ON labels.transaction_id = facts.transaction_id
LEFT JOIN facts.fct_reversals AS reversals
  ON reversals.transaction_id = facts.transaction_id
  AND reversals.transacted_on = facts.transacted_on
  AND @in_range(reversals.transacted_on)
WHERE
  @in_range(facts.transacted_on);

@primary_key(transaction_id);

@index(transacted_on);

@index(card_id, transacted_on, where := is_fraud)
