"""How evaluations went: audits in ops.audit_history, and seconds in ops.durations, by environment and model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


def note(
    cursor: Cursor, environment: str, audited: Iterable[tuple[str, int, int]], seconds: Mapping[str, float]
) -> None:
    """Keeps how the audits of a build went and how long its models took.

    Args:
        cursor: a transaction.
        environment: that was built.
        audited: of each evaluation the model, how many audits passed and how many failed.
        seconds: that each model took.
    """
    cursor.executemany(
        "INSERT INTO ops.audit_history (environment, model, audits_passed, audits_failed) VALUES (%s, %s, %s, %s)",
        [(environment, *each) for each in audited],
    )
    cursor.executemany(
        "INSERT INTO ops.durations (environment, model, seconds) VALUES (%s, %s, %s) ON CONFLICT (environment, model)"
        " DO UPDATE SET seconds = excluded.seconds, evaluated_at = excluded.evaluated_at",
        [(environment, *took) for took in seconds.items()],
    )


def durations(cursor: Cursor, environment: str) -> dict[str, float]:
    """How many seconds each model of an environment took the last time."""
    cursor.execute("SELECT model, seconds FROM ops.durations WHERE environment = %s", (environment,))
    return dict(cursor.fetchall())
