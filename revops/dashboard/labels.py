"""Which fraud figures are final: labels arrive after their transactions, so the newest days look better than they are."""

from __future__ import annotations

from datetime import date, timedelta

# The features count a label from seven days after its transaction (models/features/transaction_features.sql): the same delay is
# declared here, because no landed file says when a label was given.
DELAY = timedelta(days=7)

PENDING = "labels to come"
FINAL = "labels complete"

WORDS = {True: "fraud", False: "not fraud"}
UNKNOWN = "unknown"


def last_mature_day(last_landed: date) -> date:
    """The last day whose labels are complete, seen from the last day that has landed."""
    return last_landed - DELAY


def are_complete(last_day: date, last_landed: date) -> bool:
    """Whether all labels up to this day have arrived."""
    return last_day <= last_mature_day(last_landed)
