"""Runs of frauds of a card: where one begins, and the days before it that are searched for a common point of compromise."""

from __future__ import annotations

from sqlmesh import SQL, macro

QUIET_DAYS = 60


@macro()
def starts_a_run(evaluator, day: SQL, previous_day: SQL):
    """Whether a fraud begins a run: the card's previous fraud is more than 60 days before it, or there is none.

    `previous_day` is the day of the previous fraud, NULL for none.
    """
    return f"COALESCE({previous_day} + INTERVAL '{QUIET_DAYS} DAYS' < {day}, TRUE)"


@macro()
def is_before_the_run(evaluator, day: SQL, first_day: SQL):
    """Whether a day is one of the 60 before `first_day`, on which a run begins: no fraud of an earlier run is in them."""
    return f"({day} < {first_day} AND {day} >= {first_day} - INTERVAL '{QUIET_DAYS} DAYS')"


@macro()
def evidence_of(evaluator, shared: SQL, cases: SQL, merchant_cards: SQL, cards: SQL):
    """How improbable it is that chance gives `shared` or more of `cases`, where it gives each with p = merchant_cards / cards.

    Minus the decimal logarithm of Chernoff's bound of the binomial tail, which holds for any number of cases, however few
    (Hoeffding, Probability inequalities for sums of bounded random variables, 1963, theorem 1):
    P(X >= k) <= (p / q)^k * ((1 - p) / (1 - q))^(n - k), q = k / n > p. For p unlike from case to case it holds with their mean.
    """
    share, chance = (
        f"(CAST({part} AS DOUBLE PRECISION) / {whole})" for part, whole in ((shared, cases), (merchant_cards, cards))
    )
    return f"""
    CASE
      WHEN {shared} * {cards} <= {cases} * {merchant_cards} THEN 0
      WHEN {shared} = {cases} THEN -{shared} * LN({chance}) / LN(CAST(10 AS DOUBLE PRECISION))
      ELSE (
        {shared} * LN({share} / {chance}) + ({cases} - {shared}) * LN((1 - {share}) / (1 - {chance}))
      ) / LN(CAST(10 AS DOUBLE PRECISION))
    END
    """
