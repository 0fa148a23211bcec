"""The declarations hold together, and external_models/raw.yaml says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loaders.sources import SOURCES

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]


def test_external_models_are_the_declared_relations() -> None:
    written = yaml.safe_load((ROOT / "external_models" / "raw.yaml").read_text())
    declared = {
        f"raw.{source.relation}": {**dict.fromkeys(source.landed_columns, "text"), **dict(source.lineage_columns)}
        for source in SOURCES.values()
    }
    found = {model["name"]: model["columns"] for model in written}
    assert {name: found[name] for name in declared} == declared
    for name, columns in declared.items():
        assert list(found[name]) == list(columns), name


def test_card_number_and_security_code_are_not_among_the_landed_columns() -> None:
    landed = SOURCES["cards"].landed_columns
    assert "card_number" not in landed
    assert "cvv" not in landed
    assert {"card_token", "card_last4"} <= set(landed)


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.relation)
def test_named_columns_exist(source) -> None:  # type: ignore[no-untyped-def]
    for column in (*source.key_columns, *source.dropped_columns, source.date_column, source.amount_column):
        assert column is None or column in source.columns
