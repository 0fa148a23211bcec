MODEL (
  name serving.merchant_risk,
  kind FULL,
  description 'One row per merchant with transactions, over all of the data and over its last twelve months: fraud moves, and one blended rate hides it. Unlabelled is unknown, never legitimate: rates divide by the labelled.',
  grain merchant_id,
  references merchant_id,
  tags (serving, revenue, fraud, card_attributes),
  audits (
    not_null(
      columns := (merchant_id, transaction_count, labelled_count, fraud_count, fraud_loss)
    ),
    unique_values(columns := (
      merchant_id
    )),
    sums_agree(
      parent := facts.fct_merchant_years,
      sums := (
        SUM(transaction_count) = SUM(transaction_count),
        SUM(labelled_count) = SUM(labelled_count),
        SUM(fraud_count) = SUM(fraud_count),
        SUM(fraud_loss) = @dollars_of(SUM(fraud_loss_cents)),
        SUM(settled_refunds) = @dollars_of(SUM(settled_refund_cents)),
        SUM(settled_fraud_count) = SUM(settled_fraud_count),
        SUM(net_fraud_loss) = @dollars_of(SUM(settled_fraud_cents)),
        SUM(estimated_interchange) = SUM(estimated_interchange)
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH summed AS (
  SELECT
    merchant_id,
    MIN(first_month_date) AS first_month_date,
    MAX(last_month_date) AS last_month_date,
    SUM(transaction_count) AS transaction_count,
    SUM(approved_count) AS approved_count,
    SUM(purchase_count) AS purchase_count,
    SUM(purchase_cents) AS purchase_cents,
    SUM(settled_count) AS settled_count,
    SUM(settled_cents) AS settled_cents,
    SUM(settled_refund_count) AS settled_refund_count,
    SUM(settled_refund_cents) AS settled_refund_cents,
    SUM(labelled_count) AS labelled_count,
    SUM(fraud_count) AS fraud_count,
    SUM(labelled_purchase_cents) AS labelled_purchase_cents,
    SUM(fraud_loss_cents) AS fraud_loss_cents,
    SUM(labelled_settled_count) AS labelled_settled_count,
    SUM(settled_fraud_count) AS settled_fraud_count,
    SUM(declined_fraud_count) AS declined_fraud_count,
    SUM(refund_fraud_count) AS refund_fraud_count,
    SUM(labelled_settled_cents) AS labelled_settled_cents,
    SUM(settled_fraud_cents) AS net_fraud_loss_cents,
    SUM(estimated_interchange) AS interchange,
    SUM(estimated_labelled_interchange) AS labelled_interchange,
    SUM(unpriced_count) AS unpriced_count,
    MAX(last_fraud_on) AS last_fraud_on
  FROM facts.fct_merchant_years
  GROUP BY
    merchant_id
), overall AS (
  SELECT
    MAX(last_month_date) AS last_month,
    SUM(fraud_count) AS fraud_count,
    SUM(labelled_count) AS labelled_count
  FROM facts.fct_merchant_years
), recent AS (
  SELECT
    months.merchant_id,
    SUM(months.labelled_count) AS labelled_count,
    SUM(months.fraud_count) AS fraud_count,
    SUM(months.fraud_loss_cents) AS fraud_loss_cents
  FROM facts.fct_merchant_months AS months
  JOIN overall
    ON months.month_start > overall.last_month - INTERVAL '12 MONTHS'
  GROUP BY
    months.merchant_id
)
SELECT
  summed.merchant_id::INT, /* The merchant */
  merchants.mcc::INT, /* Its category; the lowest code, where it was seen under several */
  categories.mcc_description::TEXT, /* What the code stands for */
  summed.first_month_date::DATE, /* First day of the month of the first transaction */
  summed.last_month_date::DATE, /* First day of the month of the last transaction */
  summed.transaction_count::BIGINT, /* All transactions, declined ones too: what decline_rate_bp divides by */
  (
    summed.transaction_count - summed.approved_count
  )::BIGINT AS declined_count, /* With an error */
  @basis_points(summed.transaction_count - summed.approved_count, summed.transaction_count)::DECIMAL(18, 2) AS decline_rate_bp, /* Basis points of all transactions */
  summed.purchase_count::BIGINT, /* Approved, of more than zero dollars: gross, reversed ones included */
  @dollars_of(summed.purchase_cents)::DECIMAL(18, 2) AS purchase_volume, /* US dollars of approved purchases: gross, reversed ones included */
  summed.settled_count::BIGINT, /* Purchases without the reversed ones */
  @dollars_of(summed.settled_cents)::DECIMAL(18, 2) AS settled_volume, /* US dollars of settled purchases */
  summed.interchange::DECIMAL(24, 8) AS estimated_interchange, /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded, so that all cuts sum up to the same */
  summed.unpriced_count::BIGINT, /* Settled purchases for which the seed has no rate: not in the estimate */
  summed.settled_refund_count::BIGINT, /* Refunds without those of reversed purchases */
  @dollars_of(summed.settled_refund_cents)::DECIMAL(18, 2) AS settled_refunds, /* US dollars of these, positive */
  @basis_points(summed.settled_refund_count, summed.settled_count)::DECIMAL(18, 2) AS refund_rate_bp, /* By count: settled refunds in basis points of the settled purchases; NULL where there was none of these */
  @basis_points(summed.settled_refund_cents, summed.settled_cents)::DECIMAL(18, 2) AS refund_rate_by_value_bp, /* By value: settled refunds in basis points of the settled volume; NULL where that is zero */
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
  (
    summed.labelled_interchange - @dollars_of(summed.net_fraud_loss_cents)
  )::DECIMAL(24, 8) AS estimated_labelled_margin, /* Of settled purchases with a label: estimated interchange, refunds not deducted, less net fraud loss; who bears the loss is not in the data */
  @basis_points(summed.net_fraud_loss_cents, summed.labelled_settled_cents)::DECIMAL(18, 2) AS settled_fraud_rate_by_value_bp, /* By value, of settled purchases: basis points of labelled_settled_volume; NULL where that is zero. One large fraud moves it: there is no interval */
  COALESCE(recent.labelled_count, 0)::BIGINT AS recent_labelled_count, /* With a label, of any kind, in the last twelve calendar months of all the data: that of its last transaction, finished or not, and the eleven before it */
  COALESCE(recent.fraud_count, 0)::BIGINT AS recent_fraud_count, /* Of these, labelled as fraud */
  @basis_points(recent.fraud_count, recent.labelled_count)::DECIMAL(18, 2) AS recent_fraud_rate_bp, /* By count, of transactions of any kind of the last twelve months of the data; NULL where nothing is labelled */
  @rate_low(recent.fraud_count, recent.labelled_count)::DECIMAL(18, 2) AS recent_fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of recent_fraud_rate_bp */
  @rate_high(recent.fraud_count, recent.labelled_count)::DECIMAL(18, 2) AS recent_fraud_rate_high_bp, /* Upper end of the same interval */
  @dollars_of(recent.fraud_loss_cents)::DECIMAL(18, 2) AS recent_fraud_loss, /* US dollars of approved purchases labelled as fraud in these twelve months, gross */
  summed.last_fraud_on::DATE /* Day of the last fraud; NULL where there was none */
FROM summed
CROSS JOIN overall
LEFT JOIN recent
  ON recent.merchant_id = summed.merchant_id
LEFT JOIN dimensions.dim_merchants AS merchants
  ON merchants.merchant_id = summed.merchant_id
LEFT JOIN dimensions.dim_mcc AS categories
  ON categories.mcc = merchants.mcc;

@primary_key(merchant_id);

@index(mcc);

@index(estimated_fraud_rate_bp);

@restated_by(
  merchant_id,
  tables := (facts.fct_merchant_years, facts.fct_merchant_months, dimensions.dim_merchants),
  overall := (MAX(last_month_date), SUM(fraud_count), SUM(labelled_count))
)
