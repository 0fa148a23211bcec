MODEL (
  name dimensions.dim_cards,
  kind FULL,
  description 'One row per card of a known cardholder. The token of the card number stays in staging: a token and a truncation never stand in one relation that people query.',
  grain card_id,
  references client_id,
  tags (
    dimension
  ),
  audits (
    not_null(columns := (card_id, client_id, card_brand, card_type)),
    unique_values(columns := (
      card_id
    )),
    card_expires_after_it_was_opened,
    no_card_numbers(columns := (card_brand, card_type, card_last4))
  )
);

SELECT
  card_id::INT, /* The card */
  client_id::INT, /* Its holder */
  card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  card_last4::TEXT, /* Last four digits of the card number; NULL where it was delivered without */
  card_opened_on::DATE, /* First day of the month in which the account was opened */
  card_expires_on::DATE, /* Last day of the month in which the card expires */
  has_chip::BOOLEAN, /* Whether the card carries a chip; cards without one still appear as read by chip or swipe */
  num_cards_issued::INT, /* Cards issued on the account */
  credit_limit::DECIMAL(12, 2), /* US dollars */
  pin_last_changed_year::INT, /* Year of the last PIN change */
  is_on_dark_web::BOOLEAN /* Whether the number was seen for sale */
FROM staging.stg_cards
WHERE
  row_fault IS NULL
  AND client_id IN (
    SELECT
      client_id
    FROM dimensions.dim_users
  );

@primary_key(card_id);

@foreign_key(client_id, dimensions.dim_users, client_id);

@index(client_id)
