"""Servers of pages for tests, started by a command of revops and stopped by their id, and a headless browser to look at them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT, free_port

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
]


@dataclass(frozen=True)
class Served:
    """A running server: its address, its process, and the file of all that it printed."""

    address: str
    pid: int
    log: Path


@contextmanager
def served(command: str, environ: Mapping[str, str], log: Path) -> Iterator[Served]:
    """`revops <command>` on a free port, answering."""
    port = free_port()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "loaders", command, "--port", str(port)],
            cwd=ROOT,
            env=dict(environ),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            if process.poll() is not None:
                pytest.fail(f"revops {command} ended: {log.read_text()}")
            try:
                with urlopen(address, timeout=2):
                    break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail(f"revops {command} did not answer")
        yield Served(address, process.pid, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


@contextmanager
def looking(browser_path: str, width: int = 1600, scheme: Literal["dark", "light"] = "light") -> Iterator[Any]:
    """A page of a headless browser, so many pixels wide, of somebody who has chosen dark or light."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=OPTIONS)
        try:
            page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
            page.set_default_timeout(120_000)
            yield page
        finally:
            browser.close()
