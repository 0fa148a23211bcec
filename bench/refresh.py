"""Owns the measurement of refreshing what is served: our parts beside the ways there are in plain PostgreSQL.

    python -m bench.refresh [--rounds 3]

Works on the built warehouse that revops selects (`revops run` first, at the scale that is to be measured), in a separate
schema that it drops at the end. Each way brings one changed day, then one changed month, into a relation with the columns, rows
and indexes of serving.enriched_transactions, while a reader asks for a transaction by its id over and over. Printed for each:
median seconds, the longest a reader waited, and how much larger the relation was after all rounds.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from bench import machine
from foundation import database
from foundation.queries import one_row
from meshkeys import catalog, declarations, execution, materialized_views
from meshkeys.catalog import Relation
from revops import settings
from revops.embedded import server

SCHEMA = "bench_refresh"
MODEL = "serving.enriched_transactions"
FACTS = "facts.fct_transactions"


@dataclass(frozen=True)
class Way:
    """One way to refresh: its name, the relation that readers ask, and what brings the days from `first` to `last` in."""

    name: str
    read: Relation
    bring: Callable[[str, str], None]
    size: Callable[[], int]


class Reader:
    """Asks for one transaction again and again; knows the longest that it waited."""

    def __init__(self, dsn: str, relation: Relation, key: int) -> None:
        self.longest = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(dsn, relation, key), daemon=True)

    def _ask(self, dsn: str, relation: Relation, key: int) -> None:
        query = sql.SQL("SELECT * FROM {} WHERE transaction_id = %s").format(relation.identifier)
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not self._stop.is_set():
                began = time.monotonic()
                cursor.execute(query, (key,))
                cursor.fetchall()
                self.longest = max(self.longest, time.monotonic() - began)
                time.sleep(0.005)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def main() -> None:
    """Measures all ways and prints a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    rounds = arguments.parse_args().rounds
    dsn = server.up(settings.load())
    print(machine.described(dsn), end="")
    with closing(database.connect(dsn, "bench refresh", autocommit=True)) as connection, connection.cursor() as cursor:
        view, declared = _model(cursor)
        query = (catalog.view_definition(cursor, view) or "").rstrip(" ;")
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}").format(sql.Identifier(SCHEMA)))
        rows, last_day, key = one_row(
            cursor, "SELECT count(*), max(transacted_on), max(transaction_id) FROM serving.enriched_transactions"
        )
        print(f"{rows:,} rows; the last day is {last_day}; medians of {rounds}")
        print(f"{'way':<34}{'change':<8}{'s':>9}{'longest wait s':>16}{'size MB':>10}{'after':>10}")
        changes = {"day": (str(last_day), str(last_day)), "month": (f"{last_day:%Y-%m}-01", str(last_day))}
        for way in _ways(cursor, view, query, declared):
            for change, (first, last) in changes.items():
                before = way.size()
                seconds = []
                with Reader(dsn, way.read, key) as reader:
                    for _ in range(rounds):
                        began = time.monotonic()
                        way.bring(first, last)
                        seconds.append(time.monotonic() - began)
                figures = (statistics.median(seconds), reader.longest, before / 1e6, way.size() / 1e6)
                shown = f"{figures[0]:>9.2f}{figures[1]:>16.3f}{figures[2]:>10.0f}{figures[3]:>10.0f}"
                print(f"{way.name:<34}{change:<8}{shown}{machine.verdict(seconds)}")
        cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(SCHEMA)))
        materialized_views.reap(cursor)


def _ways(cursor: Cursor, view: Relation, query: str, declared: declarations.Declarations) -> list[Way]:
    fact = catalog.relations_read_by(cursor, Relation.parse(FACTS))[0]
    served = Relation.parse(MODEL)

    def parts(mode: str) -> Callable[[str, str], None]:
        def bring(first: str, last: str) -> None:
            cursor.execute(
                "INSERT INTO ops.evaluations (relation, starts_on, ends_on) VALUES (%s, %s, %s)",
                (str(fact), first, last),
            )
            materialized_views.refresh(cursor, view, query, declared, mode, "bench")
            materialized_views.serve(cursor, served)
            materialized_views.reap(cursor)

        return bring

    def parts_size() -> int:
        composed = catalog.relations_read_by(cursor, served)[0]
        return sum(_size(cursor, part) for part in catalog.relations_read_by(cursor, composed))

    whole = Relation(SCHEMA, "whole")
    cursor.execute(sql.SQL("CREATE MATERIALIZED VIEW {} AS ").format(whole.identifier) + sql.SQL(query))
    table = Relation(SCHEMA, "incremental")
    cursor.execute(sql.SQL("CREATE TABLE {} AS ").format(table.identifier) + sql.SQL(query))
    for relation in (whole, table):
        for index in materialized_views.indexes_of(declared):
            cursor.execute(execution.create_index(relation, index))
        cursor.execute(sql.SQL("ANALYZE {}").format(relation.identifier))

    def refresh(how: str) -> Callable[[str, str], None]:
        statement = sql.SQL("REFRESH MATERIALIZED VIEW {}{}").format(sql.SQL(how), whole.identifier)
        return lambda first, last: cursor.execute(statement)

    def replace_days(first: str, last: str) -> None:
        cursor.execute("BEGIN")
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE transacted_on BETWEEN %s AND %s").format(table.identifier), (first, last)
        )
        insert = sql.SQL("INSERT INTO {} SELECT * FROM (").format(table.identifier) + sql.SQL(query)
        cursor.execute(insert + sql.SQL(") AS c WHERE transacted_on BETWEEN %s AND %s"), (first, last))
        cursor.execute("COMMIT")

    return [
        Way("parts, swap (auto)", served, parts("auto"), parts_size),
        Way("parts, concurrently", served, parts("concurrently"), parts_size),
        Way("whole, REFRESH", whole, refresh(""), lambda: _size(cursor, whole)),
        Way("whole, REFRESH CONCURRENTLY", whole, refresh("CONCURRENTLY "), lambda: _size(cursor, whole)),
        Way("a table, days replaced", table, replace_days, lambda: _size(cursor, table)),
    ]


def _model(cursor: Cursor) -> tuple[Relation, declarations.Declarations]:
    relation, declared = one_row(cursor, "SELECT relation, declared FROM ops.declarations WHERE model = %s", (MODEL,))
    return Relation.parse(relation), declarations.from_json(declared)


def _size(cursor: Cursor, relation: Relation) -> int:
    return int(one_row(cursor, "SELECT pg_total_relation_size(%s::regclass)", (catalog.quoted(relation),))[0])


if __name__ == "__main__":
    main()
