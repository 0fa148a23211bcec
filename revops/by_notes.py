"""Evaluates tables of prod as its last plan noted them (revops/ledger/rendered.py), without SQLMesh.

For a day's rows, SQLMesh takes longer to start and to render queries than the server to compute them. What is executed gives the
same, in the same transactions: rows are replaced and the evaluation is noted, then the audits are asked. Rows that stay as they
are, are not written. SQLMesh's state stays as it is: to SQLMesh these days are evaluated before as after.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from foundation import database
from foundation.queries import scalar
from meshkeys import catalog, change, evaluations, execution, parents, sessions
from meshkeys.catalog import Relation
from meshkeys.errors import DatabaseUnavailable, first_line
from meshkeys.operations import AddForeignKey, ValidateConstraint
from revops import refresh
from revops.ledger import landings, rendered, touched_keys
from revops.ledger.days import Days, start_of
from revops.ledger.graph import Node
from revops.ledger.ledger import FIRST_DAY, OutOfDate
from revops.ledger.rendered import Rendered, Span
from revops.terminal import failures

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from meshkeys.declarations import Declarations
    from revops.terminal.progress import Builds

SESSIONS = 2
"""How many models are evaluated at once, as `concurrent_tasks` in config.yaml says it for SQLMesh."""
_LATER = (AddForeignKey, ValidateConstraint)  # `change.put_back`, before anything is refreshed

# Of days that are new PostgreSQL expects one row, and would compare each row with every other.
_REPLACE_ROWS = (
    "CREATE TEMPORARY TABLE rows_of_model (LIKE {table}) ON COMMIT DROP",
    "INSERT INTO rows_of_model ({columns}) SELECT {columns} FROM ({query}) AS rows_of_model",
    "ALTER TABLE rows_of_model ADD PRIMARY KEY ({key})",
    "SET LOCAL enable_nestloop = off",
    "DELETE FROM {table} AS old WHERE {where} AND NOT EXISTS (SELECT FROM rows_of_model AS new WHERE {same} AND new *= old)",
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM rows_of_model AS new"
    " WHERE NOT EXISTS (SELECT FROM (SELECT * FROM {table} WHERE {where}) AS old WHERE {same})",
)
_KEYS_WRITTEN = sql.Identifier("keys_written")
_TELL_KEYS = (
    "CREATE TEMPORARY TABLE keys_written ON COMMIT DROP AS SELECT {keys} FROM {table} WITH NO DATA",
    "WITH written AS ({statement} RETURNING {keys}) INSERT INTO keys_written SELECT * FROM written",
)
_REPLACE_ALL_ROWS = (
    "DELETE FROM {table} WHERE {where}",
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM ({query}) AS rows_of_model",
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """How the evaluation of a model ended.

    Attributes:
        model: its name.
        seconds: how long it took, audits included.
        passed: how many audits passed.
        failed: how many did not, blocking or not.
        faults: what stops the build.
    """

    model: str
    seconds: float
    passed: int
    failed: int
    faults: tuple[str, ...] = ()


class Notes:
    """The tables of prod as its last plan noted them."""

    def __init__(
        self,
        nodes: Sequence[Node],
        texts: Mapping[str, Rendered],
        last: Mapping[str, float],
        materialized: Iterable[tuple[str, Relation, Declarations]] = (),
    ) -> None:
        self._nodes = {node.model: node for node in nodes}
        self._texts = texts
        self._last = last
        self._materialized = {name: (view, declared) for name, view, declared in materialized}

    @classmethod
    def read(cls, cursor: Cursor, nodes: Sequence[Node], last: Mapping[str, float]) -> Notes:
        """Reads them.

        Args:
            cursor: a transaction.
            nodes: of prod, parents first.
            last: how many seconds each model took the last time.
        """
        cursor.execute("SELECT model, rendered FROM ops.models WHERE rendered IS NOT NULL")
        found = {model: rendered.from_json(text) for model, text in cursor.fetchall()}
        return cls(nodes, {model: text for model, text in found.items() if text}, last, refresh.materialized(cursor))

    def suffice(self, cursor: Cursor, out_of_date: OutOfDate) -> bool:
        """Whether all of this can be evaluated by what is noted.

        Not where SQLMesh alone knows how; where rows without a usable day are asked for, for which queries are others; or where
        there are no facts yet, because SQLMesh's hooks fill an empty table faster.
        """
        wanted = {*out_of_date.whole, *out_of_date.days}
        return (
            wanted <= self._texts.keys()
            and all(FIRST_DAY not in days for days in out_of_date.days.values())
            and scalar(cursor, "SELECT EXISTS (SELECT FROM facts.fct_transactions)") is True
        )

    def query_of(self, model: str) -> str:
        """The query of a model that is made whole, on the views of prod."""
        return self._texts[model].query

    def evaluate(
        self, dsn: str, builds: Builds, days: Mapping[str, Sequence[Days]], whole: Iterable[str]
    ) -> Iterator[Evaluation]:
        """Evaluates and audits tables, parents first; yields how each ended.

        What is materialized of them is refreshed as soon as they are done, while others still are evaluated.

        Args:
            dsn: the warehouse, whose lock the caller holds.
            builds: what is reported to.
            days: for each table of days, the ranges.
            whole: the tables that are made whole.

        Raises:
            CheckFailed: a model failed, or a blocking audit; names it.
            DatabaseUnavailable: the database was lost, or could not go on.
        """
        spans = {model: self._spans(model, days.get(model, ())) for model in self._nodes if model in {*days, *whole}}
        shown = [model for model in self._materialized if self._above({*spans, model})[model]]
        builds.begin({**{model: len(found) for model, found in spans.items()}, **dict.fromkeys(shown, 1)})
        tasks: dict[str, Callable[[Connection], Evaluation]] = {
            **{model: partial(self._evaluate, builds, model, found) for model, found in spans.items()},
            **{model: partial(self._refresh, builds, model) for model in shown},
        }
        last = {**self._last, **dict.fromkeys(shown, math.inf)}  # before what only reports are made of
        faults: list[str] = []
        with ExitStack() as opened:
            connections = [
                opened.enter_context(closing(database.connect(dsn, "revops build"))) for _ in range(SESSIONS)
            ]
            with connections[0].cursor() as cursor:
                workers = sessions.workers_of(cursor)
            sessions.share_workers(connections, workers)
            for evaluation in _in_order(connections, tasks, self._above(tasks), last):
                faults += evaluation.faults
                yield evaluation
        builds.pause()
        if faults:
            raise failures.of_build("prod", faults)
        with (
            closing(database.connect(dsn, "revops build", autocommit=True)) as connection,
            connection.cursor() as cursor,
        ):
            keys = [each for each in change.pending(cursor) if not isinstance(each, _LATER)]
            execution.execute(cursor, keys)

    def _spans(self, model: str, days: Sequence[Days]) -> list[Days | None]:
        """The ranges to evaluate, None for a table that is made whole; of months and years from their first day."""
        text = self._texts[model]
        if text.day_column is None:
            return [None]
        spans: list[Days | None] = []
        for each in sorted(days):
            first = start_of(text.unit, each.first)
            before = spans[-1] if spans else None
            if before is not None and first <= before.last:
                spans[-1] = Days(before.first, max(before.last, each.last))
            else:
                spans.append(Days(first, each.last))
        return spans

    def _above(self, wanted: Iterable[str]) -> dict[str, set[str]]:
        """For each model, those above it that are evaluated too, through any that are not."""
        above: dict[str, set[str]] = {}
        for name, node in self._nodes.items():  # parents first
            read = [parent for parent in node.parents if parent in self._nodes]
            above[name] = {*read, *(further for parent in read for further in above[parent])}
        return {name: above[name] & {*wanted} for name in wanted}

    def _evaluate(self, builds: Builds, model: str, spans: Sequence[Days | None], connection: Connection) -> Evaluation:
        began = time.monotonic()
        passed = failed = 0
        faults: list[str] = []
        for span in spans:
            builds.start(model)
            before = time.monotonic()
            try:
                is_by_key, found = self._restate(connection, model, span)
                if is_by_key and any(text for text, _ in found):
                    _log.warning("%s: rows of keys that were not restated are at fault; all are restated", model)
                    _, found = self._restate(connection, model, span, is_whole=True)
            except BaseException:
                builds.end(model, None, 0, 0)
                if not connection.closed:
                    connection.rollback()
                raise
            violated = [(text, is_blocking) for text, is_blocking in found if text]
            faults += [f"{model}: {text}" for text, is_blocking in violated if is_blocking]
            for text, is_blocking in violated:
                if not is_blocking:
                    _log.warning("%s: %s", model, text)
            passed, failed = passed + len(found) - len(violated), failed + len(violated)
            builds.end(model, time.monotonic() - before, len(found) - len(violated), len(violated))
            if faults:
                break
        return Evaluation(model, time.monotonic() - began, passed, failed, tuple(faults))

    def _refresh(self, builds: Builds, model: str, connection: Connection) -> Evaluation:
        builds.start(model)
        began = time.monotonic()
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                refresh.show(cursor, model, *self._materialized[model])
            connection.autocommit = False
        except DatabaseUnavailable as error:  # a reader kept its lock; the end of the build tries again, and tells
            connection.autocommit = False
            _log.info("%s is refreshed when all else is evaluated: %s", model, first_line(error))
        except BaseException:
            builds.end(model, None, 0, 0)
            raise
        seconds = time.monotonic() - began
        builds.end(model, seconds, 0, 0)
        return Evaluation(model, seconds, 0, 0)

    def _restate(
        self, connection: Connection, model: str, span: Days | None, is_whole: bool = False
    ) -> tuple[bool, list[tuple[str, bool]]]:
        """Rewrites and audits rows, each in a transaction; returns what `_rewrite` and `_audit` tell."""
        with connection.cursor() as cursor:
            is_by_key = self._rewrite(cursor, model, span, is_whole)
            connection.commit()
            found = list(self._audit(cursor, model, span))
            connection.commit()
        return is_by_key, found

    def _rewrite(self, cursor: Cursor, model: str, span: Days | None, is_whole: bool) -> bool:
        """Restates rows of these days, of all keys or of those that wait for it; returns whether of these alone."""
        node, text = self._nodes[model], self._texts[model]
        table = Relation.parse(str(node.relation))
        query: sql.Composable = sql.SQL(text.query_for(_span(span)))
        where: sql.Composable = sql.SQL("TRUE")
        if span is None:
            parents.make_way(cursor, table, lambda: text.query)
        else:
            where = sql.SQL("{0} >= {1} AND {0} < {2}").format(  # of a day, or of the time of one
                sql.Identifier(text.day_column or ""),
                sql.Literal(span.first),
                sql.Literal(span.last + timedelta(days=1)),
            )
        keys = None if is_whole else touched_keys.waiting(cursor, node, self._nodes, span)
        if keys is not None and node.restated_by is not None:
            of_keys = sql.SQL("{} = ANY ({})").format(sql.Identifier(node.restated_by.key), sql.Literal(keys))
            query = sql.SQL("SELECT * FROM ({}) AS of_all WHERE {}").format(query, of_keys)
            where = sql.SQL("{} AND {}").format(where, of_keys)
        readers = touched_keys.readers(self._nodes.values(), model)
        followed = [touched_keys.is_followed(cursor, reader, table) for reader in readers]
        told = sorted({reader.restated_by.key for reader in readers if reader.restated_by})
        written = replace_rows(cursor, table, where, query, told)
        evaluations.note(cursor, table, (span.first, span.last) if span else None)
        for reader, is_followed in zip(readers, followed, strict=True):
            touched_keys.note(cursor, reader, table, written if is_followed else None)
        if node.restated_by is not None:
            touched_keys.forget(cursor, node)
        return keys is not None

    def _audit(self, cursor: Cursor, model: str, span: Days | None) -> Iterator[tuple[str, bool]]:
        """For each audit what it found, nothing where it passed, and whether that stops a build."""
        text = self._texts[model]
        for audit in text.audits:
            query = sql.SQL(text.audit_for(audit, _span(span)))
            count = scalar(cursor, sql.SQL("SELECT count(*) FROM ({}) AS audit").format(query))
            yield (f"audit {audit.name} failed on {count} rows" if count else "", audit.is_blocking)


def replace_rows(
    cursor: Cursor, table: Relation, where: sql.Composable, query: sql.Composable, told: Sequence[str] = ()
) -> sql.Composable | None:
    """Has a table hold, of the rows for which a condition is true, what a query gives, and writes only those that differ.

    Without a primary key, all are written.

    Args:
        cursor: a transaction.
        table: the table.
        where: a condition on its columns, which all rows of the query meet.
        query: gives all of its columns.
        told: columns of which to tell the values in the rows that are written or deleted.

    Returns:
        What tells these values, until the transaction ends; None where nothing is told.

    Raises:
        IntegrityError: the query gives a row twice, or one that the table has among its other rows.
    """
    key = catalog.primary_key(cursor, table)
    names = {
        "table": table.identifier,
        "where": where,
        "columns": sql.SQL(", ").join(map(sql.Identifier, catalog.columns(cursor, table))),
        "key": sql.SQL(", ").join(map(sql.Identifier, key.columns if key else ())),
        "keys": sql.SQL(", ").join(map(sql.Identifier, told)),
        "same": sql.SQL(" AND ").join(
            sql.SQL("new.{0} = old.{0}").format(sql.Identifier(column)) for column in (key.columns if key else ())
        ),
        "query": query,
    }
    tells = bool(key and told)
    *before, delete, insert = (sql.SQL(each).format(**names) for each in (_REPLACE_ROWS if key else _REPLACE_ALL_ROWS))
    for statement in before:
        cursor.execute(statement)
    if tells:
        create, tell = map(sql.SQL, _TELL_KEYS)
        cursor.execute(create.format(**names))
        delete, insert = (tell.format(statement=each, **names) for each in (delete, insert))
    cursor.execute(delete)
    cursor.execute(insert)
    return _KEYS_WRITTEN if tells else None


def _span(days: Days | None) -> Span:
    today = landings.today()
    return Span(days.first, days.last, today) if days else Span(today, today, today)


def _in_order(
    connections: Sequence[Connection],
    tasks: Mapping[str, Callable[[Connection], Evaluation]],
    above: Mapping[str, set[str]],
    last: Mapping[str, float],
) -> Iterator[Evaluation]:
    """Does each task after those above it, one at a time on each connection, the longest first; yields what each returned.

    After one that failed, none is begun; those that run are ended where the caller is interrupted.

    Raises:
        CheckFailed: a statement failed; names its model.
        DatabaseUnavailable: the database was lost, or could not go on.
    """
    waiting, free = dict(tasks), list(connections)
    running: dict[Future[Evaluation], tuple[str, Connection]] = {}
    with ThreadPoolExecutor(len(connections)) as pool:
        try:
            while waiting or running:
                unfinished = {*waiting, *(name for name, _ in running.values())}
                ready = sorted(
                    (name for name in waiting if not above[name] & unfinished), key=lambda n: -last.get(n, 0)
                )
                for name in ready[: len(free)]:
                    connection = free.pop()
                    running[pool.submit(waiting.pop(name), connection)] = name, connection
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name, connection = running.pop(future)
                    free.append(connection)
                    evaluation = _result(name, future)
                    if evaluation.faults:
                        waiting.clear()
                    yield evaluation
        except BaseException:
            sessions.cancel(connections, running)
            raise


def _result(model: str, future: Future[Evaluation]) -> Evaluation:
    try:
        return future.result()
    except psycopg2.Error as error:
        known: Any = failures.known(error)
        if known is not None:
            raise type(known)(f"{model}: {known}") from error
        raise failures.of_build("prod", [f"{model}: {failures.reason(error)}"]) from error
