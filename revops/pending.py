"""What has landed and is not built yet: which relations changed, and on which days the facts must be made anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from psycopg2 import sql

from loaders import duplicates, postgres
from loaders.sources import SOURCES

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

# Stands for rows without a usable day: see models/quality/quarantined_transactions.sql.
UNDATED = date(2000, 1, 1)

DDL = """
CREATE TABLE IF NOT EXISTS ops.built_files (
    file_id bigint PRIMARY KEY,
    relation text NOT NULL,
    sha256 text NOT NULL,
    built_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ops.built_files IS 'One row per landed file that prod was built with';
"""

_CHANGED = """
SELECT DISTINCT relation
FROM (SELECT file_id, relation, sha256 FROM ops.load_files) AS landed
FULL JOIN (SELECT file_id, relation, sha256 FROM ops.built_files) AS built USING (file_id, relation, sha256)
WHERE landed IS NULL OR built IS NULL
UNION
SELECT relation FROM ops.load_history AS happened JOIN ops.built_files AS built USING (file_id, relation)
WHERE happened.action IN ('replayed', 'renamed') AND happened.happened_at > built.built_at
"""

# PostgreSQL counts anew by itself what a partition holds, but never the whole. That takes seconds: a day more changes little.
_MUCH_IS_NEW = """
SELECT coalesce(sum(rows_loaded) FILTER (WHERE built_at IS NULL), 0) * 10 >= sum(rows_loaded)
FROM ops.load_files LEFT JOIN ops.built_files USING (file_id, relation, sha256) WHERE relation = %s
"""

# Rows without a day of their own, now or when last built.
_UNDATED = """
SELECT EXISTS (SELECT FROM ops.load_files WHERE relation = 'transactions' AND undated_rows > 0)
    OR EXISTS (SELECT FROM quality.quarantined_transactions WHERE quarantined_on = %s)
"""

_KNOWN_NOW = (
    "SELECT DISTINCT quarantined_on FROM quality.quarantined_transactions WHERE reason LIKE '%% is of no known %%'"
)

_OVER_NOW = """
SELECT DISTINCT left(landed_date, 10)::date FROM quality.quarantined_transactions
WHERE reason = 'the day is not over yet' AND left(landed_date, 10)::date < %s
"""

# Facts whose label is not the one that has landed: it came, changed or went.
_LABELLED_ANEW = """
SELECT DISTINCT outcomes.transacted_on
FROM facts.fct_outcomes AS outcomes
LEFT JOIN staging.stg_fraud_labels AS labels
  ON labels.transaction_id = outcomes.transaction_id AND CASE WHEN labels.row_fault IS NULL THEN true ELSE false END
WHERE labels.is_fraud IS DISTINCT FROM outcomes.is_fraud
"""

_ORPHANED = {
    "users": """
        SELECT DISTINCT transacted_on FROM facts.fct_transactions WHERE client_id IN (
            SELECT client_id FROM dimensions.dim_users
            EXCEPT SELECT client_id FROM staging.stg_users WHERE row_fault IS NULL)""",
    "cards": """
        SELECT DISTINCT transacted_on FROM facts.fct_transactions WHERE card_id IN (
            SELECT card_id FROM dimensions.dim_cards
            EXCEPT SELECT card_id FROM staging.stg_cards WHERE row_fault IS NULL)""",
    "mcc_codes": """
        SELECT DISTINCT transacted_on FROM facts.fct_transactions WHERE mcc IN (
            SELECT mcc FROM dimensions.dim_mcc
            EXCEPT SELECT mcc FROM staging.stg_mcc_codes WHERE row_fault IS NULL)""",
}


@dataclass
class Pending:
    """What a build has to do.

    Attributes:
        relations: relations of raw that changed.
        days: days to restate; `UNDATED` among them for rows without a day.
        files: the files that had landed when this was found: id, relation, sha256.
        loses_parents: facts lose their user, card or category, so that foreign keys must make way.
        first_build: nothing was ever built, so that the first plan does all.
    """

    relations: set[str] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    files: list[tuple[int, str, str]] = field(default_factory=list)
    loses_parents: bool = False
    first_build: bool = False

    @property
    def anything(self) -> bool:
        """Whether there is anything to restate."""
        return bool(self.relations or self.days)


def find(connection: Connection) -> Pending:
    """Finds what is pending, and marks superseded rows of what changed. Commits."""
    with connection.cursor() as cursor:
        cursor.execute(DDL)
        cursor.execute("SELECT file_id, relation, sha256 FROM ops.load_files")
        pending = Pending(files=cursor.fetchall())
        cursor.execute(_CHANGED)
        pending.relations = {row[0] for row in cursor.fetchall()}
        moved: set[str] = set()
        for relation in sorted(pending.relations):
            postgres.index_days(cursor, SOURCES[relation])
            cursor.execute(_MUCH_IS_NEW, (relation,))
            if (cursor.fetchone() or (False,))[0]:
                cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("raw", relation)))
            moved |= duplicates.mark(cursor, relation)
        pending.first_build = not _has_been_built(cursor)
        if not pending.first_build:
            _add_days(cursor, pending, moved)
            if moved:
                _remember(cursor, pending)
    connection.commit()
    return pending


def mark_built(connection: Connection, pending: Pending) -> None:
    """Notes that prod shows what was pending. Commits."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ops.built_files")
        cursor.executemany("INSERT INTO ops.built_files (file_id, relation, sha256) VALUES (%s, %s, %s)", pending.files)
        cursor.execute("UPDATE ops.touched_days SET built_at = now() WHERE built_at IS NULL")
    connection.commit()


def _has_been_built(cursor: Cursor) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM ops.evaluations)")
    return bool((cursor.fetchone() or (False,))[0])


def _add_days(cursor: Cursor, pending: Pending, moved: Iterable[str]) -> None:
    cursor.execute("SELECT DISTINCT day FROM ops.touched_days WHERE relation = 'transactions' AND built_at IS NULL")
    today = datetime.now(timezone.utc).date()
    days = {row[0] for row in cursor.fetchall()} | {_day(text) for text in moved}
    pending.days = {day if UNDATED <= day < today else UNDATED for day in days}
    cursor.execute("SELECT to_regclass('quality.quarantined_transactions') IS NOT NULL")
    if not (cursor.fetchone() or (False,))[0]:
        return  # the first build died before its end: the plan goes on where it stopped
    cursor.execute(_OVER_NOW, (today,))
    over = {row[0] for row in cursor.fetchall()}
    pending.days |= over
    cursor.execute(_UNDATED, (UNDATED,))
    if over or ("transactions" in pending.relations and (cursor.fetchone() or (False,))[0]):
        pending.days.add(UNDATED)
    if "fraud_labels" in pending.relations:
        cursor.execute(_LABELLED_ANEW)
        pending.days |= {row[0] for row in cursor.fetchall()}
    changed_parents = pending.relations & set(_ORPHANED)
    if changed_parents:
        cursor.execute(_KNOWN_NOW)
        pending.days |= {row[0] for row in cursor.fetchall()}
    for relation in sorted(changed_parents):
        cursor.execute(_ORPHANED[relation])
        orphaned = {row[0] for row in cursor.fetchall()}
        pending.loses_parents |= bool(orphaned)
        pending.days |= orphaned


def _remember(cursor: Cursor, pending: Pending) -> None:
    """Keeps the days on which rows were superseded: were the build killed, the next would find the rows marked already."""
    newest = max((file[0] for file in pending.files if file[1] == "transactions"), default=0)
    cursor.executemany(
        "INSERT INTO ops.touched_days (relation, day, file_id) VALUES ('transactions', %s, %s)"
        " ON CONFLICT (relation, day, file_id) DO UPDATE SET built_at = NULL",
        [(day, newest) for day in pending.days],
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return UNDATED
