MODEL (
  name facts.fct_transactions,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_at
  ),
  description 'One row per sound transaction: typed, of a client, a card of that client, and an MCC that exist. A row with any error was declined and moved no money.',
  grain transaction_id,
  references (client_id, card_id, mcc, merchant_id),
  tags (
    fact
  ),
  audits (
    not_null(
      columns := (
        transaction_id,
        transacted_at,
        transacted_on,
        client_id,
        card_id,
        merchant_id,
        mcc,
        amount,
        channel,
        is_approved
      )
    ),
    no_card_numbers(columns := (merchant_city, merchant_state, zip, errors))
  )
);

WITH places AS (
  SELECT
    state_code AS place,
    'United States' AS country_name
  FROM seeds.us_states
  UNION ALL
  SELECT
    country_name AS place,
    country_name
  FROM seeds.countries
)
SELECT
  staged.transaction_id::BIGINT, /* The transaction, as the issuer numbers it */
  staged.transacted_at::TIMESTAMP, /* Local time of the purchase, in whole minutes; no time zone is known */
  staged.transacted_on::DATE, /* Its day */
  staged.client_id::INT, /* The cardholder */
  staged.card_id::INT, /* The card */
  staged.merchant_id::INT, /* The merchant; one merchant may stand in many cities */
  staged.mcc::INT, /* Merchant category code */
  staged.amount::DECIMAL(12, 2), /* US dollars, refunds negative */
  staged.channel::TEXT, /* swipe, chip or online */
  staged.merchant_city::TEXT, /* City, or ONLINE where none is published */
  staged.merchant_state::TEXT, /* US state code, or a country, as published; NULL where the merchant has no place, most of them online */
  places.country_name::TEXT AS merchant_country, /* Country of the merchant; NULL where it has no place, and where merchant_state is neither a state nor a country: unknown, and never abroad */
  staged.zip::TEXT, /* Five digits, leading zeros restored; NULL without a place and abroad */
  staged.errors::TEXT, /* What went wrong, comma-joined; NULL for none */
  COALESCE(staged.errors LIKE '%Bad Card Number%', FALSE)::BOOLEAN AS has_bad_card_number, /* Declined: card number wrong */
  COALESCE(staged.errors LIKE '%Bad CVV%', FALSE)::BOOLEAN AS has_bad_cvv, /* Declined: security code wrong */
  COALESCE(staged.errors LIKE '%Bad Expiration%', FALSE)::BOOLEAN AS has_bad_expiration, /* Declined: expiry date wrong */
  COALESCE(staged.errors LIKE '%Bad PIN%', FALSE)::BOOLEAN AS has_bad_pin, /* Declined: PIN wrong */
  COALESCE(staged.errors LIKE '%Bad Zipcode%', FALSE)::BOOLEAN AS has_bad_zipcode, /* Declined: ZIP code wrong */
  COALESCE(staged.errors LIKE '%Insufficient Balance%', FALSE)::BOOLEAN AS has_insufficient_balance, /* Declined: not enough money */
  COALESCE(staged.errors LIKE '%Technical Glitch%', FALSE)::BOOLEAN AS has_technical_glitch, /* Declined: a system failed */
  (
    staged.errors IS NULL
  )::BOOLEAN AS is_approved, /* Whether it went through: no error at all */
  (
    staged.amount < 0
  )::BOOLEAN AS is_refund /* Whether the amount is below zero, also where the refund was declined and no money went back */
FROM staging.stg_transactions AS staged
JOIN dimensions.dim_users AS clients
  ON clients.client_id = staged.client_id
JOIN dimensions.dim_cards AS cards
  ON cards.card_id = staged.card_id AND cards.client_id = staged.client_id
JOIN dimensions.dim_mcc AS categories
  ON categories.mcc = staged.mcc
LEFT JOIN places
  ON places.place = staged.merchant_state
WHERE
  @sound_in_range(staged.row_fault, staged.landed_date) /* By the text, which PostgreSQL has statistics and an index of: only touched days are read, and no row is cast twice */;

@primary_key(transaction_id);

@foreign_key(client_id, dimensions.dim_users, client_id);

@foreign_key(card_id, dimensions.dim_cards, card_id);

@foreign_key(mcc, dimensions.dim_mcc, mcc);

@index(client_id, transacted_at);

@index(card_id, transacted_at);

@index(mcc, transacted_at);

@index(transacted_on)
