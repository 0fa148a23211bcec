"""The commands by task, each with one line and one example that `--help` shows whole at 80 columns. Owns no option."""

from __future__ import annotations

import click

# Task, command, what it does in one line, an example.
TASKS: dict[str, dict[str, tuple[str, str]]] = {
    "From raw files to a verified warehouse": {
        "run": ("All of it: server, load, build, verify.", "revops run --data ~/files"),
        "load": ("Land raw files; unchanged files cost nothing.", "revops load --data ~/files --only transactions"),
        "build": ("Transform what has landed, and only what that touches.", "revops build --environment dev"),
        "verify": ("Check that everything reconciles.", "revops verify --since-last"),
        "generate": ("Write synthetic files in the published format.", "revops generate --out data/demo --scale 0.05"),
    },
    "Look at it": {
        "status": ("Show server, last loads, freshness and rows.", "revops status --json"),
        "dashboard": ("Revenue, declines, fraud and alerts in a browser.", "revops dashboard --port 8501"),
        "psql": ("Open psql on the warehouse.", "revops psql -c 'SELECT 1'"),
        "url": ("Print the database's URL, with its password.", 'psql "$(revops url)"'),
        "export": ("Write a relation of serving to a file.", "revops export daily_revenue --out revenue.csv"),
        "bi": ("Write files that BI tools import.", "revops bi --out bi_files --login alice"),
        "docs": ("Write one page: dictionary, lineage, keys, audits.", "revops docs --out docs.html"),
    },
    "Change models": {
        "sqlmesh": ("Run SQLMesh on the warehouse.", "revops sqlmesh plan dev"),
        "train": ("Train a scorecard for each month.", "revops train --since 2015-01"),
        "ui": ("Open SQLMesh's user interface in a browser.", "revops ui --port 8000"),
    },
    "Keep it running": {
        "up": ("Start the embedded PostgreSQL server.", "revops up"),
        "down": ("Stop the embedded PostgreSQL server.", "revops down"),
        "remote": ("Let other machines connect, by TLS only.", "revops remote --host 0.0.0.0"),
        "doctor": ("Check this machine and server for problems.", "revops doctor"),
        "backup": ("Back up database, state and card key together.", "revops backup --out ~/backups/today"),
        "restore": ("Restore a backup into an empty database.", "revops restore ~/backups/today"),
        "export-raw": ("Write what has landed as Parquet.", "revops export-raw --out lake"),
        "refresh": ("Refresh serving.enriched_transactions.", "revops refresh --mode swap"),
        "keys": ("Bring keys and indexes to what is declared.", "revops keys --dry-run"),
        "replay": ("Land corrected rejects.", "revops replay corrected.csv"),
        "rotate-key": ("Give every card a new token under a new key.", "revops rotate-key --data ~/files"),
    },
}
_BY_NAME = {name: told for commands in TASKS.values() for name, told in commands.items()}
OTHER = "Other"


class ByTask(click.Group):
    """A group that lists its commands by task, and gives each its example."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Adds the line and the example of TASKS."""
        told = _BY_NAME.get(name or cmd.name or "")
        if told is not None:
            cmd.short_help, cmd.epilog = told[0], f"Example:  {told[1]}"
        super().add_command(cmd, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, under their tasks."""
        others = {name: command.get_short_help_str() for name, command in self.commands.items() if name not in _BY_NAME}
        tasks = {task: {name: told[0] for name, told in commands.items()} for task, commands in TASKS.items()}
        for task, lines in {**tasks, OTHER: others}.items():
            shown = [(name, line) for name, line in lines.items() if name in self.commands]
            if shown:
                with formatter.section(task):
                    formatter.write_dl(shown)
