"""The menu that `revops` alone shows on a terminal. Each choice runs the command it names in a child process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Choice:
    """One line of the menu: the key to press, what it does, the command it runs."""

    key: str
    title: str
    command: tuple[str, ...]


CHOICES = (
    Choice("1", "Load raw files", ("load",)),
    Choice("2", "Clean and build the tables", ("build",)),
    Choice("3", "Keys and indexes (declared in the models: every build brings them there)", ("build",)),
    Choice("4", "Refresh the materialized view", ("refresh",)),
    Choice("5", "Verify: does everything reconcile?", ("verify",)),
    Choice("6", "Everything, end to end", ("run",)),
    Choice("7", "Status", ("status",)),
    Choice("8", "SQLMesh UI: lineage in the browser", ("ui",)),
    Choice("9", "psql", ("psql",)),
    Choice("d", "Dashboard: revenue, declines, fraud and alerts in the browser", ("dashboard",)),
    Choice("u", "Show the database's URL (with its password)", ("url",)),
    Choice("g", "Generate demo files into data/demo_files", ("generate", "--out", "data/demo_files")),
)


def run(ask: Callable[[str], str] = input, execute: Callable[[tuple[str, ...]], int] | None = None) -> int:
    """Shows the menu until `q`, end of input or Ctrl-C; returns the exit code."""
    execute = execute or _execute
    known = {choice.key: choice for choice in CHOICES}
    while True:
        click.echo(text())
        try:
            answer = ask("Your choice: ").strip().lower()
        except EOFError:
            click.echo()
            return 0
        if answer in ("q", "quit", "exit"):
            return 0
        if answer not in known:
            if answer:
                click.echo(f"Unknown choice {answer!r}.")
            continue
        code = execute(known[answer].command)
        if code != 0:
            click.echo(f"revops {' '.join(known[answer].command)} ended with exit code {code}.", err=True)


def text() -> str:
    """The menu as it is shown."""
    lines = [f"  {choice.key}  {choice.title}" for choice in CHOICES]
    return "\n".join(["", "Card-transactions warehouse", *lines, "  q  Quit", ""])


def _execute(command: tuple[str, ...]) -> int:
    """Runs a command with this terminal; Ctrl-C ends the command, not the menu."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # The child must not inherit "ignore".
        start = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import revops.cli as c; c.main()"
        )
        return subprocess.run([sys.executable, "-c", start, *command], env=os.environ.copy(), check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
