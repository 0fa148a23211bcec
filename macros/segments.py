"""Segments of cardholders, by the credit score of the snapshot of February 2020: for reports, never for a feature of the past."""

from __future__ import annotations

from sqlmesh import SQL, macro

# Least score and name, the highest first: the bands that FICO itself publishes.
CREDIT_BANDS = (
    (800, "exceptional"),
    (740, "very good"),
    (670, "good"),
    (580, "fair"),
)
LOWEST = "poor"


@macro()
def credit_segment(evaluator, credit_score: SQL):
    """The segment of a cardholder."""
    bands = " ".join(f"WHEN {credit_score} >= {least} THEN '{name}'" for least, name in CREDIT_BANDS)
    return f"CASE {bands} ELSE '{LOWEST}' END"
