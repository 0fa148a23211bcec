MODEL (
  name serving.fct_transaction,
  kind VIEW,
  description 'One row per transaction: its keys and its measures, the centre of a star of the dimensions dim_date, dim_client, dim_card, dim_category, dim_merchant and dim_place, which all of its keys lead to. Amounts are of US dollars and can be summed over any rows. is_fraud is NULL where there is no label: unknown, not legitimate.',
  grain transaction_id,
  references (transacted_on AS date_day, client_id, card_id, mcc, merchant_id, place),
  tags (serving, star),
  grants (
    'select' = 'revops_analyst'
  ),
  ignored_rules (
    'nomissingaudits'
  )
);

/* No audits: facts.fct_outcomes, which this renames, has them and its primary key, and an audit here would read all of it at each
   build. That each key has its row is an audit of the dimensions. */
SELECT
  transaction_id::BIGINT, /* The transaction, as the issuer numbers it */
  transacted_at::TIMESTAMP, /* Local time of the purchase, in whole minutes; no time zone is known */
  transacted_on::DATE, /* Its day: serving.dim_date */
  client_id::INT, /* The cardholder: serving.dim_client */
  card_id::INT, /* The card: serving.dim_card */
  merchant_id::INT, /* The merchant: serving.dim_merchant */
  mcc::INT, /* Its category: serving.dim_category */
  place::TEXT, /* Where the merchant is: serving.dim_place */
  channel::TEXT, /* swipe, chip or online */
  is_approved::BOOLEAN, /* Whether it went through: no error at all */
  @is_settled()::BOOLEAN AS is_settled, /* Whether it is a settled purchase: approved, of more than zero dollars, not reversed */
  is_reversed::BOOLEAN, /* Whether it is half of a purchase and an exactly opposite refund of the card at the merchant within 24 hours, whichever came first: a hold that was released, not settled */
  is_fraud::BOOLEAN, /* Whether it was fraud; NULL where there is no label: a fraud rate divides by the labelled */
  (
    amount_cents * 0.01
  )::DECIMAL(18, 2) AS amount, /* US dollars as published, refunds negative, declined or not: a sum of it is of attempts, and no volume */
  (
    purchase_cents * 0.01
  )::DECIMAL(18, 2) AS purchase_amount, /* US dollars of an approved purchase, else 0: gross, reversed ones included */
  (
    refund_cents * 0.01
  )::DECIMAL(18, 2) AS refund_amount, /* US dollars of an approved refund, positive, else 0: gross, those of reversed purchases included */
  (
    (
      purchase_cents - refund_cents
    ) * 0.01
  )::DECIMAL(18, 2) AS net_amount, /* Purchase less refund */
  (
    CASE WHEN @is_settled() THEN purchase_cents ELSE 0 END * 0.01
  )::DECIMAL(18, 2) AS settled_amount /* US dollars of a settled purchase, else 0 */
FROM facts.fct_outcomes
