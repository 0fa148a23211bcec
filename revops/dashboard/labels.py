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


def last_mature_day(last_landed: date, last_labelled: date | None) -> date | None:
    """The last day whose labels are complete.

    Args:
        last_landed: the last day with a transaction.
        last_labelled: the last day with a label; None where there is none.
    """
    return None if last_labelled is None else min(last_landed - DELAY, last_labelled)


def are_complete(last_day: date, labelled_last: date | None) -> bool:
    """Whether all labels up to this day have arrived, by the last day whose labels are complete."""
    return labelled_last is not None and last_day <= labelled_last
