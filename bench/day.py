"""Owns the measurement of what a day costs: `revops run` with a new day, a late day, corrected labels, and nothing new.

    python -m bench.day [--scale 0.1 0.3 1] [--rounds 3]

At each scale a warehouse is made of a generated set; then each round lands, one after the other, a new day of 3,600 rows after
the last one, a day of as many rows in 2012, a label file that corrects the labels of one day, and fifty purchases scattered over
all years. The rows are as many at each scale: what grows with the scale grows with the history. Rows that PostgreSQL read and
wrote (pg_stat_database) show growth where the machine is too busy for seconds to do so.
"""

from __future__ import annotations

import csv
import json
import random
import re
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path

import psycopg2

from bench import machine
from bench.load import generated
from bench.runs import fresh_url, revops_run, started
from foundation.queries import one_row, scalar

ROWS_OF_A_DAY = 3600
SCATTERED = 50
TRANSACTIONS = "transactions_data.csv"
_TUPLES = "SELECT tup_returned, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = current_database()"
_BUILT = re.compile(r"built prod in ([0-9.]+) s")


@dataclass(frozen=True)
class Cost:
    """What one `revops run` cost: seconds of its steps, CPU seconds of Python, rows that PostgreSQL read and wrote."""

    load: float
    build: float
    verify: float
    total: float
    python: float
    read: float
    written: float


class Warehouse:
    """A warehouse made of a generated set, and the files that land in it."""

    def __init__(self, url: str, data: Path, home: Path) -> None:
        self.url = url
        self.data = data
        self.home = home
        with (data / TRANSACTIONS).open(newline="") as file:
            reader = csv.DictReader(file)
            self.columns = list(reader.fieldnames or ())
            self.samples = list(islice(reader, ROWS_OF_A_DAY))
        self.next_id = 100_000_000
        self.last_day = self.answer("SELECT max(transacted_on) FROM facts.fct_transactions") if self.exists() else None

    def exists(self) -> bool:
        """Whether it has been built."""
        return bool(self.answer("SELECT to_regclass('facts.fct_transactions') IS NOT NULL"))

    def answer(self, query: str) -> object:
        """The first value of a query's result."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            return scalar(cursor, query)

    def run(self) -> Cost:
        """`revops run` on the files."""
        tuples, python = self.tuples(), children()
        run = revops_run(self.url, self.data, self.home)
        found = [(moment, float(found[1])) for moment, line in run.lines if (found := _BUILT.match(line))]
        after_build, build = found[-1] if found else (run.seconds, 0.0)
        time.sleep(1)  # backends report their statistics when they end
        read, written = (now - before for now, before in zip(self.tuples(), tuples, strict=True))
        verify = run.seconds - after_build
        return Cost(after_build - build, build, verify, run.seconds, children() - python, read, written)

    def tuples(self) -> tuple[int, int]:
        """Rows read and written in this database since it was created."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            read, written = one_row(cursor, _TUPLES)
        return int(read), int(written)

    def write(self, name: str, days: Callable[[int], date], count: int) -> None:
        """A file of purchases, the one of place `n` on the day `days(n)`."""
        with (self.data / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            for place, sample in enumerate(self.samples[:count]):
                moment = datetime.fromisoformat(sample["date"]).time()
                self.next_id += 1
                writer.writerow({**sample, "id": self.next_id, "date": datetime.combine(days(place), moment)})


def children() -> float:
    """CPU seconds of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def a_new_day(warehouse: Warehouse, number: int) -> None:
    """A day after the last one."""
    assert isinstance(warehouse.last_day, date)
    day = warehouse.last_day + timedelta(days=number + 1)
    warehouse.write(f"transactions_{day}.csv", lambda _: day, ROWS_OF_A_DAY)


def a_late_day(warehouse: Warehouse, number: int) -> None:
    """Rows of a day in 2012."""
    day = date(2012, 5, 2) + timedelta(days=number)
    warehouse.write(f"transactions_late_{day}.csv", lambda _: day, ROWS_OF_A_DAY)


def corrected_labels(warehouse: Warehouse, number: int) -> None:
    """The label file again, with the labels of the first hundred labelled transactions of a day changed."""
    path = warehouse.data / "train_fraud_labels.json"
    labels = json.loads(path.read_text())
    day = date(2013, 3, 5) + timedelta(days=number)
    with closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT transaction_id FROM facts.fct_transactions WHERE transacted_on = %s", (day,))
        ids = {str(row[0]) for row in cursor.fetchall()} & labels["target"].keys()
    for known in sorted(ids)[:100]:
        labels["target"][known] = "No" if labels["target"][known] == "Yes" else "Yes"
    path.write_text(json.dumps(labels))


def scattered_days(warehouse: Warehouse, number: int) -> None:
    """One purchase on each of fifty days, over all years."""
    pick = random.Random(number)
    days = [date(2010, 1, 1) + timedelta(days=pick.randrange(3500)) for _ in range(SCATTERED)]
    warehouse.write(f"transactions_scattered_{number}.csv", lambda place: days[place], SCATTERED)


def nothing_new(warehouse: Warehouse, number: int) -> None:
    """The same files."""


CASES: dict[str, Callable[[Warehouse, int], None]] = {
    "new day": a_new_day,
    "late day of 2012": a_late_day,
    "corrected labels": corrected_labels,
    "50 scattered days": scattered_days,
    "nothing new": nothing_new,
}


def measure(dsn: str, scale: float, rounds: int, folder: Path) -> dict[str, list[Cost]]:
    """The costs of each case at a scale, one per round."""
    costs: dict[str, list[Cost]] = {name: [] for name in CASES}
    with fresh_url(dsn) as url, tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        shutil.copytree(generated(folder, scale), data)
        home = Path(temporary) / "home"
        first = Warehouse(url, data, home).run()
        print(f"\nscale {scale:g}: first run {first.total:.0f} s; medians of {rounds}")
        warehouse = Warehouse(url, data, home)
        for number in range(rounds):
            for name, change in CASES.items():
                change(warehouse, number)
                costs[name].append(warehouse.run())
    names = [field.name for field in fields(Cost)]
    print(f"{'':<20}" + "".join(f"{name:>12}" for name in names))
    for name, each in costs.items():
        medians = [statistics.median(values) for values in zip(*map(astuple, each), strict=True)]
        shown = "".join(f"{value:>12,.1f}" if place < 5 else f"{value:>12,.0f}" for place, value in enumerate(medians))
        print(f"{name:<20}{shown}{machine.verdict([cost.total for cost in each])}")
    return costs


def main() -> None:
    """Measures at the scales given."""
    dsn, chosen = started(__doc__)
    found = {scale: measure(dsn, scale, chosen.rounds, chosen.folder) for scale in sorted(chosen.scale)}
    if len(found) > 1:
        smallest, largest = min(found), max(found)
        print(f"\nscale {largest:g} beside {smallest:g}, medians of the total")
        for name in CASES:
            small, large = (statistics.median(cost.total for cost in found[s][name]) for s in (smallest, largest))
            print(f"{name:<20}{large / small:>8.2f}")


if __name__ == "__main__":
    main()
