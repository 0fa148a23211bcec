"""The menu: its numbers, and that it lives on a real terminal."""

from __future__ import annotations

import os
import sys

import pexpect
import pytest

from revops import cli
from revops.terminal import menu
from tests.conftest import ROOT


@pytest.mark.unit
def test_option_6_is_the_full_run_and_every_choice_is_a_command_of_its_own() -> None:
    by_key = {choice.key: choice.command[0] for choice in menu.CHOICES}
    assert by_key["6"] == "run"
    assert by_key["d"] == "dashboard"
    assert [by_key[key] for key in "12345"] == ["load", "build", "keys", "refresh", "verify"]
    assert set(by_key.values()) <= set(cli.cli.commands)
    assert len(set(by_key.values())) == len(by_key) == len(menu.CHOICES)


@pytest.mark.unit
def test_choices_run_until_the_user_quits() -> None:
    answers = iter(["6", " ~/files ", "", "nonsense", " 5 ", "6", "", "g", "", "b", "away", "Q"])
    ran: list[tuple[str, ...]] = []

    def execute(command: tuple[str, ...]) -> int:
        ran.append(command)
        return 1

    assert menu.run(lambda prompt: next(answers), execute) == 0
    assert ran == [
        ("run", "--data", "~/files"),
        ("verify",),
        ("run",),
        ("generate", "--out", "data/demo_files"),
        ("backup", "--out", "away"),
    ]


@pytest.mark.unit
def test_the_menu_fits_a_terminal() -> None:
    assert max(map(len, menu.text().splitlines())) <= 80


@pytest.mark.unit
@pytest.mark.parametrize("before", [[], ["1"]])
def test_the_end_of_input_ends_the_menu(before: list[str]) -> None:
    answers = iter(before)

    def no_more(prompt: str) -> str:
        for answer in answers:
            return answer
        raise EOFError

    assert menu.run(no_more, lambda command: 0) == 0


def test_on_a_terminal_revops_alone_shows_the_menu_and_runs_choices() -> None:
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "loaders"],
        cwd=str(ROOT),
        env=os.environ | {"TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
    )
    terminal.expect_exact("6  Everything, end to end")
    terminal.expect_exact("Your choice: ")
    terminal.sendline("x")
    terminal.expect_exact("Unknown choice 'x'.")
    terminal.expect_exact("Your choice: ")
    terminal.sendline("u")
    terminal.expect(r"postgresql://warehouse:[0-9a-f]+@127\.0\.0\.1:\d+/warehouse")
    terminal.expect_exact("Your choice: ")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
