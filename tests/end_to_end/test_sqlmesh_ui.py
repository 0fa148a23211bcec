"""SQLMesh's user interface, started by `revops ui` on a built warehouse and looked at in a real browser."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT
from tests.end_to_end.warehouse import Warehouse

SHOWN = ("enriched_transactions", "fct_transactions", "fct_fraud_labels", "dim_users", "dim_cards", "dim_mcc")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def browser_path() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium: .ci/run installs it")
        pytest.skip("no Chromium on this machine: install it to look at the user interface")
    return found


@pytest.fixture
def ui(warehouse: Warehouse) -> Iterator[str]:
    """The address of a running user interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, **warehouse.settings.child_environment(warehouse.url), "REVOPS_ROOT": str(warehouse.root)}
    environ["DB_CONNECTION_STRING"] = warehouse.url
    process = subprocess.Popen(
        [sys.executable, "-m", "loaders", "ui", "--port", str(port)],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            if process.poll() is not None:
                pytest.fail(f"the user interface ended: {process.stdout.read() if process.stdout else ''}")
            try:
                with urlopen(address, timeout=2):
                    break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail("the user interface did not answer")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def test_the_lineage_of_the_enriched_transactions_is_shown(ui: str, browser_path: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-sync",
            ],
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(f"{ui}/data-catalog/models/serving.enriched_transactions", wait_until="domcontentloaded")
        for model in SHOWN:
            page.locator(".react-flow__node", has_text=model).first.wait_for(timeout=60_000)
        page.screenshot(path=str(tmp_path / "lineage.png"))
        browser.close()
