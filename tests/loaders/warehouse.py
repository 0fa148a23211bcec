"""What the tests of the loaders ask a warehouse."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from loaders.sources import AMOUNT_PATTERN, SOURCES

Query = Callable[..., list[tuple[Any, ...]]]
JAN_1, JAN_2, JAN_3 = (datetime.date(2010, 1, day) for day in (1, 2, 3))


def everything(query: Query) -> dict[str, list[tuple[Any, ...]]]:
    """All that a landing leaves behind."""
    tables = [f"raw.{relation}" for relation in SOURCES]
    tables += ["ops.load_files", "ops.load_history", "ops.rejected_rows", "ops.changes", "ops.pan_key"]
    return {table: query(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables}


def assert_reconciled(query: Query) -> None:
    """Each landed file's rows are in raw or in the rejects, and its dollars are in raw."""
    for file_id, relation, read, loaded, rejected, amount in query(
        "SELECT file_id, relation, rows_read, rows_loaded, rows_rejected, amount_sum FROM ops.load_files"
    ):
        assert read == loaded + rejected
        assert query(f"SELECT count(*) FROM raw.{relation} WHERE _file_id = %s", file_id) == [(loaded,)]
        assert query("SELECT count(*) FROM ops.rejected_rows WHERE file_id = %s", file_id) == [(rejected,)]
        if relation == "transactions":
            assert query(
                "SELECT coalesce(sum(substr(amount, 2)::numeric), 0) FROM raw.transactions"
                " WHERE _file_id = %s AND amount ~ %s",
                file_id,
                AMOUNT_PATTERN,
            ) == [(amount,)]
    landed = query("SELECT sum(rows_loaded) FROM ops.load_files WHERE relation = 'transactions'")
    assert query("SELECT count(*) FROM raw.transactions") == [(landed[0][0] or 0,)]


def days(query: Query) -> list[datetime.date]:
    """The days that changed since the last time they were asked for."""
    found = query(
        "SELECT DISTINCT day::date FROM ops.changes, generate_series(starts_on, ends_before - 1, '1 day') AS day ORDER BY 1"
    )
    query("DELETE FROM ops.changes")
    return [day for (day,) in found]
