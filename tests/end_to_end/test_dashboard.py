"""The dashboard, started by `revops dashboard` on a built warehouse of all models and looked at in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.conftest import RunningServer
from tests.end_to_end.browser import Served, looking, served
from tests.oracle import built
from tests.oracle.built import Built

# Each page, and what else can be chosen on it.
PAGES = {
    "Overview": (),
    "Revenue": ("Card type", "All"),
    "Declines": ("1 year",),
    "Fraud": ("By value", "All"),
    "Alerts": ("Newest",),
    "Rules": ("Score and cards",),
}
FAULTS = "[data-testid=stException], [data-testid=stAlertContentError], [data-testid=stAlertContentInfo]"
DRAWN = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg, [data-testid=stDataFrame] canvas"
KEY = "33" * 32


@pytest.fixture(scope="module")
def warehouse_of_all_models(server: RunningServer) -> Built:
    return built.generated(server)


@pytest.fixture(scope="module")
def dashboard(warehouse_of_all_models: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with warehouse_of_all_models.as_revops():
        environ = {**os.environ, "REVOPS_PAN_KEY": KEY}
    with served("dashboard", environ, tmp_path_factory.mktemp("dashboard") / "log") as running:
        yield running


def _wait(page: Any) -> None:
    """Until the page has been made to its end."""
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached", timeout=60_000)
    page.get_by_text("Read from serving as revops_analyst, read only.").wait_for(timeout=60_000)


def test_the_headline_is_what_the_database_says_on_every_page_nothing_fails_and_nothing_comes_from_outside(
    dashboard: Served, warehouse_of_all_models: Built, browser_path: str, tmp_path: Path
) -> None:
    expected = warehouse_of_all_models.rows(
        "SELECT round(net_volume) AS net_volume, to_char(month_start, 'FMMonth YYYY') AS month, active_clients "
        "FROM serving.monthly_executive_summary WHERE is_complete ORDER BY month_start DESC LIMIT 1"
    )[0]
    outside: set[str] = set()

    def note(request: Any) -> None:
        if not request.url.startswith((dashboard.address, "data:", "blob:")):
            outside.add(request.url)

    with looking(browser_path) as page:
        page.on("request", note)
        page.goto(dashboard.address, wait_until="domcontentloaded")
        _wait(page)
        assert page.get_by_role("heading", name=expected["month"]).count() == 1
        page.get_by_test_id("stMetricValue").nth(3).wait_for()
        shown = dict(
            zip(
                page.get_by_test_id("stMetricLabel").all_inner_texts(),
                page.get_by_test_id("stMetricValue").all_inner_texts(),
                strict=True,
            )
        )
        assert shown["Net volume"] == f"${expected['net_volume']:,}"
        assert shown["Active clients"] == f"{expected['active_clients']:,}"
        for name, choices in PAGES.items():
            page.get_by_role("link", name=name).click()
            page.get_by_role("heading", name=expected["month"] if name == "Overview" else name).first.wait_for()
            _wait(page)
            page.locator(DRAWN).first.wait_for()
            page.screenshot(path=str(tmp_path / f"{name}.png"))
            assert page.locator(FAULTS).all_inner_texts() == [], name
            for choice in choices:
                page.get_by_test_id("stBaseButton-segmented_control").filter(has_text=choice).click()
                page.get_by_test_id("stBaseButton-segmented_controlActive").filter(has_text=choice).wait_for()
                page.wait_for_timeout(500)  # the page is made anew
                page.locator("[data-test-script-state=notRunning]").wait_for()
                assert page.locator(FAULTS).all_inner_texts() == [], choice
        assert urlsplit(warehouse_of_all_models.url).password not in page.content()
    assert outside == set()


def test_the_first_alert_is_the_one_of_the_highest_score_and_its_transaction_is_shown(
    dashboard: Served, warehouse_of_all_models: Built, browser_path: str
) -> None:
    highest = warehouse_of_all_models.rows(
        "SELECT transaction_id, reasons FROM serving.fraud_alerts "
        "WHERE transacted_on >= (SELECT max(transacted_on) FROM serving.fraud_alerts) - 30 "
        "ORDER BY score DESC, transacted_at DESC, transaction_id LIMIT 1"
    )[0]
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/alerts", wait_until="domcontentloaded")
        _wait(page)
        assert page.get_by_role("heading", name=f"Transaction {highest['transaction_id']}").count() == 1
        assert page.get_by_role("listitem").all_inner_texts() == highest["reasons"].split("; ")


def test_neither_password_nor_key_is_on_a_command_line_or_printed(
    dashboard: Served, warehouse_of_all_models: Built
) -> None:
    password = urlsplit(warehouse_of_all_models.url).password
    assert password
    process = psutil.Process(dashboard.pid)
    for each in (process, *process.children(recursive=True)):
        assert password not in " ".join(each.cmdline())
        assert KEY not in each.environ().values()
    assert password not in dashboard.log.read_text()
