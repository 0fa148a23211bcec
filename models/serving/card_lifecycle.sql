MODEL (
  name serving.card_lifecycle,
  kind FULL,
  description 'One row per issued card, used or not: what became of it over all of the data. The lifetime value is the past one, the estimated interchange less the net fraud loss of all months so far, with no forecast, no discount and no other cost; it is of settled purchases with a label, so that both are of the same. Limit and dates are those published now.',
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
        settled_volume,
        net_fraud_loss,
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
        SUM(settled_volume) = @dollars_of(SUM(settled_cents)),
        SUM(settled_refunds) = @dollars_of(SUM(settled_refund_cents)),
        SUM(settled_fraud_count) = SUM(settled_fraud_count),
        SUM(net_fraud_loss) = @dollars_of(SUM(settled_fraud_cents))
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
      settled_count > 0) AS active_months,
    SUM(transaction_count) AS transaction_count,
    SUM(approved_count) AS approved_count,
    SUM(purchase_count - settled_count) AS reversed_count,
    SUM(settled_count) AS settled_count,
    SUM(settled_cents) AS settled_cents,
    SUM(settled_refund_count) AS settled_refund_count,
    SUM(settled_refund_cents) AS settled_refund_cents,
    MAX(settled_cents) AS peak_month_cents,
    SUM(labelled_settled_count) AS labelled_settled_count,
    SUM(settled_fraud_count) AS settled_fraud_count,
    SUM(settled_fraud_cents) AS settled_fraud_cents,
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
    SUM(estimated_interchange) AS interchange,
    SUM(estimated_labelled_interchange) AS labelled_interchange
  FROM facts.fct_card_place_months
  GROUP BY
    card_id
), bounds AS (
  SELECT
    MIN(first_month) AS first_month,
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
    bounds.last_day,
    cards.card_opened_on <= bounds.last_day
    AND cards.card_expires_on >= bounds.last_day AS is_open,
    cards.card_opened_on <= bounds.last_day
    AND cards.card_expires_on >= bounds.first_month AS is_open_in_data,
    @calendar_months(lives.first_month, bounds.last_day) AS months_since_first_use,
    COALESCE(lives.active_months, 0) AS active_months,
    COALESCE(lives.transaction_count, 0) AS transaction_count,
    COALESCE(lives.approved_count, 0) AS approved_count,
    COALESCE(earnings.insufficient_balance_count, 0) AS insufficient_balance_count,
    COALESCE(lives.reversed_count, 0) AS reversed_count,
    COALESCE(lives.settled_count, 0) AS settled_count,
    COALESCE(lives.settled_cents, 0) AS settled_cents,
    COALESCE(lives.settled_refund_count, 0) AS settled_refund_count,
    COALESCE(lives.settled_refund_cents, 0) AS settled_refund_cents,
    COALESCE(lives.peak_month_cents, 0) AS peak_month_cents,
    COALESCE(lives.labelled_settled_count, 0) AS labelled_settled_count,
    COALESCE(lives.settled_fraud_count, 0) AS settled_fraud_count,
    COALESCE(lives.settled_fraud_cents, 0) AS settled_fraud_cents,
    COALESCE(earnings.interchange, 0) AS interchange,
    COALESCE(earnings.labelled_interchange, 0) AS labelled_interchange
  FROM dimensions.dim_cards AS cards
  CROSS JOIN bounds
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
  is_open::BOOLEAN, /* Whether it is open on the last day of the data: opened by then, not expired */
  is_open_in_data::BOOLEAN, /* Whether it was open on any day of the data: a card opened later, or expired before, is not used for that reason */
  is_used::BOOLEAN, /* Whether there is any transaction of the card, declined ones too; a few are of days on which it was not open */
  first_month::DATE AS first_month_date, /* First day of the month of its first transaction; NULL where there was none */
  last_transaction_on::DATE, /* Day of its last transaction; NULL where there was none */
  last_purchase_on::DATE, /* Day of its last settled purchase; NULL where there was none */
  @days_between(last_purchase_on, last_day)::INT AS days_since_last_purchase, /* Calendar days from it to the last day of the data */
  months_since_first_use::INT, /* Calendar months from that of the first transaction to the last of the data, both counted; NULL where there was none */
  active_months::BIGINT, /* Months with at least one settled purchase */
  transaction_count::BIGINT, /* All transactions, declined ones too: what insufficient_balance_rate_bp divides by */
  (
    transaction_count - approved_count
  )::BIGINT AS declined_count, /* With an error */
  insufficient_balance_count::BIGINT, /* Declined with Insufficient Balance, alone or beside other errors */
  @basis_points(insufficient_balance_count, transaction_count)::DECIMAL(18, 2) AS insufficient_balance_rate_bp, /* Basis points of all transactions; NULL where there was none */
  reversed_count::BIGINT, /* Approved purchases that were reversed: not settled */
  settled_count::BIGINT, /* Settled purchases: approved, of more than zero dollars, not reversed. What refund_rate_bp divides by */
  @dollars_of(settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of these */
  settled_refund_count::BIGINT, /* Refunds without those of reversed purchases */
  @dollars_of(settled_refund_cents)::DECIMAL(18, 2) AS settled_refunds, /* US dollars of these, positive */
  @basis_points(settled_refund_count, settled_count)::DECIMAL(18, 2) AS refund_rate_bp, /* By count: settled refunds in basis points of the settled purchases; NULL where there was none of these */
  @basis_points(settled_refund_cents, settled_cents)::DECIMAL(18, 2) AS refund_rate_by_value_bp, /* By value: settled refunds in basis points of the settled volume; NULL where that is zero */
  @dollars_of(peak_month_cents)::DECIMAL(18, 2) AS peak_month_volume, /* Settled volume of the calendar month with most of it */
  @basis_points(peak_month_cents, 100 * credit_limit)::DECIMAL(18, 2) AS peak_limit_use_bp, /* That in basis points of the limit; NULL where that is zero or unknown */
  @basis_points(settled_cents, active_months * 100 * credit_limit)::DECIMAL(18, 2) AS average_limit_use_bp, /* Settled volume by active month, in basis points of the limit; NULL likewise, and where no month was active */
  interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded */
  labelled_settled_count::BIGINT, /* Settled purchases with a label: of these alone the loss is known */
  settled_fraud_count::BIGINT, /* Of these, labelled as fraud */
  @dollars_of(settled_fraud_cents)::DECIMAL(18, 2) AS net_fraud_loss, /* US dollars of these frauds: net of what was reversed */
  labelled_interchange::DECIMAL(24, 8) AS estimated_labelled_interchange, /* The estimated interchange of settled purchases with a label alone */
  (
    labelled_interchange - @dollars_of(settled_fraud_cents)
  )::DECIMAL(24, 8) AS estimated_lifetime_value, /* Of settled purchases with a label, about two in three, over all of the data: estimated interchange, refunds not deducted, less net fraud loss */
  @average_of(labelled_interchange - @dollars_of(settled_fraud_cents), months_since_first_use)::DECIMAL(18, 2) AS estimated_value_per_month /* That by months_since_first_use, months without labels counted too, so that cards of different age compare; NULL where there was no transaction */
FROM issued;

@primary_key(card_id);

@index(client_id)
