"""Owns taking what landed away again: a name whose file is gone, the rows of a file, and the days that this touches."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING

from loaders import manifest, postgres
from loaders.manifest import LandedFile
from loaders.reporting import FileOutcome
from loaders.rows import day_of
from loaders.sources import UNDATED_DAY, Source

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor


def retire_file(conn: connection, source: Source, landed: LandedFile) -> FileOutcome:
    """Take a name away in one transaction, and its rows with it unless the file has another name too."""
    with conn, conn.cursor() as cur:
        left_to = manifest.take_name(cur, landed.file_id, landed.name)
        if left_to is None:
            remove(cur, source, landed.file_id, "retired")
    return FileOutcome(
        name=landed.name,
        relation=source.relation,
        action="retired" if left_to is None else "renamed",
        file_id=landed.file_id,
        rows_read=landed.rows_read,
        rows_loaded=landed.rows_loaded,
        rows_rejected=landed.rows_rejected,
        note="its file is gone" if left_to is None else f"its file is gone, its rows stay: {left_to} has them too",
    )


def remove(cur: cursor, source: Source, file_id: int, action: str) -> None:
    """Remove a landed file's rows and note their days."""
    days = postgres.day_profiles(cur, source, file_id) if source.date_column else {}
    manifest.touch_days(cur, source.relation, file_id, days_of(days))
    postgres.remove_rows(cur, source, file_id)
    manifest.forget(cur, action, file_id)


def days_of(texts: Iterable[str | None]) -> list[datetime.date]:
    """Return the days of the texts of dates, in order; UNDATED_DAY for those without one."""
    days = (day_of(text or "") for text in texts)
    return sorted({UNDATED_DAY if day is None else datetime.date.fromisoformat(day) for day in days})
