"""``flowreaper report``: what a job did, as one HTML page."""

import time
from pathlib import Path

import click

from flowreaper.cli import streams
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.new_file import STDOUT, check_new, write_whole
from flowreaper.cli.options import checkpoint_argument, path_word, warn_of_what_is_missing
from flowreaper.cli.results_commands import list_command, remaining_command, write_command
from flowreaper.escaping import printable
from flowreaper.model import State
from flowreaper.report.page import render
from flowreaper.report.report import Commands, gather
from flowreaper.sink.formats import json_line

_LISTED = (
    *(State.ABSENT, State.KEPT, State.REFUSED, State.GAVE_UP, State.INVALID),
    *(State.PENDING, State.CLAIMED),
)


_EXAMPLES = (
    "flowreaper report ids.txt.ckpt",
    "flowreaper report -o report.html ids.txt.ckpt",
)


@click.command("report", cls=HelpCommand, examples=_EXAMPLES)
@checkpoint_argument()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this new file (mode 0600); - is standard output.  [default: CHECKPOINT's name with .html, in this folder]",
)
def command(checkpoint: Path, output: Path | None) -> None:
    """Write one HTML page about CHECKPOINT: what was deleted and what was not, when, and how fast.

    The page loads nothing and runs no script, so it can be mailed, archived or printed. It names the SHA-256 of the
    full list of results, and the command that finds it again. Also while a run is going on; it is a snapshot then. A
    million flows take some seconds.
    """
    target = output or Path(f"{checkpoint.name}.html")
    check_new(target, checkpoint)
    warn_of_what_is_missing(checkpoint)
    report = gather(checkpoint, json_line, lambda: int(time.time() * 1000))
    write_whole(target, render(report, commands_for(checkpoint)))
    if target != STDOUT:
        streams.write_line(f"Written: {printable(str(target))}")


def commands_for(checkpoint: Path) -> Commands:
    """Return the commands that the page names, as they are typed in the folder that this one was typed in."""
    return Commands(
        digest=f"{list_command(checkpoint)} | sha256sum",
        list_all=write_command(checkpoint, ".jsonl"),
        list_state={state: write_command(checkpoint, ".csv", state) for state in _LISTED},
        list_remaining=remaining_command(checkpoint),
        list_runs=f"flowreaper status --json {path_word(checkpoint)}",
    )
