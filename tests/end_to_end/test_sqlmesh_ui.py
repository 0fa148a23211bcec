"""SQLMesh's user interface, started by `revops ui` on a built warehouse and looked at in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

from tests.end_to_end.browser import looking, served
from tests.end_to_end.warehouse import Warehouse

SHOWN = ("enriched_transactions", "fct_transactions", "fct_fraud_labels", "dim_users", "dim_cards", "dim_mcc")


def test_the_lineage_of_the_enriched_transactions_is_shown(
    warehouse: Warehouse, browser_path: str, tmp_path: Path
) -> None:
    environ = {**os.environ, **warehouse.settings.child_environment(warehouse.url), "REVOPS_ROOT": str(warehouse.root)}
    environ["DB_CONNECTION_STRING"] = warehouse.url
    with served("ui", environ, tmp_path / "ui.log") as ui, looking(browser_path) as page:
        page.goto(f"{ui.address}/data-catalog/models/serving.enriched_transactions", wait_until="domcontentloaded")
        for model in SHOWN:
            page.locator(".react-flow__node", has_text=model).first.wait_for(timeout=60_000)
        page.screenshot(path=str(tmp_path / "lineage.png"))
