"""The named measures of the star, declared once as sums, counts and ratios, and said in SQL and in DAX.

Each is named and defined as the column of serving.monthly_executive_summary that shows it by month; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

APPROVED, DECLINED = ("is_approved", True), ("is_approved", False)
SETTLED = ("is_settled", True)
FRAUD, LABELLED = ("is_fraud", True), ("is_fraud", None)
Condition = tuple[str, bool | None]  # a boolean column, and what it is; None for any value that is known

DOLLARS, COUNT, POINTS = "dollars", "count", "basis points"
BASIS_POINTS = 10_000


@dataclass(frozen=True)
class Sum:
    """The sum of a column over the rows that meet the condition; 0 over none."""

    column: str
    where: Condition | None = None


@dataclass(frozen=True)
class Rows:
    """How many rows meet the condition."""

    where: Condition | None = None


@dataclass(frozen=True)
class Distinct:
    """How many values a column has in the rows that meet the condition."""

    column: str
    where: Condition | None = None


@dataclass(frozen=True)
class Ratio:
    """One measure by another, to two decimals; nothing where the other is 0."""

    part: str
    whole: str
    times: int = 1


@dataclass(frozen=True)
class Measure:
    """A measure: its name, how it is computed, its unit and what it means."""

    name: str
    computed: Sum | Rows | Distinct | Ratio
    unit: str
    meaning: str

    @property
    def label(self) -> str:
        """The name as a report shows it: `Decline rate (bp)`."""
        words = self.name.removesuffix("_bp").replace("_", " ").capitalize()
        return f"{words} (bp)" if self.unit == POINTS else words


MEASURES = (
    Measure("transaction_count", Rows(), COUNT, "All transactions, declined ones too"),
    Measure("approved_count", Rows(APPROVED), COUNT, "Transactions without any error"),
    Measure("declined_count", Rows(DECLINED), COUNT, "Transactions with an error"),
    Measure("decline_rate_bp", Ratio("declined_count", "transaction_count", BASIS_POINTS), POINTS, "Declined of all"),
    Measure("approval_rate_bp", Ratio("approved_count", "transaction_count", BASIS_POINTS), POINTS, "Approved of all"),
    Measure("purchase_volume", Sum("purchase_amount"), DOLLARS, "Approved purchases, gross, reversed ones included"),
    Measure("refunds", Sum("refund_amount"), DOLLARS, "Approved refunds, positive, gross"),
    Measure("net_volume", Sum("net_amount"), DOLLARS, "Purchase volume less refunds"),
    Measure("settled_count", Rows(SETTLED), COUNT, "Purchases without the reversed ones"),
    Measure("settled_volume", Sum("settled_amount"), DOLLARS, "Settled purchases"),
    Measure("average_ticket", Ratio("settled_volume", "settled_count"), DOLLARS, "Settled volume by settled purchase"),
    Measure("active_clients", Distinct("client_id", SETTLED), COUNT, "Cardholders with a settled purchase"),
    Measure("active_cards", Distinct("card_id", SETTLED), COUNT, "Cards with a settled purchase"),
    Measure("labelled_count", Rows(LABELLED), COUNT, "Transactions with a label: what a fraud rate divides by"),
    Measure("fraud_count", Rows(FRAUD), COUNT, "Transactions labelled as fraud, declined ones too"),
    Measure("fraud_rate_bp", Ratio("fraud_count", "labelled_count", BASIS_POINTS), POINTS, "Fraud of the labelled"),
    Measure("labelled_purchase_volume", Sum("purchase_amount", LABELLED), DOLLARS, "Purchases with a label, gross"),
    Measure("fraud_loss", Sum("purchase_amount", FRAUD), DOLLARS, "Purchases labelled as fraud, gross"),
    Measure("net_fraud_loss", Sum("settled_amount", FRAUD), DOLLARS, "Settled purchases labelled as fraud"),
    Measure(
        "fraud_rate_by_value_bp",
        Ratio("fraud_loss", "labelled_purchase_volume", BASIS_POINTS),
        POINTS,
        "Fraud loss of the labelled purchase volume",
    ),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
ADDITIVE = {measure.computed.column for measure in MEASURES if isinstance(measure.computed, Sum)}  # what may be summed


def in_sql(measure: Measure) -> str:
    """An aggregate expression of PostgreSQL over the rows of the fact."""
    computed = measure.computed
    if isinstance(computed, Ratio):
        part, whole = (in_sql(BY_NAME[name]) for name in (computed.part, computed.whole))
        return f"ROUND({computed.times}.0 * {part} / NULLIF({whole}, 0), 2)"
    rows = f" FILTER (WHERE {condition_in_sql(computed.where)})" if computed.where else ""
    if isinstance(computed, Sum):
        return f"COALESCE(SUM({computed.column}){rows}, 0)"
    if isinstance(computed, Distinct):
        return f"COUNT(DISTINCT {computed.column}){rows}"
    return f"COUNT(*){rows}"


def condition_in_sql(condition: Condition, prefix: str = "") -> str:
    """A condition on one row."""
    column, value = condition
    return f"{prefix}{column} IS NOT NULL" if value is None else f"{'' if value else 'NOT '}{prefix}{column}"


def in_dax(measure: Measure, fact: str) -> str:
    """An expression of Power BI; a ratio refers to its two measures."""
    computed = measure.computed
    if isinstance(computed, Ratio):
        part, whole = (f"[{BY_NAME[name].label}]" for name in (computed.part, computed.whole))
        return f"DIVIDE ( {f'{computed.times} * ' if computed.times != 1 else ''}{part}, {whole} )"
    if isinstance(computed, Sum):
        total = f"SUM ( {fact}[{computed.column}] )"
    elif isinstance(computed, Distinct):
        total = f"DISTINCTCOUNT ( {fact}[{computed.column}] )"
    else:
        total = f"COUNTROWS ( {fact} )"
    if computed.where is None:
        return total
    column, value = computed.where
    condition = f"NOT ISBLANK ( {fact}[{column}] )" if value is None else f"{fact}[{column}] = {str(value).upper()} ()"
    return f"CALCULATE ( {total}, KEEPFILTERS ( {condition} ) )"
