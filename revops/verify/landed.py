"""What landed against what is served of it, in rows, dollars and labels, by the text in raw and without any model's query."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from foundation.errors import first_line
from foundation.queries import one_row, scalar
from loaders.sources import SOURCES
from meshkeys import catalog
from meshkeys.catalog import Relation
from revops.result import Result, listed
from revops.verify.models import Model

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

# An amount as in the published files: the rule by which the loaders sum (AMOUNT_PATTERN there) and the models cast. The
# pattern itself would take PostgreSQL many times as long. Rows that the loaders flagged regular are trusted; if a cast then
# fails, the sum is repeated with the check.
_IS_AMOUNT = (
    "(amount LIKE '$%%_.__'"
    " AND translate(amount, '0123456789', '') = CASE WHEN amount LIKE '$-%%' THEN '$-.' ELSE '$.' END"
    " AND amount NOT LIKE '$-.%%' AND abs(substr(amount, 2)::numeric) < 10000000000)"
)
DOLLARS = sql.SQL("CASE WHEN " + _IS_AMOUNT + " THEN substr(amount, 2)::numeric END")
_QUICK_DOLLARS = sql.SQL("CASE WHEN _is_regular OR " + _IS_AMOUNT + " THEN substr(amount, 2)::numeric END")

# By file, and by transaction that wrote rows of it: rows, dollars, and the loaders' notes where every row is as published.
_LANDED = (
    "SELECT landed._file_id, landed.xmin::text::bigint, count(*), coalesce(sum({dollars}), 0), {noted}, {rows}"
    " FROM {relation} AS landed {apart} {these} GROUP BY landed._file_id, landed.xmin"
)
_NOTED = {
    "transactions": (
        "CASE WHEN bool_and(_is_regular) THEN ARRAY[left(min(date), 10), left(max(date), 10),"
        " min(id::bigint)::text, max(id::bigint)::text] END"
    ),
    "fraud_labels": (
        "CASE WHEN bool_and(_is_regular) THEN ARRAY[NULL, NULL,"
        " min(transaction_id::bigint)::text, max(transaction_id::bigint)::text] END"
    ),
}
# One hash over the values of a row, on both sides; their sum is equal for equal rows in any order.
_TRANSACTIONS = "sum(hashtextextended({}, 0))"
_ROWS = "sum(hashint8extended(hash_record_extended(ROW({}), 0), 0))"
_RAW_ROW = (
    "id::bigint, date::timestamp, client_id::int, card_id::int, merchant_id::int, mcc::int, substr(amount, 2)::numeric,"
    " use_chip, merchant_city, coalesce(merchant_state, ''), coalesce(zip, ''), coalesce(errors, '')"
)
_FACT_ROW = (
    "transaction_id, transacted_at, client_id, card_id, merchant_id, mcc, amount::numeric,"
    " CASE channel WHEN 'swipe' THEN 'Swipe Transaction' WHEN 'chip' THEN 'Chip Transaction'"
    " WHEN 'online' THEN 'Online Transaction' END, merchant_city, coalesce(merchant_state, ''),"
    " coalesce(ltrim(zip, '0') || '.0', ''), coalesce(errors, '')"
)
_FACTS = sql.SQL("SELECT count(*), coalesce(sum(amount), 0), {} FROM facts.fct_transactions")
_QUARANTINE = (
    "LEFT JOIN (SELECT _file_id AS file, _line_number AS line FROM quality.quarantined_transactions) AS apart"
    " ON apart.file = landed._file_id AND apart.line = landed._line_number"
)

# Labels by value: their number, and a sum over their transactions, which differs where two have exchanged labels.
_SERVED = """
SELECT count(*), coalesce(sum(amount), 0), {rows}, count(*) FILTER (WHERE is_fraud), count(*) FILTER (WHERE NOT is_fraud),
       {transactions} FILTER (WHERE is_fraud), {transactions} FILTER (WHERE NOT is_fraud)
FROM serving.enriched_transactions
"""
_LABELS_LANDED = """
SELECT count(*) FILTER (WHERE l.is_fraud = 'Yes'), count(*) FILTER (WHERE l.is_fraud = 'No'),
       {transactions} FILTER (WHERE l.is_fraud = 'Yes'), {transactions} FILTER (WHERE l.is_fraud = 'No')
FROM raw.fraud_labels AS l
LEFT JOIN raw.superseded_rows AS s
  ON s.relation = 'fraud_labels' AND s._file_id = l._file_id AND s._line_number = l._line_number
WHERE s.relation IS NULL
"""
# A label may have no transaction, or another form than published: that is looked at only if the sums differ.
_WITH_TRANSACTION = (
    _LABELS_LANDED
    + " AND EXISTS (SELECT FROM facts.fct_transactions AS f WHERE f.transaction_id::text = l.transaction_id)"
)

_NOTED_OF_FILES = """
SELECT f.file_id, coalesce(sum(s.row_count), 0)::bigint, coalesce(f.amount_sum, 0)
FROM ops.load_files AS f LEFT JOIN ops.seals AS s ON s.relation = 'raw.' || f.relation AND s.part = f.file_id
GROUP BY f.file_id, f.amount_sum
"""
_LANDED_SINCE = """
SELECT DISTINCT c.file_id FROM ops.changes AS c
WHERE c.file_id IS NOT NULL AND c.change_id > (SELECT change_id FROM ops.compared WHERE relation = 'verified')
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class File:
    """What is in raw of one file.

    Attributes:
        rows: how many.
        dollars: the sum of their amounts.
        noted: first and last day, lowest and highest key, as text; None unless every row is as published.
        writers: how many rows each transaction wrote.
    """

    rows: int = 0
    dollars: Decimal = Decimal(0)
    noted: list[str | None] | None = None
    writers: Mapping[int, int] = field(default_factory=dict)

    def with_rows_of(self, writer: int, rows: int, dollars: Decimal, noted: list[str | None] | None) -> File:
        """With the rows that another transaction wrote."""
        if self.rows:
            noted = _joined(self.noted, noted) if self.noted and noted else None
        return File(self.rows + rows, self.dollars + dollars, noted, {**self.writers, writer: rows})


@dataclass(frozen=True)
class Landed:
    """What is in raw, and what became of the transactions.

    Attributes:
        files: by file id.
        relations: the relation of each file that the manifest knows.
        facts: rows and dollars in facts.fct_transactions.
        quarantined: rows and dollars in quality.quarantined_transactions.
        facts_sum: the sum of a hash of each fact's values, in their landed form.
        is_alike: whether all rows of raw that are not in quarantine are the facts, value by value. False proves nothing: a
            row in another form than published has another hash.
    """

    files: dict[int, File]
    relations: dict[int, str]
    facts: tuple[int, Decimal]
    quarantined: tuple[int, Decimal]
    facts_sum: Decimal | None
    is_alike: bool

    def writers(self, relation: str) -> dict[tuple[int, int], int]:
        """How many rows of a relation each transaction wrote, by file and transaction."""
        return {
            (file_id, writer): rows
            for file_id, file in self.files.items()
            if self.relations.get(file_id, relation) == relation
            for writer, rows in file.writers.items()
        }

    def of(self, relation: str) -> tuple[int, Decimal]:
        """Rows and dollars of a relation in raw."""
        files = [self.files.get(file_id, File()) for file_id, name in self.relations.items() if name == relation]
        return sum(file.rows for file in files), sum((file.dollars for file in files), Decimal(0))


def read(cursor: Cursor, with_rows: bool = True, with_keys: bool = True) -> Landed:
    """Reads raw and the facts once, for counts and sums.

    Args:
        cursor: a transaction.
        with_rows: hash each row as well.
        with_keys: look for the first and last day and the lowest and highest key of each file as well. Where it is known who
            wrote each row, no row has another key or day than when it landed.
    """
    cursor.execute("SELECT file_id, relation FROM ops.load_files")
    relations = dict(cursor.fetchall())
    quarantined = _rows_and_dollars(cursor, "quality.quarantined_transactions")
    files: dict[int, File] = {}
    in_raw: list[Any] = []
    for relation in SOURCES:
        _first_that_runs(cursor, _queries(relation, bool(quarantined[0]), with_rows, with_keys))
        for file_id, writer, rows, dollars, noted, alike in cursor.fetchall():
            files[file_id] = files.get(file_id, File()).with_rows_of(writer, rows, dollars, noted)
            in_raw += [alike] if relation == "transactions" else []
    rows, dollars, facts = one_row(cursor, _FACTS.format(sql.SQL(_hash_of(_FACT_ROW, with_rows))))
    is_alike = None not in in_raw and facts is not None and sum(in_raw) == facts
    return Landed(files, relations, (rows, dollars), quarantined, facts, is_alike)


def check(cursor: Cursor, landed: Landed, with_keys: bool = True) -> Iterator[Result]:
    """Files, facts, what is served, and labels, by what landed; `with_keys` compares of which transactions labels are."""
    files = _files(cursor, landed)
    counted = {f"raw.{relation}": landed.of(relation)[0] for relation in landed.relations.values()}
    yield Result(files.name, files.passed, files.detail, counted if files.passed else {})
    raw, facts, quarantined = landed.of("transactions"), landed.facts, landed.quarantined
    yield Result(
        "raw = facts + quarantine",
        raw[0] == facts[0] + quarantined[0] and raw[1] == facts[1] + quarantined[1],
        f"{raw[0]:,} rows = {facts[0]:,} + {quarantined[0]:,}; ${raw[1]:,} = ${facts[1]:,} + ${quarantined[1]:,}",
        {"facts.fct_transactions": facts[0], "quality.quarantined_transactions": quarantined[0]},
    )
    is_hashed = landed.facts_sum is not None
    in_serving = sql.SQL(_SERVED).format(
        rows=sql.SQL(_hash_of(_FACT_ROW, is_hashed)), transactions=_transactions("transaction_id::text", with_keys)
    )
    rows, dollars, served, *labels = one_row(cursor, in_serving)
    is_same = facts == (rows, dollars) and served == landed.facts_sum
    yield Result(
        "facts = served",
        is_same and rows > 0,
        f"{facts[0]:,} rows = {rows:,}; ${facts[1]:,} = ${dollars:,}"
        + ("" if is_same else ", but serving.enriched_transactions does not hold the same rows")
        + ("" if rows and facts[0] else "; there are no transactions to serve: land some (revops run --data DIR)"),
        {"serving.enriched_transactions": rows},
    )
    for query in (_LABELS_LANDED, _WITH_TRANSACTION):
        in_raw = sql.SQL(query).format(transactions=_transactions("l.transaction_id", with_keys))
        expected = list(one_row(cursor, in_raw))
        if labels == expected:
            break
    shown = "Yes {:,} / No {:,}"
    yield Result(
        "labels agree",
        labels == expected,
        f"{shown} / none {rows - labels[0] - labels[1]:,} served".format(*labels)
        + ("" if labels == expected else f", but {shown} landed, or not of the same transactions".format(*expected)),
    )
    yield _bytes_twice(cursor)


def as_sealed(cursor: Cursor, models: Mapping[str, Model]) -> Landed:
    """What is in raw: read for files that landed since all was found right, by seals and manifest for the others."""
    cursor.execute("SELECT file_id, relation FROM ops.load_files")
    relations = dict(cursor.fetchall())
    cursor.execute(_NOTED_OF_FILES)
    files = {file_id: File(rows, dollars) for file_id, rows, dollars in cursor.fetchall()}
    cursor.execute(_LANDED_SINCE)
    landed = [row[0] for row in cursor.fetchall()]
    for relation in SOURCES if landed else ():
        which = [file_id for file_id in landed if relations.get(file_id) == relation]
        if which:
            _first_that_runs(cursor, _queries(relation, False, False, True, which))
            for file_id in which:
                files[file_id] = File()
            for file_id, writer, rows, dollars, noted, _ in cursor.fetchall():
                files[file_id] = files[file_id].with_rows_of(writer, rows, dollars, noted)
    quarantined = _rows_and_dollars(cursor, "quality.quarantined_transactions")
    facts = _sealed_rows(cursor, [models["facts.fct_transactions"].physical])
    return Landed(files, relations, (facts, Decimal(0)), quarantined, None, False)


def check_sealed(cursor: Cursor, models: Mapping[str, Model], landed: Landed) -> Iterator[Result]:
    """The same for sealed rows, without reading all of history: dollars and labels are compared row by row."""
    files = _files(cursor, landed)
    counted = {f"raw.{relation}": landed.of(relation)[0] for relation in landed.relations.values()}
    yield Result(files.name, files.passed, files.detail, counted if files.passed else {})
    raw, facts, quarantined = landed.of("transactions")[0], landed.facts[0], landed.quarantined[0]
    yield Result(
        "raw = facts + quarantine",
        raw == facts + quarantined,
        f"{raw:,} rows = {facts:,} + {quarantined:,} by the notes of who wrote them",
        {"facts.fct_transactions": facts, "quality.quarantined_transactions": quarantined},
    )
    behind = models["serving.enriched_transactions"].behind
    served = _sealed_rows(cursor, catalog.relations_read_by(cursor, behind) if behind else [])
    yield Result(
        "facts = served",
        facts == served and served > 0,
        f"{facts:,} rows = {served:,} by the notes of who wrote them",
        {"serving.enriched_transactions": served},
    )
    yield _bytes_twice(cursor)


def _joined(one: list[str | None], other: list[str | None]) -> list[str | None]:
    """First and last day, lowest and highest key of both: days sort as text, keys as numbers."""
    pairs = list(zip(one, other, strict=True))
    chosen = zip(pairs, (min, max, min, max), (str, str, int, int), strict=True)
    return [None if a is None or b is None else choose(a, b, key=key) for (a, b), choose, key in chosen]


def _sealed_rows(cursor: Cursor, relations: Sequence[Relation]) -> int:
    query = "SELECT coalesce(sum(row_count), 0) FROM ops.seals WHERE relation = ANY (%s)"
    return int(scalar(cursor, query, ([*map(str, relations)],)))


def _bytes_twice(cursor: Cursor) -> Result:
    twice = scalar(cursor, "SELECT count(*) - count(DISTINCT (relation, sha256)) FROM ops.load_files")
    return Result("no bytes landed twice", twice == 0, f"{twice} files with the bytes of another")


def _transactions(key: str, is_wanted: bool) -> sql.SQL:
    """A sum over transactions, for labels; their number where that is not wanted."""
    return sql.SQL(_TRANSACTIONS.format(key) if is_wanted else "count(*)")


def _hash_of(row: str, is_wanted: bool) -> str:
    return _ROWS.format(row) if is_wanted else "NULL::numeric"


def _queries(
    relation: str, has_quarantine: bool, with_rows: bool, with_keys: bool, files: Sequence[int] | None = None
) -> Sequence[sql.Composed]:
    """A query for what is in raw of each file of a relation, then slower ones for data on which it fails."""

    these = sql.SQL("") if files is None else sql.SQL("WHERE landed._file_id = ANY ({})").format(sql.Literal(files))

    def query(dollars: sql.Composable, noted: str = "NULL", rows: str = "NULL", apart: str = "") -> sql.Composed:
        return sql.SQL(_LANDED).format(
            dollars=dollars,
            noted=sql.SQL(noted),
            rows=sql.SQL(rows),
            relation=sql.Identifier("raw", relation),
            apart=sql.SQL(apart),
            these=these,
        )

    nothing = sql.SQL("0::numeric")
    noted = _NOTED.get(relation, "NULL") if with_keys else "NULL"
    if relation != "transactions":
        return [query(nothing, noted), query(nothing)]
    rows, apart = _hash_of(_RAW_ROW, with_rows), ""
    if has_quarantine and with_rows:
        rows, apart = f"{rows} FILTER (WHERE apart.file IS NULL)", _QUARANTINE
    return [query(_QUICK_DOLLARS, noted, rows, apart), query(_QUICK_DOLLARS, noted), query(DOLLARS)]


def _first_that_runs(cursor: Cursor, queries: Sequence[sql.Composed]) -> None:
    """Runs a query; if it fails on the data, the next. The last may fail."""
    *quick, sure = queries
    for query in quick:
        cursor.execute("SAVEPOINT quick")
        try:
            cursor.execute(query, ())
        except psycopg2.DataError as error:
            _log.info("once more, and slower: %s", first_line(error))
            cursor.execute("ROLLBACK TO SAVEPOINT quick")
        else:
            return
    cursor.execute(sure, ())


def _files(cursor: Cursor, landed: Landed) -> Result:
    """Each file against what is in raw of it; raw holds nothing of a file that is not known."""
    cursor.execute(
        """
        SELECT file_id, name, rows_read, rows_loaded, rows_rejected, coalesce(amount_sum, 0),
               (SELECT count(*) FROM ops.rejected_rows AS x WHERE x.file_id = f.file_id),
               ARRAY[min_date::text, max_date::text, lowest_key::text, highest_key::text]
        FROM ops.load_files AS f ORDER BY file_id
        """
    )
    files = cursor.fetchall()
    wrong = [
        f"file {file_id}: in raw, but never landed" for file_id in landed.files.keys() - {file[0] for file in files}
    ]
    for file_id, name, read, loaded, rejected, dollars, kept, noted in files:
        file = landed.files.get(file_id, File())
        if read != loaded + rejected or loaded != file.rows or dollars != file.dollars or rejected != kept:
            told = f"read {read}, landed {loaded} (${dollars}), rejected {rejected}"
            wrong.append(f"{name!r}: {told}, but in raw {file.rows} (${file.dollars}), in ops.rejected_rows {kept}")
        elif file.noted is not None and noted != file.noted:
            wrong.append(f"{name!r}: first and last day, lowest and highest key are {file.noted}, not {noted}")
    read, loaded, rejected, dollars = (sum(file[at] for file in files) for at in (2, 3, 4, 5))
    total = f"{len(files)} files: {read:,} rows read = {loaded:,} landed + {rejected:,} rejected; ${dollars:,}"
    return Result("files = raw + rejects", not wrong, total + (f"; {listed(wrong)}" if wrong else ""))


def _rows_and_dollars(cursor: Cursor, relation: str) -> tuple[int, Decimal]:
    query = sql.SQL("SELECT count(*), coalesce(sum(amount), 0) FROM {}").format(Relation.parse(relation).identifier)
    rows, dollars = one_row(cursor, query)
    return rows, dollars
