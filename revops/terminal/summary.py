"""The one screen at the end of a run: rows per layer, reconciliation, where to connect, what to look at next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from foundation import database
from foundation.queries import one_row, relations_exist, scalar
from meshkeys.catalog import Relation
from revops.ledger import seals
from revops.terminal import display

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

LAYERS = ("raw", "quality", "dimensions", "facts", "features", "serving")  # staging is views over raw

# Without the star of serving, which stores nothing: its rows are those of facts and dimensions.
_RELATIONS = """
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
  AND NOT (n.nspname = 'serving' AND c.relname ~ '^(dim|fct)_')
ORDER BY array_position(%s, n.nspname::text), c.relname
"""
_MOST_REASONS = 5
_NOT_USED = {
    "quarantined": (
        "quality.quarantined_transactions",
        "SELECT reason, count(*) FROM quality.quarantined_transactions GROUP BY 1 ORDER BY 2 DESC, 1",
    ),
    "rejected": (
        "ops.rejected_rows",
        "SELECT reason, count(*) FROM ops.rejected_rows GROUP BY 1 ORDER BY 2 DESC, 1",
    ),
}
_LANDED = "SELECT coalesce(sum(rows_read), 0), coalesce(sum(uncounted_amounts), 0) FROM ops.load_files"


def of(dsn: str, results: Sequence[Any], synthetic: bool) -> str:
    """The summary's text, without any password.

    Args:
        dsn: the warehouse.
        results: what `revops verify` found: objects with `name`, `passed`, `detail` and the `rows` it counted.
        synthetic: whether the rows are demo data.
    """
    failed = [result for result in results if not result.passed]
    lines = [""]
    if synthetic:
        lines += [
            "SYNTHETIC DEMO DATA: no row of it is real. Put the published files into data/raw, or name their folder:",
            "  make run DATA=/path/to/files",
            "",
        ]
    counted = {relation: rows for result in results for relation, rows in result.rows.items()}
    lines += ["Rows", *("  " + line for line in display.table(rows_per_relation(dsn, counted))), ""]
    lines.append(f"Reconciliation: {len(results) - len(failed)} of {len(results)} checks hold")
    lines += ["  " + line for line in display.check_lines(failed).splitlines()]
    lines += not_used_lines(dsn)
    name = display.program()
    lines += [
        "",
        f"Connect  {name} psql   or any tool at  {database.without_password(dsn)}",
        f"         {name} url    prints it with its password",
        "         docs/security.md has the SQL that gives an analyst a login; docs/remote_access.md lets other machines in",
        "Next     SELECT * FROM serving.enriched_transactions LIMIT 10;",
        f"         {name} verify | status | dashboard | ui | sqlmesh plan dev",
    ]
    return "\n".join(lines)


def not_used_lines(dsn: str) -> list[str]:
    """Landed rows that are not served: quarantined and rejected rows with the most frequent reasons, unreadable amounts."""
    connection = database.connect(dsn, "revops summary", autocommit=True)
    with closing(connection), connection.cursor() as cursor:
        if not relations_exist(cursor, "ops.load_files"):
            return []
        read, uncounted = (int(value) for value in one_row(cursor, _LANDED))
        lines = []
        for word, (relation, query) in _NOT_USED.items():
            if not relations_exist(cursor, relation):
                continue
            cursor.execute(query)
            reasons = cursor.fetchall()
            rows = sum(count for _, count in reasons)
            if not rows:
                continue
            lines.append(f"{rows:,} rows are {word} ({rows / max(read, rows):.2%} of the rows read), see {relation}:")
            lines += [f"  {count:,}  {reason}" for reason, count in reasons[:_MOST_REASONS]]
            if len(reasons) > _MOST_REASONS:
                lines.append(f"  and {len(reasons) - _MOST_REASONS} more reasons")
    if uncounted:
        lines.append(f"{uncounted:,} amounts cannot be read and count as nothing")
    return ["", "Not served", *("  " + line for line in lines)] if lines else []


def rows_per_relation(dsn: str, counted: Mapping[str, int] | None = None) -> list[dict[str, object]]:
    """`count_rows` on a connection of its own; what is sealed as the last build left it is not counted either."""
    with closing(database.connect(dsn, "revops summary", autocommit=True)) as connection, connection.cursor() as cursor:
        return count_rows(cursor, {**seals.rows(cursor), **(counted or {})})


def count_rows(cursor: Cursor, counted: Mapping[str, int] | None = None) -> list[dict[str, object]]:
    """Exact row counts of the layers' relations, in the order of the layers; those `counted` already are not counted again."""
    from psycopg2 import sql

    counts: list[dict[str, object]] = []
    for relation in relations(cursor):
        rows = (counted or {}).get(str(relation))
        if rows is None:
            rows = scalar(cursor, sql.SQL("SELECT count(*) FROM {}").format(relation.identifier))
        counts.append({"relation": str(relation), "rows": rows})
    return counts


def relations(cursor: Cursor) -> list[Relation]:
    """The relations of the layers, in the order of the layers."""
    cursor.execute(_RELATIONS, (list(LAYERS), list(LAYERS)))
    return [Relation(schema, name) for schema, name in cursor.fetchall()]
