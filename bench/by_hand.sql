-- What bench/pipeline.py compares revops with: the same relations, written by hand for speed. A heading names a step and, after
-- the colon, one of the connections that work on it side by side.

-- == prepare ==
CREATE SCHEMA raw;
CREATE SCHEMA dimensions;
CREATE SCHEMA facts;
CREATE SCHEMA serving;
CREATE UNLOGGED TABLE raw.transactions (
    id text, date text, client_id text, card_id text, amount text, use_chip text, merchant_id text, merchant_city text,
    merchant_state text, zip text, mcc text, errors text
);
CREATE UNLOGGED TABLE raw.fraud_labels (transaction_id bigint, is_fraud boolean);
CREATE UNLOGGED TABLE raw.users (
    id text, current_age text, retirement_age text, birth_year text, birth_month text, gender text, address text,
    latitude text, longitude text, per_capita_income text, yearly_income text, total_debt text, credit_score text,
    num_credit_cards text
);
CREATE UNLOGGED TABLE raw.cards (
    id text, client_id text, card_brand text, card_type text, card_number text, expires text, cvv text, has_chip text,
    num_cards_issued text, credit_limit text, acct_open_date text, year_pin_last_changed text, card_on_dark_web text
);
CREATE UNLOGGED TABLE raw.mcc_codes (mcc text, description text);
CREATE UNLOGGED TABLE raw.us_states (state_code text, state_name text, state_kind text);

-- == tables: facts ==
CREATE TABLE facts.fct_transactions AS
SELECT
    t.id::bigint AS transaction_id, t.date::timestamp AS transacted_at, t.date::timestamp::date AS transacted_on,
    t.client_id::int AS client_id, t.card_id::int AS card_id, t.merchant_id::int AS merchant_id, t.mcc::int AS mcc,
    substr(t.amount, 2)::numeric(12, 2) AS amount,
    CASE t.use_chip WHEN 'Swipe Transaction' THEN 'swipe' WHEN 'Chip Transaction' THEN 'chip' ELSE 'online' END AS channel,
    t.merchant_city, t.merchant_state,
    CASE WHEN s.state_code IS NOT NULL THEN 'United States' ELSE t.merchant_state END AS merchant_country,
    lpad(split_part(t.zip, '.', 1), 5, '0') AS zip, t.errors,
    coalesce(t.errors LIKE '%Bad Card Number%', false) AS has_bad_card_number,
    coalesce(t.errors LIKE '%Bad CVV%', false) AS has_bad_cvv,
    coalesce(t.errors LIKE '%Bad Expiration%', false) AS has_bad_expiration,
    coalesce(t.errors LIKE '%Bad PIN%', false) AS has_bad_pin,
    coalesce(t.errors LIKE '%Bad Zipcode%', false) AS has_bad_zipcode,
    coalesce(t.errors LIKE '%Insufficient Balance%', false) AS has_insufficient_balance,
    coalesce(t.errors LIKE '%Technical Glitch%', false) AS has_technical_glitch,
    t.errors IS NULL AS is_approved, substr(t.amount, 2)::numeric(12, 2) < 0 AS is_refund
FROM raw.transactions AS t LEFT JOIN raw.us_states AS s ON s.state_code = t.merchant_state;
ANALYZE facts.fct_transactions;

-- == tables: others ==
CREATE TABLE facts.fct_fraud_labels AS SELECT transaction_id, is_fraud FROM raw.fraud_labels;
CREATE TABLE dimensions.dim_users AS
SELECT
    id::int AS client_id, gender, birth_year::int AS birth_year, current_age::int AS current_age,
    retirement_age::int AS retirement_age, latitude::numeric(4, 1) AS latitude, longitude::numeric(4, 1) AS longitude,
    substr(per_capita_income, 2)::numeric(12, 2) AS per_capita_income,
    substr(yearly_income, 2)::numeric(12, 2) AS yearly_income, substr(total_debt, 2)::numeric(12, 2) AS total_debt,
    credit_score::int AS credit_score, num_credit_cards::int AS num_credit_cards
FROM raw.users;
CREATE TABLE dimensions.dim_cards AS
SELECT
    id::int AS card_id, client_id::int AS client_id, card_brand, card_type, right(card_number, 4) AS card_last4,
    to_date(acct_open_date, 'MM/YYYY') AS card_opened_on,
    (to_date(expires, 'MM/YYYY') + interval '1 month' - interval '1 day')::date AS card_expires_on,
    has_chip::boolean AS has_chip, num_cards_issued::int AS num_cards_issued,
    substr(credit_limit, 2)::numeric(12, 2) AS credit_limit, year_pin_last_changed::int AS pin_last_changed_year,
    card_on_dark_web::boolean AS is_on_dark_web
FROM raw.cards;
CREATE TABLE dimensions.dim_mcc AS SELECT mcc::int AS mcc, description AS mcc_description FROM raw.mcc_codes;
CREATE TABLE dimensions.dim_dates AS
SELECT
    d::date AS date_day, extract(year FROM d)::int AS calendar_year, extract(quarter FROM d)::int AS quarter_number,
    extract(month FROM d)::int AS month_number, date_trunc('month', d)::date AS month_start,
    to_char(d, 'YYYY-MM') AS month_label, date_trunc('week', d)::date AS week_start,
    extract(isodow FROM d)::int AS weekday_number, to_char(d, 'FMDay') AS weekday_name,
    extract(isodow FROM d) >= 6 AS is_weekend
FROM generate_series('2000-01-01'::timestamp, '2039-12-31', '1 day') AS d;
ALTER TABLE facts.fct_fraud_labels ADD PRIMARY KEY (transaction_id);
ALTER TABLE dimensions.dim_users ADD PRIMARY KEY (client_id);
ALTER TABLE dimensions.dim_cards ADD PRIMARY KEY (card_id);
CREATE INDEX ON dimensions.dim_cards (client_id);
ALTER TABLE dimensions.dim_mcc ADD PRIMARY KEY (mcc);
ALTER TABLE dimensions.dim_dates ADD PRIMARY KEY (date_day);
ANALYZE facts.fct_fraud_labels, dimensions.dim_users, dimensions.dim_cards, dimensions.dim_mcc, dimensions.dim_dates;

-- == outcomes ==
CREATE TABLE facts.fct_reversals AS
WITH ranked AS (
    SELECT
        r.transaction_id AS refund_id, r.transacted_on AS refunded_on, r.transacted_at AS refunded_at,
        p.transaction_id AS purchase_id, p.transacted_on AS purchased_on, p.transacted_at AS purchased_at,
        row_number() OVER (PARTITION BY r.transaction_id ORDER BY greatest(
            p.transacted_at - r.transacted_at, r.transacted_at - p.transacted_at), p.transacted_at, p.transaction_id) = 1
        AND row_number() OVER (PARTITION BY p.transaction_id ORDER BY greatest(
            p.transacted_at - r.transacted_at, r.transacted_at - p.transacted_at), r.transacted_at, r.transaction_id) = 1 AS is_pair
    FROM facts.fct_transactions AS r
    JOIN facts.fct_transactions AS p
        ON p.card_id = r.card_id AND p.merchant_id = r.merchant_id AND p.amount = -r.amount
        AND p.transacted_at BETWEEN r.transacted_at - INTERVAL '24 hours' AND r.transacted_at + INTERVAL '24 hours'
    WHERE r.is_approved AND r.amount < 0 AND p.is_approved AND p.amount > 0
)
SELECT
    transaction_id, transacted_on, bool_or(is_pair) AS is_reversed, max(other_id) FILTER (WHERE is_pair) AS counterpart_id,
    max((abs(extract(epoch FROM at - other_at)) / 60)::int) FILTER (WHERE is_pair) AS minutes_apart,
    bool_or(other_at < at) AS is_second_leg
FROM (
    SELECT refund_id, refunded_on, refunded_at, purchase_id, purchased_at, is_pair FROM ranked
    UNION ALL
    SELECT purchase_id, purchased_on, purchased_at, refund_id, refunded_at, is_pair FROM ranked
) AS halves (transaction_id, transacted_on, at, other_id, other_at, is_pair)
GROUP BY transaction_id, transacted_on;
ALTER TABLE facts.fct_reversals ADD PRIMARY KEY (transaction_id);
CREATE INDEX ON facts.fct_reversals (transacted_on);
ANALYZE facts.fct_reversals;

CREATE TABLE facts.fct_outcomes AS
SELECT
    f.transaction_id, f.transacted_at, f.transacted_on, date_trunc('month', f.transacted_at)::date AS month_start,
    (extract(epoch FROM f.transacted_at) / 60)::int AS minute_number, f.client_id, f.card_id, f.merchant_id, f.mcc, f.channel,
    f.merchant_state, coalesce(f.merchant_country, 'United States') <> 'United States' AS is_foreign, f.is_approved,
    f.has_bad_card_number OR f.has_bad_cvv OR f.has_bad_expiration AS has_bad_card_data,
    (f.amount * 100)::bigint AS amount_cents,
    CASE WHEN f.is_approved AND f.amount > 0 THEN (f.amount * 100)::bigint ELSE 0 END AS purchase_cents,
    CASE WHEN f.is_approved AND f.amount < 0 THEN (f.amount * -100)::bigint ELSE 0 END AS refund_cents,
    coalesce(r.is_reversed, FALSE) AS is_reversed, coalesce(r.is_second_leg, FALSE) AS is_second_leg, l.is_fraud
FROM facts.fct_transactions AS f
LEFT JOIN facts.fct_fraud_labels AS l ON l.transaction_id = f.transaction_id
LEFT JOIN facts.fct_reversals AS r ON r.transaction_id = f.transaction_id;

-- == indexes and view: facts ==
CREATE UNIQUE INDEX fct_transactions_pk ON facts.fct_transactions (transaction_id);
CREATE INDEX ON facts.fct_transactions (client_id, transacted_at);
CREATE INDEX ON facts.fct_transactions (card_id, transacted_at);
CREATE INDEX ON facts.fct_transactions (mcc, transacted_at);
CREATE INDEX ON facts.fct_transactions (transacted_on);

ALTER TABLE facts.fct_outcomes ADD PRIMARY KEY (transaction_id);
CREATE INDEX ON facts.fct_outcomes (transacted_on);
ANALYZE facts.fct_outcomes;

-- == indexes and view: served ==
CREATE MATERIALIZED VIEW serving.enriched_transactions AS
SELECT
    f.*, coalesce(r.is_reversed, FALSE) AS is_reversed, l.is_fraud, m.mcc_description, c.card_brand, c.card_type, c.card_last4, c.has_chip, c.credit_limit,
    c.card_opened_on, c.card_expires_on, u.gender, u.birth_year,
    (extract(year FROM f.transacted_on) - u.birth_year)::int AS age_at_transaction, u.credit_score, u.yearly_income,
    u.per_capita_income, u.total_debt, u.latitude AS client_latitude, u.longitude AS client_longitude
FROM facts.fct_transactions AS f
LEFT JOIN facts.fct_fraud_labels AS l ON l.transaction_id = f.transaction_id
LEFT JOIN facts.fct_reversals AS r ON r.transaction_id = f.transaction_id
LEFT JOIN dimensions.dim_users AS u ON u.client_id = f.client_id
LEFT JOIN dimensions.dim_cards AS c ON c.card_id = f.card_id
LEFT JOIN dimensions.dim_mcc AS m ON m.mcc = f.mcc;
CREATE UNIQUE INDEX ON serving.enriched_transactions (transaction_id);
CREATE INDEX ON serving.enriched_transactions (client_id, transacted_at);
CREATE INDEX ON serving.enriched_transactions (card_id, transacted_at);
CREATE INDEX ON serving.enriched_transactions (mcc, transacted_at);
CREATE INDEX ON serving.enriched_transactions (transacted_on);
ANALYZE serving.enriched_transactions;

-- == keys: facts ==
ALTER TABLE facts.fct_transactions ADD PRIMARY KEY USING INDEX fct_transactions_pk;
ALTER TABLE facts.fct_transactions ADD FOREIGN KEY (client_id) REFERENCES dimensions.dim_users NOT VALID;
ALTER TABLE facts.fct_transactions ADD FOREIGN KEY (card_id) REFERENCES dimensions.dim_cards NOT VALID;
ALTER TABLE facts.fct_transactions ADD FOREIGN KEY (mcc) REFERENCES dimensions.dim_mcc NOT VALID;
ALTER TABLE facts.fct_transactions VALIDATE CONSTRAINT fct_transactions_client_id_fkey;
ALTER TABLE facts.fct_transactions VALIDATE CONSTRAINT fct_transactions_card_id_fkey;
ALTER TABLE facts.fct_transactions VALIDATE CONSTRAINT fct_transactions_mcc_fkey;

-- == verify: raw ==
SELECT count(*), sum(substr(amount, 2)::numeric) FROM raw.transactions;
SELECT count(*), sum(amount) FROM facts.fct_transactions;

-- == verify: served ==
SELECT count(*), sum(amount), count(*) FILTER (WHERE is_fraud), count(*) FILTER (WHERE NOT is_fraud)
FROM serving.enriched_transactions;
SELECT count(*) FILTER (WHERE l.is_fraud), count(*) FILTER (WHERE NOT l.is_fraud)
FROM facts.fct_transactions AS f JOIN raw.fraud_labels AS l ON l.transaction_id = f.transaction_id;
