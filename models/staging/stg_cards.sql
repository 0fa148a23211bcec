MODEL (
  name staging.stg_cards,
  kind VIEW,
  description 'One row per landed card row, typed. The card number never landed: a keyed token and the last four digits stand for it; the CVV landed nowhere. row_fault says why a row cannot become a dimension row.',
  grain (_file_id, _line_number),
  tags (
    staging
  ),
  audits (
    not_null(columns := (_file_id, _line_number), blocking := FALSE)
  )
);

WITH typed AS (
  SELECT
    @cast_or_null(landed.id, 'int') AS card_id,
    @cast_or_null(landed.client_id, 'int') AS client_id,
    @blank_to_null(landed.card_brand) AS card_brand,
    @blank_to_null(landed.card_type) AS card_type,
    @blank_to_null(landed.card_token) AS card_token,
    @blank_to_null(landed.card_last4) AS card_last4,
    @first_of_month(landed.expires) AS expires_in,
    @yes_no(landed.has_chip) AS has_chip,
    @cast_or_null(landed.num_cards_issued, 'int') AS num_cards_issued,
    @whole_dollars(landed.credit_limit) AS credit_limit,
    @first_of_month(landed.acct_open_date) AS opened_in,
    @cast_or_null(landed.year_pin_last_changed, 'int') AS pin_last_changed_year,
    @yes_no(landed.card_on_dark_web) AS is_on_dark_web,
    newer._line_number AS superseding_line,
    landed._file_id,
    landed._line_number,
    landed._loaded_at
  FROM raw.cards AS landed
  LEFT JOIN raw.superseded_rows AS newer
    ON newer.relation = 'cards'
    AND newer._file_id = landed._file_id
    AND newer._line_number = landed._line_number
)
SELECT
  card_id::INT, /* The card */
  client_id::INT, /* Its holder */
  card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  card_token::TEXT, /* Keyed HMAC-SHA256 of the card number, made before it landed */
  card_last4::TEXT, /* Last four digits of the card number */
  opened_in::DATE AS card_opened_on, /* First day of the month in which the account was opened */
  (
    expires_in + INTERVAL '1 MONTH' - INTERVAL '1 DAY'
  )::DATE AS card_expires_on, /* Last day of the month in which the card expires */
  has_chip::BOOLEAN, /* Whether the card carries a chip; cards without one still appear as read by chip or swipe */
  num_cards_issued::INT, /* Cards issued on the account */
  credit_limit::DECIMAL(12, 2), /* US dollars */
  pin_last_changed_year::INT, /* Year of the last PIN change */
  is_on_dark_web::BOOLEAN, /* Whether the number was seen for sale */
  CASE
    WHEN NOT superseding_line IS NULL
    THEN 'duplicate id: another row of it counts'
    WHEN card_id IS NULL
    THEN 'id is not a whole number'
    WHEN client_id IS NULL
    THEN 'client_id is not a whole number'
    WHEN opened_in IS NULL OR expires_in IS NULL
    THEN 'expires or acct_open_date is not MM/YYYY'
    WHEN expires_in < opened_in
    THEN 'the card expires before it was opened'
    WHEN card_brand IS NULL OR card_type IS NULL
    THEN 'card_brand or card_type is empty'
    WHEN has_chip IS NULL OR is_on_dark_web IS NULL
    THEN 'has_chip or card_on_dark_web is neither yes nor no'
    WHEN credit_limit IS NULL
    THEN 'credit_limit is not written like $24295'
    WHEN num_cards_issued IS NULL OR pin_last_changed_year IS NULL
    THEN 'num_cards_issued or year_pin_last_changed is not a whole number'
  END::TEXT AS row_fault, /* Why the row cannot become a dimension row; NULL for a sound row */
  _file_id::BIGINT, /* The landed file */
  _line_number::BIGINT, /* The line in it */
  _loaded_at::TIMESTAMPTZ /* When it landed */
FROM typed
