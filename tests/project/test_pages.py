"""Pages for people: the commands on them exist with their options, links lead somewhere, examples are of their language."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from revops import cli
from tests.conftest import ROOT

pytestmark = pytest.mark.unit

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[ (\"/=])revops ((?:--?[\w-]+ )*[a-z][a-z-]+)(?: ([^|;&)#\n]*))?")
GROUP_OPTIONS = {"--quiet", "-q", "--debug", "--verbose", "-v"}


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each command of revops in a block of shell lines or in backticks."""
    text = page.read_text(encoding="utf-8")
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    lines = [line for language in ("sh", "") for block in blocks(page, language) for line in block.splitlines()]
    for line in [*spans, *lines]:
        for called, rest in COMMAND.findall(line.replace(".venv/bin/revops", "revops")):
            *options, name = called.split()
            assert set(options) <= GROUP_OPTIONS, line
            quoted = (
                rest
                if rest.count('"') % 2 == 0 and rest.count("'") % 2 == 0
                else rest.replace('"', "").replace("'", "")
            )
            yield name, shlex.split(quoted)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_a_page_are_ones_that_revops_takes(page: Path) -> None:
    for name, arguments in commands(page):
        assert name in cli.cli.commands, f"{page.name}: revops {name}"
        command = cli.cli.commands[name]
        if arguments and command.context_settings != cli.PASS_ON:
            given = {argument.partition("=")[0] for argument in arguments if re.match(r"--?[a-z]", argument)}
            known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
            assert given <= known, f"{page.name}: revops {name} {' '.join(arguments)}"


def test_commands_are_found_on_pages() -> None:
    found = {(name, *arguments) for name, arguments in commands(ROOT / "docs" / "scheduling.md")}
    assert ("run", "--data", "/srv/incoming", "--wait", "3600") in found
    named = {name for page in PAGES for name, _ in commands(page)}
    assert named >= {"run", "build", "backup", "restore", "docs", "status", "verify", "keys", "replay", "rotate-key"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
    for named in re.findall(r"`((?:docs|models|revops|meshkeys|loaders|seeds|tests)/[\w./-]+\.\w+)`", text):
        assert (ROOT / named).exists(), f"{page.name}: {named}"


def test_every_page_is_linked_from_somewhere() -> None:
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for page in (ROOT / "docs").glob("*.md"):
        assert re.search(rf"(?:docs/|\]\(){page.name}", everything), page.name


def test_the_examples_for_schedulers_are_of_their_language(tmp_path: Path) -> None:
    page = ROOT / "docs" / "scheduling.md"
    for block in blocks(page, "python"):
        ast.parse(block)
    workflow = tmp_path / "workflow.yml"
    (text,) = blocks(page, "yaml")
    workflow.write_text(text)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    units = configparser.ConfigParser(interpolation=None)
    units.optionxform = str  # type: ignore[assignment, method-assign]
    for block in blocks(page, "ini"):
        units.read_string(block, str(page))
        assert set(units.sections()) <= {"Unit", "Service", "Timer", "Install"}
        units.clear()
