"""Names from outside are data, all the way: of files, of columns, of environments."""

from __future__ import annotations

import pytest

from loaders.errors import InputRefused
from tests.end_to_end.warehouse import Warehouse
from tests.loaders.made import HEADER, csv_file, transaction

HOSTILE = ['x"; DROP SCHEMA raw CASCADE; --', "it's $(touch owned) %s {0}", "ünï 東京", "..", "-rf"]


def test_files_land_under_whatever_name(warehouse: Warehouse) -> None:
    for number, name in enumerate(HOSTILE):
        csv_file(warehouse.data, f"transactions {name}.csv", [transaction(99_000_000 + number)])
    warehouse.load()
    landed = {name for (name,) in warehouse.query("SELECT name FROM ops.load_files")}
    assert {f"transactions {name}.csv" for name in HOSTILE} <= landed
    for name in HOSTILE:
        (warehouse.data / f"transactions {name}.csv").unlink()
    warehouse.load(prune=True)
    warehouse.build()
    warehouse.assert_sound()


@pytest.mark.parametrize("name", HOSTILE[:2])
def test_a_column_of_another_name_is_refused_and_nothing_else_happens(warehouse: Warehouse, name: str) -> None:
    before = warehouse.query("SELECT count(*) FROM raw.transactions")
    csv_file(warehouse.data, "transactions_odd.csv", [transaction(1)], header=HEADER.replace("zip", name))
    with pytest.raises(InputRefused, match="transactions_odd"):
        warehouse.load()
    assert warehouse.query("SELECT count(*) FROM raw.transactions") == before


@pytest.mark.parametrize("name", [HOSTILE[0], "ünï 東京", ".."])
def test_an_environment_of_any_name_is_an_environment_beside_prod(warehouse: Warehouse, name: str) -> None:
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'serving%' ORDER BY 1"
    warehouse.edit(
        "models/dimensions/dim_cards.sql", "card_brand::TEXT, /*", "UPPER(card_brand)::TEXT AS card_brand, /*"
    )
    warehouse.build(name)
    (prods,), (others,) = warehouse.query(schemas)
    assert prods == "serving"
    assert others.startswith("serving__")
    warehouse.assert_sound()
