"""Whatever happened before, the next run serves what a warehouse made of the same files serves: on the whole project."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.end_to_end.changes import keep_clients, purchase, write_purchases
from tests.end_to_end.conftest import NAME, recreate
from tests.end_to_end.warehouse import Warehouse, copy_of_project
from tests.end_to_end.whole import assert_same, command, contents, run

SEED = int(os.environ.get("REVOPS_TEST_SEED", "20100101"))
KILLS = int(os.environ.get("REVOPS_TEST_KILLS", "1"))
"""How many moments of the build are tried; as many as there are tries all of them."""
ABSENT = 1814
"""A user of the generated set with many transactions, who is not in the first files."""
KILLED_RUN = ("-m", "tests.end_to_end.killed_run")


@dataclass
class Whole:
    """A whole project's warehouse, built, and a way to have it as it was."""

    warehouse: Warehouse
    server: RunningServer
    files: Path
    models: Path
    changed: dict[str, list[str]] = field(default_factory=dict)

    def again(self, files: bool = True) -> Warehouse:
        """The warehouse as it was built, its files and its models too."""
        recreate(self.server, NAME, "whole_built")
        if files:
            self.put_files_back()
        for folder in self.models.iterdir():
            shutil.rmtree(self.warehouse.root / folder.name)
            shutil.copytree(folder, self.warehouse.root / folder.name)
        return self.warehouse

    def put_files_back(self) -> None:
        """The files as they were first built from."""
        shutil.rmtree(self.warehouse.data)
        shutil.copytree(self.files, self.warehouse.data)

    def with_all_changes(self) -> dict[str, list[str]]:
        """What a new warehouse of the models as they were, and of the files after `everything_at_once`, holds."""
        if not self.changed:
            everything_at_once(self.again())
            recreate(self.server, NAME, "template0")
            # In which SQLMesh keeps, by the hash of a model, which table it has: another one after a forward-only change.
            for snapshots in [*(self.warehouse.root / ".cache").rglob("snapshot")]:
                shutil.rmtree(snapshots)
            run(self.warehouse)
            self.changed.update(contents(self.warehouse))
        return self.changed


@pytest.fixture(scope="module")
def whole(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    from generator import generate

    folder = tmp_path_factory.mktemp("whole")
    recreate(server, NAME, "template0")
    warehouse = Warehouse(copy_of_project(folder / "project", whole=True), server.database(NAME), folder / "data")
    generate(warehouse.data, scale=0.001, seed=7)
    keep_clients(warehouse.data, 150)
    users = warehouse.data / "users_data.csv"
    rewrite(users, [line for line in lines_of(users) if not line.startswith(f"{ABSENT},")])
    run(warehouse)
    recreate(server, "whole_built", NAME)
    shutil.copytree(warehouse.data, folder / "files")
    for name in ("models", "seeds"):
        shutil.copytree(warehouse.root / name, folder / "as_built" / name)
    yield Whole(warehouse, server, folder / "files", folder / "as_built")
    recreate(server, "whole_built", "template0")


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def rewrite(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


def busiest(warehouse: Warehouse, column: str, place: int = 0) -> int:
    """The client, card or code with the most transactions, or the next ones."""
    return int(
        warehouse.query(
            f"SELECT {column} FROM facts.fct_transactions GROUP BY 1 ORDER BY count(*) DESC, 1 OFFSET %s LIMIT 1",
            (place,),
        )[0][0]
    )


def change_a_card(warehouse: Warehouse, card: int) -> None:
    """Another brand, type and month of opening."""
    path = warehouse.data / "cards_data.csv"
    header, *rows = lines_of(path)
    names = header.split(",")
    changed = []
    for row in rows:
        fields = row.split(",")
        if fields[0] == str(card):
            fields[names.index("card_brand")] = "Amex"
            fields[names.index("card_type")] = "Credit"
            fields[names.index("acct_open_date")] = "09/1999"
        changed.append(",".join(fields))
    assert changed != rows
    rewrite(path, [header, *changed])


def change_a_code(warehouse: Warehouse, mcc: int) -> None:
    path = warehouse.data / "mcc_codes.json"
    codes = json.loads(path.read_text())
    codes[str(mcc)] = "Something else altogether"
    path.write_text(json.dumps(codes))


def change_labels(warehouse: Warehouse, *years: int) -> None:
    """Of all days of these years every other label is turned round, every fifth is gone."""
    path = warehouse.data / "train_fraud_labels.json"
    labels = json.loads(path.read_text())["target"]
    turned = {"Yes": "No", "No": "Yes"}
    concerned = warehouse.query(
        "SELECT transaction_id::text FROM facts.fct_outcomes WHERE is_fraud IS NOT NULL"
        " AND extract(year FROM transacted_on) = ANY (%s) ORDER BY transaction_id",
        (list(years),),
    )
    assert len(concerned) > 20
    for place, (key,) in enumerate(concerned):
        labels[key] = turned[labels[key]] if place % 2 else labels[key]
        if place % 5 == 0:
            del labels[key]
    path.write_text(json.dumps({"target": labels}))


def everything_at_once(warehouse: Warehouse) -> None:
    """All kinds of change: days late, corrected and gone, labels, a user, a card, a code, an id in two files."""
    transactions = warehouse.data / "transactions_data.csv"
    header, *rows = lines_of(transactions)
    moved = next(row for row in rows if ",2013-06" in row).split(",")[0]
    corrected = [row for place, row in enumerate(rows) if ",2013-04" not in row or place % 3]
    assert len(corrected) < len(rows)
    write_purchases(
        warehouse,
        "transactions_data_late.csv",
        *(purchase(warehouse, 90000000 + n, f"2013-05-{n:02}", f"${n}.50") for n in range(1, 5)),
        purchase(warehouse, 90000009, "2013-05-03", client_id="99999"),
        purchase(warehouse, int(moved), "2016-02-20", "$999.00"),
    )
    change_a_card(warehouse, busiest(warehouse, "card_id", 2))
    change_a_code(warehouse, busiest(warehouse, "mcc"))
    change_labels(warehouse, 2013)
    gone = busiest(warehouse, "client_id", 3)
    users = warehouse.data / "users_data.csv"
    kept = [line for line in lines_of(users) if not line.startswith(f"{gone},")]
    rewrite(users, [*kept, kept[1].replace(kept[1].split(",")[0], str(ABSENT), 1)])
    rewrite(transactions, [header, *corrected])


def test_killed_at_any_moment_the_next_run_makes_it_good(whole: Whole, tmp_path: Path) -> None:
    warehouse = whole.again()
    everything_at_once(warehouse)
    counted = tmp_path / "moments"
    arguments = ("run", "--data", str(warehouse.data))
    done = command(warehouse, *arguments, program=KILLED_RUN, KILL_AT="0", KILL_COUNT=str(counted))
    assert done.returncode == 0, done.stdout + done.stderr
    expected, moments = contents(warehouse), int(counted.read_text())
    print(f"REVOPS_TEST_SEED={SEED}, {moments} moments")
    chance = random.Random(SEED)
    for at in sorted(chance.sample(range(1, moments + 1), min(KILLS, moments))):
        whole.again(files=False)
        killed = command(warehouse, *arguments, program=KILLED_RUN, KILL_AT=str(at), KILL_COUNT=str(counted))
        print(f"killed at {at}: exit {killed.returncode}")
        run(warehouse)
        assert_same(contents(warehouse), expected)
    assert_same(whole.with_all_changes(), expected)


def test_changed_attributes_are_felt_on_every_day_of_theirs(whole: Whole) -> None:
    """Also where everything else changes after them: what they touched is not touched again."""
    warehouse = whole.again()
    before = contents(warehouse)
    change_a_card(warehouse, busiest(warehouse, "card_id", 2))
    change_a_code(warehouse, busiest(warehouse, "mcc"))
    run(warehouse)
    found = contents(warehouse)
    assert found["facts.fct_transactions"] == before["facts.fct_transactions"]
    for report in ("daily_revenue", "revenue_by_merchant_category", "fraud_by_merchant_category"):
        assert found[f"serving.{report}"] != before[f"serving.{report}"]
    assert found["features.transaction_features"] != before["features.transaction_features"]
    whole.put_files_back()
    everything_at_once(warehouse)
    run(warehouse)
    assert_same(contents(warehouse), whole.with_all_changes())


def test_what_goes_and_returns_has_what_landed_meanwhile(whole: Whole) -> None:
    """An earlier version of the facts, and two models that were deleted."""
    warehouse = whole.again()
    facts, channel, changed = (
        "models/facts/fct_transactions.sql",
        "staged.channel::TEXT",
        "UPPER(staged.channel)::TEXT AS channel",
    )
    models = [warehouse.root / f"models/serving/{name}.sql" for name in ("fraud_by_hour", "card_risk")]
    texts = [model.read_text() for model in models]
    warehouse.edit(facts, channel, changed)
    for model in models:
        model.unlink()
    warehouse.plan()
    everything_at_once(warehouse)
    run(warehouse)
    warehouse.edit(facts, changed, channel)
    for model, text in zip(models, texts, strict=True):
        model.write_text(text)
    warehouse.plan()
    run(warehouse)
    assert_same(contents(warehouse), whole.with_all_changes())


def test_a_column_that_is_added_forward_only_is_filled_by_the_next_run(whole: Whole) -> None:
    warehouse = whole.again()
    warehouse.edit(
        "models/facts/fct_outcomes.sql",
        "  labels.is_fraud::BOOLEAN /*",
        "  (facts.amount = 0)::BOOLEAN AS is_check, /* Whether it only asked */\n  labels.is_fraud::BOOLEAN /*",
    )
    warehouse.plan(forward_only=True)
    filled = "SELECT count(*) FROM facts.fct_outcomes WHERE is_check IS NOT NULL"
    assert warehouse.query(filled) == [(0,)], "it was filled before: it tests nothing"
    everything_at_once(warehouse)
    run(warehouse)
    wrong = "SELECT count(*) FROM facts.fct_outcomes WHERE is_check IS DISTINCT FROM (amount_cents = 0)"
    assert warehouse.query(wrong) == [(0,)]
    assert_same(contents(warehouse, without=("is_check",)), whole.with_all_changes())


def test_a_version_of_another_environment_that_comes_to_prod_has_what_landed_meanwhile(whole: Whole) -> None:
    """A version that gives the same rows, so that they can be compared with those of the models as they were."""
    warehouse = whole.again()
    model, channel, changed = (
        "models/facts/fct_transactions.sql",
        "staged.channel::TEXT",
        "LOWER(staged.channel)::TEXT AS channel",
    )
    warehouse.edit(model, channel, changed)
    succeed(warehouse, "build", "--environment", "dev")
    write_purchases(warehouse, "transactions_data_late.csv", purchase(warehouse, 90000001, "2013-05-02"))
    succeed(warehouse, "load", "--data", str(warehouse.data))
    succeed(warehouse, "build", "--environment", "dev")
    shown = "SELECT count(*) FROM facts{}.fct_transactions WHERE transaction_id = 90000001"
    assert (warehouse.query(shown.format("__dev")), warehouse.query(shown.format(""))) == ([(1,)], [(0,)])
    warehouse.edit(model, changed, channel)
    everything_at_once(warehouse)
    run(warehouse)
    warehouse.edit(model, channel, changed)
    warehouse.plan()
    run(warehouse)
    assert_same(contents(warehouse), whole.with_all_changes())


def succeed(warehouse: Warehouse, *arguments: str) -> None:
    done = command(warehouse, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
