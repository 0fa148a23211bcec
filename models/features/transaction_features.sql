MODEL (
  name features.transaction_features,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column transacted_on,
    lookback 2
  ),
  description 'One row per transaction with what was known just before it, and nothing later: rows of an earlier minute only, up to 90 days back; labels only once they are 8 to 37 days old; no attribute of the snapshot of February 2020. New means not in the last 90 days. A changed day is felt for 90 days after.',
  grain transaction_id,
  references (card_id, merchant_id, mcc),
  tags (feature, labelled, card_attributes),
  audits (
    not_null(
      columns := (
        transaction_id,
        transacted_at,
        transacted_on,
        card_id,
        card_transactions_30d,
        is_new_merchant_90d
      )
    ),
    sums_agree(
      parent := facts.fct_outcomes,
      over := days,
      sums := (COUNT(*) = COUNT(*), SUM(amount_cents) = SUM(amount_cents))
    )
  )
);

WITH category_days AS (
  SELECT
    mcc,
    transacted_on,
    @day_number(MIN(minute_number)) AS day_number,
    COUNT(*) AS transaction_count,
    @labelled_count() AS labelled_count,
    @fraud_count() AS fraud_count
  FROM facts.fct_outcomes
  WHERE
    @in_range(transacted_on, 37)
  GROUP BY
    mcc,
    transacted_on
), category_windows AS (
  SELECT
    mcc,
    transacted_on,
    (
      SUM(transaction_count) OVER delayed
    )::BIGINT AS mcc_transactions_30d,
    (
      SUM(labelled_count) OVER delayed
    )::BIGINT AS mcc_labelled_30d,
    (
      SUM(fraud_count) OVER delayed
    )::BIGINT AS mcc_fraud_30d
  FROM category_days
  WINDOW delayed AS (PARTITION BY mcc ORDER BY day_number RANGE BETWEEN 37 PRECEDING AND 8 PRECEDING) /* The 30 days that ended before the 7 began that a label takes */
), category_features AS (
  SELECT
    mcc,
    transacted_on,
    mcc_transactions_30d,
    mcc_labelled_30d,
    mcc_fraud_30d
  FROM category_windows
  WHERE
    @in_range(transacted_on)
  ORDER BY
    transacted_on,
    mcc /* What is sorted is kept: of a day that is new PostgreSQL expects one row, and would compute the windows for each */
), numbered AS (
  SELECT
    transaction_id,
    transacted_at,
    transacted_on,
    minute_number,
    @day_number(minute_number) AS day_number,
    card_id,
    merchant_id,
    mcc,
    channel,
    is_foreign,
    @place_of_card(channel, place) AS card_place,
    (
      channel <> 'online' AND @is_real_place(place)
    ) AS is_card_present,
    has_bad_card_data,
    is_approved,
    amount_cents,
    purchase_cents,
    is_reversed,
    is_second_leg,
    is_fraud
  FROM facts.fct_outcomes
  WHERE
    @in_range(transacted_on, 90)
), merchant_windows AS (
  SELECT
    numbered.*,
    COUNT(*) OVER delayed AS merchant_transactions_30d,
    COUNT(is_fraud) OVER delayed AS merchant_labelled_30d,
    COUNT(*) FILTER(WHERE
      is_fraud) OVER delayed AS merchant_fraud_30d
  FROM numbered
  WINDOW delayed AS (
    PARTITION BY merchant_id
    ORDER BY day_number
    RANGE BETWEEN 37 PRECEDING AND 8 PRECEDING
  )
), card_quarters AS (
  SELECT
    merchant_windows.*,
    COUNT(*) FILTER(WHERE
      @is_settled()) OVER card_90d AS card_purchases_90d,
    SUM(purchase_cents) FILTER(WHERE
      NOT is_reversed) OVER card_90d AS card_cents_90d,
    SUM(purchase_cents * purchase_cents) FILTER(WHERE
      NOT is_reversed) OVER card_90d AS card_squares_90d,
    MAX(minute_number) OVER before AS last_minute,
    MAX(CASE WHEN is_card_present THEN minute_number END) OVER before AS last_presence,
    MAX(CASE WHEN is_card_present AND NOT is_foreign THEN minute_number END) OVER before AS last_domestic,
    MAX(minute_number) OVER before_at_merchant AS last_at_merchant,
    MAX(minute_number) OVER before_in_mcc AS last_in_mcc,
    MAX(minute_number) OVER before_in_place AS last_in_place
  FROM merchant_windows
  WINDOW card_90d AS (
    PARTITION BY card_id
    ORDER BY minute_number
    RANGE BETWEEN @minutes_in(90, day) PRECEDING AND @minutes_in(2, day) PRECEDING
  ) /* Which purchases were reversed is certain two days after them */, before AS (
    PARTITION BY card_id
    ORDER BY minute_number
    RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) /* Of all rows read, and so of 90 days at least: what is older is cut off below. A maximum is cheap where the frame only grows */, before_at_merchant AS (
    PARTITION BY card_id, merchant_id
    ORDER BY minute_number
    RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ), before_in_mcc AS (
    PARTITION BY card_id, mcc
    ORDER BY minute_number
    RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ), before_in_place AS (
    PARTITION BY card_id, card_place
    ORDER BY minute_number
    RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
), card_months AS (
  SELECT
    card_quarters.*,
    COUNT(*) FILTER(WHERE
      NOT is_second_leg) OVER card_30d AS card_transactions_30d,
    SUM(purchase_cents) OVER card_30d AS card_purchase_cents_30d
  FROM card_quarters
  WHERE
    @in_range(transacted_on, 30) /* Shorter windows are computed over the days alone that they reach back to */
  WINDOW card_30d AS (
    PARTITION BY card_id
    ORDER BY minute_number
    RANGE BETWEEN @minutes_in(30, day) PRECEDING AND 1 PRECEDING
  )
), card_weeks AS (
  SELECT
    card_months.*,
    COUNT(*) FILTER(WHERE
      NOT is_second_leg) OVER card_7d AS card_transactions_7d,
    SUM(purchase_cents) OVER card_7d AS card_purchase_cents_7d
  FROM card_months
  WHERE
    @in_range(transacted_on, 7)
  WINDOW card_7d AS (
    PARTITION BY card_id
    ORDER BY minute_number
    RANGE BETWEEN @minutes_in(7, day) PRECEDING AND 1 PRECEDING
  )
), card_windows AS (
  SELECT
    card_weeks.*,
    COUNT(*) FILTER(WHERE
      NOT is_second_leg) OVER card_1h AS card_transactions_1h,
    SUM(purchase_cents) OVER card_1h AS card_purchase_cents_1h,
    COUNT(*) FILTER(WHERE
      NOT is_second_leg) OVER card_24h AS card_transactions_24h,
    SUM(purchase_cents) OVER card_24h AS card_purchase_cents_24h,
    COUNT(*) FILTER(WHERE
      NOT is_approved) OVER card_1h AS card_declines_1h,
    COUNT(*) FILTER(WHERE
      NOT is_approved) OVER card_24h AS card_declines_24h,
    COUNT(*) FILTER(WHERE
      purchase_cents BETWEEN 1 AND 500) OVER card_1h AS card_small_purchases_1h
  FROM card_weeks
  WHERE
    @in_range(transacted_on, 1)
  WINDOW card_1h AS (
    PARTITION BY card_id
    ORDER BY minute_number
    RANGE BETWEEN @minutes_in(1, hour) PRECEDING AND 1 PRECEDING
  ), card_24h AS (
    PARTITION BY card_id
    ORDER BY minute_number
    RANGE BETWEEN @minutes_in(24, hour) PRECEDING AND 1 PRECEDING
  )
), within_90_days AS (
  SELECT
    card_windows.*,
    CASE WHEN last_minute >= minute_number - @minutes_in(90, day) THEN last_minute END AS previous_minute,
    CASE
      WHEN is_card_present AND last_presence >= minute_number - @minutes_in(90, day)
      THEN last_presence
    END AS presence_minute,
    COALESCE(last_domestic, 0) AS domestic_minute,
    COALESCE(last_at_merchant, 0) AS merchant_minute,
    COALESCE(last_in_mcc, 0) AS mcc_minute,
    COALESCE(last_in_place, 0) AS place_minute
  FROM card_windows
  WHERE
    @in_range(transacted_on)
)
SELECT
  known.transaction_id::BIGINT, /* The transaction */
  known.transacted_at::TIMESTAMP, /* Its minute, local time */
  known.amount_cents::BIGINT, /* What was asked for, in cents, refunds negative */
  COALESCE(known.card_purchase_cents_1h, 0)::BIGINT AS card_purchase_cents_1h, /* Cents of its approved purchases in the same minutes as card_transactions_1h: gross, reversed ones included */
  COALESCE(known.card_purchase_cents_24h, 0)::BIGINT AS card_purchase_cents_24h, /* Cents of its approved purchases in the last 24 hours: gross, reversed ones included */
  COALESCE(known.card_purchase_cents_7d, 0)::BIGINT AS card_purchase_cents_7d, /* Cents of its approved purchases in the last 7 days: gross, reversed ones included */
  COALESCE(known.card_purchase_cents_30d, 0)::BIGINT AS card_purchase_cents_30d, /* Cents of its approved purchases in the last 30 days: gross, reversed ones included */
  known.transacted_on::DATE, /* Its day */
  known.card_id::INT, /* The card */
  known.merchant_id::INT, /* The merchant */
  known.mcc::INT, /* Merchant category code */
  known.card_transactions_1h::INT, /* Transactions of the card in the last hour (minutes 1 to 60 before), declined ones too; what gives back or takes again the same amount at the same merchant within 24 hours is not counted a second time */
  known.card_transactions_24h::INT, /* Transactions of the card in the last 24 hours (minutes 1 to 1,440 before), declined ones too; counted as in the last hour */
  known.card_transactions_7d::INT, /* Transactions of the card in the last 7 days (minutes 1 to 10,080 before), declined ones too; counted as in the last hour */
  known.card_transactions_30d::INT, /* Transactions of the card in the last 30 days (minutes 1 to 43,200 before), declined ones too; counted as in the last hour */
  known.card_declines_1h::INT, /* Declined transactions of the card in the last hour (minutes 1 to 60 before), of any kind */
  known.card_declines_24h::INT, /* Declined transactions of the card in the last 24 hours (minutes 1 to 1,440 before), of any kind */
  known.card_purchases_90d::INT, /* Settled purchases of the card from 90 to 2 days before (minutes 129,600 to 2,880), on which amount_z_score_90d rests: of later ones it is not yet known whether they are reversed */
  (
    known.minute_number - known.previous_minute
  )::INT AS minutes_since_previous, /* Minutes since the card was last used, whatever came of it, in an earlier minute; NULL where not in the last 90 days (129,600 minutes) */
  (
    @day_number(known.minute_number) - @day_number(known.previous_minute)
  )::INT AS days_since_last_use, /* Calendar days since the card was last used: 1 from 23:59 to 00:01; NULL where not in the last 129,600 minutes */
  (
    known.minute_number - known.presence_minute
  )::INT AS minutes_since_presence, /* Card present: minutes since it was last present; few where has_place_changed is an impossible journey; NULL where not in the last 90 days */
  @days_between(cards.card_opened_on, known.transacted_on)::INT AS days_since_card_opened, /* Days since the account was opened; negative where the transaction is older */
  known.merchant_transactions_30d::INT, /* At the merchant, on calendar days 37 to 8 before, of any card, declined ones too */
  known.merchant_labelled_30d::INT, /* Of these with a label: what merchant_fraud_rate_bp_30d divides by */
  COALESCE(categories.mcc_transactions_30d, 0)::INT AS mcc_transactions_30d, /* In the category, on calendar days 37 to 8 before, of any card, declined ones too */
  COALESCE(categories.mcc_labelled_30d, 0)::INT AS mcc_labelled_30d, /* Of these with a label: what mcc_fraud_rate_bp_30d divides by */
  EXTRACT(HOUR FROM known.transacted_at)::INT AS hour_of_day, /* 0 to 23, local */
  known.is_foreign::BOOLEAN, /* Whether the merchant is in another country */
  known.is_approved::BOOLEAN, /* Whether it went through: known with its answer, so that a rule tells what can still be stopped from what was refused */
  known.has_bad_card_data::BOOLEAN, /* Whether card number, security code or expiry date was wrong, which the authorisation tells */
  (
    known.merchant_minute < known.minute_number - @minutes_in(90, day)
  )::BOOLEAN AS is_new_merchant_90d, /* Whether the card was not at this merchant in the last 90 days (minutes 1 to 129,600 before), declined or not */
  (
    known.mcc_minute < known.minute_number - @minutes_in(90, day)
  )::BOOLEAN AS is_new_mcc_90d, /* Whether the card was not at any merchant of this category in the last 90 days (minutes 1 to 129,600 before) */
  (
    known.place_minute < known.minute_number - @minutes_in(90, day)
  )::BOOLEAN AS is_new_place_90d, /* Whether the card was not used in this state or country in the last 90 days (minutes 1 to 129,600 before); all use online is one place, UNKNOWN another */
  COALESCE(known.place_minute < known.presence_minute, FALSE)::BOOLEAN AS has_place_changed, /* Card present: whether the card was last present in another state or country; use online is passed over */
  COALESCE(
    CASE WHEN known.is_foreign THEN known.place_minute ELSE known.domestic_minute END < known.presence_minute,
    FALSE
  )::BOOLEAN AS has_country_changed, /* Card present: whether the card was last present in another country; use online is passed over */
  (
    known.amount_cents >= 10000 AND known.card_small_purchases_1h > 0
  )::BOOLEAN AS is_large_after_small_1h, /* Whether it is of $100 or more, and an approved purchase of one cent to $5 went before in minutes 1 to 60 before, at any merchant */
  (
    known.transacted_at < known.transacted_on + INTERVAL '6 HOURS'
  )::BOOLEAN AS is_night, /* From 00:00 to 05:59 */
  dates.is_weekend::BOOLEAN, /* Whether it is a Saturday or Sunday */
  known.channel::TEXT, /* swipe, chip or online */
  CASE
    WHEN known.card_purchases_90d >= 5
    THEN @z_score(
      known.amount_cents,
      known.card_purchases_90d,
      known.card_cents_90d,
      known.card_squares_90d
    )
  END::DECIMAL(18, 2) AS amount_z_score_90d, /* Sample standard deviations (n - 1) of the amount asked for from the mean of these; NULL below five of them or where all are alike */
  CASE
    WHEN known.merchant_fraud_30d > 0
    THEN @basis_points(known.merchant_fraud_30d, known.merchant_labelled_30d)
    WHEN known.merchant_labelled_30d > 0
    THEN 0
  END::DECIMAL(18, 2) AS merchant_fraud_rate_bp_30d, /* Fraud rate of these by count, basis points; NULL where none is labelled */
  CASE
    WHEN categories.mcc_fraud_30d > 0
    THEN @basis_points(categories.mcc_fraud_30d, categories.mcc_labelled_30d)
    WHEN categories.mcc_labelled_30d > 0
    THEN 0
  END::DECIMAL(18, 2) AS mcc_fraud_rate_bp_30d /* Fraud rate of these by count, basis points; NULL where none is labelled */
FROM within_90_days AS known
JOIN category_features AS categories
  ON categories.mcc = known.mcc AND categories.transacted_on = known.transacted_on
JOIN dimensions.dim_cards AS cards
  ON cards.card_id = known.card_id
JOIN dimensions.dim_dates AS dates
  ON dates.date_day = known.transacted_on;

@look_back(90);

@fill_in_ranges(facts.fct_outcomes);

@primary_key(transaction_id);

@index(transacted_on);

@index(card_id, transacted_at)
