"""Checks the warehouse's invariants in the database itself, each by other means than those that established it."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from loaders import protect
from revops import access, database, landings, server
from revops.hooks import catalog, change, declarations, keys, ledger, materialized_views
from revops.hooks.catalog import Relation

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from revops.settings import Settings

# An amount as in the published files: the rule by which the loaders sum (AMOUNT_PATTERN there) and the models cast. The
# pattern itself would take PostgreSQL many times as long; and to ask of each row whether it follows the rule takes twice as
# long as the sum, so that it is asked of those of which the loaders did not say so, unless what they said is wrong.
_IS_AMOUNT = (
    "(amount LIKE '$%%_.__'"
    " AND translate(amount, '0123456789', '') = CASE WHEN amount LIKE '$-%%' THEN '$-.' ELSE '$.' END"
    " AND amount NOT LIKE '$-.%%' AND abs(substr(amount, 2)::numeric) < 10000000000)"
)
_DOLLARS = sql.SQL("CASE WHEN " + _IS_AMOUNT + " THEN substr(amount, 2)::numeric END")
_QUICK_DOLLARS = sql.SQL("CASE WHEN _is_regular OR " + _IS_AMOUNT + " THEN substr(amount, 2)::numeric END")

# Of labels, by value: how many, and a sum over their transactions, which is another where one has the label of another.
_SERVED = """
SELECT count(*), coalesce(sum(amount), 0), count(*) FILTER (WHERE is_fraud), count(*) FILTER (WHERE NOT is_fraud),
       sum(hashtextextended(transaction_id::text, 0)) FILTER (WHERE is_fraud),
       sum(hashtextextended(transaction_id::text, 0)) FILTER (WHERE NOT is_fraud)
FROM serving.enriched_transactions
"""
_LABELS_LANDED = """
SELECT count(*) FILTER (WHERE l.is_fraud = 'Yes'), count(*) FILTER (WHERE l.is_fraud = 'No'),
       sum(hashtextextended(l.transaction_id, 0)) FILTER (WHERE l.is_fraud = 'Yes'),
       sum(hashtextextended(l.transaction_id, 0)) FILTER (WHERE l.is_fraud = 'No')
FROM raw.fraud_labels AS l
LEFT JOIN raw.superseded_rows AS s
  ON s.relation = 'fraud_labels' AND s._file_id = l._file_id AND s._line_number = l._line_number
WHERE s.relation IS NULL
"""
# Not all that landed need have a transaction, nor be as published: only where the sums differ is it worth the time to see.
_WITH_TRANSACTION = (
    _LABELS_LANDED
    + " AND EXISTS (SELECT FROM facts.fct_transactions AS f WHERE f.transaction_id::text = l.transaction_id)"
)

_TEXT_COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg_toast%' AND n.nspname NOT LIKE 'pg_temp%'
  AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'json'::regtype, 'jsonb'::regtype)
GROUP BY 1, 2
ORDER BY 1, 2
"""
# What is passed over before the costly pattern: values that were looked at here because they are common, and dates, in which
# no run of digits is long. A hash is no card.
_LONG_DIGITS = sql.SQL(
    "octet_length({0}::text) >= 13 AND {0}::text <> ALL ({1}::text[]) AND {0}::text NOT LIKE '____-__-__ __:__:__'"
    " AND {0}::text ~ '[0-9]([ -]?[0-9]){{12}}' AND {0}::text !~ '^[0-9a-f]{{32,64}}$'"
)
_COMMON = """
SELECT attname, most_common_vals::text::text[] FROM pg_stats
WHERE schemaname = %s AND tablename = %s AND most_common_vals IS NOT NULL AND attname = ANY (%s)
"""
_TIMES_AND_IDENTIFIERS = re.compile(r"\b1[0-9]{12}\b|\b(?=[0-9-]*[a-f])[0-9a-f-]{32,36}\b")
_CARD_COLUMNS = """
SELECT n.nspname, c.relname, a.attname
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm', 'v')
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname ~* '(^|_)(cvv|cvc|card_number)' AND a.attname !~ '^has_bad_'
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """One checked invariant: its name, whether it holds, the figures, and the rows of relations that were counted for it."""

    name: str
    passed: bool
    detail: str
    rows: Mapping[str, int] = field(default_factory=dict)


def verify(settings: Settings) -> list[Result]:
    """Checks every invariant; needs no lock and changes nothing."""
    dsn = server.up(settings)
    results: list[Result] = []
    with closing(database.connect(dsn, "revops verify")) as connection:
        connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
        with connection.cursor() as cursor:
            if not _is_built(cursor):
                return [Result("built", False, "nothing is built yet: revops run")]
            for check in _CHECKS:
                results.extend(check(cursor))
        connection.rollback()
    return results


def _accounted(cursor: Cursor) -> Iterator[Result]:
    landed = _landed(cursor)
    cursor.execute("SELECT relation, file_id FROM ops.load_files")
    of_relation: dict[str, list[tuple[int, Decimal]]] = {}
    for relation, file_id in cursor.fetchall():
        of_relation.setdefault(relation, []).append(landed.get(file_id, (0, Decimal(0))))
    files = _files(cursor, landed)
    counted = {f"raw.{relation}": sum(rows for rows, _ in found) for relation, found in of_relation.items()}
    yield replace(files, rows=counted if files.passed else {})
    transactions = of_relation.get("transactions", [])
    raw = (sum(rows for rows, _ in transactions), sum((amount for _, amount in transactions), Decimal(0)))
    facts = _rows_and_dollars(cursor, "facts.fct_transactions")
    quarantined = _rows_and_dollars(cursor, "quality.quarantined_transactions")
    nothing_counts = raw[0] > 0 and facts[0] == 0
    yield Result(
        "raw = facts + quarantine",
        raw[0] == facts[0] + quarantined[0] and raw[1] == facts[1] + quarantined[1] and not nothing_counts,
        f"{raw[0]:,} rows = {facts[0]:,} + {quarantined[0]:,}; ${raw[1]:,} = ${facts[1]:,} + ${quarantined[1]:,}"
        + ("; not one transaction can be used" if nothing_counts else ""),
        {"facts.fct_transactions": facts[0], "quality.quarantined_transactions": quarantined[0]},
    )
    cursor.execute(_SERVED)
    rows, dollars, *labels = cursor.fetchone() or (0, Decimal(0), 0, 0, None, None)
    yield Result(
        "facts = served",
        facts == (rows, dollars),
        f"{facts[0]:,} rows = {rows:,}; ${facts[1]:,} = ${dollars:,}",
        {"serving.enriched_transactions": rows},
    )
    for query in (_LABELS_LANDED, _WITH_TRANSACTION):
        cursor.execute(query)
        expected = list(cursor.fetchone() or ())
        if labels == expected:
            break
    shown = "Yes {:,} / No {:,}"
    yield Result(
        "labels agree",
        labels == expected,
        f"{shown} / none {rows - labels[0] - labels[1]:,} served".format(*labels)
        + ("" if labels == expected else f", but {shown} landed, or not of the same transactions".format(*expected)),
    )


def _landed(cursor: Cursor) -> dict[int, tuple[int, Decimal]]:
    """Rows and dollars in raw, by file."""
    cursor.execute("SELECT DISTINCT relation FROM ops.load_files ORDER BY relation")
    landed: dict[int, tuple[int, Decimal]] = {}
    for (relation,) in cursor.fetchall():
        counted = sql.SQL("SELECT _file_id, count(*), coalesce(sum({}), 0) FROM {} GROUP BY _file_id")
        sums = (_QUICK_DOLLARS, _DOLLARS) if relation == "transactions" else (sql.SQL("0::numeric"),)
        _first_that_runs(cursor, [counted.format(each, sql.Identifier("raw", relation)) for each in sums])
        landed.update({file_id: (rows, dollars) for file_id, rows, dollars in cursor.fetchall()})
    return landed


def _first_that_runs(cursor: Cursor, queries: list[sql.Composed]) -> None:
    """Runs a query; where its data makes it fail, the next. The last may fail."""
    *quick, sure = queries
    for query in quick:
        cursor.execute("SAVEPOINT quick")
        try:
            cursor.execute(query, ())
        except psycopg2.DataError as error:
            _log.info("once more, and slower: %s", str(error).splitlines()[0])
            cursor.execute("ROLLBACK TO SAVEPOINT quick")
        else:
            return
    cursor.execute(sure, ())


def _files(cursor: Cursor, landed: dict[int, tuple[int, Decimal]]) -> Result:
    """Each file against what is in raw of it; raw holds nothing of a file that is not known."""
    cursor.execute(
        """
        SELECT file_id, name, rows_read, rows_loaded, rows_rejected, coalesce(amount_sum, 0),
               (SELECT count(*) FROM ops.rejected_rows AS x WHERE x.file_id = f.file_id)
        FROM ops.load_files AS f ORDER BY file_id
        """
    )
    files = cursor.fetchall()
    wrong = [f"file {file_id}: in raw, but never landed" for file_id in landed.keys() - {file[0] for file in files}]
    for file_id, name, read, loaded, rejected, dollars, kept in files:
        rows, amount = landed.get(file_id, (0, Decimal(0)))
        if read != loaded + rejected or loaded != rows or dollars != amount or rejected != kept:
            told = f"read {read}, landed {loaded} (${dollars}), rejected {rejected}"
            wrong.append(f"{name!r}: {told}, but in raw {rows} (${amount}), in ops.rejected_rows {kept}")
    read, loaded, rejected, dollars = (sum(file[at] for file in files) for at in (2, 3, 4, 5))
    total = f"{len(files)} files: {read:,} rows read = {loaded:,} landed + {rejected:,} rejected; ${dollars:,}"
    return Result("files = raw + rejects", not wrong, "; ".join([total, *wrong[:3]]))


def _once(cursor: Cursor) -> Iterator[Result]:
    cursor.execute("SELECT count(*) - count(DISTINCT (relation, sha256)) FROM ops.load_files")
    twice = (cursor.fetchone() or (0,))[0]
    yield Result("no bytes landed twice", twice == 0, f"{twice} files with the bytes of another")


def _pending(cursor: Cursor) -> Iterator[Result]:
    found = ledger.read(cursor, change.noted_nodes(cursor), landings.today())
    days = {day for days in found.days.values() for day in days}
    models = sorted([*found.whole, *found.days])
    yield Result(
        "all that landed is built",
        not found,
        f"{len(days)} days and {len(found.whole)} whole tables wait for revops build"
        + (f": {', '.join(models[:5])}" if models else ""),
    )


def _keys(cursor: Cursor) -> Iterator[Result]:
    wrong: list[str] = []
    count = 0
    declared_models = _declared(cursor)
    physical = {model: _behind(cursor, Relation.parse(model)) for model in declared_models}
    for model, declared in declared_models.items():
        table = physical[model]
        if table is None:
            wrong.append(f"{model} has no table")
            continue
        if declared.materialized_view is not None:
            continue
        standing = {index.name: index for index in catalog.indexes(cursor, table)}
        if declared.primary_key:
            count += 1
            found = catalog.has_primary_key(cursor, table)
            if found is None or found[1] != declared.primary_key:
                wrong.append(f"{model} lacks its primary key")
        for index in declared.indexes:
            count += 1
            at = standing.get(keys.index_name(table, index))
            if at is None or not at.is_valid:
                wrong.append(f"{model} lacks index ({', '.join(index.columns)})")
        by_column = {key.columns[0]: key for key in catalog.foreign_keys(cursor, table)}
        for wanted in declared.foreign_keys:
            count += 1
            key = by_column.get(wanted.column)
            if key is None or not key.is_validated or key.parent != physical.get(wanted.parent):
                wrong.append(f"{model} lacks a validated foreign key {wanted.column} -> {wanted.parent}")
    yield Result("keys and indexes as declared", not wrong, "; ".join(wrong[:3]) or f"{count} declared, all in place")


def _served(cursor: Cursor) -> Iterator[Result]:
    wrong: list[str] = []
    parts_seen = 0
    for model, declared in _declared(cursor).items():
        if declared.materialized_view is None:
            continue
        served = _behind(cursor, Relation.parse(model))
        parts = catalog.relations_read_by(cursor, served) if served else []
        if served is None or "__mv_" not in served.name or not parts:
            wrong.append(f"{model} is not served from a materialized view")
        for part in parts:
            parts_seen += 1
            cursor.execute(
                "SELECT ispopulated FROM pg_matviews WHERE schemaname = %s AND matviewname = %s",
                (part.schema, part.name),
            )
            row = cursor.fetchone()
            standing = {index.name for index in catalog.indexes(cursor, part) if index.is_valid}
            wanted = {keys.index_name(part, index) for index in materialized_views.indexes_of(declared)}
            if row is None or not row[0] or not wanted <= standing:
                wrong.append(f"{part} is not populated or lacks an index")
    yield Result(
        "served from materialized views",
        not wrong,
        "; ".join(wrong[:3]) or f"{parts_seen} parts, populated and indexed",
    )


def _card_data(cursor: Cursor) -> Iterator[Result]:
    cursor.execute(_TEXT_COLUMNS)
    relations = cursor.fetchall()
    alike: dict[tuple[str, ...], list[sql.Composed]] = {}
    for schema, table, columns in relations:
        alike.setdefault(tuple(columns), []).append(_suspicious(cursor, schema, table, columns))
    hits: Counter[tuple[str, str, str]] = Counter()
    for columns, queries in alike.items():  # those of one shape at once: PostgreSQL shares them out among its workers
        cursor.execute(sql.SQL(" UNION ALL ").join(queries))
        for schema, table, *values in cursor:
            for column, value in zip(columns, values, strict=True):
                if value and _shows_card_number(value, schema.startswith("sqlmesh")):
                    hits[schema, table, column] += 1
    found = [f"{'.'.join(place)} ({count} values)" for place, count in sorted(hits.items())]
    cursor.execute(_CARD_COLUMNS)
    named = [f"{schema}.{table}.{column}" for schema, table, column in cursor.fetchall()]
    yield Result(
        "no card data",
        not found and not named,
        "; ".join([*found, *named][:3])
        or f"{sum(len(columns) for _, _, columns in relations)} text columns searched for card numbers, no column for a CVV",
    )


def _suspicious(cursor: Cursor, schema: str, table: str, columns: list[str]) -> sql.Composed:
    """A query for the rows of a relation with a long run of digits: where they are, and the values that have one."""
    harmless = _harmless(cursor, schema, table, columns)
    suspicious = {
        column: _LONG_DIGITS.format(sql.Identifier(column), sql.Literal(harmless.get(column, []))) for column in columns
    }
    shown = [
        sql.SQL("CASE WHEN {} THEN {}::text END").format(test, sql.Identifier(c)) for c, test in suspicious.items()
    ]
    return sql.SQL("SELECT {}::text, {}::text, {} FROM {} WHERE {}").format(
        sql.Literal(schema),
        sql.Literal(table),
        sql.SQL(", ").join(shown),
        sql.Identifier(schema, table),
        sql.SQL(" OR ").join(suspicious.values()),
    )


def _harmless(cursor: Cursor, schema: str, table: str, columns: list[str]) -> dict[str, list[str]]:
    """Values that PostgreSQL noted as common, and that hold no long run of digits: the same text elsewhere holds none either."""
    cursor.execute(_COMMON, (schema, table, columns))
    return {
        column: [text for text in values if len(text) >= 13 and not re.search("[0-9]([ -]?[0-9]){12}", text)]
        for column, values in cursor.fetchall()
    }


def _access(cursor: Cursor) -> Iterator[Result]:
    found = access.of_analyst(cursor)
    yield Result("analysts read serving only", not found.faults, str(found))


def _shows_card_number(text: str, is_sqlmeshs: bool) -> bool:
    """Whether a run of digits could be a card number.

    Any that passes Luhn; and since published numbers seldom do, any that begins like one. But SQLMesh's state is full of
    times in milliseconds, versions and random identifiers: these are passed over there, and Luhn decides on the rest.
    """
    if is_sqlmeshs:
        return protect.holds_card_number(_TIMES_AND_IDENTIFIERS.sub("", text))
    runs = re.findall(r"(?<![0-9])[2-6][0-9 -]{11,}[0-9](?![0-9])", text)
    return protect.holds_card_number(text) or any(13 <= len(re.sub(r"[ -]", "", run)) <= 19 for run in runs)


def _declared(cursor: Cursor) -> dict[str, declarations.Declarations]:
    cursor.execute("SELECT model, declared FROM ops.declarations ORDER BY model")
    return {model: declarations.from_json(declared) for model, declared in cursor.fetchall()}


def _behind(cursor: Cursor, view: Relation) -> Relation | None:
    """What prod's view selects from, by the catalog."""
    read = catalog.relations_read_by(cursor, view)
    return read[0] if len(read) == 1 else None


def _rows_and_dollars(cursor: Cursor, relation: str) -> tuple[int, Decimal]:
    cursor.execute(
        sql.SQL("SELECT count(*), coalesce(sum(amount), 0) FROM {}").format(Relation.parse(relation).identifier)
    )
    return _figures(cursor)


def _figures(cursor: Cursor) -> tuple[int, Decimal]:
    row = cursor.fetchone() or (0, Decimal(0))
    return row[0], row[1]


def _is_built(cursor: Cursor) -> bool:
    cursor.execute(
        "SELECT to_regclass('ops.declarations') IS NOT NULL AND to_regclass('ops.changes') IS NOT NULL"
        " AND to_regclass('serving.enriched_transactions') IS NOT NULL"
    )
    row = cursor.fetchone()
    return bool(row and row[0])


_CHECKS: tuple[Callable[[Cursor], Iterator[Result]], ...] = (
    _accounted,
    _once,
    _pending,
    _keys,
    _served,
    _card_data,
    _access,
)
