MODEL (
  name serving.card_risk,
  kind FULL,
  description 'One row per card with transactions, over all of the data and over its last twelve months: fraud moves, and one blended rate hides it. Unlabelled is unknown, never legitimate: rates divide by the labelled.',
  grain card_id,
  references card_id,
  tags (serving, fraud),
  audits (
    not_null(columns := (card_id, transaction_count, labelled_count, fraud_count, fraud_loss)),
    unique_values(columns := (
      card_id
    )),
    sums_agree(
      parent := facts.fct_card_months,
      sums := (
        SUM(transaction_count) = SUM(transaction_count),
        SUM(labelled_count) = SUM(labelled_count),
        SUM(fraud_count) = SUM(fraud_count),
        SUM(fraud_loss) = @dollars_of(SUM(fraud_loss_cents)),
        SUM(settled_fraud_count) = SUM(settled_fraud_count),
        SUM(net_fraud_loss) = @dollars_of(SUM(settled_fraud_cents))
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH last_months AS (
  SELECT
    MAX(month_start) AS month_start
  FROM facts.fct_card_months
), summed AS (
  SELECT
    months.card_id,
    MIN(months.month_start) AS first_month,
    MAX(months.month_start) AS last_month,
    SUM(months.transaction_count) AS transaction_count,
    SUM(months.approved_count) AS approved_count,
    SUM(months.purchase_count) AS purchase_count,
    SUM(months.purchase_cents) AS purchase_cents,
    SUM(months.settled_count) AS settled_count,
    SUM(months.settled_cents) AS settled_cents,
    SUM(months.labelled_count) AS labelled_count,
    SUM(months.fraud_count) AS fraud_count,
    SUM(months.labelled_purchase_cents) AS labelled_purchase_cents,
    SUM(months.fraud_loss_cents) AS fraud_loss_cents,
    SUM(months.labelled_settled_count) AS labelled_settled_count,
    SUM(months.settled_fraud_count) AS settled_fraud_count,
    SUM(months.declined_fraud_count) AS declined_fraud_count,
    SUM(months.refund_fraud_count) AS refund_fraud_count,
    SUM(months.labelled_settled_cents) AS labelled_settled_cents,
    SUM(months.settled_fraud_cents) AS net_fraud_loss_cents,
    MAX(months.last_fraud_on) AS last_fraud_on,
    SUM(months.labelled_count) FILTER(WHERE
      months.month_start > last_months.month_start - INTERVAL '12 MONTHS') AS recent_labelled_count,
    SUM(months.fraud_count) FILTER(WHERE
      months.month_start > last_months.month_start - INTERVAL '12 MONTHS') AS recent_fraud_count,
    SUM(months.fraud_loss_cents) FILTER(WHERE
      months.month_start > last_months.month_start - INTERVAL '12 MONTHS') AS recent_fraud_loss_cents
  FROM facts.fct_card_months AS months
  CROSS JOIN last_months
  GROUP BY
    months.card_id
), overall AS (
  SELECT
    SUM(fraud_count) AS fraud_count,
    SUM(labelled_count) AS labelled_count
  FROM summed
)
SELECT
  summed.card_id::INT, /* The card */
  cards.client_id::INT, /* Its holder */
  cards.card_brand::TEXT, /* Visa, Mastercard, Amex or Discover */
  cards.card_type::TEXT, /* Debit, Credit or Debit (Prepaid) */
  cards.card_last4::TEXT, /* Last four digits of the card number */
  summed.first_month::DATE AS first_month_date, /* First day of the month of the first transaction */
  summed.last_month::DATE AS last_month_date, /* First day of the month of the last transaction */
  summed.transaction_count::BIGINT, /* All transactions, declined ones too: what decline_rate_bp divides by */
  (
    summed.transaction_count - summed.approved_count
  )::BIGINT AS declined_count, /* With an error */
  @basis_points(summed.transaction_count - summed.approved_count, summed.transaction_count)::DECIMAL(18, 2) AS decline_rate_bp, /* Basis points of all transactions */
  summed.purchase_count::BIGINT, /* Approved, of more than zero dollars: gross, reversed ones included */
  @dollars_of(summed.purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases: gross, reversed ones included */
  summed.settled_count::BIGINT, /* Purchases without the reversed ones */
  @dollars_of(summed.settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of settled purchases */
  summed.labelled_count::BIGINT, /* With a label, of any kind: what fraud_rate_bp divides by */
  summed.fraud_count::BIGINT, /* Labelled as fraud, of any kind: purchases, declined attempts, refunds and checks of zero dollars */
  @basis_points(summed.fraud_count, summed.labelled_count)::DECIMAL(18, 2) AS fraud_rate_bp, /* By count, of transactions of any kind: basis points of the labelled; NULL where nothing is labelled. settled_fraud_rate_bp is of the transactions that a rate by value is of */
  @basis_points(
    summed.fraud_count * overall.labelled_count + 100 * overall.fraud_count,
    summed.labelled_count * overall.labelled_count + 100 * overall.labelled_count
  )::DECIMAL(18, 2) AS estimated_fraud_rate_bp, /* An estimate: as if 100 more labelled at the rate of all had been seen, so that one fraud of one is not 100 % */
  @dollars_of(summed.labelled_purchase_cents)::DECIMAL(18, 2) AS labelled_purchase_volume, /* US dollars of approved purchases with a label, gross, reversed ones included: what fraud_rate_by_value_bp divides by */
  @dollars_of(summed.fraud_loss_cents)::DECIMAL(18, 2) AS fraud_loss, /* US dollars of approved purchases labelled as fraud: gross, reversed ones included; net_fraud_loss is what did not come back */
  @basis_points(summed.fraud_loss_cents, summed.labelled_purchase_cents)::DECIMAL(18, 2) AS fraud_rate_by_value_bp, /* By value, gross: basis points of the labelled purchase volume; NULL where that is zero */
  @rate_low(summed.fraud_count, summed.labelled_count)::DECIMAL(18, 2) AS fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of fraud_rate_bp: what to sort by, so that one fraud of one does not lead; NULL where nothing is labelled */
  @rate_high(summed.fraud_count, summed.labelled_count)::DECIMAL(18, 2) AS fraud_rate_high_bp, /* Upper end of the same interval */
  summed.settled_fraud_count::BIGINT, /* Settled purchases labelled as fraud: what net_fraud_loss is the loss of */
  summed.declined_fraud_count::BIGINT, /* Declined transactions labelled as fraud: tried, and refused */
  summed.refund_fraud_count::BIGINT, /* Approved refunds labelled as fraud; the rest of fraud_count are reversed purchases and checks of zero dollars */
  summed.labelled_settled_count::BIGINT, /* Settled purchases with a label: what settled_fraud_rate_bp divides by */
  @basis_points(summed.settled_fraud_count, summed.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_bp, /* By count, of settled purchases: basis points of the labelled; NULL where none is labelled */
  @rate_low(summed.settled_fraud_count, summed.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of settled_fraud_rate_bp */
  @rate_high(summed.settled_fraud_count, summed.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_high_bp, /* Upper end of the same interval */
  @dollars_of(summed.labelled_settled_cents)::DECIMAL(18, 2) AS labelled_settled_volume, /* US dollars of settled purchases with a label: what settled_fraud_rate_by_value_bp divides by */
  @dollars_of(summed.net_fraud_loss_cents)::DECIMAL(18, 2) AS net_fraud_loss, /* US dollars of settled purchases labelled as fraud: net of what was reversed */
  @basis_points(summed.net_fraud_loss_cents, summed.labelled_settled_cents)::DECIMAL(18, 2) AS settled_fraud_rate_by_value_bp, /* By value, of settled purchases: basis points of labelled_settled_volume; NULL where that is zero. One large fraud moves it: there is no interval */
  COALESCE(summed.recent_labelled_count, 0)::BIGINT AS recent_labelled_count, /* With a label, of any kind, in the last twelve calendar months of all the data: that of its last transaction, finished or not, and the eleven before it */
  COALESCE(summed.recent_fraud_count, 0)::BIGINT AS recent_fraud_count, /* Of these, labelled as fraud */
  @basis_points(summed.recent_fraud_count, summed.recent_labelled_count)::DECIMAL(18, 2) AS recent_fraud_rate_bp, /* By count, of transactions of any kind of the last twelve months of the data; NULL where nothing is labelled */
  @rate_low(summed.recent_fraud_count, summed.recent_labelled_count)::DECIMAL(18, 2) AS recent_fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of recent_fraud_rate_bp */
  @rate_high(summed.recent_fraud_count, summed.recent_labelled_count)::DECIMAL(18, 2) AS recent_fraud_rate_high_bp, /* Upper end of the same interval */
  @dollars_of(summed.recent_fraud_loss_cents)::DECIMAL(18, 2) AS recent_fraud_loss, /* US dollars of approved purchases labelled as fraud in these twelve months, gross */
  summed.last_fraud_on::DATE /* Day of the last fraud; NULL where there was none */
FROM summed
CROSS JOIN overall
JOIN dimensions.dim_cards AS cards
  ON cards.card_id = summed.card_id;

@primary_key(card_id);

@index(client_id);

@index(estimated_fraud_rate_bp)
