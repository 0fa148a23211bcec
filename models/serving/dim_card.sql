MODEL (
  name serving.dim_card,
  kind VIEW,
  description 'One row per card of a known cardholder, used or not: dimension of the star around serving.fct_transaction. Limit and dates are those published now.',
  grain card_id,
  depends_on (
    serving.card_lifecycle
  ),
  references client_id,
  tags (serving, star),
  audits (
    not_null(columns := (card_id, client_id, card_brand, card_type)),
    unique_values(columns := (
      card_id
    )),
    holds_every_key_of(holder := serving.card_lifecycle, column := card_id, key := card_id)
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

SELECT
  card_id::INT, /* The card */
  client_id::INT, /* Its holder */
  card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  card_last4::TEXT, /* Last four digits of the card number; NULL where it was delivered without */
  has_chip::BOOLEAN, /* Whether the card carries a chip */
  credit_limit::DECIMAL(12, 2), /* US dollars, as published now, debit and prepaid cards too */
  card_opened_on::DATE, /* First day of the month in which the account was opened */
  card_expires_on::DATE /* Last day of the month in which the card expires */
FROM dimensions.dim_cards
