"""A project as `sqlmesh init` makes it for PostgreSQL, with this package added to it as docs/own_project.md says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from psycopg2.extensions import parse_dsn
from sqlmesh.cli.project_init import init_example_project

from tests.conftest import ROOT

DOCS = ROOT / "docs" / "own_project.md"


def lines_of(heading: str) -> str:
    """The block of code below a heading of the page."""
    section = DOCS.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2]
    found = re.search(r"```\w*\n(.*?)```", section, re.DOTALL)
    assert found is not None, heading
    return found.group(1)


@dataclass(frozen=True)
class Project:
    """A project in a folder, on a database."""

    root: Path
    url: str

    def init(self) -> None:
        """What `sqlmesh init postgres` does, and the connection filled in."""
        init_example_project(self.root, "postgres")
        file = self.root / "config.yaml"
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        options = parse_dsn(self.url)
        config["gateways"]["postgres"]["connection"] = {
            "type": "postgres",
            "host": options["host"],
            "port": int(options["port"]),
            "user": options["user"],
            "password": options["password"],
            "database": options["dbname"],
        }
        config["disable_anonymized_analytics"] = True
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        site = self.root / "site"  # what pip would install, and nothing of the project around it
        site.mkdir()
        (site / "meshkeys").symlink_to(ROOT / "meshkeys")

    def add_the_package(self, settings: str = "") -> None:
        """The lines of the page, in config.yaml and in macros/."""
        self.configure({})
        call = lines_of("macros/declarations.py").replace("meshkeys.register()", f"meshkeys.register({settings})")
        self.write("macros/declarations.py", call)
        self.write("linter/keys.py", lines_of("linter/keys.py"))

    def configure(self, changes: dict[str, Any], without: bool = False) -> None:
        """Merges the lines of the page into config.yaml, or takes them out."""
        config = yaml.safe_load((self.root / "config.yaml").read_text(encoding="utf-8"))
        added = yaml.safe_load(lines_of("config.yaml"))
        if without:
            for key in added.keys() - {"model_defaults", "linter"}:
                config.pop(key, None)
            for key in added["model_defaults"]:
                config["model_defaults"].pop(key, None)
            config["linter"]["rules"] = [r for r in config["linter"]["rules"] if r not in added["linter"]["rules"]]
        else:
            config["model_defaults"] |= added.pop("model_defaults")
            config["linter"]["rules"] += added.pop("linter")["rules"]
            config |= added
        self.write("config.yaml", yaml.safe_dump(config | changes))

    def write(self, file: str, text: str) -> None:
        """Writes a file of the project."""
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Changes a file of the project."""
        text = (self.root / file).read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old!r}"
        self.write(file, text.replace(old, new, 1))

    def sqlmesh(self, *arguments: str, succeeds: bool = True) -> str:
        """Runs SQLMesh's own command line; returns what it said."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("sqlmesh")), *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root / "site"), "NO_COLOR": "1", "COLUMNS": "400"},
            input="y\n",  # what the janitor asks
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode == 0) is succeeds, said
        return said

    def plan(self, environment: str = "prod", *options: str, succeeds: bool = True) -> str:
        """`sqlmesh plan`, applied."""
        command = ("plan", environment, "--auto-apply", "--no-prompts", *options)
        return self.sqlmesh(*command, succeeds=succeeds)

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """What the database answers."""
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
