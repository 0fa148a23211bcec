"""Owns the measurement of reading what is served: how long the questions take that people ask of serving.enriched_transactions.

    python -m bench.lookups [--times 400] [--seed 1] [--rounds 3]

Works on the built warehouse that revops selects. Each question is asked of values drawn from what is there (of a category by
how often it occurs), once to warm up and then once in each round; printed are the median, the 99th percentile and the longest of
all rounds, in milliseconds, as a client sees them. Then every report is read whole.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from contextlib import closing
from datetime import date
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from bench import machine
from foundation import database
from foundation.queries import one_row
from revops import settings
from revops.embedded import server

_SUMS = "SELECT count(*), sum(amount) FROM serving.enriched_transactions"
QUESTIONS = {
    "a transaction": ("SELECT * FROM serving.enriched_transactions WHERE transaction_id = %(transaction_id)s"),
    "a client, all time": f"{_SUMS} WHERE client_id = %(client_id)s",
    "the last 100 of a client": (
        "SELECT * FROM serving.enriched_transactions WHERE client_id = %(client_id)s ORDER BY transacted_at DESC LIMIT 100"
    ),
    "a card, all time": f"{_SUMS} WHERE card_id = %(card_id)s",
    "a day": f"{_SUMS} WHERE transacted_on = %(transacted_on)s",
    "a category in a month": f"{_SUMS} WHERE mcc = %(mcc)s AND transacted_at >= %(month)s AND transacted_at < %(month_after)s",
}


def main() -> None:
    """Asks and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    dsn = server.up(settings.load())
    print(machine.described(dsn), end="")
    with closing(database.connect(dsn, "bench lookups", autocommit=True)) as connection, connection.cursor() as cursor:
        asked = drawn(cursor, chosen.times, random.Random(chosen.seed))
        print(f"{'question':<28}{'median ms':>12}{'p99 ms':>10}{'longest ms':>12}")
        for name, question in QUESTIONS.items():
            for values in asked:
                cursor.execute(question, values)
            rounds = [[milliseconds(cursor, question, values) for values in asked] for _ in range(chosen.rounds)]
            taken = sorted(value for each in rounds for value in each)
            p99 = statistics.quantiles(taken, n=100)[98]
            verdict = machine.verdict([statistics.median(each) for each in rounds])
            print(f"{name:<28}{statistics.median(taken):>12.2f}{p99:>10.2f}{taken[-1]:>12.2f}{verdict}")
        print(f"\n{'report, all rows':<40}{'rows':>12}{'ms':>10}")
        cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = 'serving' ORDER BY viewname")
        for report in [name for (name,) in cursor.fetchall() if name != "enriched_transactions"]:
            question = sql.SQL("SELECT * FROM serving.{}").format(sql.Identifier(report)).as_string(cursor)
            milliseconds(cursor, question, {})
            taken = [milliseconds(cursor, question, {}) for _ in range(chosen.rounds)]
            print(f"{report:<40}{cursor.rowcount:>12,}{statistics.median(taken):>10.1f}{machine.verdict(taken)}")


def drawn(cursor: Cursor, times: int, chance: random.Random) -> list[dict[str, Any]]:
    """Rows that are there, by which to ask: any of the first ones with a drawn id or after it."""
    ends = "SELECT min(transaction_id), max(transaction_id) FROM serving.enriched_transactions"
    lowest, highest = one_row(cursor, ends)
    found = []
    for _ in range(times):
        row = one_row(
            cursor,
            "SELECT transaction_id, client_id, card_id, transacted_on, mcc, date_trunc('month', transacted_on)::date AS month"
            " FROM facts.fct_transactions WHERE transaction_id >= %s ORDER BY transaction_id LIMIT 1",
            (chance.randint(lowest, highest),),
        )
        names = [column.name for column in cursor.description or ()]
        values = dict(zip(names, row, strict=True))
        month: date = values["month"]
        found.append({**values, "month_after": date(month.year + month.month // 12, month.month % 12 + 1, 1)})
    return found


def milliseconds(cursor: Cursor, question: str, values: dict[str, Any]) -> float:
    """How long one question takes, its answer read."""
    began = time.perf_counter()
    cursor.execute(question, values)
    cursor.fetchall()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
