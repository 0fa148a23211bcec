"""Rules as data: how the columns of seeds.fraud_rules become a condition on features and a sentence.

A rule asks for what its row says; an empty cell asks for nothing. To ask for something new, add a column to seeds/fraud_rules.csv
and a line here: the model of the seed, its audit and the hits take their columns from these lists.
"""

from __future__ import annotations

from sqlglot import exp
from sqlmesh import SQL, macro

# Column of the seed, type, what it says.
ABOUT = (
    ("rule_name", "TEXT", "Name"),
    ("weight", "INT", "What a hit adds to the score"),
    ("action", "TEXT", "review, call or block"),
    ("valid_from_date", "DATE", "First day on which it raises alerts"),
    ("valid_until_date", "DATE", "First day on which it no longer does; empty while in force"),
    ("channel", "TEXT", "online, or present for the card present; empty for both"),
    (
        "kinds",
        "TEXT",
        "Which transactions it looks at: purchase, declined, refund, check, with blanks between; empty for purchase",
    ),
)
# Column of the seed, feature. NEEDED are booleans; limits are whole numbers, but for DECIMALS.
AT_LEAST = (
    ("min_amount_cents", "amount_cents"),
    ("min_transactions_1h", "card_transactions_1h"),
    ("min_transactions_24h", "card_transactions_24h"),
    ("min_declines_24h", "card_declines_24h"),
    ("min_z_score", "amount_z_score_90d"),
    ("min_idle_days", "days_since_last_use"),
    ("min_merchant_labelled", "merchant_labelled_30d"),
    ("min_merchant_fraud_bp", "merchant_fraud_rate_bp_30d"),
    ("min_mcc_labelled", "mcc_labelled_30d"),
    ("min_mcc_fraud_bp", "mcc_fraud_rate_bp_30d"),
)
AT_MOST = (("max_minutes_since_presence", "minutes_since_presence"),)
NEEDED = (
    ("has_to_be_bad_card_data", "has_bad_card_data"),
    ("has_to_be_foreign", "is_foreign"),
    ("has_to_be_new_merchant", "is_new_merchant_90d"),
    ("has_to_be_new_mcc", "is_new_mcc_90d"),
    ("has_to_be_new_place", "is_new_place_90d"),
    ("has_to_change_country", "has_country_changed"),
    ("has_to_be_large_after_small", "is_large_after_small_1h"),
    ("has_to_be_night", "is_night"),
)
# What a reason may say in braces.
WORDS = (
    ("transactions_1h", "card_transactions_1h"),
    ("transactions_24h", "card_transactions_24h"),
    ("declines_24h", "card_declines_24h"),
    ("z_score", "amount_z_score_90d"),
    ("idle_days", "days_since_last_use"),
    ("minutes", "minutes_since_presence"),
    ("merchant_fraud_bp", "merchant_fraud_rate_bp_30d"),
    ("merchant_labelled", "merchant_labelled_30d"),
    ("mcc_fraud_bp", "mcc_fraud_rate_bp_30d"),
    ("mcc_labelled", "mcc_labelled_30d"),
)
DECIMALS = {"min_z_score", "min_merchant_fraud_bp", "min_mcc_fraud_bp"}
KINDS = ("purchase", "declined", "refund", "check")
_NEVER = 1000000000  # stands for an unknown feature, and no limit is reached by it


@macro()
def rule_columns(evaluator):
    """In the MODEL block of the seed, its columns."""
    columns = [
        exp.ColumnDef(this=exp.to_identifier(name), kind=exp.DataType.build(data_type, dialect="postgres"))
        for name, data_type, _ in _columns()
    ]
    return exp.Property(this=exp.to_identifier("columns"), value=exp.Schema(expressions=columns))


@macro()
def rule_column_descriptions(evaluator):
    """In the MODEL block of the seed, what each of its columns says."""
    descriptions = [exp.EQ(this=exp.column(name), expression=exp.Literal.string(text)) for name, _, text in _columns()]
    return exp.Property(this=exp.to_identifier("column_descriptions"), value=exp.Tuple(expressions=descriptions))


def _columns():
    def type_of(name):
        return "DECIMAL(12, 2)" if name in DECIMALS else "BIGINT"

    return [
        *ABOUT,
        *((name, "BOOLEAN", f"true to ask for {feature}") for name, feature in NEEDED),
        *((name, type_of(name), f"Least {feature}; empty for any") for name, feature in AT_LEAST),
        *((name, type_of(name), f"Most {feature}; empty for any") for name, feature in AT_MOST),
        ("reason", "TEXT", "In words, with features in braces"),
    ]


@macro()
def rule_as_text(evaluator, rules: SQL):
    """The row of a rule as one line a column, name=value, in the order of the seed; nothing after the sign for an empty cell."""
    lines = [f"CONCAT('{name}=', CAST({rules}.{name} AS TEXT))" for name, _, _ in _columns()]
    return f"CONCAT_WS(CHR(10), {', '.join(lines)})"


@macro()
def rule_is_hit(evaluator, rules: SQL, features: SQL):
    """Whether the transaction is all that the rule asks for, and of a kind that it looks at."""
    conditions = [
        f"({rules}.channel IS NULL OR ({rules}.channel = 'online') = ({features}.channel = 'online'))",
        *(f"({features}.{feature} OR NOT COALESCE({rules}.{asked}, FALSE))" for asked, feature in NEEDED),
        *(
            f"COALESCE({features}.{feature}, {-_NEVER}) >= COALESCE({rules}.{asked}, {-_NEVER})"
            for asked, feature in AT_LEAST
        ),
        *(
            f"COALESCE({features}.{feature}, {_NEVER}) <= COALESCE({rules}.{asked}, {_NEVER})"
            for asked, feature in AT_MOST
        ),
    ]
    return " AND ".join([*conditions, _looks_at(rules, _kind_of(features))])


@macro()
def kind_of(evaluator, outcomes: SQL):
    """purchase, for an approved one; declined, for one that was not; refund, check of zero dollars, approved or not."""
    return _kind_of(outcomes)


@macro()
def looks_at(evaluator, rules: SQL, kind: SQL):
    """Whether a rule looks at transactions of a kind: at purchases, where it names none."""
    return _looks_at(rules, kind)


@macro()
def unknown_kinds(evaluator, rules: SQL):
    """Whether a rule names a kind that there is not, or none in a cell that is not empty."""
    rest = f"{rules}.kinds"
    for kind in KINDS:
        rest = f"REPLACE({rest}, '{kind}', '')"
    return f"(TRIM({rest}) <> '' OR TRIM({rules}.kinds) = '')"


def _kind_of(outcomes):
    return f"""
    CASE
      WHEN {outcomes}.amount_cents < 0 THEN 'refund'
      WHEN {outcomes}.amount_cents = 0 THEN 'check'
      WHEN {outcomes}.is_approved THEN 'purchase'
      ELSE 'declined'
    END
    """


def _looks_at(rules, kind):
    return f"(' ' || COALESCE({rules}.kinds, 'purchase') || ' ') LIKE ('% ' || {kind} || ' %')"


@macro()
def asks_for_nothing(evaluator, rules: SQL):
    """Whether a rule has no limit at all: a channel or kinds alone are none."""
    limits = [f"{rules}.{asked} IS NULL" for asked, _ in (*AT_LEAST, *AT_MOST)]
    needs = [f"NOT COALESCE({rules}.{asked}, FALSE)" for asked, _ in NEEDED]
    return " AND ".join([*limits, *needs])


@macro()
def reason_in_words(evaluator, reason: SQL, features: SQL):
    """The reason with the values of the features where it has their names in braces."""
    text = f"REPLACE({reason}, '{{amount}}', CAST(CAST({features}.amount_cents AS DECIMAL(18, 2)) / 100 AS DECIMAL(18, 2))::TEXT)"
    for word, feature in WORDS:
        text = f"REPLACE({text}, '{{{word}}}', COALESCE(CAST({features}.{feature} AS TEXT), 'unknown'))"
    return text


@macro()
def joined_text(evaluator, text: SQL, separator: str, *order: SQL):
    """The texts of a group, joined in an order that is said, which engines write each in their way."""
    keys = ", ".join(str(key) for key in order)
    if evaluator.dialect == "postgres":
        return f"STRING_AGG({text}, '{separator}' ORDER BY {keys})"
    return f"LISTAGG({text}, '{separator}') WITHIN GROUP (ORDER BY {keys})"
