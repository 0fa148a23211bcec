MODEL (
  name serving.enriched_transactions,
  kind VIEW,
  description 'One row per transaction with what is known of its label, card, cardholder and category: the one big table, served from a materialized view that is refreshed while it is read. is_fraud is NULL where there is no label: unknown, not legitimate.',
  grain transaction_id,
  references (client_id, card_id, mcc, merchant_id),
  tags (
    serving
  ),
  grants (
    'select' = 'revops_analyst'
  ),
  ignored_rules (
    'nomissingaudits'
  )
);

/* No audits: those of the facts read the same rows, and one here would run the whole join. `revops verify` compares what is
   served. */
SELECT
  facts.transaction_id::BIGINT, /* The transaction, as the issuer numbers it */
  facts.transacted_at::TIMESTAMP, /* Local time of the purchase, in whole minutes; no time zone is known */
  facts.transacted_on::DATE, /* Its day */
  facts.client_id::INT, /* The cardholder */
  facts.card_id::INT, /* The card */
  facts.merchant_id::INT, /* The merchant; one merchant may stand in many cities */
  facts.mcc::INT, /* Merchant category code */
  facts.amount::DECIMAL(12, 2), /* US dollars, refunds negative */
  facts.channel::TEXT, /* swipe, chip or online */
  facts.merchant_city::TEXT, /* City, or ONLINE where none is published */
  facts.merchant_state::TEXT, /* US state code, or a country, as published; NULL where the merchant has no place, most of them online */
  facts.merchant_country::TEXT, /* Country of the merchant; NULL where it has no place, and where merchant_state is neither a state nor a country: unknown, and never abroad */
  facts.zip::TEXT, /* Five digits, leading zeros restored; NULL without a place and abroad */
  facts.errors::TEXT, /* What went wrong, comma-joined; NULL for none */
  facts.has_bad_card_number::BOOLEAN, /* Declined: card number wrong */
  facts.has_bad_cvv::BOOLEAN, /* Declined: security code wrong */
  facts.has_bad_expiration::BOOLEAN, /* Declined: expiry date wrong */
  facts.has_bad_pin::BOOLEAN, /* Declined: PIN wrong */
  facts.has_bad_zipcode::BOOLEAN, /* Declined: ZIP code wrong */
  facts.has_insufficient_balance::BOOLEAN, /* Declined: not enough money */
  facts.has_technical_glitch::BOOLEAN, /* Declined: a system failed */
  facts.is_approved::BOOLEAN, /* Whether it went through: no error at all */
  facts.is_refund::BOOLEAN, /* Whether the amount is below zero, also where the refund was declined and no money went back */
  outcomes.is_reversed::BOOLEAN, /* Whether it is half of a purchase and an exactly opposite refund of the card at the merchant within 24 hours, whichever came first: a hold that was released, not settled */
  outcomes.is_fraud::BOOLEAN, /* Whether it was fraud; NULL where there is no label */
  categories.mcc_description::TEXT, /* What the category stands for */
  cards.card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  cards.card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  cards.card_last4::TEXT, /* Last four digits of the card number */
  cards.has_chip::BOOLEAN, /* Whether the card carries a chip */
  cards.credit_limit::DECIMAL(12, 2), /* US dollars */
  cards.card_opened_on::DATE, /* First day of the month in which the account was opened */
  cards.card_expires_on::DATE, /* Last day of the month in which the card expires */
  clients.gender::TEXT, /* As published: Female or Male */
  clients.birth_year::INT, /* Year of birth */
  (
    EXTRACT(YEAR FROM facts.transacted_on) - clients.birth_year
  )::INT AS age_at_transaction, /* Age the cardholder reached in the year of the transaction */
  clients.credit_score::INT, /* FICO score of February 2020 */
  clients.yearly_income::DECIMAL(12, 2), /* US dollars a year */
  clients.per_capita_income::DECIMAL(12, 2), /* Of the home's ZIP code, US dollars a year */
  clients.total_debt::DECIMAL(12, 2), /* US dollars */
  clients.latitude::DECIMAL(4, 1) AS client_latitude, /* Degrees north of the home, to one decimal */
  clients.longitude::DECIMAL(4, 1) AS client_longitude /* Degrees east of the home, to one decimal */
FROM facts.fct_transactions AS facts
LEFT JOIN facts.fct_outcomes AS outcomes
  ON outcomes.transaction_id = facts.transaction_id
  AND outcomes.transacted_on = facts.transacted_on
LEFT JOIN dimensions.dim_users AS clients
  ON clients.client_id = facts.client_id
LEFT JOIN dimensions.dim_cards AS cards
  ON cards.card_id = facts.card_id
LEFT JOIN dimensions.dim_mcc AS categories
  ON categories.mcc = facts.mcc;

@materialized_view(
  unique_key := transaction_id,
  period := transacted_on,
  every := quarter,
  sorted_by := (client_id, transacted_at)
);

@index(client_id, transacted_at);

@index(card_id, transacted_at);

@index(merchant_id, transacted_at);

@index(mcc, transacted_at, include := (transacted_on, amount));

@index(transacted_on)
