"""Owns what the measurements and the pictures of the dashboard share: its server, a headless browser, when a page is made."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 120_000
"""Milliseconds that a page may take."""
_FOOT = "Read from serving as"
_MADE = "[data-test-script-state=notRunning]"


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium; ends the program where there is none."""
    from playwright.sync_api import sync_playwright

    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        sys.exit(f"There is no browser: install one of {', '.join(PROGRAMS)}.")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield running
        finally:
            running.close()


def wait(page: Any) -> None:
    """Until a page has been made to its foot."""
    page.get_by_text(_FOOT).wait_for(timeout=PATIENCE)
    page.locator(_MADE).wait_for(state="attached", timeout=PATIENCE)


@contextmanager
def dashboard() -> Iterator[str]:
    """The address of a dashboard that runs as long as the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "loaders", "dashboard", "--port", str(port)]
    running: Any = subprocess.Popen(program, cwd=ROOT, start_new_session=True)
    try:
        for _ in range(300):
            try:
                urlopen(f"http://127.0.0.1:{port}", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(20)
