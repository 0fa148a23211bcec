"""How the dashboard's server is started: its options, its environment, its program. Knows nothing of what the pages show."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).with_name("page.py")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# None of these is for the dashboard to know.
SECRETS = ("REVOPS_PAN_KEY",)
# Streamlit's own configuration files may say otherwise; its command line takes precedence.
OPTIONS = {
    "server.headless": "true",  # asks for no e-mail address and opens no browser
    "browser.gatherUsageStats": "false",
    "server.fileWatcherType": "none",
    "server.maxUploadSize": "1",
    "runner.magicEnabled": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # a traceback may quote the connection; it goes to the terminal
    "logger.hideWelcomeMessage": "true",
    # Both, because a colour of the theme itself would make the page light for those who have chosen dark.
    "theme.light.primaryColor": "#2563eb",
    "theme.dark.primaryColor": "#60a5fa",
}


def command(host: str, port: int) -> list[str]:
    """The program to execute and its arguments; there is no secret in them."""
    options = {**OPTIONS, "server.address": host, "server.port": str(port)}
    program = [sys.executable, "-c", "from revops.dashboard.serve import main; main()"]
    return [*program, "run", str(PAGE), *(f"--{name}={value}" for name, value in options.items())]


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that the server gets: the database's URL is in it."""
    return {name: value for name, value in inherited.items() if name not in SECRETS}


def main() -> None:
    """Becomes Streamlit's command line, one that never asks the outside for anything."""
    from streamlit import net_util
    from streamlit.web import cli

    from revops.dashboard import history

    # Asked by a page of another origin, Streamlit looks up its own address at a server outside.
    net_util.get_external_ip = lambda: None
    history.mend()
    cli.main(prog_name="streamlit")
