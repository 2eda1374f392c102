"""Options that several commands share, and how a command line is written down to be typed again."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from flowreaper.cli import streams
from flowreaper.cli.completion import complete_checkpoint
from flowreaper.cli.suggestions import Choice, refuse_what_is_no_checkpoint
from flowreaper.escaping import printable

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def grouped(*options: Decorator) -> Decorator:
    """Return a decorator that adds these options, in their order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def checkpoint_argument(*, required: bool = True) -> Decorator:
    """Return the argument of commands that read a checkpoint; without one, it is None where it is not required."""
    return click.argument(
        "checkpoint",
        type=click.Path(path_type=Path),
        required=required,
        callback=_checkpoint_meant,
        shell_complete=complete_checkpoint,
    )


def _checkpoint_meant(ctx: click.Context, param: click.Parameter, checkpoint: Path | None) -> Path | None:
    del param
    if checkpoint and not ctx.resilient_parsing:
        refuse_what_is_no_checkpoint(checkpoint, ctx.command_path)
    return checkpoint


def warn_of_what_is_missing(checkpoint: Path) -> None:
    """Warn on standard error that a checkpoint is shown without its log."""
    from flowreaper.store.sqlite.reader import what_is_missing

    if lacks := what_is_missing(checkpoint):
        streams.write_line(f"Warning: {lacks}")


def state_option(name: str, states: list[str], help_text: str) -> Decorator:
    """Return a repeatable option that takes states."""
    return click.option(f"--{name}", multiple=True, type=Choice(states), metavar="STATE", help=help_text)


def typed(ctx: click.Context, name: str) -> bool:
    """Return whether a parameter was given on the command line, not by the environment or a default."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def command_line(
    ctx: click.Context, *, command: str = "", leave_out: tuple[str, ...] = (), extra: tuple[str, ...] = ()
) -> str:
    """Write the command that is running, as it was given, ready for a shell.

    `command` takes the place of its name, unless it is empty. `leave_out` names parameters to drop; `extra` are words
    to add before the arguments. What came from the environment is not repeated: it is still there.
    """
    options: list[str] = []
    arguments: list[str] = []
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE or name in leave_out:
            continue
        value = ctx.params[name]
        values = value if isinstance(value, tuple) else (value,)
        if isinstance(parameter, click.Argument):
            arguments += [str(v) for v in values]
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            options.append((parameter.opts if value else parameter.secondary_opts or parameter.opts)[-1])
        else:
            options += [word for v in values for word in (parameter.opts[-1], _typed(v))]
    # A path that begins with a dash would be taken for an option.
    guard = ["--"] if any(a.startswith("-") and a != "-" for a in arguments) else []
    return " ".join(
        map(quoted, [*(command or ctx.command_path).split(), *options, *extra, *guard, *arguments])
    )


def _typed(value: object) -> str:
    """Write a value as a person types it: 20, not 20.0."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def path_word(path: Path) -> str:
    """Write a path for a shell so that the command does not take it for an option, or for standard input."""
    name = str(path)
    return quoted(f"./{name}" if name.startswith("-") else name)


def quoted(word: str) -> str:
    """Write a word for a shell, without a character that could steer the terminal that it is shown on.

    What is not printable is written as bash, zsh and ksh read it: ``$'\\033'``.
    """
    if printable(word, len(word)) == word:
        return shlex.quote(word)
    escaped = (_escaped(character) for character in word)
    return f"$'{''.join(escaped)}'"


def _escaped(character: str) -> str:
    if printable(character) == character and character not in "'\\":
        return character
    # Three octal digits: a hexadecimal escape could swallow the digit that follows it.
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
