"""The command that goes on with a job."""

from collections.abc import Sequence
from pathlib import Path

import click

from flowreaper.cli.arguments import typed
from flowreaper.cli.options import command_line
from flowreaper.producer.sources import Source


def is_piped(sources: Sequence[Source]) -> bool:
    """Return whether a source can be read only once, or is standard input, which the next command has not."""
    return any(not source.rereadable or source.name == "-" for source in sources)


def resume_command(
    ctx: click.Context,
    sources: Sequence[Source],
    checkpoint: Path,
    *,
    read_all: bool,
    holds_others: bool = False,
) -> str:
    """Return the command line that goes on with this job.

    `read_all`: the input was read to its end. `holds_others`: the checkpoint has, or may have, unfinished flows that
    the input does not list. After a pipe the command then ends with ``-``, for the same ids to be piped again: without
    a source it would delete the others, too.
    """
    piped = is_piped(sources)
    # --retry would reopen what this run has just closed; a pipe cannot be read again, nor needs it to be.
    # The log is lost once, not each time.
    leave_out = ("retry", "retry_code", "accept_lost_log", *(("source",) if piped else ()))
    extra: tuple[str, ...] = () if typed(ctx, "checkpoint") else ("--checkpoint", str(checkpoint))
    command = command_line(ctx, leave_out=leave_out, extra=extra)
    files = [source.path for source in sources if source.rereadable and source.path]
    if piped and holds_others:
        extra += (*_as_arguments(files), "-")
        return command_line(ctx, leave_out=leave_out, extra=extra)
    if not piped or read_all or not files:
        return command
    # Files beside the pipe were not read to their end: read them first, then take what came from the pipe.
    extra += _as_arguments(files)
    return f"{command_line(ctx, leave_out=leave_out, extra=extra)}; {command}"


def _as_arguments(paths: Sequence[str]) -> tuple[str, ...]:
    """Return paths so that none is taken for an option."""
    return tuple(f"./{path}" if path.startswith("-") else path for path in paths)
