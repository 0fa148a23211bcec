"""`--help`: by task, whole at 80 columns, an example for each command that can be typed as it stands."""

from __future__ import annotations

import shlex

import pytest
from click.testing import CliRunner

from revops import cli
from revops.terminal import commands

pytestmark = pytest.mark.unit

NAMES = sorted(cli.cli.commands)
OWN_HELP = [name for name in NAMES if cli.cli.commands[name].context_settings != cli.PASS_ON]  # others pass --help on


def shown(*arguments: str) -> list[str]:
    done = CliRunner().invoke(cli.cli, [*arguments, "--help"], terminal_width=80, prog_name="revops")
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_every_command_belongs_to_one_task() -> None:
    listed = [name for told in commands.TASKS.values() for name in told]
    assert sorted(listed) == NAMES


def test_nothing_of_the_list_is_cut_or_wrapped_at_80_columns() -> None:
    lines = shown()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...")]
    for told in commands.TASKS.values():
        for name, (what, _) in told.items():
            assert [line for line in lines if line.split() == [name, *what.split()]], name
    assert [line.rstrip(":") for line in lines if line.rstrip(":") in commands.TASKS] == list(commands.TASKS)


@pytest.mark.parametrize("name", OWN_HELP)
def test_each_command_shows_its_example_at_80_columns(name: str) -> None:
    lines = shown(name)
    assert max(map(len, lines)) <= 80
    example = next(line for line in lines if line.strip().startswith("Example:"))
    assert "revops" in example


@pytest.mark.parametrize(
    ("name", "example"), [(n, told[1]) for each in commands.TASKS.values() for n, told in each.items()]
)
def test_an_example_is_one_that_its_command_takes(name: str, example: str) -> None:
    typed = example.removeprefix('psql "$(').removesuffix(')"')
    program, called, *arguments = shlex.split(typed)
    assert (program, called) == ("revops", name)
    command = cli.cli.commands[name]
    command.make_context(name, arguments, resilient_parsing=False)
