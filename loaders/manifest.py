"""Owns the statements on the tables of ops that tell what has landed. Opens no connection."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2.extras import execute_values

from foundation.queries import first_row, scalar
from loaders.keys_seen import KeysSeen
from loaders.ranking import Rank, rank
from loaders.rows import Reject, Tally

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

# Small files share one partition per relation, large ones have their own; the id tells which: see docs/loading.md.
FIRST_LARGE_FILE_ID = 1_000_000_000


@dataclass(frozen=True)
class LandedFile:
    """A file whose rows are in raw."""

    file_id: int
    relation: str
    name: str
    sha256: str
    packed_sha256: str | None
    bytes: int
    rows_read: int
    rows_loaded: int
    rows_rejected: int

    @property
    def is_large(self) -> bool:
        """Whether the file has its own partition."""
        return self.file_id >= FIRST_LARGE_FILE_ID


_LANDED = """
SELECT file_id, relation, name, sha256, packed_sha256, bytes, rows_read, rows_loaded, rows_rejected
FROM (
    SELECT file_id, relation, name, sha256, packed_sha256, bytes, rows_read, rows_loaded, rows_rejected, false AS is_alias
    FROM ops.load_files
    UNION ALL
    SELECT file.file_id, alias.relation, alias.name, file.sha256, alias.packed_sha256, alias.bytes, file.rows_read,
           file.rows_loaded, file.rows_rejected, true
    FROM ops.load_aliases AS alias JOIN ops.load_files AS file USING (file_id)
) AS named
"""


def landed_files(cur: cursor) -> list[LandedFile]:
    """Return all files whose rows are in raw; one whose bytes landed under several names, once for each name."""
    cur.execute(_LANDED + " ORDER BY file_id, is_alias, name")
    return [LandedFile(*row) for row in cur]


def landed_file(cur: cursor, relation: str, name: str) -> LandedFile | None:
    """Return the file of that name, None if it has not landed."""
    row = first_row(cur, _LANDED + " WHERE relation = %s AND name = %s", (relation, name))
    return LandedFile(*row) if row else None


def landed_bytes(cur: cursor, relation: str, sha256: str) -> LandedFile | None:
    """Return a landed file of the relation with these bytes, None if there is none."""
    query = _LANDED + " WHERE relation = %s AND sha256 = %s ORDER BY is_alias, file_id LIMIT 1"
    row = first_row(cur, query, (relation, sha256))
    return LandedFile(*row) if row else None


def names(cur: cursor, relation: str) -> dict[int, list[str]]:
    """Return the names of each landed file of a relation, the one in the manifest first."""
    cur.execute(
        "SELECT file_id, name FROM (SELECT relation, file_id, name, 0 AS place FROM ops.load_files"
        " UNION ALL SELECT relation, file_id, name, 1 FROM ops.load_aliases) AS named"
        " WHERE relation = %s ORDER BY file_id, place, name",
        (relation,),
    )
    found: dict[int, list[str]] = {}
    for file_id, name in cur:
        found.setdefault(file_id, []).append(name)
    return found


def names_of(cur: cursor, file_id: int) -> list[str]:
    """Return the names of a landed file, the one in the manifest first."""
    cur.execute(
        "SELECT name FROM ops.load_files WHERE file_id = %(id)s UNION ALL"
        " (SELECT name FROM ops.load_aliases WHERE file_id = %(id)s ORDER BY name)",
        {"id": file_id},
    )
    return [name for (name,) in cur]


def next_file_id(cur: cursor, large: bool) -> int:
    """Return a new file id of the small or the large kind."""
    return int(scalar(cur, "SELECT nextval(%s)", ("ops.large_file_ids" if large else "ops.file_ids",)))


def record(
    cur: cursor,
    action: str,
    file: LandedFile,
    tally: Tally,
    started_at: datetime.datetime,
    has_amounts: bool,
    has_dates: bool,
    keys: KeysSeen,
) -> None:
    """Write the manifest row of a landed file."""
    dates = tally.dates if has_dates else []
    cur.execute(
        "INSERT INTO ops.load_files (file_id, relation, name, sha256, packed_sha256, bytes, rows_read, rows_loaded,"
        " rows_rejected, amount_sum, uncounted_amounts, min_date, max_date, undated_rows, lowest_key, highest_key,"
        " has_repeated_keys, started_at, ended_at, status)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), 'landed')",
        (
            file.file_id,
            file.relation,
            file.name,
            file.sha256,
            file.packed_sha256,
            file.bytes,
            tally.rows_read,
            tally.rows_loaded,
            tally.rows_rejected,
            tally.dollars if has_amounts else None,
            tally.uncounted_amounts,
            dates[0] if dates else None,
            dates[-1] if dates else None,
            tally.undated,
            keys.lowest,
            keys.highest,
            keys.repeats,
            started_at,
        ),
    )
    write_history(cur, action, file.file_id)


def write_history(cur: cursor, action: str, file_id: int) -> None:
    """Note in the history what happens to a file in the manifest."""
    cur.execute(
        "INSERT INTO ops.load_history (action, file_id, relation, name, sha256, rows_loaded, rows_rejected, amount_sum)"
        " SELECT %s, file_id, relation, name, sha256, rows_loaded, rows_rejected, amount_sum"
        " FROM ops.load_files WHERE file_id = %s",
        (action, file_id),
    )


def forget(cur: cursor, action: str, file_id: int) -> None:
    """Move a file from the manifest into the history; its rejects go with it."""
    write_history(cur, action, file_id)
    cur.execute("DELETE FROM ops.load_files WHERE file_id = %s", (file_id,))


def rename(cur: cursor, file_id: int, name: str) -> None:
    """Give a landed file another name; its rows stay as they are."""
    cur.execute("UPDATE ops.load_files SET name = %s WHERE file_id = %s", (name, file_id))
    cur.execute("UPDATE ops.rejected_rows SET file_name = %s WHERE file_id = %s", (name, file_id))
    _note_renamed(cur, file_id)


def add_name(cur: cursor, file_id: int, relation: str, name: str, packed_sha256: str | None, size: int) -> None:
    """Note another name for the bytes of a landed file."""
    before = _rank(cur, file_id)
    cur.execute(
        "INSERT INTO ops.load_aliases (file_id, relation, name, packed_sha256, bytes) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (relation, name) DO UPDATE SET packed_sha256 = excluded.packed_sha256, bytes = excluded.bytes",
        (file_id, relation, name, packed_sha256, size),
    )
    _note_rank(cur, file_id, before)


def take_name(cur: cursor, file_id: int, name: str) -> str | None:
    """Take a name from a landed file that has another one too; return the name it keeps.

    Returns:
        None where it was the only name: its rows are the caller's to remove.
    """
    first, *others = names_of(cur, file_id)
    before = _rank(cur, file_id)
    if name == first and not others:
        return None
    gone = others[0] if name == first else name
    if name == first:
        cur.execute(
            "UPDATE ops.load_files AS file SET packed_sha256 = alias.packed_sha256, bytes = alias.bytes"
            " FROM ops.load_aliases AS alias WHERE file.file_id = %s AND alias.file_id = file.file_id AND alias.name = %s",
            (file_id, gone),
        )
    cur.execute("DELETE FROM ops.load_aliases WHERE file_id = %s AND name = %s", (file_id, gone))
    if name == first:
        rename(cur, file_id, gone)
        return gone
    _note_rank(cur, file_id, before)
    return first


def _rank(cur: cursor, file_id: int) -> Rank:
    return max(map(rank, names_of(cur, file_id)))


def _note_rank(cur: cursor, file_id: int, before: Rank) -> None:
    """Note for the next build that a name came or went, by which the rows of another file may count now, or no longer."""
    if _rank(cur, file_id) == before:
        return
    has_others = (
        "SELECT EXISTS (SELECT FROM ops.load_files AS other JOIN ops.load_files AS mine USING (relation)"
        " WHERE mine.file_id = %s AND other.file_id <> mine.file_id)"
    )
    if scalar(cur, has_others, (file_id,)):
        _note_renamed(cur, file_id)


def _note_renamed(cur: cursor, file_id: int) -> None:
    """Note that a file's rows may now take precedence over those of other files, or give way to them."""
    write_history(cur, "renamed", file_id)
    cur.execute(
        "INSERT INTO ops.changes (relation, cause, file_id)"
        " SELECT 'raw.' || relation, 'renamed', file_id FROM ops.load_files WHERE file_id = %s",
        (file_id,),
    )


def rejected_lines(cur: cursor, file_id: int) -> set[int]:
    """Return the line numbers of a file's rejects; they are locked until the transaction ends."""
    cur.execute("SELECT line_number FROM ops.rejected_rows WHERE file_id = %s FOR UPDATE", (file_id,))
    return {int(line_number) for (line_number,) in cur}


def replayed(cur: cursor, file_id: int, tally: Tally, line_numbers: list[int], has_amounts: bool) -> None:
    """Count rows that were rejected as loaded, and drop their rejects."""
    dates = tally.dates
    cur.execute("DELETE FROM ops.rejected_rows WHERE file_id = %s AND line_number = ANY(%s)", (file_id, line_numbers))
    cur.execute(
        "UPDATE ops.load_files SET rows_loaded = rows_loaded + %(rows)s, rows_rejected = rows_rejected - %(rows)s,"
        " amount_sum = amount_sum + %(dollars)s, uncounted_amounts = uncounted_amounts + %(uncounted)s,"
        " undated_rows = undated_rows + %(undated)s, has_repeated_keys = NULL,"
        " min_date = least(min_date, %(first)s::date), max_date = greatest(max_date, %(last)s::date)"
        " WHERE file_id = %(file_id)s",
        {
            "rows": tally.rows_loaded,
            "dollars": tally.dollars if has_amounts else 0,
            "uncounted": tally.uncounted_amounts,
            "undated": tally.undated,
            "first": dates[0] if dates else None,
            "last": dates[-1] if dates else None,
            "file_id": file_id,
        },
    )
    write_history(cur, "replayed", file_id)


def write_rejects(cur: cursor, file_id: int, name: str, rejects: Sequence[Reject]) -> None:
    """Keep rows that cannot be landed."""
    execute_values(
        cur,
        "INSERT INTO ops.rejected_rows (file_id, file_name, line_number, reason, raw_line) VALUES %s",
        [(file_id, name, reject.line_number, reject.reason, reject.raw_line) for reject in rejects],
        page_size=500,
    )


def touch_days(cur: cursor, relation: str, file_id: int, days: Iterable[datetime.date], cause: str = "landed") -> None:
    """Note that a landing changed a relation: on which days it added, changed or removed rows, where rows have days."""
    execute_values(
        cur,
        "INSERT INTO ops.changes (relation, starts_on, ends_before, cause, file_id) VALUES %s",
        [(f"raw.{relation}", *span, cause, file_id) for span in spans(days) or ((None, None),)],
        page_size=1000,
    )


def spans(days: Iterable[datetime.date]) -> list[tuple[datetime.date, datetime.date]]:
    """Return runs of consecutive days, in order, as half-open ranges."""
    day = datetime.timedelta(days=1)
    found: list[tuple[datetime.date, datetime.date]] = []
    for each in sorted({min(each, datetime.date.max - day) for each in days}):
        if found and found[-1][1] == each:
            found[-1] = (found[-1][0], each + day)
        else:
            found.append((each, each + day))
    return found


def make_durable(cur: cursor) -> None:
    """Write and wait until this and all that was committed before is on disk, even with synchronous_commit off."""
    cur.execute("SET LOCAL synchronous_commit TO on")
    cur.execute(
        "INSERT INTO ops.load_state (last_change_at) VALUES (now())"
        " ON CONFLICT (only_row) DO UPDATE SET last_change_at = excluded.last_change_at"
    )


def known_fingerprint(cur: cursor) -> str | None:
    """Return the fingerprint of the key that made the card tokens, None before there are any."""
    fingerprint: str | None = scalar(cur, "SELECT fingerprint FROM ops.pan_key")
    return fingerprint


def remembered_fingerprint(cur: cursor, fingerprint: str) -> str:
    """Keep the fingerprint of the key that makes the card tokens where there is none yet; return the one that is kept."""
    cur.execute("INSERT INTO ops.pan_key (fingerprint) VALUES (%s) ON CONFLICT DO NOTHING", (fingerprint,))
    return known_fingerprint(cur) or fingerprint


def forget_fingerprint(cur: cursor) -> None:
    """Make room for another key."""
    cur.execute("DELETE FROM ops.pan_key")
