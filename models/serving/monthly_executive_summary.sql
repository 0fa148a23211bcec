MODEL (
  name serving.monthly_executive_summary,
  kind FULL,
  description 'One row per month with transactions, with growth against the month before and the same month of the year before: NULL where one of the two months is not complete. Volume is what cardholders spend; what the issuer makes of it is in serving.issuer_revenue. A month of which a day is missing is not complete: mind is_complete. The interchange is an estimate.',
  grain month_start,
  tags (serving, revenue, fraud),
  audits (
    not_null(
      columns := (
        month_start,
        transaction_count,
        purchase_volume,
        refunds,
        active_clients,
        fraud_loss
      )
    ),
    unique_values(columns := (
      month_start
    )),
    sums_agree(
      parent := serving.daily_revenue,
      sums := (
        SUM(transaction_count) = SUM(transaction_count),
        SUM(purchase_volume) = SUM(purchase_volume),
        SUM(refunds) = SUM(refunds),
        SUM(settled_volume) = SUM(settled_volume),
        SUM(settled_refunds) = SUM(settled_refunds),
        SUM(estimated_interchange) = SUM(estimated_interchange)
      )
    )
  ),
  grants (
    'select' = 'revops_analyst'
  )
);

WITH revenue AS (
  SELECT
    dates.month_start,
    COUNT(DISTINCT daily.transacted_on) AS day_count,
    SUM(daily.transaction_count) AS transaction_count,
    SUM(daily.approved_count) AS approved_count,
    SUM(daily.purchase_count) AS purchase_count,
    SUM(daily.refund_count) AS refund_count,
    SUM(daily.purchase_volume) AS purchase_volume,
    SUM(daily.refunds) AS refunds,
    SUM(daily.settled_count) AS settled_count,
    SUM(daily.settled_volume) AS settled_volume,
    SUM(daily.settled_refund_count) AS settled_refund_count,
    SUM(daily.settled_refunds) AS settled_refunds,
    SUM(daily.settled_volume) FILTER(WHERE
      daily.channel = 'online') AS online_volume,
    SUM(daily.estimated_interchange) AS estimated_interchange
  FROM serving.daily_revenue AS daily
  JOIN dimensions.dim_dates AS dates
    ON dates.date_day = daily.transacted_on
  GROUP BY
    dates.month_start
), client_months AS (
  SELECT
    month_start,
    client_id,
    COUNT(*) FILTER(WHERE
      settled_count > 0) AS active_cards
  FROM facts.fct_card_months
  GROUP BY
    month_start,
    client_id
), activity AS (
  SELECT
    month_start,
    COUNT(*) FILTER(WHERE
      active_cards > 0) AS active_clients,
    SUM(active_cards) AS active_cards
  FROM client_months
  GROUP BY
    month_start
), fraud AS (
  SELECT
    month_start,
    SUM(labelled_count) AS labelled_count,
    SUM(fraud_count) AS fraud_count,
    SUM(labelled_purchase_volume) AS labelled_purchase_volume,
    SUM(fraud_loss) AS fraud_loss,
    SUM(labelled_settled_count) AS labelled_settled_count,
    SUM(settled_fraud_count) AS settled_fraud_count,
    SUM(declined_fraud_count) AS declined_fraud_count,
    SUM(refund_fraud_count) AS refund_fraud_count,
    SUM(labelled_settled_volume) AS labelled_settled_volume,
    SUM(net_fraud_loss) AS net_fraud_loss
  FROM serving.fraud_by_channel_month
  GROUP BY
    month_start
), calendar AS (
  SELECT
    month_start,
    COUNT(*) AS day_count
  FROM dimensions.dim_dates
  GROUP BY
    month_start
), whole_months AS (
  SELECT
    revenue.month_start,
    revenue.purchase_volume,
    revenue.refunds,
    revenue.settled_volume
  FROM revenue
  JOIN calendar
    ON calendar.month_start = revenue.month_start
    AND calendar.day_count = revenue.day_count
), compared AS (
  SELECT
    revenue.month_start,
    revenue.day_count,
    revenue.transaction_count,
    revenue.approved_count,
    revenue.purchase_count,
    revenue.refund_count,
    revenue.purchase_volume,
    revenue.refunds,
    revenue.settled_count,
    revenue.settled_volume,
    revenue.settled_refund_count,
    revenue.settled_refunds,
    revenue.online_volume,
    revenue.estimated_interchange,
    month_before.purchase_volume AS volume_month_before,
    month_before.settled_volume AS settled_month_before,
    month_before.purchase_volume - month_before.refunds AS net_month_before,
    year_before.purchase_volume AS volume_year_before,
    year_before.settled_volume AS settled_year_before,
    year_before.purchase_volume - year_before.refunds AS net_year_before
  FROM revenue
  LEFT JOIN whole_months AS month_before
    ON month_before.month_start = (
      revenue.month_start - INTERVAL '1 MONTH'
    )::DATE
  LEFT JOIN whole_months AS year_before
    ON year_before.month_start = (
      revenue.month_start - INTERVAL '12 MONTHS'
    )::DATE
)
SELECT
  compared.month_start::DATE, /* First day of the month */
  (
    compared.day_count = calendar.day_count
  )::BOOLEAN AS is_complete, /* Whether each day of the calendar month has transactions: the data neither begins nor ends in it, and no day is missing */
  compared.day_count::INT AS days_with_transactions, /* Days of the month with transactions: what the sums of a month that is not complete are of */
  calendar.day_count::INT AS days_in_month, /* Calendar days of the month: months are of 28 to 31 days, so that sums of them differ by up to a tenth */
  compared.transaction_count::BIGINT, /* All transactions, declined ones too: what decline_rate_bp divides by */
  compared.approved_count::BIGINT, /* Without any error */
  (
    compared.transaction_count - compared.approved_count
  )::BIGINT AS declined_count, /* With an error */
  @basis_points(compared.transaction_count - compared.approved_count, compared.transaction_count)::DECIMAL(18, 2) AS decline_rate_bp, /* Basis points of all transactions */
  compared.purchase_count::BIGINT, /* Approved, of more than zero dollars: gross, reversed ones included */
  compared.refund_count::BIGINT, /* Approved, of less than zero dollars: gross, those of reversed purchases included */
  compared.purchase_volume::DECIMAL(18, 2), /* US dollars of approved purchases: gross, reversed ones included */
  compared.refunds::DECIMAL(18, 2), /* US dollars that went back, positive: gross, those of reversed purchases included */
  (
    compared.purchase_volume - compared.refunds
  )::DECIMAL(18, 2) AS net_volume, /* Purchase volume less refunds; settled volume less settled refunds is the same, but where the halves of a reversed pair are of two rows here */
  (
    compared.purchase_count - compared.settled_count
  )::BIGINT AS reversed_count, /* Purchases with an exactly opposite refund of the card at the merchant within 24 hours: holds that were released, and never purchases */
  (
    compared.purchase_volume - compared.settled_volume
  )::DECIMAL(18, 2) AS reversed_volume, /* US dollars of these */
  compared.settled_count::BIGINT, /* Purchases without the reversed ones */
  compared.settled_volume::DECIMAL(18, 2), /* US dollars of settled purchases */
  compared.settled_refund_count::BIGINT, /* Refunds without those of reversed purchases */
  compared.settled_refunds::DECIMAL(18, 2), /* US dollars of these, positive */
  @average_of(compared.settled_volume, compared.settled_count)::DECIMAL(18, 2) AS average_ticket, /* US dollars for each settled purchase; NULL where there was none */
  @basis_points(compared.online_volume, compared.settled_volume)::DECIMAL(18, 2) AS online_share_bp, /* Card not present: basis points of the settled volume */
  activity.active_clients::BIGINT, /* Cardholders with at least one settled purchase */
  activity.active_cards::BIGINT, /* Cards with at least one settled purchase */
  compared.estimated_interchange::DECIMAL(24, 8), /* An estimate in US dollars, on settled purchases, refunds not deducted; not rounded, so that all cuts of a month sum up to the same */
  fraud.labelled_count::BIGINT, /* With a label, of any kind: what fraud_rate_bp divides by */
  fraud.fraud_count::BIGINT, /* Labelled as fraud, of any kind: purchases, declined attempts, refunds and checks of zero dollars */
  @basis_points(fraud.fraud_count, fraud.labelled_count)::DECIMAL(18, 2) AS fraud_rate_bp, /* By count, of transactions of any kind: basis points of the labelled; NULL where nothing is labelled. settled_fraud_rate_bp is of the transactions that a rate by value is of */
  fraud.labelled_purchase_volume::DECIMAL(18, 2), /* US dollars of approved purchases with a label, gross, reversed ones included: what fraud_rate_by_value_bp divides by */
  fraud.fraud_loss::DECIMAL(18, 2), /* US dollars of approved purchases labelled as fraud: gross, reversed ones included; net_fraud_loss is what did not come back */
  @basis_points(fraud.fraud_loss, fraud.labelled_purchase_volume)::DECIMAL(18, 2) AS fraud_rate_by_value_bp, /* By value, gross: basis points of the labelled purchase volume; NULL where that is zero */
  @rate_low(fraud.fraud_count, fraud.labelled_count)::DECIMAL(18, 2) AS fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of fraud_rate_bp: what to sort by, so that one fraud of one does not lead; NULL where nothing is labelled */
  @rate_high(fraud.fraud_count, fraud.labelled_count)::DECIMAL(18, 2) AS fraud_rate_high_bp, /* Upper end of the same interval */
  fraud.settled_fraud_count::BIGINT, /* Settled purchases labelled as fraud: what net_fraud_loss is the loss of */
  fraud.declined_fraud_count::BIGINT, /* Declined transactions labelled as fraud: tried, and refused */
  fraud.refund_fraud_count::BIGINT, /* Approved refunds labelled as fraud; the rest of fraud_count are reversed purchases and checks of zero dollars */
  fraud.labelled_settled_count::BIGINT, /* Settled purchases with a label: what settled_fraud_rate_bp divides by */
  @basis_points(fraud.settled_fraud_count, fraud.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_bp, /* By count, of settled purchases: basis points of the labelled; NULL where none is labelled */
  @rate_low(fraud.settled_fraud_count, fraud.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_low_bp, /* Lower end of the 95 % interval (Wilson) of settled_fraud_rate_bp */
  @rate_high(fraud.settled_fraud_count, fraud.labelled_settled_count)::DECIMAL(18, 2) AS settled_fraud_rate_high_bp, /* Upper end of the same interval */
  fraud.labelled_settled_volume::DECIMAL(18, 2), /* US dollars of settled purchases with a label: what settled_fraud_rate_by_value_bp divides by */
  fraud.net_fraud_loss::DECIMAL(18, 2), /* US dollars of settled purchases labelled as fraud: net of what was reversed */
  @basis_points(fraud.net_fraud_loss, fraud.labelled_settled_volume)::DECIMAL(18, 2) AS settled_fraud_rate_by_value_bp, /* By value, of settled purchases: basis points of labelled_settled_volume; NULL where that is zero. One large fraud moves it: there is no interval */
  CASE
    WHEN compared.day_count = calendar.day_count
    THEN @growth_percent(compared.purchase_volume, compared.volume_month_before)
  END::DECIMAL(24, 2) AS purchase_volume_mom_percent, /* Growth of the purchase volume, gross, against the month before; NULL where one of the two is not complete */
  CASE
    WHEN compared.day_count = calendar.day_count
    THEN @growth_percent(compared.purchase_volume, compared.volume_year_before)
  END::DECIMAL(24, 2) AS purchase_volume_yoy_percent, /* Growth of the purchase volume, gross, against the same month of the year before; NULL where one of the two is not complete */
  CASE
    WHEN compared.day_count = calendar.day_count
    THEN @growth_percent(compared.settled_volume, compared.settled_month_before)
  END::DECIMAL(24, 2) AS settled_volume_mom_percent, /* Growth of the settled volume against the month before; NULL where one of the two is not complete */
  CASE
    WHEN compared.day_count = calendar.day_count
    THEN @growth_percent(compared.settled_volume, compared.settled_year_before)
  END::DECIMAL(24, 2) AS settled_volume_yoy_percent, /* Growth of the settled volume against the same month of the year before; NULL where one of the two is not complete */
  CASE
    WHEN compared.day_count = calendar.day_count
    THEN @growth_percent(compared.purchase_volume - compared.refunds, compared.net_month_before)
  END::DECIMAL(24, 2) AS net_volume_mom_percent, /* Growth of the net volume against the month before; NULL where one of the two is not complete */
  CASE
    WHEN compared.day_count = calendar.day_count
    THEN @growth_percent(compared.purchase_volume - compared.refunds, compared.net_year_before)
  END::DECIMAL(24, 2) AS net_volume_yoy_percent /* Growth of the net volume against the same month of the year before; NULL where one of the two is not complete */
FROM compared
JOIN activity
  ON activity.month_start = compared.month_start
JOIN fraud
  ON fraud.month_start = compared.month_start
JOIN calendar
  ON calendar.month_start = compared.month_start;

@primary_key(month_start)
