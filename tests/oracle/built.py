"""Whole warehouses for tests, built once a session each: of generated rows, and of the real ones."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras

from revops import settings as revops_settings
from tests.conftest import ROOT, RUN, RunningServer

# Some in a row, some alone, one of them a leap day.
LATE_DAYS = {
    "2012-02-29",
    "2014-03-03",
    "2014-03-04",
    "2014-03-05",
    "2014-03-06",
    "2014-04-20",
    "2017-07-15",
    "2017-07-16",
}

_built: dict[str, Built] = {}


@dataclass(frozen=True)
class Built:
    """A warehouse of all models, to read. `data` holds the files that it was built of."""

    url: str
    data: Path
    home: Path

    def rows(self, statement: str) -> list[dict[str, Any]]:
        connection = psycopg2.connect(self.url, cursor_factory=psycopg2.extras.RealDictCursor)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    @contextmanager
    def as_revops(self) -> Iterator[revops_settings.Settings]:
        """As a process of revops that works on this database."""
        environ = {
            "DB_CONNECTION_STRING": self.url,
            "REVOPS_HOME": str(self.home),
            "REVOPS_ENV_FILE": str(self.home / "none.env"),
        }
        settings = revops_settings.load(environ, ROOT)
        before = dict(os.environ)
        os.environ.update(settings.child_environment(self.url, {}))
        os.environ["REVOPS_PAN_KEY"] = "22" * 32
        try:
            yield settings
        finally:
            os.environ.clear()
            os.environ.update(before)

    def query_of(self, model: str, start: str, end: str) -> str:
        """What SQLMesh runs for a model over a range of days, on the tables behind prod."""
        from revops import sqlmesh_project

        with self.as_revops() as settings:
            context = sqlmesh_project.context(settings)
            try:
                return str(context.render(model, start=start, end=end).sql(dialect="postgres"))
            finally:
                context.close()


def generated(server: RunningServer) -> Built:
    """Built of some thousand generated rows."""
    from generator import generate

    def fill(folder: Path) -> None:
        generate(folder, scale=0.001, seed=7)
        _breach(folder)

    return _warehouse(server, "oracle_generated", fill)


def real(server: RunningServer, folder: Path) -> Built:
    """Built of the real rows. Hardly any of them has its real label, so two of three others get a label that is made up."""

    def fill(made: Path) -> None:
        shutil.copytree(folder, made, dirs_exist_ok=True)
        labels = json.loads((folder / "train_fraud_labels.json").read_text())["target"]
        with (folder / "transactions_data.csv").open(newline="") as stream:
            numbers = [line["id"] for line in csv.DictReader(stream)]
        made_up = {number: "Yes" if int(number) % 101 == 0 else "No" for number in numbers if int(number) % 3}
        path = made / "train_fraud_labels.json"
        path.unlink()
        path.write_text(json.dumps({"target": {**made_up, **labels}}))

    return _warehouse(server, "oracle_real", fill)


def late(server: RunningServer) -> Built:
    """Built of generated rows in two steps: some days of the middle and a tenth of the labels landed when all else was built."""
    from generator import generate

    apart: dict[str, str] = {}

    def fill(folder: Path) -> None:
        generate(folder, scale=0.001, seed=8)
        _breach(folder)
        path = folder / "transactions_data.csv"
        header, *lines = path.read_text().splitlines(keepends=True)
        held_back = [line for line in lines if line.split(",")[1][:10] in LATE_DAYS]
        assert held_back
        path.write_text(header + "".join(line for line in lines if line not in held_back))
        apart["transactions_data_late.csv"] = header + "".join(held_back)
        path = folder / "train_fraud_labels.json"
        labels = json.loads(path.read_text())["target"]
        missing = {number: label for number, label in labels.items() if int(number) % 10 == 0}
        path.write_text(json.dumps({"target": {n: label for n, label in labels.items() if n not in missing}}))
        apart["train_fraud_labels_late.json"] = json.dumps({"target": missing})

    warehouse = _warehouse(server, "oracle_late", fill)
    for name, text in apart.items():  # one after the other: each build has to find out by itself what it touches
        (warehouse.data / name).write_text(text)
        _land_and_build(warehouse)
    return warehouse


def _breach(folder: Path) -> None:
    """Adds what so few generated rows do not have: cards that bought at one merchant and were defrauded weeks later.

    Eight cards buy there on late days, four of them are defrauded abroad in two months, one again 60 days later and then 61.
    """
    with (folder / "cards_data.csv").open(newline="") as stream:
        cards = [(line["client_id"], line["id"]) for _, line in zip(range(8), csv.DictReader(stream), strict=False)]
    bought = [(card, f"2014-03-0{3 + i % 4} 10:0{i}:00", "20.00") for i, card in enumerate(cards)]
    frauds = [
        *((card, f"2014-04-20 12:{minute}:00", "150.00") for card in cards[:2] for minute in ("00", "30")),
        *((card, "2014-05-02 09:00:00", "75.00") for card in cards[2:4]),
        (cards[0], "2014-06-19 09:00:00", "300.00"),
        (cards[0], "2014-08-19 09:00:00", "400.00"),
    ]
    sold, abroad = "99001,Columbus,OH,43215.0,5411,", "99002,Rome,Italy,,5311,"
    rows = [(row, sold, "No") for row in bought] + [(row, abroad, "Yes") for row in frauds]
    numbered = list(enumerate(rows, 90_000_000))
    with (folder / "transactions_data.csv").open("a") as stream:
        for number, (((client, card), moment, amount), merchant, _) in numbered:
            stream.write(f"{number},{moment},{client},{card},${amount},Swipe Transaction,{merchant}\n")
    path = folder / "train_fraud_labels.json"
    labels = json.loads(path.read_text())["target"]
    path.write_text(json.dumps({"target": {**labels, **{str(number): label for number, (*_, label) in numbered}}}))


def _warehouse(server: RunningServer, name: str, fill: Any) -> Built:
    if name not in _built:
        home = RUN / name
        data = home / "data"
        data.mkdir(parents=True)
        fill(data)
        connection = psycopg2.connect(server.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        connection.close()
        made = Built(server.database(name), data, home)
        _land_and_build(made)
        _built[name] = made
    return _built[name]


def _land_and_build(made: Built) -> None:
    from loaders.landing import land
    from revops import lock
    from revops.build import build

    with made.as_revops() as settings, lock.hold(made.url, "test"):
        land(made.url, made.data)
        build(settings)
