"""One warehouse, and the same models built on PostgreSQL and on another engine, of files with awkward rows."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from tests.end_to_end.warehouse import Warehouse, copy_of_project
from tests.engines import awkward, comparison
from tests.engines.conftest import Engine
from tests.revops.scoring import made


class OnBoth:
    """One warehouse, its database, and the engine on which the same models are built."""

    def __init__(self, warehouse: Warehouse, engine: Engine) -> None:
        self.warehouse = warehouse
        self.engine = engine
        self.names = comparison.relations(warehouse.root)

    def land(self) -> None:
        self.warehouse.load(prune=True, replace=True, max_rejects=1.0)

    def build_on_spark(self) -> None:
        from revops.engines.build import build_on_spark

        before = dict(os.environ)
        os.environ.update(self.engine.environ)
        try:
            with self.warehouse.commands():
                os.environ.update(self.engine.environ)
                build_on_spark(self.warehouse.settings)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def assert_equal(self) -> None:
        from revops.engines.connection import session

        found = comparison.differences(self.warehouse.url, session(self.engine.remote), self.names)
        assert not found, "\n".join(map(str, found))

    def evaluated(self) -> int:
        return int(self.warehouse.query("SELECT max(evaluation_id) FROM ops.elsewhere")[0][0])


def built(url: str, engine: Engine, folder: Path, scale: float = 0.0003) -> OnBoth:
    """Of a small generated set with awkward rows, with a scorecard and decisions; on PostgreSQL alone at first.

    Args:
        url: an empty database.
        engine: the other engine.
        folder: for the files and a copy of the project.
        scale: of the generated set.
    """
    from generator import generate

    data = folder / "files"
    generate(data, scale=scale, seed=23)
    awkward.write(data)
    both = OnBoth(Warehouse(copy_of_project(folder / "project", whole=True), url, data), engine)
    both.land()
    both.warehouse.build()
    made.add(both.warehouse.url, date(2015, 3, 1), 1)
    both.warehouse.build()
    for decision in ("undecided", "fraud"):  # of one alert, so that the first is superseded
        both.warehouse.query(
            "SELECT desk.decide(min(transaction_id), %s, 'a note') FROM serving.fraud_alerts", (decision,)
        )
    return both
