"""Help that can be read: each option in a group, examples that can be typed, every exit status."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from flowreaper.cli import cli
from flowreaper.cli.commands.delete import command as delete
from flowreaper.cli.exit_status import MEANINGS, ExitStatus
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.option_groups import DELETE

COMMANDS = cli.list_commands(click.Context(cli))
WIDTH = 80


def command_named(name: str) -> HelpCommand:
    found = cli.get_command(click.Context(cli), name)
    assert isinstance(found, HelpCommand), f"{name} needs cls=HelpCommand"
    return found


def help_of(name: str) -> str:
    return CliRunner().invoke(cli, [name, "--help"], terminal_width=WIDTH, prog_name="flowreaper").output


def options_of(command: click.Command) -> Iterator[str]:
    return (p.name or "" for p in command.params if isinstance(p, click.Option))


def test_every_option_of_delete_is_in_one_group() -> None:
    grouped = [name for names in DELETE.values() for name in names]
    assert sorted(set(options_of(delete)) - set(grouped)) == []
    assert len(grouped) == len(set(grouped))


def test_no_group_names_an_option_that_is_none() -> None:
    assert {name for names in DELETE.values() for name in names} <= set(options_of(delete))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_every_option_within_80_columns(name: str) -> None:
    shown = help_of(name)
    command = command_named(name)
    flags = re.findall(
        r"^  (?:-\w, )?(--[a-z-]+)(?: / --no-[a-z-]+)?(?: [A-Z|=%-]+)?(?:  |$)", shown, re.MULTILINE
    )
    wanted = [p.opts[-1] for p in command.params if isinstance(p, click.Option)]
    assert sorted(flags) == sorted([*wanted, "--help"])
    assert [line for line in shown.splitlines() if len(line) > WIDTH] == []
    headings = re.findall(r"^([A-Z][a-z ]+):$", shown, re.MULTILINE)
    wanted = [*command.groups, "Other"] if command.groups else ["Options"]
    assert headings == [*wanted, "Examples", "Exit status"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_a_command_line_that_is_accepted(name: str) -> None:
    examples = command_named(name).examples
    assert examples
    for example in examples:
        (words,) = (
            shlex.split(re.split("   | > ", part)[0])
            for part in example.split("|")
            if part.split()[:2] == ["flowreaper", name]
        )
        command_named(name).make_context(name, words[2:], click.Context(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_exit_statuses_come_from_the_one_table(name: str) -> None:
    shown = help_of(name).split("Exit status:\n")[1]
    statuses = command_named(name).statuses
    assert [int(line.split()[0]) for line in shown.splitlines() if line[2] != " "] == list(map(int, statuses))
    assert ExitStatus.DONE in statuses


def test_delete_names_every_exit_status() -> None:
    shown = " ".join(help_of("delete").split("Exit status:\n")[1].split())
    assert all(f"{int(status)} {meaning}" in shown for status, meaning in MEANINGS.items())


def test_an_option_without_a_group_is_shown_all_the_same() -> None:
    command = HelpCommand(
        "x", params=[click.Option(["--a"], help="first"), click.Option(["--b"])], groups={"Some": ("b", "c")}
    )
    shown = command.get_help(click.Context(command))
    assert re.search(r"Some:\n  --b TEXT\n\nOther:\n  --a TEXT +first\n  --help", shown)
