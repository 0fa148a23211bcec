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
    """One line of the menu: the key to press, what it does, the command it runs, and what it asks for first.

    Attributes:
        key: the key.
        title: what the menu says.
        command: the command and its options.
        question: asks for a folder or file, which follows the command; none where empty.
        default: for an empty answer; where there is none, the answer is left out with the option before it.
    """

    key: str
    title: str
    command: tuple[str, ...]
    question: str = ""
    default: str = ""

    def arguments(self, answer: str) -> tuple[str, ...]:
        """The whole command, once the question was answered."""
        given = answer.strip() or self.default
        if not self.question or given:
            return (*self.command, *([given] if self.question else []))
        return self.command[:-1]


CHOICES = (
    Choice("1", "Load raw files", ("load", "--data"), "Folder of the raw files [data/raw]: "),
    Choice("2", "Clean and build the tables", ("build",)),
    Choice("3", "Keys and indexes: bring them to what the models declare", ("keys",)),
    Choice("4", "Refresh the materialized view", ("refresh",)),
    Choice("5", "Verify: does everything reconcile?", ("verify",)),
    Choice("6", "Everything, end to end", ("run", "--data"), "Folder of the raw files [data/raw, else a demo set]: "),
    Choice("7", "Status", ("status",)),
    Choice("8", "Documentation of the data: one page for the browser", ("docs",)),
    Choice("9", "psql", ("psql",)),
    Choice("d", "Dashboard: revenue, declines, fraud and alerts in the browser", ("dashboard",)),
    Choice("s", "SQLMesh UI in the browser", ("ui",)),
    Choice("u", "Show the database's URL (with its password)", ("url",)),
    Choice("g", "Generate synthetic files", ("generate", "--out"), "New folder [data/demo_files]: ", "data/demo_files"),
    Choice("b", "Back up database and card key", ("backup", "--out"), "New folder [data/backup]: ", "data/backup"),
)


def run(ask: Callable[[str], str] = input, execute: Callable[[tuple[str, ...]], int] | None = None) -> int:
    """Shows the menu until `q`, end of input or Ctrl-C; returns the exit code."""
    execute = execute or _execute
    known = {choice.key: choice for choice in CHOICES}
    while True:
        click.echo(text())
        try:
            answer = ask("Your choice: ").strip().lower()
            if answer in ("q", "quit", "exit"):
                return 0
            if answer not in known:
                if answer:
                    click.echo(f"Unknown choice {answer!r}.")
                continue
            choice = known[answer]
            command = choice.arguments(ask(choice.question) if choice.question else "")
        except EOFError:
            click.echo()
            return 0
        code = execute(command)
        if code != 0:
            click.echo(f"revops {' '.join(command)} ended with exit code {code}.", err=True)


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
