"""``flowreaper delete``: the main job's options."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.advice import shown
from flowreaper.cli.delete_options import (
    output_options,
    pace_options,
    safety_options,
    service_options,
    what_options,
)
from flowreaper.cli.exit_status import MEANINGS
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.option_groups import DELETE
from flowreaper.cli.options import command_line, quoted
from flowreaper.cli.service_options import identity_options
from flowreaper.cli.suggestions import ids_among
from flowreaper.errors import ConfigurationError, FlowreaperError
from flowreaper.escaping import printable
from flowreaper.producer.sources import Source, open_sources

_STDIN = 0
_IDS_SHOWN = 20


_EXAMPLES = (
    "flowreaper delete --dry-run ids.txt           read and count, call nothing",
    "flowreaper delete ids.txt                     and again, to go on",
    "flowreaper delete -c ids.txt.ckpt             all that is unfinished in it",
    "flowreaper delete --retry gave_up -c ids.txt.ckpt ids.txt",
    "flowreaper delete --only-drafts --plan plan.json",
    "flowreaper list --name 'test-*' | flowreaper delete --only-drafts --yes -",
)


@click.command("delete", cls=HelpCommand, groups=DELETE, examples=_EXAMPLES, statuses=MEANINGS)
@click.argument("source", nargs=-1, type=click.Path(allow_dash=True))
@what_options
@pace_options
@safety_options
@output_options
@service_options
@identity_options("delete")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Delete the draft flows whose ids are in each SOURCE, at the account's pace, resumable.

    SOURCE is a file of flow ids, or - for standard input. Only flows that the SOURCEs list are called: unfinished
    flows of an earlier run that are no longer listed are left alone. Without SOURCE and -c, standard input is read;
    with -c and without SOURCE, every unfinished flow of the checkpoint is called, and standard input is not read. Run
    the same command again to go on where it stopped.
    """
    # These take a fifth of a second, which help and completion need not wait.
    from flowreaper.cli.planned import planned_sources
    from flowreaper.cli.preflight import names_twice
    from flowreaper.cli.run import DeleteCommand
    from flowreaper.cli.summary_file import SummaryFile
    from flowreaper.cli.terminal.summary import error_status

    sources: list[Source] = []
    held = contextlib.ExitStack()
    summary = SummaryFile(None if options["dry_run"] else options["summary_json"])
    try:
        _refuse_ids(ctx, options["source"])
        if options["plan"]:
            sources = planned_sources(ctx, options, held)
        else:
            sources = _open(options["source"], options["checkpoint"], rehearsal=options["sandbox"])
        ctx.exit(DeleteCommand(ctx, sources, options, summary).execute())
    except (FlowreaperError, KeyboardInterrupt) as error:
        with contextlib.suppress(FlowreaperError):  # the first error is the one to report
            if not names_twice(options["summary_json"], options):
                summary.begin()
            if isinstance(error, FlowreaperError):
                summary.write_refusal(shown(error), error_status(error))
            else:
                summary.write_refusal("interrupted before anything was sent", 128 + signal.SIGINT)
        raise
    finally:
        held.close()
        for source in sources:
            source.close()


def _open(arguments: tuple[str, ...], checkpoint: Path | None, *, rehearsal: bool) -> list[Source]:
    if checkpoint is not None and not checkpoint.name:
        raise ConfigurationError("the checkpoint's name is empty: name a file with -c, or leave -c out")
    if not arguments and checkpoint is not None:
        name = printable(str(checkpoint))
        if rehearsal:
            raise ConfigurationError(
                "a rehearsal begins with an empty checkpoint: name a SOURCE to read ids from"
            )
        if not checkpoint.exists():
            raise ConfigurationError(
                f"there is no checkpoint {name}, and no SOURCE to read: to begin a new one with ids from standard"
                " input, add -"
            )
        return []
    if not arguments:
        if os.isatty(_STDIN):
            raise ConfigurationError(
                "there is nothing to read: name a SOURCE, or the checkpoint to go on with (-c)"
            )
        arguments = ("-",)
    return open_sources(arguments, _STDIN)


def _refuse_ids(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Refuse ids in the place of files; a file of such a name is a file."""
    ids = ids_among(arguments)
    if not ids:
        return
    command = command_line(ctx, leave_out=("source",), extra=("-",))
    raise ConfigurationError(
        f"there is no file {quoted(ids[0])}. If it is a flow id: ids come from a file or a pipe, as in\n"
        f"  {_written(ids)} | {command}"
    )


def _written(ids: list[str]) -> str:
    """Return a command that prints the ids, a line each."""
    if len(ids) == 1:
        return f"echo {quoted(ids[0])}"
    if len(ids) <= _IDS_SHOWN:
        return f"printf '%s\\n' {' '.join(map(quoted, ids))}"
    return "cat IDS"
