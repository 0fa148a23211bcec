MODEL (
  name serving.card_lifecycle,
  kind FULL,
  description 'One row per issued card, used or not: what became of it over all of the data. The lifetime value is the past one, the estimated interchange less the fraud loss of all months so far, with no forecast, no discount and no other cost. Limit and dates are those published now. A third of all transactions has no label, so that the fraud loss is what is known of it.',
  grain card_id,
  references (card_id, client_id),
  tags (serving, revenue, fraud),
  audits (
    not_null(
      columns := (
        card_id,
        client_id,
        card_brand,
        card_type,
        is_used,
        transaction_count,
        purchase_volume,
        fraud_loss,
        estimated_lifetime_value
      )
    ),
    unique_values(columns := (
      card_id
    )),
    sums_agree(
      parent := facts.fct_card_months,
      sums := (
        SUM(transaction_count) = SUM(transaction_count),
        SUM(purchase_volume) = @dollars_of(SUM(purchase_cents)),
        SUM(refunds) = @dollars_of(SUM(refund_cents)),
        SUM(fraud_count) = SUM(fraud_count),
        SUM(fraud_loss) = @dollars_of(SUM(fraud_loss_cents))
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH lives AS (
  SELECT
    card_id,
    COUNT(*) FILTER(WHERE
      purchase_count > 0) AS active_months,
    SUM(transaction_count) AS transaction_count,
    SUM(approved_count) AS approved_count,
    SUM(purchase_count) AS purchase_count,
    SUM(refund_count) AS refund_count,
    SUM(purchase_cents) AS purchase_cents,
    SUM(refund_cents) AS refund_cents,
    MAX(purchase_cents) AS peak_month_cents,
    SUM(fraud_count) AS fraud_count,
    SUM(fraud_loss_cents) AS fraud_loss_cents,
    MIN(month_start) AS first_month,
    MAX(last_transaction_on) AS last_transaction_on,
    MAX(last_purchase_on) AS last_purchase_on
  FROM facts.fct_card_months
  GROUP BY
    card_id
), earnings AS (
  SELECT
    card_id,
    SUM(insufficient_balance_count) AS insufficient_balance_count,
    SUM(estimated_interchange) AS interchange
  FROM facts.fct_card_place_months
  GROUP BY
    card_id
), last_days AS (
  SELECT
    MAX(last_transaction_on) AS last_day
  FROM lives
), issued AS (
  SELECT
    cards.card_id,
    cards.client_id,
    cards.card_brand,
    cards.card_type,
    cards.card_last4,
    cards.card_opened_on,
    cards.card_expires_on,
    cards.credit_limit,
    NOT lives.card_id IS NULL AS is_used,
    lives.first_month,
    lives.last_transaction_on,
    lives.last_purchase_on,
    last_days.last_day,
    @calendar_months(lives.first_month, last_days.last_day) AS months_since_first_use,
    COALESCE(lives.active_months, 0) AS active_months,
    COALESCE(lives.transaction_count, 0) AS transaction_count,
    COALESCE(lives.approved_count, 0) AS approved_count,
    COALESCE(earnings.insufficient_balance_count, 0) AS insufficient_balance_count,
    COALESCE(lives.purchase_count, 0) AS purchase_count,
    COALESCE(lives.refund_count, 0) AS refund_count,
    COALESCE(lives.purchase_cents, 0) AS purchase_cents,
    COALESCE(lives.refund_cents, 0) AS refund_cents,
    COALESCE(lives.peak_month_cents, 0) AS peak_month_cents,
    COALESCE(lives.fraud_count, 0) AS fraud_count,
    COALESCE(lives.fraud_loss_cents, 0) AS fraud_loss_cents,
    COALESCE(earnings.interchange, 0) AS interchange
  FROM dimensions.dim_cards AS cards
  CROSS JOIN last_days
  LEFT JOIN lives
    ON lives.card_id = cards.card_id
  LEFT JOIN earnings
    ON earnings.card_id = cards.card_id
)
SELECT
  card_id::INT, /* The card */
  client_id::INT, /* Its holder */
  card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  card_last4::TEXT, /* Last four digits of the card number */
  card_opened_on::DATE, /* First day of the month in which the account was opened */
  card_expires_on::DATE, /* Last day of the month in which the card expires */
  credit_limit::DECIMAL(12, 2), /* US dollars, as published now, debit and prepaid cards too */
  is_used::BOOLEAN, /* Whether there is any transaction of the card, declined ones too */
  first_month::DATE AS first_month_date, /* First day of the month of its first transaction; NULL where there was none */
  last_transaction_on::DATE, /* Day of its last transaction; NULL where there was none */
  last_purchase_on::DATE, /* Day of its last approved purchase; NULL where there was none */
  @days_between(last_purchase_on, last_day)::INT AS days_since_last_purchase, /* Calendar days from it to the last day of the data */
  months_since_first_use::INT, /* Calendar months from that of the first transaction to the last of the data, both counted; NULL where there was none */
  active_months::BIGINT, /* Months with at least one approved purchase */
  transaction_count::BIGINT, /* All transactions, declined ones too: what insufficient_balance_rate_bp divides by */
  (
    transaction_count - approved_count
  )::BIGINT AS declined_count, /* With an error */
  insufficient_balance_count::BIGINT, /* Declined with Insufficient Balance, alone or beside other errors */
  @basis_points(insufficient_balance_count, transaction_count)::DECIMAL(18, 2) AS insufficient_balance_rate_bp, /* Basis points of all transactions; NULL where there was none */
  purchase_count::BIGINT, /* Approved, of more than zero dollars: what refund_rate_bp divides by */
  @dollars_of(purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases */
  refund_count::BIGINT, /* Approved, of less than zero dollars */
  @dollars_of(refund_cents)::DECIMAL(18, 2) AS refunds, /* US dollars that went back, positive */
  @basis_points(refund_count, purchase_count)::DECIMAL(18, 2) AS refund_rate_bp, /* By count: refunds in basis points of the purchases; NULL where there was no purchase */
  @basis_points(refund_cents, purchase_cents)::DECIMAL(18, 2) AS refund_rate_by_value_bp, /* By value: refunds in basis points of the purchase volume; NULL where that is zero */
  @dollars_of(peak_month_cents)::DECIMAL(18, 2) AS peak_month_volume, /* US dollars of approved purchases in the calendar month with most of them */
  @basis_points(peak_month_cents, 100 * credit_limit)::DECIMAL(18, 2) AS peak_limit_use_bp, /* That in basis points of the limit; NULL where that is zero or unknown */
  @basis_points(purchase_cents, active_months * 100 * credit_limit)::DECIMAL(18, 2) AS average_limit_use_bp, /* Purchase volume by active month, in basis points of the limit; NULL likewise */
  interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on purchases, refunds not deducted; not rounded */
  fraud_count::BIGINT, /* Labelled as fraud, declined or not */
  @dollars_of(fraud_loss_cents)::DECIMAL(18, 2) AS fraud_loss, /* US dollars of approved purchases labelled as fraud */
  (
    interchange - @dollars_of(fraud_loss_cents)
  )::DECIMAL(24, 8) AS estimated_lifetime_value, /* Estimated interchange less fraud loss, over all of the data */
  @average_of(interchange - @dollars_of(fraud_loss_cents), months_since_first_use)::DECIMAL(18, 2) AS estimated_value_per_month /* That by months_since_first_use, so that cards of different age compare; NULL where there was no transaction */
FROM issued;

@primary_key(card_id);

@index(client_id)
