"""Every statement of the dashboard: what it reads of `serving`, values by name. Runs nothing, draws nothing.

Counts are added up before they are divided: a mean of rates would weigh a quiet month like a busy one. `since` and `until`
are first days of months, the latter not included.
"""

from __future__ import annotations

HEADLINE = """
SELECT this_month.month_start, this_month.settled_volume, this_month.reversed_volume, this_month.reversed_count,
       this_month.net_volume, this_month.settled_refunds,
       this_month.transaction_count, this_month.approved_count, this_month.declined_count, this_month.decline_rate_bp,
       this_month.active_clients, this_month.labelled_count, this_month.fraud_count, this_month.fraud_rate_bp,
       this_month.net_volume_mom_percent, this_month.net_volume_yoy_percent,
       ROUND(100 * (this_month.settled_refunds / NULLIF(month_before.settled_refunds, 0) - 1), 2) AS refunds_mom_percent,
       ROUND(100 * (this_month.settled_refunds / NULLIF(year_before.settled_refunds, 0) - 1), 2) AS refunds_yoy_percent,
       this_month.decline_rate_bp - month_before.decline_rate_bp AS decline_rate_mom_bp,
       this_month.decline_rate_bp - year_before.decline_rate_bp AS decline_rate_yoy_bp,
       ROUND(100.0 * this_month.active_clients / NULLIF(month_before.active_clients, 0) - 100, 2) AS active_clients_mom_percent,
       ROUND(100.0 * this_month.active_clients / NULLIF(year_before.active_clients, 0) - 100, 2) AS active_clients_yoy_percent
FROM serving.monthly_executive_summary AS this_month
LEFT JOIN serving.monthly_executive_summary AS month_before
    ON month_before.month_start = (this_month.month_start - INTERVAL '1 month')::DATE AND month_before.is_complete
LEFT JOIN serving.monthly_executive_summary AS year_before
    ON year_before.month_start = (this_month.month_start - INTERVAL '1 year')::DATE AND year_before.is_complete
WHERE this_month.is_complete
ORDER BY this_month.month_start DESC
LIMIT 1
"""

MONTHS = """
SELECT month_start, net_volume, settled_volume, settled_refunds, decline_rate_bp, active_clients
FROM serving.monthly_executive_summary
WHERE is_complete AND month_start >= %(since)s
ORDER BY month_start
"""

FRESHNESS = """
SELECT relation_name, last_transaction_on, last_landed_at, file_count, rows_loaded, rows_rejected
FROM serving.data_freshness
ORDER BY relation_name
"""

REVENUE_BY_CHANNEL = """
SELECT DATE_TRUNC('month', transacted_on)::DATE AS month_start, channel AS part, SUM(settled_volume) AS settled_volume,
       SUM(settled_refunds) AS settled_refunds, SUM(net_volume) AS net_volume
FROM serving.daily_revenue
WHERE transacted_on >= %(since)s AND transacted_on < %(until)s
GROUP BY 1, channel
ORDER BY 1, channel
"""

REVENUE_BY_CARD_TYPE = """
SELECT DATE_TRUNC('month', transacted_on)::DATE AS month_start, card_type AS part, SUM(settled_volume) AS settled_volume,
       SUM(settled_refunds) AS settled_refunds, SUM(net_volume) AS net_volume
FROM serving.daily_revenue
WHERE transacted_on >= %(since)s AND transacted_on < %(until)s
GROUP BY 1, card_type
ORDER BY 1, card_type
"""

REVENUE_TABLE = """
SELECT channel, card_type, SUM(settled_count) AS settled_count, SUM(settled_volume) AS settled_volume,
       SUM(reversed_volume) AS reversed_volume, SUM(settled_refunds) AS settled_refunds, SUM(net_volume) AS net_volume,
       ROUND(SUM(settled_volume) / NULLIF(SUM(settled_count), 0), 2) AS average_ticket,
       SUM(estimated_interchange) AS estimated_interchange
FROM serving.daily_revenue
WHERE transacted_on >= %(since)s AND transacted_on < %(until)s
GROUP BY channel, card_type
ORDER BY net_volume DESC
"""

DECLINE_RATES = """
SELECT month_start, channel AS part, transaction_count, declined_count, decline_rate_bp / 100 AS decline_rate_percent
FROM serving.decline_analysis
WHERE decline_reason = 'Any error' AND month_start >= %(since)s AND month_start < %(until)s
ORDER BY month_start, channel
"""

DECLINE_REASONS = """
SELECT decline_reason, channel AS part, SUM(declined_count) AS declined_count, SUM(transaction_count) AS transaction_count,
       ROUND(100.0 * SUM(declined_count) / NULLIF(SUM(transaction_count), 0), 3) AS decline_rate_percent,
       SUM(declined_amount) AS declined_amount
FROM serving.decline_analysis
WHERE month_start >= %(since)s AND month_start < %(until)s
GROUP BY decline_reason, channel
ORDER BY decline_reason <> 'Any error', declined_count DESC, channel
"""

FRAUD_RATES = """
SELECT month_start, channel AS part, labelled_settled_count, settled_fraud_count, settled_fraud_rate_bp,
       settled_fraud_rate_low_bp, settled_fraud_rate_high_bp, labelled_settled_volume, net_fraud_loss,
       settled_fraud_rate_by_value_bp
FROM serving.fraud_by_channel_month
WHERE month_start >= %(since)s AND month_start < %(until)s
ORDER BY month_start, channel
"""

FRAUD_TABLE = """
SELECT channel, SUM(transaction_count) AS transaction_count, SUM(transaction_count - labelled_count) AS unlabelled_count,
       SUM(fraud_count) AS fraud_count, SUM(declined_fraud_count) AS declined_fraud_count,
       SUM(refund_fraud_count) AS refund_fraud_count, SUM(settled_fraud_count) AS settled_fraud_count,
       SUM(labelled_settled_count) AS labelled_settled_count,
       ROUND(10000.0 * SUM(settled_fraud_count) / NULLIF(SUM(labelled_settled_count), 0), 2) AS settled_fraud_rate_bp,
       SUM(labelled_settled_volume) AS labelled_settled_volume, SUM(net_fraud_loss) AS net_fraud_loss,
       ROUND(10000 * SUM(net_fraud_loss) / NULLIF(SUM(labelled_settled_volume), 0), 2) AS settled_fraud_rate_by_value_bp
FROM serving.fraud_by_channel_month
WHERE month_start >= %(since)s AND month_start < %(until)s
GROUP BY channel
ORDER BY channel
"""

FRAUD_BY_HOUR = """
SELECT hour_of_day, is_night, SUM(labelled_count) AS labelled_count, SUM(fraud_count) AS fraud_count,
       ROUND(10000.0 * SUM(fraud_count) / NULLIF(SUM(labelled_count), 0), 2) AS fraud_rate_bp
FROM serving.fraud_by_hour
WHERE month_start >= %(since)s AND month_start < %(until)s
GROUP BY hour_of_day, is_night
ORDER BY hour_of_day
"""

ALERT_DAYS = """
SELECT MIN(transacted_on) AS first_day, MAX(transacted_on) AS last_day
FROM serving.fraud_alerts
"""

ALERT_COUNT = """
SELECT COUNT(*) AS alert_count
FROM serving.fraud_alerts
WHERE transacted_on BETWEEN %(first_day)s AND %(last_day)s
"""

ALERTS_BY_SCORE = """
SELECT transaction_id, score, action, transacted_at, amount, channel, place, is_approved, reasons, is_fraud
FROM serving.fraud_alerts
WHERE transacted_on BETWEEN %(first_day)s AND %(last_day)s
ORDER BY score DESC, transacted_at DESC, transaction_id
LIMIT %(most)s
"""

ALERTS_NEWEST = """
SELECT transaction_id, score, action, transacted_at, amount, channel, place, is_approved, reasons, is_fraud
FROM serving.fraud_alerts
WHERE transacted_on BETWEEN %(first_day)s AND %(last_day)s
ORDER BY transacted_at DESC, score DESC, transaction_id
LIMIT %(most)s
"""

TRANSACTION = """
SELECT transaction_id, transacted_at, amount, is_approved, errors, is_refund, is_fraud,
       channel, merchant_id, mcc, mcc_description, merchant_city, merchant_state, merchant_country, zip,
       card_id, card_brand, card_type, card_last4, has_chip, credit_limit, card_opened_on, card_expires_on,
       client_id, age_at_transaction, credit_score, yearly_income, total_debt
FROM serving.enriched_transactions
WHERE transaction_id = %(transaction_id)s
"""

RULES_BY_ERA = """
SELECT era, is_tuning, measured_kind, measured_name, SUM(alert_count) AS alert_count,
       SUM(labelled_alert_count) AS labelled_alert_count, SUM(fraud_alert_count) AS fraud_alert_count,
       SUM(fraud_count) AS fraud_count,
       ROUND(100.0 * SUM(fraud_alert_count) / NULLIF(SUM(labelled_alert_count), 0), 2) AS precision_percent,
       ROUND(100.0 * SUM(fraud_alert_count) / NULLIF(SUM(fraud_count), 0), 2) AS recall_percent,
       SUM(value_caught) AS value_caught, SUM(value_of_false_positives) AS value_of_false_positives
FROM serving.rule_performance
GROUP BY era, is_tuning, measured_kind, measured_name
ORDER BY era, measured_kind, CASE measured_kind WHEN 'score' THEN LENGTH(measured_name) END, measured_name
"""
