"""``flowreaper status``: how far a job is, or every job of this folder."""

import json
import sys
import time
from datetime import datetime
from pathlib import Path

import click

from flowreaper.cli.cause_commands import delete_command
from flowreaper.cli.document import SCHEMA, job_document
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.options import checkpoint_argument, warn_of_what_is_missing
from flowreaper.cli.streams import write_line
from flowreaper.cli.terminal.status import describe, describe_in_a_line
from flowreaper.errors import FlowreaperError
from flowreaper.store.overview import Overview
from flowreaper.store.sqlite.reader import find_checkpoints, read_overview

_WATCH_S = 2.0
_CLEAR = "\x1b[H\x1b[2J"


_EXAMPLES = (
    "flowreaper status",
    "flowreaper status ids.txt.ckpt",
    "flowreaper status --watch ids.txt.ckpt",
    "flowreaper status --json ids.txt.ckpt | jq .states.refused",
)


@click.command("status", cls=HelpCommand, examples=_EXAMPLES)
@checkpoint_argument(required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option("--watch", is_flag=True, help="Show it again every 2 seconds, until the run has ended.")
def command(checkpoint: Path | None, *, as_json: bool, watch: bool) -> None:
    """Show what CHECKPOINT holds: flows by state and code, its runs, whether one is going on, and what to do next.

    Without CHECKPOINT: every checkpoint in this folder, a line each. Also while a run is going on.
    """
    if checkpoint is None:
        if watch:
            raise click.UsageError("--watch follows one run: name its checkpoint")
        _show_folder(Path(), as_json=as_json)
        return
    warn_of_what_is_missing(checkpoint)
    overview = read_overview(checkpoint)
    while watch and overview.status.live:
        _show(checkpoint, overview, as_json=as_json, again=True)
        time.sleep(_WATCH_S)
        overview = read_overview(checkpoint)
    _show(checkpoint, overview, as_json=as_json, again=watch)


def _show(checkpoint: Path, overview: Overview, *, as_json: bool, again: bool) -> None:
    delete = delete_command(overview.status, checkpoint)
    if as_json:
        text = json.dumps(job_document(overview, checkpoint, delete))
    else:
        text = describe(overview, checkpoint, datetime.now().astimezone(), delete)
        if again and sys.stdout.isatty():
            text = f"{_CLEAR}{text}"
    click.echo(text)
    sys.stdout.flush()


def _show_folder(folder: Path, *, as_json: bool) -> None:
    """Show every checkpoint of a folder; one that cannot be read is named with the reason."""
    jobs: list[tuple[Path, Overview]] = []
    for path in find_checkpoints(folder):
        try:
            jobs.append((path, read_overview(path)))
        except FlowreaperError as error:
            write_line(f"Warning: {error}")
    if as_json:
        found = [
            job_document(overview, path, delete_command(overview.status, path)) for path, overview in jobs
        ]
        click.echo(json.dumps({"schema": SCHEMA, "checkpoints": found}))
        return
    width = max((len(str(path)) for path, _ in jobs), default=0)
    for path, overview in jobs:
        click.echo(describe_in_a_line(overview, path, width))
    if not jobs:
        write_line("There is no checkpoint in this folder.")
