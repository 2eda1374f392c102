"""The commands that go on with a job, and the one that proves it."""

from collections.abc import Sequence
from pathlib import Path

import click

from flowreaper.cli.options import command_line, path_word, typed
from flowreaper.cli.times import is_dated
from flowreaper.model import State
from flowreaper.producer.sources import Source

SHARED = (
    "endpoint",
    "sts_endpoint",
    "region",
    "profile",
    "read_rate",
    "timeout",
    "outage_limit",
    "treat",
    "expect_account",
    "no_identity",
)
"""The options that ``delete`` and ``verify`` share: how the service is reached, and what its codes mean."""


def is_piped(sources: Sequence[Source]) -> bool:
    """Return whether a source can be read only once, or is standard input, which the next command has not."""
    return any(not source.rereadable or source.name == "-" for source in sources)


def resume_command(
    ctx: click.Context,
    sources: Sequence[Source],
    checkpoint: Path,
    *,
    read_all: bool,
    pipe_again: bool = False,
    retry: Sequence[State] = (),
) -> str:
    """Return the command line that goes on with this job.

    `read_all`: the input was read to its end. `pipe_again`: the command ends with ``-``, for the same ids to be piped
    again, since without a source it would take flows that the pipe did not list. `retry` names states to take again.
    """
    piped = is_piped(sources)
    # The log is lost once, not each time. What --retry names is reopened as it is read; once all is, the same words
    # would reopen what this run has just closed.
    leave_out = ("accept_lost_log", *_past(ctx), *(("source",) if piped else ()))
    if retry or read_all or not sources:
        leave_out += ("retry", "retry_code")
    extra: tuple[str, ...] = () if typed(ctx, "checkpoint") else ("--checkpoint", str(checkpoint))
    extra += tuple(word for state in retry for word in ("--retry", state.value))
    command = command_line(ctx, leave_out=leave_out, extra=extra)
    files = _as_arguments([source.path for source in sources if source.rereadable and source.path])
    if pipe_again:
        return command_line(ctx, leave_out=leave_out, extra=(*extra, *files, "-"))
    if not piped or read_all or not files:
        return command
    # Files beside the pipe were not read to their end: read them first, then take what came from the pipe.
    return f"{command_line(ctx, leave_out=leave_out, extra=(*extra, *files))}; {command}"


def retry_command(ctx: click.Context, checkpoint: Path) -> str:
    """Return the command line that calls flows of this job again; what follows is their source.

    It asks before it sends, unless the environment says otherwise.
    """
    about_this_run = (
        "source",
        "yes",
        "retry",
        "retry_code",
        "accept_lost_log",
        "limit",
        "max_duration",
        "stop_at",
    )
    about_its_input = ("plan", "input_format", "id_field", "space_field", "cust_space_id")
    named = () if typed(ctx, "checkpoint") else ("--checkpoint", str(checkpoint))
    return command_line(ctx, leave_out=about_this_run + about_its_input, extra=named)


def verify_command(ctx: click.Context, checkpoint: Path) -> str:
    """Return the command line that looks whether what this job deleted is gone."""
    others = (parameter.name or "" for parameter in ctx.command.params if parameter.name not in SHARED)
    command = command_line(ctx, command="flowreaper verify", leave_out=tuple(others))
    return f"{command} {path_word(checkpoint)}"


def _past(ctx: click.Context) -> tuple[str, ...]:
    """Return the options that name a moment, which will have passed."""
    stop_at = ctx.params.get("stop_at")
    return ("stop_at",) if stop_at and is_dated(stop_at) else ()


def _as_arguments(paths: Sequence[str]) -> tuple[str, ...]:
    """Return paths so that none is taken for an option."""
    return tuple(f"./{path}" if path.startswith("-") else path for path in paths)
